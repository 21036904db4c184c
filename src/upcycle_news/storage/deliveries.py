"""Deliveries seen from outside: queued again on command, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select, update

from upcycle_news.models import (
    Delivery,
    DeliveryState,
    EmailAddress,
    IssueId,
)
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.schema import (
    deliveries,
    issues,
    subscribers,
    suppressions,
)
from upcycle_news.storage.workers import NOBODY


def requeue(store: Store, issue: IssueId, state: DeliveryState, *, now: datetime) -> int:
    """Queue again, on command, what is in `state`; returns how many. Never in a cancelled issue.

    Raises `PausedError` while nothing may go out.
    """
    going = select(issues.c.id).where(issues.c.state != IssueState.CANCELLED)
    with store.writing() as connection:
        send_hold.refuse(connection)
        return connection.execute(
            update(deliveries)
            .where(
                deliveries.c.issue_id == str(issue),
                deliveries.c.issue_id.in_(going),
                deliveries.c.state == state,
            )
            .values(
                state=DeliveryState.QUEUED,
                reason="",
                code=None,
                enhanced="",
                next_at=None,
                sender_id=NOBODY,
                queued_at=now,
                changed_at=now,
            )
        ).rowcount


def requeue_refused(store: Store, issue: IssueId, *, now: datetime) -> int:
    """Queue again whom the relay refused before it had accepted anybody; returns how many.

    For a run that ended before it was clear whether the relay meant those people or us. While
    another sender is at work, or once somebody was sent the issue or suppressed, nothing changes.
    """
    begun = (DeliveryState.SENT, DeliveryState.SENDING)
    mine = deliveries.c.issue_id == str(issue)
    with store.writing() as connection:
        others = select(deliveries.c.id).where(mine, deliveries.c.state.in_(begun))
        leased = select(deliveries.c.id).where(
            mine, deliveries.c.state == DeliveryState.QUEUED, deliveries.c.sender_id > NOBODY
        )
        if (
            connection.execute(others.limit(1)).first()
            or connection.execute(leased.limit(1)).first()
        ):
            return 0
        return connection.execute(
            update(deliveries)
            .where(
                mine,
                deliveries.c.state == DeliveryState.REJECTED,
                deliveries.c.code >= 500,
                ~select(suppressions.c.email_key)
                .join(subscribers, subscribers.c.email_key == suppressions.c.email_key)
                .where(subscribers.c.id == deliveries.c.subscriber_id)
                .exists(),
            )
            .values(state=DeliveryState.QUEUED, sender_id=NOBODY, changed_at=now)
        ).rowcount


def listed(store: Store, issue: IssueId, state: DeliveryState) -> Iterator[Delivery]:
    """The deliveries of an issue in one state, with the address of each person still known."""
    query = (
        select(deliveries, subscribers.c.email)
        .select_from(deliveries)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue), deliveries.c.state == state)
        .order_by(deliveries.c.id)
    )
    with store.reading() as connection:
        for row in connection.execute(query):
            yield Delivery(
                issue=row.issue_id,
                subscriber=row.subscriber_id,
                address=None if row.email is None else EmailAddress(row.email),
                state=DeliveryState(row.state),
                code=row.code,
                reason=row.reason,
                at=row.changed_at,
            )
