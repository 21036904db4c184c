"""Double opt-in: sign-ups and their confirmation.

Every sign-up is a row of `consents`: kept as proof once it is confirmed, deleted when it never is. Its
mail is queued in `confirmation_mails`. Times are in UTC, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, text, update

from upcycle_news.models import (
    ConfirmationMailKind,
    ConfirmationResult,
    EmailAddress,
    EventKind,
    Signup,
    SubscriberStatus,
)
from upcycle_news.storage import confirmation_mails, event_log, suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import confirmation_mails as confirmation_mail_rows
from upcycle_news.storage.schema import consents, subscribers
from upcycle_news.storage.subscribers import NewSubscriber, new_row

PURPOSE = "newsletter"


@dataclass(frozen=True)
class AddressStatus:
    """What is known of an address when it is entered.

    `asked_at`: when a confirmation of it was asked for last; `mailbox_asked`: how many mails to
    addresses of the same mailbox were asked for within the cooldown.
    """

    status: SubscriberStatus | None
    suppressed: str | None
    asked_at: datetime | None
    mailbox_asked: int = 0


def start_signup(
    store: Store,
    email: EmailAddress,
    *,
    may_ask: Callable[[AddressStatus], bool],
    language: str,
    topics: Sequence[str] | None = None,
    source: str,
    wording: str,
    ip: str,
    now: datetime,
    mailbox_key: str = "",
    mailbox_since: datetime | None = None,
) -> Signup | None:
    """Store a sign-up and queue its mail if `may_ask` allows it; None when no mail must be sent.

    `language` and `topics` are the subscriber's from the confirmation on; with `topics` None those that
    are known of them stay. One transaction: two sign-ups at the same moment make one mail. The mails to the mailbox with the
    key `mailbox_key` (default: the address) are counted from `mailbox_since`.
    """
    now = now.replace(microsecond=0)
    mailbox_key = mailbox_key or email.key
    with store.writing() as connection:
        lock_mailbox(connection, mailbox_key)
        row = connection.execute(
            select(subscribers.c.id, subscribers.c.status)
            .where(subscribers.c.email_key == email.key)
            .with_for_update()  # Postgres: the second sign-up sees the first one
        ).first()
        status = address_status(
            connection,
            store,
            email,
            status=None if row is None else SubscriberStatus(row.status),
            mailbox_key=mailbox_key,
            mailbox_since=mailbox_since or now,
        )
        if not may_ask(status):
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
                chosen_language=language,
                chosen_topics=None if topics is None else list(topics),
            )
            .returning(consents.c.id)
        ).scalar_one()
        confirmation_mails.queue(
            connection,
            ConfirmationMailKind.SIGN_UP,
            subscriber=number,
            reference=consent,
            email_key=email.key,
            mailbox_key=mailbox_key,
            now=now,
        )
    return Signup(consent, number, email, language, now)


def lock_mailbox(connection: Connection, mailbox_key: str) -> None:
    """Let only one transaction at a time ask a mailbox: two would not see each other's mails."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": mailbox_key}
        )


def address_status(
    connection: Connection,
    store: Store,
    email: EmailAddress,
    *,
    status: SubscriberStatus | None,
    mailbox_key: str,
    mailbox_since: datetime,
) -> AddressStatus:
    """Return what is known of an address that was entered, whose subscriber has this `status`."""
    return AddressStatus(
        status=status,
        suppressed=suppressions.suppressed_reasons(connection, store, [email]).get(email.key),
        asked_at=confirmation_mails.last_asked(connection, email.key),
        mailbox_asked=confirmation_mails.count_asked(connection, mailbox_key, since=mailbox_since),
    )


def _insert(
    connection: Connection, store: Store, subscriber: NewSubscriber, now: datetime
) -> int | None:
    """Return the id of a new subscriber; None when another sign-up inserted them just now."""
    number: int | None = connection.scalar(
        dialect_insert(store.dialect, subscribers)
        .values(**new_row(store, subscriber, SubscriberStatus.PENDING, now))
        .on_conflict_do_nothing()
        .returning(subscribers.c.id)
    )
    return number


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
        chosen = _take_choices(connection, consent, now)
        connection.execute(
            update(consents).where(consents.c.id == consent).values(confirmed_at=now)
        )
        confirmation_mails.forget_asked(connection, ConfirmationMailKind.SIGN_UP, consent)
        # A subscriber who was imported from a list meanwhile keeps one valid consent.
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == number)
            .values(status=SubscriberStatus.CONFIRMED, unsubscribed_at=None, **chosen)
        )
        connection.execute(
            delete(consents).where(
                consents.c.subscriber_id == number, consents.c.confirmed_at.is_(None)
            )
        )
        event_log.append(connection, EventKind.SUBSCRIBER_CONFIRMED, at=now, subscriber=number)
        suppressions.lift_on_resubscribe(connection, store, EmailAddress(address), now=now)
    return ConfirmationResult.NOW


def _take_choices(connection: Connection, consent: int, now: datetime) -> dict[str, Any]:
    """Return the subscriber's columns that the form of a sign-up decides; the sign-up keeps none of it."""
    row = connection.execute(
        select(consents.c.chosen_language, consents.c.chosen_topics).where(consents.c.id == consent)
    ).one()
    connection.execute(
        update(consents)
        .where(consents.c.id == consent)
        .values(chosen_language=None, chosen_topics=None)
    )
    chosen: dict[str, Any] = {"language": row.chosen_language} if row.chosen_language else {}
    if row.chosen_topics is not None:  # from now on no imported list replaces them
        chosen |= {"topics": list(row.chosen_topics), "preferences_set_at": now}
    return chosen


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
    """Delete unconfirmed sign-ups older than `before`; returns how many.

    Whom a list made us ask stays until they were asked.
    """
    waits_for_question = exists().where(
        confirmation_mail_rows.c.consent_id == consents.c.id,
        confirmation_mail_rows.c.kind == ConfirmationMailKind.LIST,
        confirmation_mail_rows.c.next_at.is_not(None),
    )
    with store.writing() as connection:
        count = connection.execute(
            delete(consents).where(
                consents.c.confirmed_at.is_(None),
                consents.c.given_at < before,
                ~waits_for_question,
            )
        ).rowcount
        connection.execute(
            delete(subscribers).where(
                subscribers.c.status == SubscriberStatus.PENDING,
                subscribers.c.created_at < before,
                ~exists().where(consents.c.subscriber_id == subscribers.c.id),
            )
        )
    return count
