"""Changes of a subscriber's own address: asked for, confirmed at the new address, told to the old one.

The subscriber stays the same row, so history, topics and links stay. Times are in UTC, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from upcycle_news.models import (
    AddressChange,
    ConfirmationMailKind,
    ConfirmationResult,
    EmailAddress,
    SubscriberStatus,
    Suppression,
    SuppressionSource,
)
from upcycle_news.storage import confirmation_mails, suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    address_changes,
    pending_suppressions,
    subscribers,
)
from upcycle_news.storage.signups import AddressStatus, address_status, lock_mailbox

_WAITS = address_changes.c.confirmed_at.is_(None) & address_changes.c.ended_at.is_(None)


@dataclass(frozen=True)
class ChangeRequest:
    """What is known when a subscriber enters a new address: of that one, and of themself.

    `suppression` is that of the subscriber's present address, `requested` the number of changes that
    the subscriber asked for within the cooldown.
    """

    new: AddressStatus
    suppression: Suppression | None
    requested: int


def request(
    store: Store,
    subscriber: int,
    new: EmailAddress,
    *,
    may_ask: Callable[[ChangeRequest], bool],
    too_many: Callable[[ChangeRequest], bool],
    mailbox_key: str,
    since: datetime,
    now: datetime,
) -> bool | None:
    """Store a change of address; an earlier one that waits ends. Queue its mail if `may_ask` allows it.

    Stored either way, so that nobody sees which it was. False, and nothing stored, when `too_many`
    says so; None for a subscriber who is not confirmed. `since` is when the cooldown began.
    """
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        lock_mailbox(connection, mailbox_key)
        row = connection.execute(
            select(subscribers.c.email, subscribers.c.status)
            .where(subscribers.c.id == subscriber)
            .with_for_update()
        ).first()
        if row is None or row.status != SubscriberStatus.CONFIRMED:
            return None
        status = connection.scalar(
            select(subscribers.c.status).where(subscribers.c.email_key == new.key)
        )
        known = ChangeRequest(
            new=address_status(
                connection,
                store,
                new,
                status=None if status is None else SubscriberStatus(status),
                mailbox_key=mailbox_key,
                mailbox_since=since,
            ),
            suppression=suppressions.suppression_of(connection, store, EmailAddress(row.email)),
            requested=_count_requested(connection, subscriber, since),
        )
        if too_many(known):
            return False
        _end_waiting(connection, address_changes.c.subscriber_id == subscriber, now)
        change = connection.execute(
            insert(address_changes)
            .values(
                subscriber_id=subscriber,
                new_email=new.address,
                old_email="",
                old_hash="",
                token_hash="",
                requested_at=now,
            )
            .returning(address_changes.c.id)
        ).scalar_one()
        if may_ask(known):
            confirmation_mails.queue(
                connection,
                ConfirmationMailKind.CHANGE,
                subscriber=subscriber,
                reference=change,
                email_key=new.key,
                mailbox_key=mailbox_key,
                now=now,
            )
    return True


def _count_requested(connection: Connection, subscriber: int, since: datetime) -> int:
    query = select(func.count()).where(
        address_changes.c.subscriber_id == subscriber, address_changes.c.requested_at > since
    )
    return connection.scalar(query) or 0


def _end_waiting(connection: Connection, which: Any, now: datetime) -> int:
    """End changes that wait; the address that was entered is not kept. Returns how many."""
    return connection.execute(
        update(address_changes).where(_WAITS, which).values(ended_at=now, new_email="")
    ).rowcount


def cancel(store: Store, subscriber: int, *, now: datetime) -> bool:
    """Cancel the change that waits, if there is one: its link works no more."""
    with store.writing() as connection:
        mine = address_changes.c.subscriber_id == subscriber
        return _end_waiting(connection, mine, now.replace(microsecond=0)) > 0


def is_waiting(store: Store, subscriber: int, *, since: datetime) -> bool:
    """Return True if the subscriber asked for a change after `since` that waits for its confirmation."""
    query = select(address_changes.c.id).where(
        _WAITS,
        address_changes.c.subscriber_id == subscriber,
        address_changes.c.requested_at >= since,
    )
    with store.reading() as connection:
        return connection.execute(query.limit(1)).first() is not None


def change_status(
    store: Store,
    token_hash: str,
    *,
    may_change: Callable[[ChangeRequest], bool],
    now: datetime,
    valid_for: timedelta,
) -> ConfirmationResult:
    """Return what `confirm` would return, changing nothing."""
    with store.reading() as connection:
        return _lookup(connection, store, token_hash, may_change, now, valid_for)[0]


def confirm(
    store: Store,
    token_hash: str,
    *,
    may_change: Callable[[ChangeRequest], bool],
    now: datetime,
    valid_for: timedelta,
) -> ConfirmationResult:
    """Give the subscriber the new address and queue the notice to the old one. Safe to call twice.

    Suppressions stay with the addresses that they are about. A sign-up of the new address that was
    not confirmed is replaced by this one.
    """
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        result, change, row = _lookup(connection, store, token_hash, may_change, now, valid_for)
        if result is not ConfirmationResult.NOW or change is None or row is None:
            return result
        old, new = EmailAddress(row.email), EmailAddress(change.new_email)
        connection.execute(
            delete(subscribers).where(
                subscribers.c.email_key == new.key,
                subscribers.c.id != row.id,
                subscribers.c.status == SubscriberStatus.PENDING,
            )
        )
        old_hash = suppressions.hash_key(store, old)
        give_address(connection, store, row.id, new)
        connection.execute(
            update(address_changes)
            .where(address_changes.c.id == change.id)
            .values(confirmed_at=now, new_email="", old_email=old.address, old_hash=old_hash)
        )
        # They were about the old address.
        connection.execute(
            delete(pending_suppressions).where(pending_suppressions.c.subscriber_id == row.id)
        )
        suppressions.lift_on_resubscribe(connection, store, new, now=now)
        if old.key != new.key:
            # An old list must not bring the old address back; its owner's own consent may.
            moved = Suppression(
                old_hash or old.key, suppressions.MOVED, SuppressionSource.CHANGE, at=now
            )
            suppressions.suppress(connection, moved)
        confirmation_mails.forget_asked(connection, ConfirmationMailKind.CHANGE, change.id)
        confirmation_mails.queue(
            connection,
            ConfirmationMailKind.CHANGED,
            subscriber=row.id,
            reference=change.id,
            email_key="",
            mailbox_key="",
            now=now,
        )
    store.checkpoint()  # the old address was overwritten, and the log still holds it
    return ConfirmationResult.NOW


def give_address(connection: Connection, store: Store, subscriber: int, new: EmailAddress) -> None:
    """Write a new address, and the keys that follow from it, into the row of a subscriber."""
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber)
        .values(email=new.address, **suppressions.suppression_keys(store, new)._asdict())
    )


def _lookup(
    connection: Connection,
    store: Store,
    token_hash: str,
    may_change: Callable[[ChangeRequest], bool],
    now: datetime,
    valid_for: timedelta,
) -> tuple[ConfirmationResult, Row[Any] | None, Row[Any] | None]:
    """Return the result with the rows of the change and its subscriber."""
    change = connection.execute(
        select(address_changes)
        .where(address_changes.c.token_hash == token_hash, address_changes.c.token_hash != "")
        .with_for_update()
    ).first()
    if change is None:
        return ConfirmationResult.UNKNOWN, None, None
    row = connection.execute(
        select(subscribers).where(subscribers.c.id == change.subscriber_id).with_for_update()
    ).first()
    if row is None:
        return ConfirmationResult.UNKNOWN, None, None
    if change.confirmed_at is not None:
        return ConfirmationResult.ALREADY, change, row
    too_old = now - change.requested_at > valid_for
    if change.ended_at is not None or too_old or row.status != SubscriberStatus.CONFIRMED:
        return ConfirmationResult.EXPIRED, change, row
    new = EmailAddress(change.new_email)
    other = connection.execute(
        select(subscribers.c.status).where(
            subscribers.c.email_key == new.key, subscribers.c.id != row.id
        )
    ).first()
    known = ChangeRequest(
        new=AddressStatus(
            status=None if other is None else SubscriberStatus(other.status),
            suppressed=suppressions.suppressed_reasons(connection, store, [new]).get(new.key),
            asked_at=None,
        ),
        suppression=suppressions.suppression_of(connection, store, EmailAddress(row.email)),
        requested=0,
    )
    result = ConfirmationResult.NOW if may_change(known) else ConfirmationResult.REFUSED
    return result, change, row


def changes_of(connection: Connection, subscriber: int) -> tuple[AddressChange, ...]:
    """Return every change of address of a subscriber, oldest first."""
    query = select(address_changes).where(address_changes.c.subscriber_id == subscriber)
    return tuple(
        AddressChange(
            id=row.id,
            subscriber=row.subscriber_id,
            requested_at=row.requested_at,
            new_email=EmailAddress(row.new_email) if row.new_email else None,
            old_email=EmailAddress(row.old_email) if row.old_email else None,
            mailed_at=row.mailed_at,
            confirmed_at=row.confirmed_at,
            ended_at=row.ended_at,
            token_hash=row.token_hash,
        )
        for row in connection.execute(query.order_by(address_changes.c.id))
    )


def moved_from(connection: Connection, store: Store, old: EmailAddress) -> tuple[int, ...]:
    """Return the ids of the subscribers who had this address before they changed it."""
    query = select(address_changes.c.subscriber_id).where(
        or_(
            address_changes.c.old_email == old.address,
            (address_changes.c.old_hash == suppressions.hash_key(store, old))
            & (address_changes.c.old_hash != ""),
        ),
        address_changes.c.confirmed_at.is_not(None),
    )
    return tuple(connection.scalars(query.distinct()))


def delete_unconfirmed(
    store: Store, *, before: datetime, ended_before: datetime, now: datetime
) -> int:
    """End changes asked for before `before` that nobody confirmed; returns how many.

    Rows of ended ones go when asked for before `ended_before`. The old address of a confirmed one
    is dropped at last, even if its notice could not be sent.
    """
    with store.writing() as connection:
        expired = _end_waiting(connection, address_changes.c.requested_at < before, now)
        connection.execute(
            delete(address_changes).where(
                address_changes.c.ended_at.is_not(None),
                address_changes.c.requested_at < ended_before,
            )
        )
        connection.execute(
            update(address_changes)
            .where(address_changes.c.confirmed_at < before, address_changes.c.old_email != "")
            .values(old_email="")
        )
    return expired
