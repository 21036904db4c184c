"""Copy a store into another one, SQLite or Postgres, and verify that both are equal.

Rows travel table by table in the order of their references, in batches: memory stays flat. Compared
are the number of rows and a fingerprint of each table. A fingerprint is the sum of the hashes of
its rows, so that no order, collation or page layout matters, only the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import localized
from upcycle_news.storage.schema import key_fingerprints, metadata

BATCH = 1000
# Rows that hold images, bounces or whole mails: a batch of them must fit into memory as well.
WIDE_BATCH = 10
_WIDE = ("revisions", "renderings", "variant_renderings")
_HASH_BYTES = 16


@dataclass(frozen=True)
class TableSum:
    """The number of rows of a table, and their fingerprint in hexadecimal digits."""

    rows: int
    fingerprint: str


class _RunningSum:
    """The sum of the hashes of the rows so far."""

    def __init__(self) -> None:
        self.rows, self.total = 0, 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self.total += int.from_bytes(row_hash(row), "big")
        self.rows += len(rows)

    def result(self) -> TableSum:
        return TableSum(self.rows, f"{self.total % 2 ** (8 * _HASH_BYTES):032x}")


def row_hash(row: Sequence[Any]) -> bytes:
    """Return the hash of a row's values, the same whatever store they were read from.

    Hashes their `repr`: the column types make them the same plain values (times in UTC, booleans,
    bytes), and no other serialisation costs less. Fingerprints are compared within one run and not
    stored.
    """
    return blake2b(repr(tuple(row)).encode(), digest_size=_HASH_BYTES).digest()


def existing_tables(connection: Connection) -> list[tuple[Table, list[Column[Any]]]]:
    """Return our tables and columns as far as this store has them, referenced tables first."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    tables = []
    for table in metadata.sorted_tables:
        if table.name in names:
            existing = {column["name"] for column in inspector.get_columns(table.name)}
            tables.append((table, [column for column in table.columns if column.name in existing]))
    return tables


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0
        for table, _ in existing_tables(connection)
    }


def table_sum(connection: Connection, table: Table, columns: Sequence[Column[Any]]) -> TableSum:
    """Return the number of rows and the fingerprint of a table."""
    running = _RunningSum()
    for rows in _batches(connection, table, columns):
        running.add(rows)
    return running.result()


def _batches(
    connection: Connection, table: Table, columns: Sequence[Column[Any]]
) -> Iterator[Sequence[Sequence[Any]]]:
    wide = table.name in _WIDE or any(isinstance(column.type, LargeBinary) for column in columns)
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
        running = _RunningSum()
        for rows in _batches(source, table, columns):
            running.add(rows)
            names = [column.name for column in columns]
            target.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
            on_rows(len(rows))
        sums[table.name] = running.result()
        if table_sum(target, table, columns) != sums[table.name]:
            raise StoreError(localized("store-copy-differs", name=table.name))
    set_highest_ids(target, highest_ids(source))
    return sums


def raise_unless_empty(connection: Connection, name: str) -> None:
    """Raise `StoreError` when a table of the store called `name` holds a row.

    Whose keys a new store belongs to is no content yet: that is forgotten, and copied with the rest.
    """
    if "key_fingerprints" in {table.name for table, _ in existing_tables(connection)}:
        connection.execute(delete(key_fingerprints))
    filled = [table for table, rows in count_rows(connection).items() if rows]
    if filled:
        raise StoreError(
            localized(
                "store-copy-not-empty",
                name=name,
                filled=", ".join(filled[:3]),
                more=" …" * (len(filled) > 3),
            )
        )


def lock_tables(connection: Connection, mode: Literal["EXCLUSIVE", "ACCESS EXCLUSIVE"]) -> None:
    """Keep others from writing until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table, _ in existing_tables(connection))
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text(f"LOCK TABLE {names} IN {mode} MODE"))


def delete_all_rows(connection: Connection) -> None:
    """Delete all rows of all tables; SQLite overwrites what it frees, as it is personal data."""
    tables = [table for table, _ in existing_tables(connection)]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {', '.join(table.name for table in tables)}"))
        return
    for table in reversed(tables):
        connection.execute(table.delete())


# --- generated ids: a subscriber's is in signed links and must never be given to another one


def highest_ids(connection: Connection) -> dict[str, int]:
    """Return the highest id each table ever generated, as far as its store knows."""
    ids = {}
    for table, _ in existing_tables(connection):
        column = table.autoincrement_column
        if column is None:
            continue
        highest = connection.scalar(select(func.max(column))) or 0
        if connection.dialect.name == "postgresql":
            generated = connection.scalar(
                text("SELECT pg_sequence_last_value(CAST(:sequence AS regclass))"),
                {"sequence": _sequence(connection, table)},
            )
        else:
            generated = connection.scalar(
                text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
            )
        ids[table.name] = max(highest, generated or 0)
    return ids


def set_highest_ids(connection: Connection, ids: Mapping[str, int]) -> None:
    """Let the tables generate only ids above these from now on."""
    for table, _ in existing_tables(connection):
        highest = ids.get(table.name, 0)
        if not highest:
            continue
        if connection.dialect.name == "postgresql":
            connection.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :highest)"),
                {"sequence": _sequence(connection, table), "highest": highest},
            )
        elif table.dialect_options["sqlite"]["autoincrement"]:
            name = {"name": table.name, "highest": highest}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :highest)"), name)


def _sequence(connection: Connection, table: Table) -> str:
    column = table.autoincrement_column
    assert column is not None
    sequence = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"),
        {"table": table.name, "column": column.name},
    )
    return str(sequence)
