"""Finds damaged blocks of packed deliveries, and those that are not there any more.

Each block is decoded once and compared with its columns. How many an issue has in all is compared with the
sums that it was closed with: who is erased since is missing in a block, and counts all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage import packed_deliveries as packing
from upcycle_news.storage.delivery_block import decode_keys
from upcycle_news.storage.schema import deliveries, issues, packed_deliveries, packed_issues

_blocks = packed_deliveries.c


@dataclass
class _DamagedBlocks:
    """The damaged blocks of an issue: how many, of how many deliveries, to whom."""

    blocks: int = 0
    deliveries: int = 0
    first: int = 0
    last: int = 0

    def add(self, row: Row[Any]) -> None:
        """Count one; they come by the numbers of their subscribers."""
        first = row.block * packing.SPAN
        self.first = min(self.first, first) if self.blocks else first
        self.last = max(self.last, first + packing.SPAN - 1)
        self.blocks += 1
        self.deliveries += row.number


@dataclass(frozen=True)
class BlocksReport:
    """A sentence for each issue with damaged blocks; `looked_at` is how many blocks were decoded, of `total`."""

    damaged: tuple[LocalizedText, ...] = ()
    looked_at: int = 0
    total: int = 0


def check_blocks(connection: Connection, *, newest: int | None = None) -> BlocksReport:
    """Decode all blocks, a few at a time, and compare the sums of all issues.

    With `newest`, only so many blocks of the issues that were closed last.
    """
    total = connection.scalar(select(func.count()).select_from(packed_deliveries)) or 0
    damaged: dict[str, _DamagedBlocks] = {}
    looked_at = 0
    for row in _some_blocks(connection, newest):
        looked_at += 1
        if not is_whole(row):
            damaged.setdefault(row.issue_id, _DamagedBlocks()).add(row)
    texts = [
        localized(
            "contents-blocks",
            issue=issue,
            deliveries=localized("count-deliveries", count=found.deliveries),
            blocks=localized("count-blocks", count=found.blocks),
            first=found.first,
            last=found.last,
        )
        for issue, found in sorted(damaged.items())
    ]
    if newest is None:
        texts += _other_sums(connection)
    return BlocksReport(tuple(texts), looked_at, total)


def is_whole(row: Row[Any]) -> bool:
    """Return whether a block can be decoded and holds what its columns say."""
    try:
        ids, readers = decode_keys(row.data)
    except ValueError:
        return False
    return (
        len(ids) <= row.number
        and (min(ids, default=0), max(ids, default=0)) == (row.first_id, row.last_id)
        and all(reader // packing.SPAN == row.block for reader in readers)
        and len(set(readers)) == len(readers)
    )


def _some_blocks(connection: Connection, newest: int | None) -> Iterator[Row[Any]]:
    """Yield all blocks by issue and subscribers, or so many of the newest issues."""
    query: Select[Any] = select(packed_deliveries).order_by(_blocks.issue_id, _blocks.block)
    if newest is None:
        yield from connection.execute(query, execution_options={"yield_per": 10})
        return
    # An issue a statement: a sort by time would hold all blocks.
    closed = select(issues.c.id).join(packed_issues, packed_issues.c.issue_id == issues.c.id)
    for issue in connection.scalars(closed.order_by(issues.c.closed_at.desc())).all():
        if newest <= 0:
            return
        some = query.where(_blocks.issue_id == issue).limit(newest)
        for row in connection.execute(some, execution_options={"yield_per": 10}):
            newest -= 1
            yield row


def _other_sums(connection: Connection) -> Iterator[LocalizedText]:
    """Yield a sentence for each packed issue that has more or fewer deliveries than it was closed with."""
    packed = select(
        _blocks.issue_id, _blocks.state, func.sum(_blocks.number).label("number")
    ).group_by(_blocks.issue_id, _blocks.state)
    rows = (
        select(deliveries.c.issue_id, deliveries.c.state, func.count().label("number"))
        .where(deliveries.c.issue_id.in_(select(packed_issues.c.issue_id)))
        .group_by(deliveries.c.issue_id, deliveries.c.state)
    )
    found: dict[tuple[str, str], int] = {}
    for query in (packed, rows):
        for issue, state, number in connection.execute(query):
            found[issue, state] = found.get((issue, state), 0) + int(number)
    # Its own columns only: the store may be of an older version, which a backup is made of before an upgrade.
    sums = [issues.c[state] for state in packing.PACKED]
    closed = (
        select(issues.c.id, *sums)
        .join(packed_issues, packed_issues.c.issue_id == issues.c.id)
        .where(issues.c.closed_at.is_not(None))
        .order_by(issues.c.id)
    )
    for row in connection.execute(closed):
        counted = {state: getattr(row, state) for state in packing.PACKED}
        there = {state: found.get((row.id, state), 0) for state in packing.PACKED}
        if counted != there:
            yield localized(
                "contents-sums",
                issue=row.id,
                deliveries=localized("count-deliveries", count=sum(counted.values())),
                found=sum(there.values()),
            )
