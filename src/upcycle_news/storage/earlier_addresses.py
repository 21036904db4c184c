"""Which of a subscriber's addresses a mail went to: the present one, or one from before a change.

A report may name the address, which is then known by its keyed hash. Of the others only time tells: a mail
went somewhere between the queueing of its issue and what its delivery says last. Where a change was
confirmed in between, or the store does not know the mail, that is not certain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from upcycle_news.models import DeliveryState
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import address_changes, deliveries, issues

PRESENT = ""
"""Stands for the present address, where the others are keyed hashes."""

_SECOND = timedelta(seconds=1)  # the time of a change is kept without its fraction
_GONE = (
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.UNKNOWN,
)


class Change(NamedTuple):
    """A change of address that was confirmed: when, and the keyed hash of the address before."""

    at: datetime
    old_hash: str


class MailTime(NamedTuple):
    """Between which times a mail went."""

    first: datetime
    last: datetime


def address_at(changes: Iterable[Change], mail: MailTime | None) -> str | None:
    """Return the hash of the address that a mail went to, `PRESENT`, or None where it is not certain.

    `changes` are the subscriber's, oldest first; `mail` is None for one that the store does not know.
    """
    for change in changes:
        if mail is None:
            return None
        if mail.last <= change.at:
            return change.old_hash or None
        if mail.first < change.at + _SECOND:
            return None
    return PRESENT


def changes_of(connection: Connection, of: Collection[int]) -> dict[int, list[Change]]:
    """Return the confirmed changes of these subscribers, oldest first; only of those who have any."""
    found: dict[int, list[Change]] = {}
    for chunk in chunks(sorted(of)):
        query = select(
            address_changes.c.subscriber_id,
            address_changes.c.confirmed_at,
            address_changes.c.old_hash,
        ).where(
            address_changes.c.subscriber_id.in_(chunk), address_changes.c.confirmed_at.is_not(None)
        )
        ordered = query.order_by(address_changes.c.confirmed_at, address_changes.c.id)
        for row in connection.execute(ordered):
            change = Change(row.confirmed_at, row.old_hash)
            found.setdefault(row.subscriber_id, []).append(change)
    return found


def hashes_of(store: Store, of: Collection[int]) -> Mapping[int, frozenset[str]]:
    """Return the keyed hashes of the addresses that these subscribers had before; only of those who had any."""
    with store.reading() as connection:
        changes = changes_of(connection, of)
    return {
        subscriber: frozenset(change.old_hash for change in theirs if change.old_hash)
        for subscriber, theirs in changes.items()
    }


def mail_times(connection: Connection, of_deliveries: Sequence[int]) -> dict[int | None, MailTime]:
    """Return when the mails of these deliveries went, without those that the store knows of none."""
    found: dict[int | None, MailTime] = {}
    for chunk in chunks(sorted(of_deliveries)):
        query = (
            select(deliveries.c.id, issues.c.enqueued_at, deliveries.c.changed_at)
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(
                deliveries.c.id.in_(chunk),
                deliveries.c.state.in_(_GONE),
                issues.c.enqueued_at.is_not(None),
            )
        )
        found |= {
            row.id: MailTime(row.enqueued_at, row.changed_at) for row in connection.execute(query)
        }
    return found


def present_since(connection: Connection, subscriber: int) -> datetime | None:
    """Return the time from which on every issue that is queued goes to the present address.

    None for a subscriber who never changed it.
    """
    at: datetime | None = connection.scalar(
        select(func.max(address_changes.c.confirmed_at)).where(
            address_changes.c.subscriber_id == subscriber
        )
    )
    return None if at is None else at + _SECOND
