"""Deliveries outside a running send: requeued by command, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from upcycle_news.models import (
    Delivery,
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
    SubscriberStatus,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import packed_deliveries, send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.packed_deliveries import PackedDelivery
from upcycle_news.storage.schema import (
    deliveries,
    subscribers,
)
from upcycle_news.storage.suppressions import suppression_reason_sql
from upcycle_news.storage.workers import NO_WORKER

_CHUNK = 500
_Addressed = tuple[Row[Any] | PackedDelivery, EmailAddress | None]
"""A delivery with its subscriber's address, None for an erased one."""


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
    """Requeue the deliveries in `state`, one that is never packed; returns how many.

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
    with store.snapshot() as connection:
        rows: Iterator[_Addressed] = (
            (row, None if row.email is None else EmailAddress(row.email))
            for row in connection.execute(query)
        )
        packed = _packed_with_addresses(connection, issue, state)
        for row, address in merge(rows, packed, key=lambda addressed: addressed[0].id):
            yield read_delivery(row, address)


def _packed_with_addresses(
    connection: Connection, issue: IssueId, state: DeliveryState
) -> Iterator[_Addressed]:
    packed = packed_deliveries.in_queue_order(connection, str(issue), state)
    while rows := list(islice(packed, _CHUNK)):
        query = select(subscribers.c.id, subscribers.c.email).where(
            subscribers.c.id.in_([row.subscriber_id for row in rows])
        )
        addresses = {row.id: EmailAddress(row.email) for row in connection.execute(query)}
        for row in rows:
            yield row, addresses.get(row.subscriber_id)


def variant_of(store: Store, issue: IssueId, subscriber: int) -> int | None:
    """Return the number of the variant that a subscriber's delivery is of; None without a delivery."""
    query = select(deliveries.c.variant).where(
        deliveries.c.issue_id == str(issue), deliveries.c.subscriber_id == subscriber
    )
    with store.snapshot() as connection:
        number = connection.scalar(query)
        if number is None:
            packed = packed_deliveries.of_subscribers(connection, str(issue), {subscriber})
            number = packed[0].variant if packed else None
    return None if number is None else int(number)


def read_delivery(row: Row[Any] | PackedDelivery, address: EmailAddress | None) -> Delivery:
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
