"""Deliveries outside a running send: requeued by command, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from upcycle_news.models import (
    Delivery,
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.schema import (
    deliveries,
    subscribers,
    suppressions,
)
from upcycle_news.storage.workers import NO_WORKER


def requeue(
    store: Store, issue: IssueId, state: DeliveryState, *, by: str = SYSTEM, now: datetime
) -> int:
    """Requeue the deliveries in `state`; returns how many. Never in a cancelled issue.

    A closed issue of which something is queued again is reopened. Raises `SendHoldError` while a
    send hold is active.
    """
    with store.writing() as connection:
        send_hold.raise_if_held(connection)
        row = lifecycle.locked(connection, str(issue))
        if row is None or row.state == IssueState.CANCELLED:
            return 0
        count = connection.execute(
            update(deliveries)
            .where(deliveries.c.issue_id == str(issue), deliveries.c.state == state)
            .values(
                state=DeliveryState.QUEUED,
                reason="",
                code=None,
                enhanced="",
                next_at=None,
                worker_id=NO_WORKER,
                queued_at=now,
                changed_at=now,
            )
        ).rowcount
        if count and row.state == IssueState.CLOSED:
            lifecycle.reopen(connection, str(issue), by=by, reason=f"{state} again", now=now)
    return count


def requeue_refused(store: Store, issue: IssueId, *, now: datetime) -> int:
    """Requeue what the relay refused before it had accepted anything; returns how many.

    For a run that ended before it was clear whether the relay refused those addresses or us. While
    another worker is sending, or once a message was sent, nothing changes; suppressed addresses
    stay rejected.
    """
    started_states = (DeliveryState.SENT, DeliveryState.SENDING)
    of_issue = deliveries.c.issue_id == str(issue)
    with store.writing() as connection:
        lifecycle.locked(connection, str(issue))
        started = select(deliveries.c.id).where(of_issue, deliveries.c.state.in_(started_states))
        leased = select(deliveries.c.id).where(
            of_issue, deliveries.c.state == DeliveryState.QUEUED, deliveries.c.worker_id > NO_WORKER
        )
        if (
            connection.execute(started.limit(1)).first()
            or connection.execute(leased.limit(1)).first()
        ):
            return 0
        count = connection.execute(
            update(deliveries)
            .where(
                of_issue,
                deliveries.c.state == DeliveryState.REJECTED,
                deliveries.c.code >= 500,
                ~select(suppressions.c.email_key)
                .join(subscribers, subscribers.c.email_key == suppressions.c.email_key)
                .where(subscribers.c.id == deliveries.c.subscriber_id)
                .exists(),
            )
            .values(state=DeliveryState.QUEUED, worker_id=NO_WORKER, changed_at=now)
        ).rowcount
        if count:
            lifecycle.settle_returned_deliveries(connection, str(issue), now=now)
    return count


def list_deliveries(store: Store, issue: IssueId, state: DeliveryState) -> Iterator[Delivery]:
    """Yield the deliveries of an issue in one state; the address is None for erased subscribers."""
    query = (
        select(deliveries, subscribers.c.email)
        .select_from(deliveries)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue), deliveries.c.state == state)
        .order_by(deliveries.c.id)
    )
    with store.reading() as connection:
        for row in connection.execute(query):
            yield read_delivery(row, None if row.email is None else EmailAddress(row.email))


def read_delivery(row: Row[Any], address: EmailAddress | None) -> Delivery:
    """Return the value of a row, with its subscriber's address unless they were erased."""
    return Delivery(
        issue=row.issue_id,
        subscriber=row.subscriber_id,
        address=address,
        state=DeliveryState(row.state),
        code=row.code,
        reason=row.reason,
        at=row.changed_at,
    )
