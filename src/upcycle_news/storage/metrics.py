"""The figures that machines watch. Each query goes down an index or over a small table.

The one that counts an issue's deliveries reads an index entry for each: `steps.measuring` decides
how rarely that is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select

from upcycle_news.models import DeliveryState
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    departures,
    issues,
    questions,
    senders,
    subscribers,
    suppressions,
)


@dataclass(frozen=True)
class Queue:
    """An issue that was queued, and what of it waits.

    `oldest` is when its next queued delivery was queued, `due` when its first deferred one is due,
    both None when there is none; `in_flight` whether something is on the wire.
    """

    issue: str
    state: str
    audience: int
    enqueued_at: datetime
    oldest: datetime | None
    due: datetime | None
    in_flight: bool

    @property
    def waits(self) -> bool:
        """Whether its sum can still change by itself."""
        return self.oldest is not None or self.due is not None or self.in_flight


def queues(store: Store) -> tuple[Queue, ...]:
    """Every issue that was queued, newest first: three steps down an index for each."""

    def of(state: DeliveryState) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return (deliveries.c.issue_id == issues.c.id, deliveries.c.state == state)

    oldest = (
        select(deliveries.c.queued_at)
        .where(*of(DeliveryState.QUEUED))
        # The index's own order: the one that was never tried, and is the oldest of these, is first.
        .order_by(deliveries.c.sender_id, deliveries.c.attempts, deliveries.c.id)
        .limit(1)
        .scalar_subquery()
    )
    due = (
        select(func.min(deliveries.c.next_at)).where(*of(DeliveryState.DEFERRED)).scalar_subquery()
    )
    in_flight = exists().where(*of(DeliveryState.SENDING))
    query = (
        select(
            issues.c.id,
            issues.c.state,
            issues.c.audience,
            issues.c.enqueued_at,
            oldest.label("oldest"),
            due.label("due"),
            in_flight.label("in_flight"),
        )
        .where(issues.c.enqueued_at.is_not(None))
        .order_by(issues.c.enqueued_at.desc())
    )
    with store.reading() as connection:
        return tuple(
            Queue(
                row.id,
                row.state,
                row.audience,
                row.enqueued_at,
                row.oldest,
                row.due,
                bool(row.in_flight),
            )
            for row in connection.execute(query)
        )


def deliveries_of(store: Store, issue: str) -> Mapping[str, int]:
    """An issue's deliveries by state: reads an index entry for each."""
    query = (
        select(deliveries.c.state, func.count())
        .where(deliveries.c.issue_id == issue)
        .group_by(deliveries.c.state)
    )
    with store.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def senders_since(store: Store, since: datetime) -> int:
    """Senders that have signed on, and showed since then that they live."""
    query = select(func.count()).where(senders.c.ended_at.is_(None), senders.c.beat_at > since)
    with store.reading() as connection:
        return int(connection.scalar(query) or 0)


@dataclass(frozen=True)
class People:
    """How the list stands: counts by status, reason, kind, and way of leaving."""

    subscribers: Mapping[str, int]
    suppressions: Mapping[str, int]
    bounces: Mapping[str, int]
    departures: Mapping[str, int]


def people(store: Store) -> People:
    """Counts over whole tables, and an index for the largest."""
    with store.reading() as connection:
        found = [
            {
                str(row[0]): int(row[1])
                for row in connection.execute(select(column, func.count()).group_by(column))
            }
            for column in (
                subscribers.c.status,
                suppressions.c.reason,
                bounces.c.kind,
                departures.c.way,
            )
        ]
    return People(*found)


def questions_waiting(store: Store) -> int:
    """Runs that wait for an approval."""
    with store.reading() as connection:
        return int(
            connection.scalar(
                select(func.count()).select_from(questions).where(questions.c.answer == "")
            )
            or 0
        )
