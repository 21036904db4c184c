"""Counts for reports: refusals, and what each issue did to the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from upcycle_news.models import DeliveryState, IssueId, SubscriberStatus
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    consents,
    deliveries,
    issues,
    quota_marks,
    subscribers,
    suppressions,
    unsubscribes,
)


@dataclass(frozen=True)
class RefusalCount:
    """How many deliveries ended, or wait, because of this reply."""

    state: DeliveryState
    code: int | None
    enhanced: str
    count: int


def refusals(store: Store, issue: IssueId) -> tuple[RefusalCount, ...]:
    """Return the relay's refusals of an issue's deliveries, the most frequent first."""
    states = (DeliveryState.REJECTED, DeliveryState.DEFERRED)
    columns = (deliveries.c.state, deliveries.c.code, deliveries.c.enhanced)
    with store.reading() as connection:
        rows = connection.execute(
            select(*columns, func.count().label("number"))
            .where(deliveries.c.issue_id == str(issue), deliveries.c.state.in_(states))
            .group_by(*columns)
            .order_by(func.count().desc())
        ).all()
    return tuple(
        RefusalCount(DeliveryState(row.state), row.code, row.enhanced, row.number) for row in rows
    )


def last_delivery_change(store: Store, issue: IssueId) -> datetime | None:
    """Return when a delivery of this issue last changed its state; None without deliveries."""
    with store.reading() as connection:
        changed_at: datetime | None = connection.scalar(
            select(func.max(deliveries.c.changed_at)).where(deliveries.c.issue_id == str(issue))
        )
    return changed_at


def count_sent_within(store: Store, scope: str, span: timedelta, *, now: datetime) -> int:
    """Return how many messages counted against a quota's scope in the last `span`."""
    with store.reading() as connection:
        return int(
            connection.scalar(
                select(func.count()).where(
                    quota_marks.c.scope == scope, quota_marks.c.at > now - span
                )
            )
            or 0
        )


@dataclass(frozen=True)
class IssueFigures:
    """One issue, and what happened between it and the one before."""

    issue: str
    at: datetime
    audience: int
    sent: int
    rejected: int
    bounced: int
    complaints: int
    unsubscribed: int
    joined: int
    left: int


@dataclass(frozen=True)
class ListCounts:
    """Subscribers by status, confirmed ones by topic, suppressions by reason."""

    by_status: Mapping[str, int]
    by_topic: Mapping[str, int]
    suppressions: Mapping[str, int]


def count_subscribers(store: Store) -> ListCounts:
    """Count subscribers by status, confirmed ones by topic, and suppressions by reason."""
    with store.reading() as connection:
        by_status = dict.fromkeys((status.value for status in SubscriberStatus), 0)
        for status, count in connection.execute(
            select(subscribers.c.status, func.count()).group_by(subscribers.c.status)
        ):
            by_status[status] = count
        topics: Counter[str] = Counter()
        for chosen in connection.scalars(
            select(subscribers.c.topics).where(subscribers.c.status == SubscriberStatus.CONFIRMED)
        ):
            topics.update(chosen)
        reasons = connection.execute(
            select(suppressions.c.reason, func.count())
            .group_by(suppressions.c.reason)
            .order_by(suppressions.c.reason)
        ).all()
    return ListCounts(by_status, dict(sorted(topics.items())), {row[0]: row[1] for row in reasons})


def issue_figures(store: Store, last: int) -> tuple[IssueFigures, ...]:
    """Return the figures of the last `last` queued issues, newest first."""
    results: list[IssueFigures] = []
    with store.reading() as connection:
        rows = connection.execute(
            select(issues)
            .where(issues.c.enqueued_at.is_not(None))
            .order_by(issues.c.enqueued_at.desc())
            .limit(last + 1)
        ).all()

        def number(query: Any) -> int:
            return int(connection.scalar(query) or 0)

        for row, before in zip(rows, [*rows[1:], None], strict=False):  # rows may be none
            if len(results) == last:
                break
            sums = (
                lifecycle.count_deliveries(connection, row.id)
                if row.closed_at is None
                else lifecycle.stored_sums(row)
            )
            reports = select(func.count(func.distinct(bounces.c.subscriber_id))).where(
                bounces.c.issue_id == row.id
            )
            joined = (
                select(func.count())
                .select_from(consents)
                .where(consents.c.confirmed_at <= row.enqueued_at)
            )
            left = (
                select(func.count())
                .select_from(unsubscribes)
                .where(unsubscribes.c.at <= row.enqueued_at)
            )
            if before is not None:
                joined = joined.where(consents.c.confirmed_at > before.enqueued_at)
                left = left.where(unsubscribes.c.at > before.enqueued_at)
            results.append(
                IssueFigures(
                    issue=row.id,
                    at=row.enqueued_at,
                    audience=row.audience,
                    sent=sums.get(DeliveryState.SENT, 0),
                    rejected=sums.get(DeliveryState.REJECTED, 0),
                    bounced=number(reports.where(bounces.c.kind != "complaint")),
                    complaints=number(reports.where(bounces.c.kind == "complaint")),
                    unsubscribed=number(
                        select(func.count())
                        .select_from(unsubscribes)
                        .where(unsubscribes.c.issue_number == row.number)
                    ),
                    joined=number(joined),
                    left=number(left),
                )
            )
    return tuple(results)
