"""How the list does, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from upcycle_news.models import DeliveryState, IssueId, SubscriberStatus
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    consents,
    deliveries,
    departures,
    issues,
    quota_marks,
    subscribers,
    suppressions,
)


@dataclass(frozen=True)
class Refusal:
    """So many deliveries ended, or wait, because of this answer."""

    state: DeliveryState
    code: int | None
    enhanced: str
    count: int


def refusals(store: Store, issue: IssueId) -> tuple[Refusal, ...]:
    """What the relay said against deliveries of an issue, the most frequent first."""
    told = (DeliveryState.REJECTED, DeliveryState.DEFERRED)
    columns = (deliveries.c.state, deliveries.c.code, deliveries.c.enhanced)
    with store.reading() as connection:
        rows = connection.execute(
            select(*columns, func.count().label("number"))
            .where(deliveries.c.issue_id == str(issue), deliveries.c.state.in_(told))
            .group_by(*columns)
            .order_by(func.count().desc())
        ).all()
    return tuple(Refusal(DeliveryState(r.state), r.code, r.enhanced, r.number) for r in rows)


def last_change(store: Store, issue: IssueId) -> datetime | None:
    """When a delivery of this issue last changed its state."""
    with store.reading() as connection:
        found: datetime | None = connection.scalar(
            select(func.max(deliveries.c.changed_at)).where(deliveries.c.issue_id == str(issue))
        )
    return found


def sent_within(store: Store, scope: str, span: timedelta, *, now: datetime) -> int:
    """How many messages counted against a quota's scope in the last `span`."""
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


def counts(store: Store) -> dict[str, Any]:
    """Subscribers by status and by topic (of the confirmed), suppressions by reason."""
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
    return {
        "subscribers": by_status,
        "topics": dict(sorted(topics.items())),
        "suppressions": {row[0]: row[1] for row in reasons},
    }


def figures(store: Store, last: int) -> tuple[IssueFigures, ...]:
    """The newest `last` issues that were queued, newest first."""
    found: list[IssueFigures] = []
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
            if len(found) == last:
                break
            mine = (
                select(func.count()).select_from(deliveries).where(deliveries.c.issue_id == row.id)
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
                .select_from(departures)
                .where(departures.c.at <= row.enqueued_at)
            )
            if before is not None:
                joined = joined.where(consents.c.confirmed_at > before.enqueued_at)
                left = left.where(departures.c.at > before.enqueued_at)
            found.append(
                IssueFigures(
                    issue=row.id,
                    at=row.enqueued_at,
                    audience=row.audience,
                    sent=number(mine.where(deliveries.c.state == DeliveryState.SENT)),
                    rejected=number(mine.where(deliveries.c.state == DeliveryState.REJECTED)),
                    bounced=number(reports.where(bounces.c.kind != "complaint")),
                    complaints=number(reports.where(bounces.c.kind == "complaint")),
                    unsubscribed=number(
                        select(func.count())
                        .select_from(departures)
                        .where(departures.c.issue_number == row.number)
                    ),
                    joined=number(joined),
                    left=number(left),
                )
            )
    return tuple(found)
