"""Deliveries of old issues, packed: `SPAN` subscriber ids to a block instead of a row each.

Packed is what ended as most deliveries do (`PACKED`) and that no report is about; what was refused, is
unknown or bounced stays a row of `deliveries`, as does whatever belongs to somebody who was erased. A
delivery is in one place at any moment: a transaction that moves one, with its issue locked, removes it
where it was. Whoever reads both places does so in one `Store.snapshot()`, or with the issue locked as well.

A late report takes its delivery out again (`take_out`), and the usual statements find it. Of who is
erased the entries go, and only the counts stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from heapq import heappop, heappush
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import Store
from upcycle_news.storage.delivery_block import BlockEntry, decode, encode
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issues,
    packed_deliveries,
    packed_issues,
    subscribers,
)

PACKED = (DeliveryState.SENT, DeliveryState.SUPPRESSED, DeliveryState.CANCELLED)
"""The states of deliveries that are packed."""

SPAN = 512
"""Subscriber ids of a block: one report, page or erasure decodes so many deliveries for each issue.

The blocks of a store are numbered by it: another number needs a migration.
"""
_BLOCKS_AT_ONCE = 8  # of a transaction that packs

_rows = packed_deliveries.c
_KEY = (_rows.issue_id, _rows.block, _rows.state, _rows.variant)

# The readers of an issue as rows, as long as a statement needs them so.
_unfolded = Table(
    "unfolded_readers",
    MetaData(),
    Column("subscriber_id", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


class PackedDelivery(NamedTuple):
    """A packed delivery, with the columns of its row in `deliveries`; `next_at` of such a one is NULL."""

    issue_id: str
    state: str
    variant: int
    id: int
    subscriber_id: int
    attempts: int
    worker_id: int
    code: int | None
    enhanced: str
    reason: str
    queued_at: datetime
    changed_at: datetime


# --- reading


def counts(connection: Connection, issue: str) -> dict[tuple[int, DeliveryState], int]:
    """Return how many deliveries of an issue are packed, by variant and state; erased ones count."""
    query = (
        select(_rows.variant, _rows.state, func.sum(_rows.number))
        .where(_rows.issue_id == issue)
        .group_by(_rows.variant, _rows.state)
    )
    return {
        (variant, DeliveryState(state)): int(number)
        for variant, state, number in connection.execute(query)
    }


def counts_by_state(connection: Connection, issue: str) -> dict[DeliveryState, int]:
    """Return how many deliveries of an issue are packed, by state; erased ones count."""
    by_state: dict[DeliveryState, int] = {}
    for (_, state), number in counts(connection, issue).items():
        by_state[state] = by_state.get(state, 0) + number
    return by_state


def of_subscriber(connection: Connection, subscriber: int) -> list[PackedDelivery]:
    """Return the packed deliveries of one subscriber, of all issues: decodes a block for each."""
    return list(_select(connection, _rows.block == subscriber // SPAN, only={subscriber}))


def of_subscribers(
    connection: Connection, issue: str, wanted: Collection[int]
) -> list[PackedDelivery]:
    """Return the packed deliveries of an issue to these subscribers."""
    found: list[PackedDelivery] = []
    for blocks in chunks(sorted({number // SPAN for number in wanted})):
        found += _select(connection, _rows.issue_id == issue, _rows.block.in_(blocks), only=wanted)
    return found


def of_issue(
    connection: Connection,
    issue: str,
    *,
    first: int | None = None,
    last: int | None = None,
    damaged: list[Row[Any]] | None = None,
) -> Iterator[PackedDelivery]:
    """Yield the packed deliveries of an issue block by block, or of those with ids from `first` to `last`.

    Rows of damaged blocks are added to `damaged`; without it the first one raises `StoreError`.
    """
    conditions: list[ColumnElement[bool]] = [_rows.issue_id == issue]
    if first is not None and last is not None:
        conditions += [_rows.first_id <= last, _rows.last_id >= first]
    for one in _select(connection, *conditions, damaged=damaged):
        if first is None or last is None or first <= one.id <= last:
            yield one


def in_queue_order(
    connection: Connection, issue: str, state: DeliveryState
) -> Iterator[PackedDelivery]:
    """Yield the packed deliveries of an issue in one state by their ids; few blocks are held at a time."""
    heap: list[tuple[int, PackedDelivery]] = []
    query = (
        select(packed_deliveries)
        .where(_rows.issue_id == issue, _rows.state == state)
        .order_by(_rows.first_id)
    )
    for row in connection.execute(query, execution_options={"yield_per": 10}):
        while heap and heap[0][0] < row.first_id:
            yield heappop(heap)[1]
        for one in _decoded(row):
            heappush(heap, (one.id, one))
    while heap:
        yield heappop(heap)[1]


def last_change(connection: Connection, issue: str | None = None) -> datetime | None:
    """Return when a packed delivery last changed its state, of an issue or of all; None without any."""
    query = select(func.max(_rows.changed_at))
    changed_at: datetime | None = connection.scalar(
        query if issue is None else query.where(_rows.issue_id == issue)
    )
    return changed_at


@contextmanager
def subscribers_in(
    connection: Connection, mailings: Collection[str], state: DeliveryState
) -> Iterator[Select[tuple[int]] | CompoundSelect[tuple[int]]]:
    """Select the subscribers of these issues' deliveries in one state, packed or not, for an IN of a statement."""
    rows = select(deliveries.c.subscriber_id).where(
        deliveries.c.issue_id.in_(mailings), deliveries.c.state == state
    )
    ordered = select(issues.c.id).where(issues.c.id.in_(mailings)).order_by(issues.c.id)
    connection.execute(ordered.with_for_update(read=True))  # nothing is packed meanwhile
    packed = _rows.issue_id.in_(mailings), _rows.state == state
    if connection.execute(select(_rows.block).where(*packed).limit(1)).first() is None:
        yield rows
        return
    _unfolded.create(connection)
    for block in groupby(_select(connection, *packed), key=lambda one: one.subscriber_id // SPAN):
        connection.execute(
            insert(_unfolded), [{"subscriber_id": one.subscriber_id} for one in block[1]]
        )
    yield rows.union_all(select(_unfolded.c.subscriber_id))
    _unfolded.drop(connection)


def _select(
    connection: Connection,
    *conditions: ColumnElement[bool],
    only: Collection[int] | None = None,
    damaged: list[Row[Any]] | None = None,
) -> Iterator[PackedDelivery]:
    query = select(packed_deliveries).where(*conditions).order_by(*_KEY)
    for row in connection.execute(query, execution_options={"yield_per": 10}):
        try:
            decoded = _decoded(row, only)
        except StoreError:
            if damaged is None:
                raise
            damaged.append(row)
            continue
        yield from decoded


def _decoded(row: Row[Any], only: Collection[int] | None = None) -> list[PackedDelivery]:
    entries = _entries(row, only)
    return [PackedDelivery(row.issue_id, row.state, row.variant, *entry) for entry in entries]


def _entries(row: Row[Any], only: Collection[int] | None = None) -> list[BlockEntry]:
    """Return what a block holds, or of that the subscribers in `only`; raises `StoreError` if it is damaged."""
    try:
        return decode(row.data, only)
    except ValueError:
        raise StoreError(
            localized(
                "store-block-damaged",
                issue=row.issue_id,
                first=row.block * SPAN,
                last=(row.block + 1) * SPAN - 1,
            )
        ) from None


# --- packing


def issues_to_pack(store: Store, *, closed_before: datetime) -> list[str]:
    """Return the issues that were closed before this time, or again since they were packed, oldest first."""
    query = (
        select(issues.c.id)
        .outerjoin(packed_issues, packed_issues.c.issue_id == issues.c.id)
        .where(
            issues.c.closed_at < closed_before,
            or_(
                packed_issues.c.packed_at.is_(None), packed_issues.c.packed_at < issues.c.closed_at
            ),
        )
        .order_by(issues.c.closed_at)
    )
    with store.reading() as connection:
        return list(connection.scalars(query))


def pack_issue(store: Store, issue: str, *, now: datetime) -> int:
    """Pack the deliveries of a closed issue, some blocks to a transaction; returns how many were packed.

    A process that dies in between leaves the rest as rows, and the next one goes on. Nothing more is packed
    once somebody reopens the issue.
    """
    # It stays a row: SQLite gives the id above the highest that is there, and none may come a second time.
    highest = select(func.max(deliveries.c.id)).where(deliveries.c.issue_id == issue)
    with store.reading() as connection:
        kept = connection.scalar(highest)
    packed, start = 0, 0
    while (step := _pack_some(store, issue, start, kept, now)) is not None:
        packed, start = packed + step[0], step[1]
    return packed


def _pack_some(
    store: Store, issue: str, start: int, kept: int | None, now: datetime
) -> tuple[int, int] | None:
    """Pack the next blocks from a subscriber id on; returns how many deliveries, and where to go on."""
    with store.writing() as connection:
        # Before any delivery, as cancelling does; who takes a delivery out has locked the issue as well.
        row = select(issues.c.closed_at).where(issues.c.id == issue).with_for_update()
        if connection.scalar(row) is None:
            return None
        first = connection.scalar(
            select(deliveries.c.subscriber_id)
            .where(deliveries.c.issue_id == issue, deliveries.c.subscriber_id >= start)
            .order_by(deliveries.c.subscriber_id)
            .limit(1)
        )
        if first is None:
            connection.execute(delete(packed_issues).where(packed_issues.c.issue_id == issue))
            connection.execute(insert(packed_issues).values(issue_id=issue, packed_at=now))
            return None
        block = first // SPAN
        end = (block + _BLOCKS_AT_ONCE) * SPAN
        return _pack_between(connection, issue, block * SPAN, end, kept), end


def _pack_between(
    connection: Connection, issue: str, start: int, end: int, kept: int | None
) -> int:
    """Pack the deliveries of an issue, except `kept`, to subscribers with ids from `start` to below `end`."""
    between = and_(deliveries.c.subscriber_id >= start, deliveries.c.subscriber_id < end)
    rows = connection.execute(
        select(*(deliveries.c[name] for name in (*BlockEntry._fields, "state", "variant")))
        .where(
            deliveries.c.issue_id == issue,
            between,
            deliveries.c.state.in_(PACKED),
            deliveries.c.next_at.is_(None),
            deliveries.c.id != kept,
        )
        # Locked: who is being erased in this moment is erased here as well, after our commit.
        .order_by(deliveries.c.id)
        .with_for_update()
    ).all()
    reported = set(
        connection.scalars(
            select(bounces.c.delivery_id).where(
                bounces.c.issue_id == issue,
                bounces.c.subscriber_id >= start,
                bounces.c.subscriber_id < end,
            )
        )
    )
    known = set(
        connection.scalars(
            select(subscribers.c.id).where(subscribers.c.id >= start, subscribers.c.id < end)
        )
    )
    chosen = [row for row in rows if row.id not in reported and row.subscriber_id in known]
    _add(connection, issue, chosen)
    for ids in chunks(sorted(row.id for row in chosen)):
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(chosen)


def _add(connection: Connection, issue: str, rows: Sequence[Row[Any]]) -> None:
    """Add rows of `deliveries`, the columns of `BlockEntry` first, to the blocks that they belong to."""
    by_block: dict[tuple[int, str, int], list[BlockEntry]] = {}
    for row in rows:
        entry = BlockEntry(*row[: len(BlockEntry._fields)])
        key = (row.subscriber_id // SPAN, row.state, row.variant)
        by_block.setdefault(key, []).append(entry)
    blocks = sorted({block for block, _, _ in by_block})
    there = select(packed_deliveries).where(_rows.issue_id == issue, _rows.block.in_(blocks))
    for row in connection.execute(there.order_by(*_KEY).with_for_update()).all():
        added = by_block.pop((row.block, row.state, row.variant), [])
        if added:
            _rewrite(connection, row, [*_entries(row), *added], row.number + len(added))
    if by_block:
        keys = [
            {"issue_id": issue, "block": block, "state": state, "variant": variant}
            for block, state, variant in by_block
        ]
        contents = [_contents(entries, len(entries)) for entries in by_block.values()]
        connection.execute(
            insert(packed_deliveries),
            [key | content for key, content in zip(keys, contents, strict=True)],
        )


def _contents(entries: Sequence[BlockEntry], number: int) -> dict[str, Any]:
    """Return the columns of a block that are made of its entries."""
    ordered = sorted(entries, key=lambda entry: entry.subscriber_id)
    ids = [entry.id for entry in ordered]
    contents = {
        "number": number,
        "first_id": min(ids, default=0),
        "last_id": max(ids, default=0),
        "data": encode(ordered),
    }
    if ordered:
        contents["changed_at"] = max(entry.changed_at for entry in ordered)
    return contents


def _rewrite(
    connection: Connection, row: Row[Any], entries: Sequence[BlockEntry], number: int
) -> None:
    """Store what a block holds now; one that stands for no delivery is deleted."""
    this = [column == getattr(row, column.name) for column in _KEY]
    if number:
        connection.execute(
            update(packed_deliveries).where(*this).values(**_contents(entries, number))
        )
    else:
        connection.execute(delete(packed_deliveries).where(*this))


# --- taking out


def take_out(connection: Connection, issue: str, wanted: Collection[int]) -> None:
    """Make the packed deliveries of an issue to these subscribers rows of `deliveries` again, as they were.

    The caller has locked the issue, so that nothing of it is packed meanwhile.
    """
    for blocks in chunks(sorted({number // SPAN for number in wanted})):
        there = select(packed_deliveries).where(_rows.issue_id == issue, _rows.block.in_(blocks))
        for row in connection.execute(there.order_by(*_KEY).with_for_update()).all():
            entries = _entries(row)
            taken = [entry for entry in entries if entry.subscriber_id in wanted]
            if not taken:
                continue
            rest = [entry for entry in entries if entry.subscriber_id not in wanted]
            _rewrite(connection, row, rest, row.number - len(taken))
            in_common = {"issue_id": issue, "state": row.state, "variant": row.variant}
            connection.execute(insert(deliveries), [in_common | entry._asdict() for entry in taken])


def erase(connection: Connection, subscriber: int) -> None:
    """Remove the packed deliveries of a subscriber from all issues; the counts stay for the sums.

    Called after the rows of `deliveries`, so that what was packed until then is found.
    """
    there = select(packed_deliveries).where(_rows.block == subscriber // SPAN)
    for row in connection.execute(there.order_by(*_KEY).with_for_update()).all():
        entries = _entries(row)
        rest = [entry for entry in entries if entry.subscriber_id != subscriber]
        if len(rest) < len(entries):
            _rewrite(connection, row, rest, row.number)


def delete_issue(connection: Connection, issue: str) -> None:
    """Delete the packed deliveries of an issue."""
    for table in (packed_deliveries, packed_issues):
        connection.execute(delete(table).where(table.c.issue_id == issue))
