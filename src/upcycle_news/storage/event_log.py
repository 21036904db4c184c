"""The log of events: appended in the transaction of what happened, read from a position on.

    subscriber.confirmed      a consent became valid; `detail`: {}
    subscriber.left           {"method": how}
    subscriber.suppressed     {"source": what from}; the issue, where one led to it
    subscriber.unsuppressed   {}
    subscriber.forgotten      erased; the id never comes back; {}
    issue.approved            {"revision": id}
    issue.rejected            {"revision": id}
    issue.sent                queued, its deliveries have begun; {"revision": id, "audience": n}
    issue.stopped             {"reason": sentence}, redacted
    issue.closed              {"audience": n, "sent": n, "rejected": n, …}; again when a sum was corrected
    issue.paused, issue.resumed, issue.reopened, issue.cancelled, issue.taken_back    {}

**Positions.** In Postgres a transaction that took its id first may commit last: whoever reads "all
ids above my last one" then misses it for ever. So rows get no position when they are written. Who
reads gives one to all rows that are committed and have none, one reader at a time (an advisory lock
in Postgres; SQLite has one writer anyway); what commits later gets a later position. Nobody who
writes waits for that, and it does not matter how long a transaction takes. Two events of which the
second waited for the first (a row of the subscriber or issue was locked) are in the order in which they
happened, since their ids are.

A position is never given twice and grows with the clock (microseconds since 1970 where the log is
idle): a store restored from a backup goes on above whatever its readers have seen, although it has
forgotten that. `Event.position` is thus what names an event to others; the row's id does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from upcycle_news.models import Event, EventKind
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import events, subscribers, webhook_cursors

START = 0
"""The position before the first event."""

_READERS_LOCK = 7503211
_MICROSECONDS = 1_000_000
_CHUNK = 500


def append(
    connection: Connection,
    kind: EventKind,
    *,
    at: datetime,
    subscriber: int | None = None,
    issue: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an event in the transaction of what happened. `detail` must hold no address."""
    connection.execute(
        insert(events).values(
            at=at,
            kind=kind.value,
            subscriber_id=subscriber,
            issue_id=issue or None,
            detail=dict(detail or {}),
        )
    )


def append_for_each(
    connection: Connection,
    kind: EventKind,
    those: ColumnElement[bool],
    *,
    at: datetime,
    issue: str = "",
    detail: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Append an event for each subscriber that the condition `those` is true of, in one statement.

    `parameters` are those of the condition.
    """
    rows: Select[Any] = select(
        literal(at, events.c.at.type),
        literal(kind.value),
        subscribers.c.id,
        literal(issue or None, events.c.issue_id.type),
        literal(dict(detail or {}), events.c.detail.type),
    ).where(those)
    columns = ["at", "kind", "subscriber_id", "issue_id", "detail"]
    connection.execute(
        insert(events).from_select(columns, rows.order_by(subscribers.c.id)), parameters
    )


def append_for_ids(
    connection: Connection,
    kind: EventKind,
    ids: Iterable[int],
    *,
    at: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an event for each of these subscribers."""
    rows: list[dict[str, Any]] = [
        {
            "at": at,
            "kind": kind.value,
            "subscriber_id": number,
            "issue_id": None,
            "detail": dict(detail or {}),
        }
        for number in ids
    ]
    if rows:
        connection.execute(insert(events), rows)


def since(store: Store, position: int, limit: int, *, now: datetime) -> tuple[Event, ...]:
    """Return at most `limit` events after `position`, oldest first (`START`: from the first one).

    Whoever goes on with the position of the last one gets each event exactly once.
    """
    _give_positions(store, now)
    query = select(events).where(events.c.position > position).order_by(events.c.position)
    with store.reading() as connection:
        return tuple(
            Event(
                row.position,
                row.at,
                EventKind(row.kind),
                row.subscriber_id,
                row.issue_id,
                row.detail,
            )
            for row in connection.execute(query.limit(limit))
        )


def last_position(store: Store, *, now: datetime) -> int:
    """Return the position of the newest event, from which on only later ones are read."""
    _give_positions(store, now)
    with store.reading() as connection:
        return connection.scalar(select(func.max(events.c.position))) or START


def _give_positions(store: Store, now: datetime) -> None:
    """Give a position to all committed rows that have none, in the order of their ids."""
    pending = events.alias()
    oldest = select(func.min(pending.c.id)).where(pending.c.position.is_(None))
    with store.reading() as connection:
        if connection.scalar(oldest) is None:
            return
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_READERS_LOCK})"))
        highest = connection.scalar(select(func.max(events.c.position))) or START
        start = max(highest + 1, _microseconds(now))
        # One statement, and so one view of what is committed: of two events of which one came after the
        # other, it sees both or the first.
        connection.execute(
            update(events)
            .where(events.c.position.is_(None))
            .values(position=events.c.id - oldest.scalar_subquery() + start)
        )


def is_known(store: Store, position: int) -> bool:
    """Return whether nothing is missing after `position`: its event is still there, or it is `START`.

    False once it was deleted for its age, or is of a store that a backup has replaced since: whoever
    read up to there has to look at everything anew.
    """
    if position == START:
        return True
    query = select(events.c.id).where(events.c.position == position)
    with store.reading() as connection:
        return connection.execute(query).first() is not None


def delete_old(store: Store, *, before: datetime, now: datetime) -> int:
    """Delete events whose positions were given before `before`, oldest first; return how many.

    The newest one stays: no position is given twice whatever the clock does, and who read up to it
    has missed nothing. So do those that a webhook has not taken (`storage.webhook_outbox`). Positions
    are given now to those that nobody has read.
    """
    _give_positions(store, now)
    newest = select(func.max(events.c.position)).scalar_subquery()
    taken = select(func.min(webhook_cursors.c.position)).scalar_subquery()
    with store.writing() as connection:
        return connection.execute(
            delete(events).where(
                events.c.position < _microseconds(before),
                events.c.position < newest,
                events.c.position <= func.coalesce(taken, newest),
            )
        ).rowcount


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * _MICROSECONDS)
