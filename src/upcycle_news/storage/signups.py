"""Double opt-in: sign-ups, their confirmation mails, and confirmations.

Every sign-up is a row of `consents`: kept as proof once it is confirmed, deleted when it never is.
Times are in UTC, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import (
    ConfirmationResult,
    EmailAddress,
    Signup,
    SubscriberStatus,
)
from upcycle_news.storage import suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import consents, subscribers
from upcycle_news.storage.subscribers import NewSubscriber, new_row

PURPOSE = "newsletter"


@dataclass(frozen=True)
class AddressStatus:
    """What is known of an address when it is entered. `asked_at`: the last open sign-up."""

    status: SubscriberStatus | None
    suppressed: str | None
    asked_at: datetime | None


def start_signup(
    store: Store,
    email: EmailAddress,
    *,
    may_ask: Callable[[AddressStatus], bool],
    language: str,
    source: str,
    wording: str,
    ip: str,
    now: datetime,
) -> Signup | None:
    """Store a sign-up if `may_ask` allows it; None when no mail must be sent.

    One transaction: two sign-ups at the same moment make one mail.
    """
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        row = connection.execute(
            select(subscribers.c.id, subscribers.c.status)
            .where(subscribers.c.email_key == email.key)
            .with_for_update()  # Postgres: the second sign-up sees the first one
        ).first()
        asked_at = None if row is None else _last_asked(connection, row.id)
        address_status = AddressStatus(
            status=None if row is None else SubscriberStatus(row.status),
            suppressed=suppressions.suppressed_reasons(connection, store, [email]).get(email.key),
            asked_at=asked_at,
        )
        if not may_ask(address_status):
            return None
        if row is None:
            number = _insert(connection, store, NewSubscriber(email, language=language), now)
            if number is None:
                return None
        else:
            number = row.id
        consent = connection.execute(
            insert(consents)
            .values(
                subscriber_id=number,
                purpose=PURPOSE,
                source=source,
                wording=wording,
                token_hash="",
                ip=ip,
                given_at=now,
            )
            .returning(consents.c.id)
        ).scalar_one()
    return Signup(consent, number, email, language, now)


def _insert(
    connection: Connection, store: Store, subscriber: NewSubscriber, now: datetime
) -> int | None:
    """Return the id of a new subscriber; None when another sign-up inserted them just now."""
    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    number: int | None = connection.scalar(
        insert_ignore(subscribers)
        .values(**new_row(store, subscriber, SubscriberStatus.PENDING, now))
        .on_conflict_do_nothing()
        .returning(subscribers.c.id)
    )
    return number


def _last_asked(connection: Connection, number: int) -> datetime | None:
    asked_at: datetime | None = connection.scalar(
        select(consents.c.given_at)
        .where(consents.c.subscriber_id == number, consents.c.confirmed_at.is_(None))
        .order_by(consents.c.given_at.desc())
        .limit(1)
    )
    return asked_at


def mark_mailed(store: Store, signup: Signup, token_hash: str, now: datetime) -> bool:
    """Record that the mail with the link whose token has this hash is about to be sent.

    False when it must not be: another process was faster, or the subscriber was erased meanwhile.
    """
    with store.writing() as connection:
        result = connection.execute(
            update(consents)
            .where(consents.c.id == signup.consent, consents.c.mailed_at.is_(None))
            .where(consents.c.subscriber_id == signup.subscriber)
            .values(token_hash=token_hash, mailed_at=now.replace(microsecond=0))
        )
    return result.rowcount > 0


def unmark_mailed(store: Store, signup: Signup) -> None:
    """Record that the relay did not accept the mail: the next run tries again."""
    with store.writing() as connection:
        connection.execute(
            update(consents).where(consents.c.id == signup.consent).values(mailed_at=None)
        )


def signups_without_mail(store: Store, *, since: datetime) -> tuple[Signup, ...]:
    """Return sign-ups since `since` whose mail was never sent, oldest first."""
    query = (
        select(consents, subscribers.c.email, subscribers.c.language)
        .join(subscribers, subscribers.c.id == consents.c.subscriber_id)
        .where(
            consents.c.confirmed_at.is_(None),
            consents.c.mailed_at.is_(None),
            consents.c.given_at >= since,
        )
        .order_by(consents.c.id)
    )
    with store.reading() as connection:
        return tuple(
            Signup(row.id, row.subscriber_id, EmailAddress(row.email), row.language, row.given_at)
            for row in connection.execute(query)
        )


def confirmation_status(
    store: Store, token_hash: str, *, now: datetime, valid_for: timedelta
) -> ConfirmationResult:
    """Return what `confirm` would return, changing nothing."""
    with store.reading() as connection:
        return _lookup(connection, token_hash, now, valid_for)[0]


def confirm(
    store: Store, token_hash: str, *, now: datetime, valid_for: timedelta
) -> ConfirmationResult:
    """Confirm a sign-up: the consent is valid from now on. Safe to call twice."""
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        result, consent, number, address = _lookup(connection, token_hash, now, valid_for)
        if result is not ConfirmationResult.NOW:
            return result
        connection.execute(
            update(consents).where(consents.c.id == consent).values(confirmed_at=now)
        )
        # A subscriber who was imported from a list meanwhile keeps one valid consent.
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == number)
            .values(status=SubscriberStatus.CONFIRMED, unsubscribed_at=None)
        )
        connection.execute(
            delete(consents).where(
                consents.c.subscriber_id == number, consents.c.confirmed_at.is_(None)
            )
        )
        suppressions.lift_on_resubscribe(connection, store, EmailAddress(address))
    return ConfirmationResult.NOW


def _lookup(
    connection: Connection, token_hash: str, now: datetime, valid_for: timedelta
) -> tuple[ConfirmationResult, int, int, str]:
    row = connection.execute(
        select(consents, subscribers.c.email, subscribers.c.status)
        .join(subscribers, subscribers.c.id == consents.c.subscriber_id)
        .where(consents.c.token_hash == token_hash)
        .where(consents.c.token_hash != "")
    ).first()
    if row is None:
        return ConfirmationResult.UNKNOWN, 0, 0, ""
    if row.ended_at is not None:
        result = ConfirmationResult.EXPIRED  # unsubscribed since: coming back is a new sign-up
    elif row.confirmed_at is not None:
        result = ConfirmationResult.ALREADY
    elif now - row.given_at > valid_for:
        result = ConfirmationResult.EXPIRED
    else:
        result = ConfirmationResult.NOW
    return result, row.id, row.subscriber_id, row.email


def delete_unconfirmed(store: Store, *, before: datetime) -> int:
    """Delete unconfirmed sign-ups older than `before`; returns how many."""
    with store.writing() as connection:
        count = connection.execute(
            delete(consents).where(consents.c.confirmed_at.is_(None), consents.c.given_at < before)
        ).rowcount
        connection.execute(
            delete(subscribers).where(
                subscribers.c.status == SubscriberStatus.PENDING,
                subscribers.c.created_at < before,
                ~exists().where(consents.c.subscriber_id == subscribers.c.id),
            )
        )
    return count
