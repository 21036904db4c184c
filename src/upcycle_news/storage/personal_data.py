"""The personal data of one subscriber: shown on request, and erased on request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from upcycle_news.models import EmailAddress, Subscriber
from upcycle_news.storage import suppressions as suppression_rows
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    consents,
    deliveries,
    subscribers,
    suppressions,
    unsubscribes,
)


def personal_data_of(store: Store, subscriber: Subscriber) -> dict[str, Any]:
    """Return everything held about a subscriber as JSON values: the answer to an access request."""
    keys = suppression_rows.suppression_keys(store, subscriber.email)
    with store.reading() as connection:
        consent_rows = connection.execute(
            select(consents)
            .where(consents.c.subscriber_id == subscriber.id)
            .order_by(consents.c.id)
        ).all()
        suppression_rows_found = connection.execute(
            select(suppressions).where(suppressions.c.email_key.in_(keys))
        ).all()
        delivery_rows = connection.execute(
            select(deliveries).where(deliveries.c.subscriber_id == subscriber.id)
        ).all()
        unsubscribe_rows = connection.execute(
            select(unsubscribes).where(unsubscribes.c.subscriber_id == subscriber.id)
        ).all()
        bounce_rows = connection.execute(
            select(bounces).where(bounces.c.subscriber_id == subscriber.id).order_by(bounces.c.id)
        ).all()
        preferences_set_at = connection.scalar(
            select(subscribers.c.preferences_set_at).where(subscribers.c.id == subscriber.id)
        )
    return {
        "id": subscriber.id,
        "email": subscriber.email.address,
        "name": subscriber.name,
        "language": subscriber.language,
        "status": subscriber.status.value,
        "topics": list(subscriber.topics),
        "groups": list(subscriber.groups),
        "created_at": _iso(subscriber.created_at),
        "chosen_at": _iso(preferences_set_at),
        "consents": [_consent(row) for row in consent_rows],
        "departures": [{"at": _iso(row.at), "way": row.method} for row in unsubscribe_rows],
        "suppression": _strongest(suppression_rows_found, subscriber.email),
        "bounces": [
            {
                "id": row.id,
                "issue": row.issue_id,
                "kind": row.kind,
                "code": row.code,
                "reason": row.reason,
                "at": _iso(row.received_at),
                "report": None if row.raw is None else row.raw.decode("utf-8", "replace"),
            }
            for row in bounce_rows
        ],
        "deliveries": [
            {
                "issue": row.issue_id,
                "state": row.state,
                "code": row.code,
                "reason": row.reason,
                "at": _iso(row.changed_at),
            }
            for row in delivery_rows
        ],
    }


def _consent(row: Row[Any]) -> dict[str, Any]:
    return {
        "purpose": row.purpose,
        "source": row.source,
        "wording": row.wording,
        "given_at": _iso(row.given_at),
        "mailed_at": _iso(row.mailed_at),
        "confirmed_at": _iso(row.confirmed_at),
        "ended_at": _iso(row.ended_at),
        "token_hash": row.token_hash,
        "ip": row.ip,
    }


def _strongest(rows: Sequence[Row[Any]], email: EmailAddress) -> dict[str, Any] | None:
    """Return the suppression of the address itself, else that of its domain or its hash."""
    for row in sorted(rows, key=lambda row: row.email_key != email.key):
        by = {"@": "domain", "#": "hash"}.get(row.email_key[0], "address")
        return {"by": by, "reason": row.reason, "detail": row.detail, "at": _iso(row.created_at)}
    return None


def erase_subscriber(store: Store, email: EmailAddress, *, now: datetime) -> bool:
    """Erase a subscriber; only a keyed hash stays, so that no imported list can add them again.

    A suppression of the address becomes one of the hash and keeps its reason. False when nothing
    was held.
    """
    with store.writing() as connection:
        number = connection.scalar(
            select(subscribers.c.id).where(subscribers.c.email_key == email.key)
        )
        if number is None and not suppression_rows.is_suppressed(connection, email.key):
            return False
        if number is not None:
            erase_rows(connection, number)
        suppression_rows.erase_suppressed_address(connection, store, email, now=now)
    store.checkpoint()
    return True


def erase_rows(connection: Connection, number: int) -> None:
    """Delete a subscriber and every text that might identify them; counts stay for the sums."""
    connection.execute(
        update(bounces).where(bounces.c.subscriber_id == number).values(raw=None, reason="")
    )
    connection.execute(
        update(deliveries).where(deliveries.c.subscriber_id == number).values(reason="")
    )
    connection.execute(delete(consents).where(consents.c.subscriber_id == number))
    connection.execute(delete(subscribers).where(subscribers.c.id == number))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
