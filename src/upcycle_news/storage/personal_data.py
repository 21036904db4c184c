"""What is held about one person: shown on request, and erased on request."""

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
    departures,
    subscribers,
    suppressions,
)


def record_of(store: Store, person: Subscriber) -> dict[str, Any]:
    """Everything held about a person, ready to be printed as JSON (an access request's answer)."""
    keys = suppression_rows.keys_of(store, person.email)
    with store.reading() as connection:
        agreed = connection.execute(
            select(consents).where(consents.c.subscriber_id == person.id).order_by(consents.c.id)
        ).all()
        stops = connection.execute(
            select(suppressions).where(suppressions.c.email_key.in_(keys))
        ).all()
        mails = connection.execute(
            select(deliveries).where(deliveries.c.subscriber_id == person.id)
        ).all()
        left = connection.execute(
            select(departures).where(departures.c.subscriber_id == person.id)
        ).all()
        reports = connection.execute(
            select(bounces).where(bounces.c.subscriber_id == person.id).order_by(bounces.c.id)
        ).all()
        chosen = connection.scalar(
            select(subscribers.c.chosen_at).where(subscribers.c.id == person.id)
        )
    return {
        "id": person.id,
        "email": person.email.address,
        "name": person.name,
        "language": person.language,
        "status": person.status.value,
        "topics": list(person.topics),
        "groups": list(person.groups),
        "created_at": _iso(person.created_at),
        "chosen_at": _iso(chosen),
        "consents": [_consent(row) for row in agreed],
        "departures": [{"at": _iso(row.at), "way": row.way} for row in left],
        "suppression": _strongest(stops, person.email),
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
            for row in reports
        ],
        "deliveries": [
            {
                "issue": row.issue_id,
                "state": row.state,
                "code": row.code,
                "reason": row.reason,
                "at": _iso(row.changed_at),
            }
            for row in mails
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
    """The suppression of the very address, else that of its domain or its hash."""
    for row in sorted(rows, key=lambda one: one.email_key != email.key):
        by = {"@": "domain", "#": "hash"}.get(row.email_key[0], "address")
        return {"by": by, "reason": row.reason, "detail": row.detail, "at": _iso(row.created_at)}
    return None


def erase(store: Store, email: EmailAddress, *, now: datetime) -> bool:
    """Erase a person; only a keyed hash stays, so that no list can bring them back.

    A suppression of the address becomes one of the hash and keeps its reason. False when nothing
    was held. Raises nothing of its own.
    """
    with store.writing() as connection:
        number = connection.scalar(
            select(subscribers.c.id).where(subscribers.c.email_key == email.key)
        )
        stop = connection.execute(
            select(suppressions).where(suppressions.c.email_key == email.key)
        ).first()
        if number is None and stop is None:
            return False
        if number is not None:
            erase_rows(connection, number)
        connection.execute(delete(suppressions).where(suppressions.c.email_key == email.key))
        suppression_rows.suppress(
            connection,
            suppression_rows.hash_key(store, email),
            reason=suppression_rows.FORGOTTEN if stop is None else stop.reason,
            detail="",
            now=now,
        )
    store.checkpoint()
    return True


def erase_rows(connection: Connection, number: int) -> None:
    """Numbers stay for the closing sums; words that might tell who it was do not."""
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
