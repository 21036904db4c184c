"""Double opt-in: who asked for the newsletter, what they were told, and when they confirmed.

Every sign-up is a row of its own, kept as proof once it is confirmed and deleted when it never is.
Times are in UTC seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import consents, subscribers
from upcycle_news.storage.subscribers import NewSubscriber, new_row

PURPOSE = "newsletter"


@dataclass(frozen=True)
class Situation:
    """What is known of an address at the moment it is entered. `asked_at`: the last open sign-up."""

    status: SubscriberStatus | None
    suppressed: str | None
    asked_at: datetime | None


@dataclass(frozen=True)
class Signup:
    """A sign-up that waits for its mail or its confirmation."""

    consent: int
    subscriber: int
    email: EmailAddress
    language: str
    given_at: datetime


class Confirmed(StrEnum):
    """What following a confirmation link did."""

    NOW = "now"
    ALREADY = "already"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


def begin(
    store: Store,
    email: EmailAddress,
    *,
    may_ask: Callable[[Situation], bool],
    language: str,
    source: str,
    wording: str,
    ip: str,
    now: datetime,
) -> Signup | None:
    """Write down a sign-up if `may_ask` says so; None when no mail must go out.

    One transaction: two sign-ups at the same moment make one mail.
    """
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        row = connection.execute(
            select(subscribers.c.id, subscribers.c.status)
            .where(subscribers.c.email_key == email.key)
            .with_for_update()  # Postgres: the second sign-up sees the first one
        ).first()
        asked = None if row is None else _last_asked(connection, row.id)
        situation = Situation(
            status=None if row is None else SubscriberStatus(row.status),
            suppressed=suppressions.barred(connection, store, [email]).get(email.key),
            asked_at=asked,
        )
        if not may_ask(situation):
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
    connection: Connection, store: Store, person: NewSubscriber, now: datetime
) -> int | None:
    """The number of a new person; None when another sign-up brought them this very moment."""
    insert_here = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    number: int | None = connection.scalar(
        insert_here(subscribers)
        .values(**new_row(store, person, SubscriberStatus.PENDING, now))
        .on_conflict_do_nothing()
        .returning(subscribers.c.id)
    )
    return number


def _last_asked(connection: Connection, number: int) -> datetime | None:
    found: datetime | None = connection.scalar(
        select(consents.c.given_at)
        .where(consents.c.subscriber_id == number, consents.c.confirmed_at.is_(None))
        .order_by(consents.c.given_at.desc())
        .limit(1)
    )
    return found


def mailed(store: Store, signup: Signup, token_hash: str, now: datetime) -> bool:
    """The mail with the link whose token has this hash is about to leave.

    False when it must not: another process was faster, or the person was forgotten meanwhile.
    """
    with store.writing() as connection:
        done = connection.execute(
            update(consents)
            .where(consents.c.id == signup.consent, consents.c.mailed_at.is_(None))
            .where(consents.c.subscriber_id == signup.subscriber)
            .values(token_hash=token_hash, mailed_at=now.replace(microsecond=0))
        )
    return done.rowcount > 0


def not_mailed(store: Store, signup: Signup) -> None:
    """The relay did not take it: the next run tries again."""
    with store.writing() as connection:
        connection.execute(
            update(consents).where(consents.c.id == signup.consent).values(mailed_at=None)
        )


def unmailed(store: Store, *, since: datetime) -> tuple[Signup, ...]:
    """Sign-ups whose mail never left, oldest first; not those from before `since`."""
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


def standing(store: Store, token_hash: str, *, now: datetime, valid_for: timedelta) -> Confirmed:
    """What `confirm` would answer, changing nothing."""
    with store.reading() as connection:
        return _standing(connection, token_hash, now, valid_for)[0]


def confirm(store: Store, token_hash: str, *, now: datetime, valid_for: timedelta) -> Confirmed:
    """The person acted on their link: the consent holds from now on. Safe to call twice."""
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        found, consent, number, address = _standing(connection, token_hash, now, valid_for)
        if found is not Confirmed.NOW:
            return found
        connection.execute(
            update(consents).where(consents.c.id == consent).values(confirmed_at=now)
        )
        # A person who was brought by a list meanwhile keeps one consent that is in force.
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == number)
            .values(status=SubscriberStatus.CONFIRMED, left_at=None)
        )
        connection.execute(
            delete(consents).where(
                consents.c.subscriber_id == number, consents.c.confirmed_at.is_(None)
            )
        )
        suppressions.lift_by_consent(connection, store, EmailAddress(address))
    return Confirmed.NOW


def _standing(
    connection: Connection, token_hash: str, now: datetime, valid_for: timedelta
) -> tuple[Confirmed, int, int, str]:
    row = connection.execute(
        select(consents, subscribers.c.email, subscribers.c.status)
        .join(subscribers, subscribers.c.id == consents.c.subscriber_id)
        .where(consents.c.token_hash == token_hash)
        .where(consents.c.token_hash != "")
    ).first()
    if row is None:
        return Confirmed.UNKNOWN, 0, 0, ""
    if row.ended_at is not None:
        found = Confirmed.EXPIRED  # left since: coming back is a new sign-up
    elif row.confirmed_at is not None:
        found = Confirmed.ALREADY
    elif now - row.given_at > valid_for:
        found = Confirmed.EXPIRED
    else:
        found = Confirmed.NOW
    return found, row.id, row.subscriber_id, row.email


def delete_unconfirmed(store: Store, *, before: datetime) -> int:
    """Delete sign-ups older than `before` that nobody confirmed; returns how many."""
    with store.writing() as connection:
        gone = connection.execute(
            delete(consents).where(consents.c.confirmed_at.is_(None), consents.c.given_at < before)
        ).rowcount
        connection.execute(
            delete(subscribers).where(
                subscribers.c.status == SubscriberStatus.PENDING,
                subscribers.c.created_at < before,
                ~exists().where(consents.c.subscriber_id == subscribers.c.id),
            )
        )
    return gone
