"""Finds what a store holds and cannot be read any more, before somebody asks for it.

SQLite's check of its pages says nothing of what is in a value. Looked at are packed deliveries, the inputs of
revisions and pictures, both by their SHA-256, and columns of JSON. What is made anew when it cannot be
read is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import JSON, Column, Connection, LargeBinary, Table, and_, cast, func, or_, select

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage.backup.copy import WIDE_BATCH, existing_tables
from upcycle_news.storage.packed_block_check import BlocksReport, check_blocks
from upcycle_news.storage.schema import (
    blobs,
    corrections,
    feed_bodies,
    feed_reports,
    packed_deliveries,
    revisions,
)

_MADE_ANEW = (feed_bodies, feed_reports)
_ALSO_JSON = (corrections.c.content,)  # empty, or JSON in a column of text


@dataclass(frozen=True)
class ContentsReport:
    """What is damaged, a sentence each, and how many blocks of packed deliveries were decoded, of how many."""

    damaged: tuple[LocalizedText, ...]
    blocks: int
    all_blocks: int


def check_contents(connection: Connection, *, newest: int | None = None) -> ContentsReport:
    """Look at all contents, in one pass over each table with a few rows of it in memory.

    With `newest`, at no more than so many blocks of packed deliveries, of the issues that were closed last, and
    so many of the newest revisions.
    """
    tables = existing_tables(connection)
    names = {table.name for table, _ in tables}
    blocks = BlocksReport()
    if packed_deliveries.name in names:
        blocks = check_blocks(connection, newest=newest)
    damaged = [*blocks.damaged]
    if revisions.name in names:
        damaged += _damaged_revisions(connection, newest)
        damaged += _damaged_pictures(connection) if newest is None else ()
    if newest is None and connection.dialect.name == "sqlite":
        # Postgres takes nothing else into a column of JSON.
        damaged += _invalid_json(connection, tables)
    return ContentsReport(tuple(damaged), blocks.looked_at, blocks.total)


def _damaged_revisions(connection: Connection, newest: int | None) -> Iterator[LocalizedText]:
    """Yield a sentence for each revision whose inputs are not those of its id."""
    columns = revisions.c
    manifest: Any = columns.manifest
    if connection.dialect.name == "sqlite":
        manifest = cast(manifest, LargeBinary)  # also where it is UTF-8 no more
    query = select(columns.issue_id, columns.revision_id, manifest).order_by(columns.id.desc())
    rows = connection.execute(query.limit(newest), execution_options={"yield_per": WIDE_BATCH})
    for issue, revision, data in rows:
        content = data if isinstance(data, bytes) else data.encode()
        if sha256(content).hexdigest() != revision:
            yield localized("contents-revision", issue=issue, revision=revision[:12])


def _damaged_pictures(connection: Connection) -> Iterator[LocalizedText]:
    """Yield a sentence for each picture that is not the one of its SHA-256, with an issue that has it."""
    rows = connection.execute(select(blobs), execution_options={"yield_per": WIDE_BATCH})
    for name in [row.sha256 for row in rows if sha256(row.data).hexdigest() != row.sha256]:
        with_it = select(revisions.c.issue_id).where(revisions.c.manifest.contains(name))
        issue = connection.scalar(with_it.order_by(revisions.c.id).limit(1))
        if issue is None:
            yield localized("contents-picture", picture=name[:12])
        else:
            yield localized("contents-picture-of", picture=name[:12], issue=issue)


def _invalid_json(
    connection: Connection, tables: Sequence[tuple[Table, Sequence[Column[Any]]]]
) -> Iterator[LocalizedText]:
    """Yield a sentence for each table of SQLite with rows in which a column of JSON holds something else."""
    for table, columns in tables:
        if table in _MADE_ANEW:
            continue
        [key, *_] = table.primary_key.columns
        conditions = [
            # Of NULL some versions of SQLite say that it is no JSON.
            and_(column != "", func.json_valid(column) == 0)
            if column in _ALSO_JSON
            else and_(column.is_not(None), func.json_valid(column) == 0)
            for column in columns
            if isinstance(column.type, JSON) or column in _ALSO_JSON
        ]
        if not conditions:
            continue
        invalid = or_(*conditions)
        query = select(func.count(), func.min(key)).where(invalid)
        count, first = connection.execute(query).one()
        if count:
            yield localized(
                "contents-json",
                rows=localized("count-rows", count=count),
                table=table.name,
                key=key.name,
                first=str(first),
            )
