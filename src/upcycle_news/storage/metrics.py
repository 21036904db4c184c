"""The figures for `/metrics`. Each query uses an index or reads a small table.

The one that counts the deliveries of an issue that is being sent reads an index entry for each:
`services.monitoring.metrics` decides how rarely that is done. The sums of closed ones stand in their
rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select

from upcycle_news.models import DeliveryState, IssueState
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    approval_requests,
    bounces,
    deliveries,
    issues,
    subscribers,
    suppressions,
    unsubscribes,
    workers,
)


@dataclass(frozen=True)
class IssueQueue:
    """An issue that was queued, and which of its deliveries wait.

    `oldest` is when its next queued delivery was queued, `due` when its first deferred one is due,
    both None when there is none; `in_flight`: whether a message is on the wire. `sums` are those
    of a closed issue, None while they still change.
    """

    issue: str
    state: str
    audience: int
    enqueued_at: datetime
    oldest: datetime | None
    due: datetime | None
    in_flight: bool
    sums: Mapping[str, int] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a delivery can still change its state by itself."""
        return self.oldest is not None or self.due is not None or self.in_flight


def issue_queues(store: Store, newest: int = 0) -> tuple[IssueQueue, ...]:
    """Return the unclosed issues and the `newest` that were queued last, newest first.

    Costs three look-ups in an index for each unclosed one, whatever is closed.
    """
    frozen = [state for state in IssueState if state.is_frozen]
    last = (
        select(issues)
        .where(issues.c.enqueued_at.is_not(None), issues.c.closed_at.is_not(None))
        .order_by(issues.c.enqueued_at.desc())
        .limit(newest)
    )

    def of(state: DeliveryState) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return (deliveries.c.issue_id == issues.c.id, deliveries.c.state == state)

    oldest = (
        select(deliveries.c.queued_at)
        .where(*of(DeliveryState.QUEUED))
        # The index's own order: the one that was never tried, and is the oldest of these, is first.
        .order_by(deliveries.c.worker_id, deliveries.c.attempts, deliveries.c.id)
        .limit(1)
        .scalar_subquery()
    )
    due = (
        select(func.min(deliveries.c.next_at)).where(*of(DeliveryState.DEFERRED)).scalar_subquery()
    )
    in_flight = exists().where(*of(DeliveryState.SENDING))
    query = select(
        issues.c.id,
        issues.c.state,
        issues.c.audience,
        issues.c.enqueued_at,
        oldest.label("oldest"),
        due.label("due"),
        in_flight.label("in_flight"),
    ).where(
        issues.c.state.in_(frozen),
        issues.c.closed_at.is_(None),
        issues.c.enqueued_at.is_not(None),
    )
    with store.reading() as connection:
        queues = [
            IssueQueue(
                row.id,
                row.state,
                row.audience,
                row.enqueued_at,
                row.oldest,
                row.due,
                bool(row.in_flight),
            )
            for row in connection.execute(query)
        ]
        for row in connection.execute(last):
            sums = {state.value: count for state, count in lifecycle.stored_sums(row).items()}
            queues.append(
                IssueQueue(
                    row.id, row.state, row.audience, row.enqueued_at, None, None, False, sums
                )
            )
    return tuple(sorted(queues, key=lambda queue: queue.enqueued_at, reverse=True))


def closed_deliveries(store: Store) -> Mapping[str, int]:
    """Return the deliveries of all closed issues by state: adds up a row for each issue."""
    columns = [issues.c[state.value] for state in lifecycle.FINAL]
    query = select(*(func.sum(column).label(column.name) for column in columns))
    with store.reading() as connection:
        row = connection.execute(query.where(issues.c.closed_at.is_not(None))).one()
    return {name: int(number or 0) for name, number in row._mapping.items()}


def queued_issues_by_state(store: Store) -> Mapping[str, int]:
    """Return the number of issues in each state from sending on: reads an index entry for each."""
    frozen = [state for state in IssueState if state.is_frozen]
    query = (
        select(issues.c.state, func.count())
        .where(issues.c.state.in_(frozen))
        .group_by(issues.c.state)
    )
    with store.reading() as connection:
        counts = {row[0]: int(row[1]) for row in connection.execute(query)}
    return {state.value: counts.get(state, 0) for state in frozen}


def deliveries_by_state(store: Store, issue: str) -> Mapping[str, int]:
    """Return the number of an issue's deliveries by state; reads an index entry for each."""
    with store.snapshot() as connection:
        counts = lifecycle.count_deliveries(connection, issue)
    return {state.value: number for state, number in counts.items()}


def count_workers_since(store: Store, since: datetime) -> int:
    """Return how many registered workers had a heartbeat after `since`."""
    query = select(func.count()).where(workers.c.ended_at.is_(None), workers.c.heartbeat_at > since)
    with store.reading() as connection:
        return int(connection.scalar(query) or 0)


@dataclass(frozen=True)
class SubscriberCounts:
    """Counts by subscriber status, suppression reason, bounce kind, and unsubscribe method."""

    subscribers: Mapping[str, int]
    suppressions: Mapping[str, int]
    bounces: Mapping[str, int]
    unsubscribes: Mapping[str, int]


def subscriber_counts(store: Store) -> SubscriberCounts:
    """Count whole tables, the largest by its index."""
    with store.reading() as connection:
        counts = [
            {
                str(row[0]): int(row[1])
                for row in connection.execute(select(column, func.count()).group_by(column))
            }
            for column in (
                subscribers.c.status,
                suppressions.c.reason,
                bounces.c.kind,
                unsubscribes.c.method,
            )
        ]
    return SubscriberCounts(*counts)


def count_open_approval_requests(store: Store) -> int:
    """Return how many runs wait for an approval."""
    with store.reading() as connection:
        return int(
            connection.scalar(
                select(func.count())
                .select_from(approval_requests)
                .where(approval_requests.c.answer == "")
            )
            or 0
        )
