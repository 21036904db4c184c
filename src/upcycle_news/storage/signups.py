"""Double opt-in: sign-ups and their confirmation.

Every sign-up is a row of `consents`: kept as proof once it is confirmed, deleted when it never is. Its
mail is queued in `confirmation_mails`. Times are in UTC, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, text, update

from upcycle_news.models import (
    ConfirmationMailKind,
    ConfirmationResult,
    EmailAddress,
    EventKind,
    Signup,
    SubscriberStatus,
)
from upcycle_news.models.digest import DigestInterval, Rhythm, RhythmOnConfirmation
from upcycle_news.storage import (
    confirmation_mails,
    event_log,
    rhythms,
    suppressions,
)
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import confirmation_mails as confirmation_mail_rows
from upcycle_news.storage.schema import consent_proofs, consents, deliveries, subscribers
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
    rhythm: Rhythm | None = None,
    source: str,
    wording: str,
    ip: str,
    now: datetime,
    mailbox_key: str = "",
    mailbox_since: datetime | None = None,
) -> Signup | None:
    """Store a sign-up and queue its mail if `may_ask` allows it; None when no mail must be sent.

    `language`, `topics` and `rhythm` are the subscriber's from the confirmation on; what is None stays as it
    is known of them. One transaction: two sign-ups at the same moment make one mail. The mails to the mailbox with the
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
                chosen_rhythm=rhythm,
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
    keys = suppressions.suppression_keys(store, subscriber.email)
    number: int | None = connection.scalar(
        dialect_insert(store.dialect, subscribers)
        .values(**new_row(subscriber, keys, SubscriberStatus.PENDING, now))
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


def language_of_signup(store: Store, token_hash: str) -> str | None:
    """Return the language that the unconfirmed sign-up with this link chose; None where it chose none."""
    query = select(consents.c.chosen_language).where(
        consents.c.token_hash == token_hash,
        consents.c.token_hash != "",
        consents.c.confirmed_at.is_(None),
    )
    with store.reading() as connection:
        chosen: str | None = connection.scalar(query)
    return chosen


def rhythm_on_confirmation(
    store: Store,
    today: date,
    interval: DigestInterval | None,
    *,
    consent: int | None = None,
    token_hash: str = "",
) -> RhythmOnConfirmation | None:
    """Return the rhythm that an unconfirmed sign-up chose, and from when it would hold if it were confirmed today.

    The sign-up is named by the id of its consent, or by its link. None where no rhythm was chosen, and
    where there is no digest.
    """
    if interval is None:
        return None
    query = (
        select(consents, subscribers.c.email)
        .join(subscribers, subscribers.c.id == consents.c.subscriber_id)
        .where(
            consents.c.confirmed_at.is_(None),
            consents.c.id == consent if token_hash == "" else consents.c.token_hash == token_hash,
        )
    )
    with store.reading() as connection:
        row = connection.execute(query).first()
        if row is None or row.chosen_rhythm is None:
            return None
        chosen, number = Rhythm(row.chosen_rhythm), row.subscriber_id
        at_once = chosen is rhythms.rhythm_in(connection, number, today).present or is_new_reader(
            connection, store, number, EmailAddress(row.email)
        )
        begins = None if at_once else rhythms.begins_on(connection, today, interval)
        return RhythmOnConfirmation(chosen, begins)


def is_new_reader(connection: Connection, store: Store, number: int, email: EmailAddress) -> bool:
    """Return whether nothing was ever sent to a subscriber or to whoever had their address; in doubt False.

    Whoever was subscribed before, under another id as well, may have got issues of the present period.
    """
    hash_key = suppressions.hash_key(store, email)
    known = (
        select(consents.c.id).where(
            consents.c.subscriber_id == number, consents.c.confirmed_at.is_not(None)
        ),
        select(deliveries.c.id).where(deliveries.c.subscriber_id == number),
        select(consent_proofs.c.id).where(
            consent_proofs.c.hash_key == hash_key, consent_proofs.c.hash_key != ""
        ),
    )
    return (
        not any(connection.execute(query.limit(1)).first() for query in known)
        # Who was erased, or has another address since, is known by what suppresses this one.
        and not suppressions.suppressed_reasons(connection, store, [email])
    )


def confirm(
    store: Store,
    token_hash: str,
    *,
    now: datetime,
    valid_for: timedelta,
    today: date | None = None,
    interval: DigestInterval | None = None,
) -> ConfirmationResult:
    """Confirm a sign-up: the consent is valid from now on. Safe to call twice.

    A rhythm that was chosen with it holds from the digest's period on that has `today`, for a reader to
    whom nothing was sent before; else from the next one. Without the digest's `interval` it is dropped.
    """
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        result, consent, number, address = _lookup(connection, token_hash, now, valid_for)
        if result is not ConfirmationResult.NOW:
            return result
        row = connection.execute(select(consents).where(consents.c.id == consent)).one()
        if row.chosen_rhythm is not None and today is not None:
            rhythms.choose(
                connection,
                number,
                Rhythm(row.chosen_rhythm),
                today=today,
                interval=interval,
                is_new=is_new_reader(connection, store, number, EmailAddress(address)),
            )
        chosen = _take_choices(connection, row, now)
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


def _take_choices(connection: Connection, consent: Row[Any], now: datetime) -> dict[str, Any]:
    """Return the subscriber's columns that the form of a sign-up decides; the sign-up keeps none of it."""
    connection.execute(
        update(consents)
        .where(consents.c.id == consent.id)
        .values(chosen_language=None, chosen_topics=None, chosen_rhythm=None)
    )
    chosen: dict[str, Any] = (
        {"language": consent.chosen_language} if consent.chosen_language else {}
    )
    if consent.chosen_topics is not None:
        chosen |= {"topics": list(consent.chosen_topics)}
    if consent.chosen_topics is not None or consent.chosen_rhythm is not None:
        chosen |= {"preferences_set_at": now}  # from now on no imported list replaces them
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
