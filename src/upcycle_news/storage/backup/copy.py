"""Copy a store into another one, SQLite or Postgres, and prove that both hold the same.

Rows travel table by table in the order of their references, in batches: memory stays flat. The
proof is a number of rows and a fingerprint for each table. A fingerprint is the sum of the hashes
of its rows, so that no order, collation or page layout matters, only what is in the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from sqlalchemy import Column, Connection, LargeBinary, Table, func, insert, inspect, select, text

from upcycle_news.errors import StoreError
from upcycle_news.storage.schema import metadata

BATCH = 1000
# Rows that hold pictures, reports or whole mails: a batch of them must fit into memory as well.
WIDE_BATCH = 10
_WIDE = ("revisions", "renderings")
_HASH_BYTES = 16


@dataclass(frozen=True)
class TableSum:
    """What a table holds: its rows, and their fingerprint in hexadecimal digits."""

    rows: int
    fingerprint: str


class _Adding:
    """A sum of hashes while it grows."""

    def __init__(self) -> None:
        self.rows, self.total = 0, 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self.total += int.from_bytes(row_hash(row), "big")
        self.rows += len(rows)

    def told(self) -> TableSum:
        return TableSum(self.rows, f"{self.total % 2 ** (8 * _HASH_BYTES):032x}")


def row_hash(row: Sequence[Any]) -> bytes:
    """The hash of a row's values, the same whatever store they were read from.

    Of what Python shows of them: the types of the columns make them the same plain values (times in
    UTC, truth values, bytes), and of all ways to write them down this costs least. Fingerprints are
    compared within one run and not kept.
    """
    return blake2b(repr(tuple(row)).encode(), digest_size=_HASH_BYTES).digest()


def existing_tables(connection: Connection) -> list[tuple[Table, list[Column[Any]]]]:
    """Our tables as this store knows them, referenced ones first; an older store has fewer."""
    found = inspect(connection)
    names = set(found.get_table_names())
    here = []
    for table in metadata.sorted_tables:
        if table.name in names:
            known = {column["name"] for column in found.get_columns(table.name)}
            here.append((table, [column for column in table.columns if column.name in known]))
    return here


def count_rows(connection: Connection) -> dict[str, int]:
    """The rows of each table."""
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0
        for table, _ in existing_tables(connection)
    }


def table_sum(connection: Connection, table: Table, columns: Sequence[Column[Any]]) -> TableSum:
    """What a table holds now."""
    adding = _Adding()
    for rows in _batches(connection, table, columns):
        adding.add(rows)
    return adding.told()


def _batches(
    connection: Connection, table: Table, columns: Sequence[Column[Any]]
) -> Iterator[Sequence[Sequence[Any]]]:
    wide = table.name in _WIDE or any(isinstance(one.type, LargeBinary) for one in columns)
    size = WIDE_BATCH if wide else BATCH
    result = connection.execute(select(*columns), execution_options={"yield_per": size})
    yield from result.partitions()


def copy_all(
    source: Connection, target: Connection, *, on_rows: Callable[[int], None] = lambda more: None
) -> dict[str, TableSum]:
    """Copy every row into the empty tables of `target`, and read them back; what each table holds.

    `on_rows` is called with the number of rows of each copied batch. Raises `StoreError` when the two differ, so that
    the transaction of `target` ends without a trace.
    """
    sums = {}
    for table, columns in existing_tables(source):
        adding = _Adding()
        for rows in _batches(source, table, columns):
            adding.add(rows)
            names = [column.name for column in columns]
            target.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
            on_rows(len(rows))
        sums[table.name] = adding.told()
        if table_sum(target, table, columns) != sums[table.name]:
            raise StoreError(f"the copy of the table {table.name} differs: nothing was copied")
    set_highest_ids(target, highest_ids(source))
    return sums


def raise_unless_empty(connection: Connection, name: str) -> None:
    """Raise `StoreError` when a table of the store called `name` holds a row."""
    filled = [table for table, rows in count_rows(connection).items() if rows]
    if filled:
        raise StoreError(
            f"{name} is not empty ({', '.join(filled[:3])}{' …' * (len(filled) > 3)}): name an "
            "empty database; nothing was copied"
        )


def lock_tables(connection: Connection, mode: Literal["EXCLUSIVE", "ACCESS EXCLUSIVE"]) -> None:
    """Keep others from writing until this transaction ends; SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table, _ in existing_tables(connection))
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text(f"LOCK TABLE {names} IN {mode} MODE"))


def delete_all_rows(connection: Connection) -> None:
    """Empty every table; what SQLite frees is overwritten, as it is about people."""
    here = [table for table, _ in existing_tables(connection)]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {', '.join(table.name for table in here)}"))
        return
    for table in reversed(here):
        connection.execute(table.delete())


# --- numbers that were given: a subscriber's is in signed links and must never name another person


def highest_ids(connection: Connection) -> dict[str, int]:
    """The highest number each table ever gave, as far as its store remembers."""
    found = {}
    for table, _ in existing_tables(connection):
        column = table.autoincrement_column
        if column is None:
            continue
        highest = connection.scalar(select(func.max(column))) or 0
        if connection.dialect.name == "postgresql":
            given = connection.scalar(
                text("SELECT pg_sequence_last_value(CAST(:sequence AS regclass))"),
                {"sequence": _sequence(connection, table)},
            )
        else:
            given = connection.scalar(
                text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
            )
        found[table.name] = max(highest, given or 0)
    return found


def set_highest_ids(connection: Connection, wanted: Mapping[str, int]) -> None:
    """Let the tables give higher numbers than these from now on."""
    for table, _ in existing_tables(connection):
        mark = wanted.get(table.name, 0)
        if not mark:
            continue
        if connection.dialect.name == "postgresql":
            connection.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :mark)"),
                {"sequence": _sequence(connection, table), "mark": mark},
            )
        elif table.dialect_options["sqlite"]["autoincrement"]:
            name = {"name": table.name, "mark": mark}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :mark)"), name)


def _sequence(connection: Connection, table: Table) -> str:
    column = table.autoincrement_column
    assert column is not None
    found = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"),
        {"table": table.name, "column": column.name},
    )
    return str(found)
