"""Deliveries outside a running send: requeued by command, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, update

from upcycle_news.models import (
    Delivery,
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
    SubscriberStatus,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.schema import (
    deliveries,
    subscribers,
)
from upcycle_news.storage.suppressions import suppression_reason_sql
from upcycle_news.storage.workers import NO_WORKER


def requeue(
    store: Store,
    issue: IssueId,
    state: DeliveryState,
    *,
    code: str = "",
    since: datetime | None = None,
    by: str = SYSTEM,
    now: datetime,
) -> int:
    """Requeue the deliveries in `state`; returns how many.

    With `code` only those that ended with this reply code, or enhanced status code; with `since` only
    those that ended then or later. Who is suppressed, unsubscribed or erased stays as they are, and a
    cancelled issue, too. A closed issue of which something is queued again is reopened. Raises
    `SendHoldError` while a send hold is active.
    """
    may_receive = (
        select(subscribers.c.id)
        .where(
            subscribers.c.id == deliveries.c.subscriber_id,
            subscribers.c.status == SubscriberStatus.CONFIRMED,
            suppression_reason_sql().is_(None),
        )
        .correlate(deliveries)
        .exists()
    )
    with store.writing() as connection:
        send_hold.raise_if_held(connection)
        row = lifecycle.locked(connection, str(issue))
        if row is None or row.state == IssueState.CANCELLED:
            return 0
        count = connection.execute(
            update(deliveries)
            .where(*_ended(issue, state, code, since), may_receive)
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


def count_ended(
    store: Store,
    issue: IssueId,
    state: DeliveryState,
    *,
    code: str = "",
    since: datetime | None = None,
) -> int:
    """Return how many deliveries are in `state`, with `code` and `since` as for `requeue`."""
    query = select(func.count()).where(*_ended(issue, state, code, since))
    with store.reading() as connection:
        return int(connection.scalar(query) or 0)


def _ended(
    issue: IssueId, state: DeliveryState, code: str, since: datetime | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        deliveries.c.issue_id == str(issue),
        deliveries.c.state == state,
    ]
    if code.isdecimal():
        conditions.append(deliveries.c.code == int(code))
    elif code:
        conditions.append(deliveries.c.enhanced == code)
    if since is not None:
        conditions.append(deliveries.c.changed_at >= since)
    return conditions


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


def variant_of(store: Store, issue: IssueId, subscriber: int) -> int | None:
    """Return the number of the variant that a subscriber's delivery is of; None without a delivery."""
    query = select(deliveries.c.variant).where(
        deliveries.c.issue_id == str(issue), deliveries.c.subscriber_id == subscriber
    )
    with store.reading() as connection:
        number = connection.scalar(query)
    return None if number is None else int(number)


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
        variant=row.variant,
    )
