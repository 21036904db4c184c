"""The personal data of one subscriber: shown on request, and erased on request."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, literal, select, update

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    Consent,
    DeliveryState,
    EmailAddress,
    EventKind,
    Subscriber,
    SubscriberStatus,
    Unsubscribe,
    UnsubscribeMethod,
)
from upcycle_news.models.personal_data import PersonalData, WelcomeDelivery
from upcycle_news.storage import address_changes as changes
from upcycle_news.storage import event_log, packed_deliveries, rhythms
from upcycle_news.storage import suppressions as suppression_rows
from upcycle_news.storage.bounces import read_bounce
from upcycle_news.storage.database import Store
from upcycle_news.storage.deliveries import read_delivery
from upcycle_news.storage.schema import (
    address_changes,
    bounces,
    confirmation_mails,
    consent_proofs,
    consents,
    deliveries,
    pending_suppressions,
    subscribers,
    unsubscribes,
    welcome_deliveries,
)


def personal_data_of(store: Store, subscriber: Subscriber) -> PersonalData:
    """Return everything stored about a subscriber: the answer to a request for access."""
    number = subscriber.id
    with store.snapshot() as connection:
        consent_rows = connection.execute(
            select(consents).where(consents.c.subscriber_id == number).order_by(consents.c.id)
        ).all()
        unsubscribe_rows = connection.execute(
            select(unsubscribes)
            .where(unsubscribes.c.subscriber_id == number)
            .order_by(unsubscribes.c.id)
        ).all()
        bounce_rows = connection.execute(
            select(bounces).where(bounces.c.subscriber_id == number).order_by(bounces.c.id)
        ).all()
        delivery_rows = sorted(
            [
                *connection.execute(select(deliveries).where(deliveries.c.subscriber_id == number)),
                *packed_deliveries.of_subscriber(connection, number),
            ],
            key=lambda row: row.id,
        )
        welcome_rows = connection.execute(
            select(welcome_deliveries)
            .where(welcome_deliveries.c.subscriber_id == number)
            .order_by(welcome_deliveries.c.id)
        ).all()
        preferences_set_at = connection.scalar(
            select(subscribers.c.preferences_set_at).where(subscribers.c.id == number)
        )
        suppression = suppression_rows.suppression_of(connection, store, subscriber.email)
        rhythm_starts = rhythms.starts_of(connection, number)
        address_change_rows = changes.changes_of(connection, number)
    return PersonalData(
        subscriber=subscriber,
        preferences_set_at=preferences_set_at,
        consents=tuple(_consent(row) for row in consent_rows),
        address_changes=address_change_rows,
        unsubscribes=tuple(
            Unsubscribe(row.at, UnsubscribeMethod(row.method)) for row in unsubscribe_rows
        ),
        suppression=suppression,
        bounces=tuple(read_bounce(row, row.raw) for row in bounce_rows),
        deliveries=tuple(read_delivery(row, subscriber.email) for row in delivery_rows),
        welcome=tuple(
            WelcomeDelivery(
                row.step, DeliveryState(row.state), row.code, row.reason, row.changed_at
            )
            for row in welcome_rows
        ),
        rhythms=rhythm_starts,
    )


def _consent(row: Row[Any]) -> Consent:
    return Consent(
        purpose=row.purpose,
        source=row.source,
        wording=row.wording,
        given_at=row.given_at,
        mailed_at=row.mailed_at,
        confirmed_at=row.confirmed_at,
        ended_at=row.ended_at,
        token_hash=row.token_hash,
        ip=row.ip,
        text=row.text,
        chosen_language=row.chosen_language,
        chosen_topics=None if row.chosen_topics is None else tuple(row.chosen_topics),
        chosen_rhythm=row.chosen_rhythm,
    )


def erase_subscriber(store: Store, email: EmailAddress, *, now: datetime) -> bool:
    """Erase a subscriber; only a keyed hash stays, so that no imported list can add them again.

    A suppression of the address becomes one of the hash and keeps its reason. Whoever had the address
    before they changed it is erased as well. False when nothing was held.
    """
    with store.writing() as connection:
        number = connection.scalar(
            select(subscribers.c.id).where(subscribers.c.email_key == email.key)
        )
        numbers = {*changes.moved_from(connection, store, email), *filter(None, [number])}
        if not numbers and not suppression_rows.is_suppressed(connection, email.key):
            return False
        for one in numbers:
            present = connection.scalar(select(subscribers.c.email).where(subscribers.c.id == one))
            erase_rows(connection, one, now=now)
            if present is not None:
                suppression_rows.erase_suppressed_address(
                    connection, store, EmailAddress(present), now=now
                )
        suppression_rows.erase_suppressed_address(connection, store, email, now=now)
    store.checkpoint()
    return True


_AT_ONCE = 10
"""How many of those who left are erased in one transaction: each is in a packed block of many issues."""


def forget_left(store: Store, *, before: datetime, now: datetime) -> int:
    """Erase those who left before `before`, as `erase_subscriber` does; returns how many.

    The proof of their consent stays with the keyed hash of the address (`consent_proofs_of`). Whoever has
    signed up again and not confirmed yet is left alone.
    """
    if not store.erasure_key:
        raise StoreError(localized("person-key-missing"))
    signed_up_again = exists().where(
        consents.c.subscriber_id == subscribers.c.id, consents.c.confirmed_at.is_(None)
    )
    due = (
        select(subscribers.c.id, subscribers.c.email)
        .where(
            subscribers.c.status == SubscriberStatus.UNSUBSCRIBED,
            subscribers.c.unsubscribed_at < before,
            ~signed_up_again,
        )
        .limit(_AT_ONCE)
    )
    forgotten = 0
    while True:
        with store.writing() as connection:
            rows = connection.execute(due.with_for_update()).all()
            for row in rows:
                email = EmailAddress(row.email)
                _keep_proofs(connection, row.id, suppression_rows.hash_key(store, email))
                erase_rows(connection, row.id, now=now)
                suppression_rows.erase_suppressed_address(connection, store, email, now=now)
        forgotten += len(rows)
        if len(rows) < _AT_ONCE:
            break
    if forgotten:
        store.checkpoint()
    return forgotten


_PROVING = (
    "purpose", "source", "wording", "token_hash", "given_at", "mailed_at", "confirmed_at", "ended_at",
    "text",
)  # fmt: skip


def _keep_proofs(connection: Connection, number: int, hash_key: str) -> None:
    columns = [consents.c[name] for name in _PROVING]
    query = select(literal(hash_key), *columns).where(
        consents.c.subscriber_id == number, consents.c.confirmed_at.is_not(None)
    )
    connection.execute(insert(consent_proofs).from_select(["hash_key", *_PROVING], query))


def consent_proofs_of(store: Store, email: EmailAddress) -> tuple[Consent, ...]:
    """Return the proofs of consent that stayed of a subscriber who left and was forgotten, oldest first."""
    key = suppression_rows.hash_key(store, email)
    query = select(consent_proofs).where(consent_proofs.c.hash_key == key)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(consent_proofs.c.id)).all() if key else []
    return tuple(Consent(ip="", **{name: getattr(row, name) for name in _PROVING}) for row in rows)


def erase_rows(connection: Connection, number: int, *, now: datetime) -> None:
    """Delete a subscriber and every text that might identify them; counts stay for the sums."""
    connection.execute(
        update(bounces).where(bounces.c.subscriber_id == number).values(raw=None, reason="")
    )
    connection.execute(
        update(deliveries).where(deliveries.c.subscriber_id == number).values(reason="")
    )
    packed_deliveries.erase(connection, number)
    connection.execute(
        update(welcome_deliveries)
        .where(welcome_deliveries.c.subscriber_id == number)
        .values(reason="")
    )
    for table in (confirmation_mails, address_changes, consents):
        connection.execute(delete(table).where(table.c.subscriber_id == number))
    connection.execute(
        delete(pending_suppressions).where(pending_suppressions.c.subscriber_id == number)
    )
    connection.execute(delete(subscribers).where(subscribers.c.id == number))
    event_log.append(connection, EventKind.SUBSCRIBER_FORGOTTEN, at=now, subscriber=number)
