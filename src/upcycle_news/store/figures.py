"""Figures for reports: why mails were refused, how fast it went, what is left of the quotas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from upcycle_news.model import DeliveryState, IssueId
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import deliveries, quota_marks


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
