"""Suppressions: who must not be written to, by address, by domain, or as a keyed hash.

They outlive the subscriber and always win. `reason_barred` is the one expression that queueing,
claiming and every other question share.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, ScalarSelect, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import EmailAddress
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import subscribers, suppressions

FORGOTTEN = "forgotten"
# Lifted by the person's own new consent. Whoever bounced or complained stays out until a human
# decides otherwise.
LIFTED_BY_CONSENT = (FORGOTTEN, "unsubscribed")
_CHUNK = 500


@dataclass(frozen=True)
class Suppression:
    """One row: `key` is an address, ``@domain`` or ``#hash``."""

    key: str
    reason: str
    detail: str
    at: datetime


def domain_key(email: EmailAddress) -> str:
    """What a suppression of the address's whole domain is called."""
    return f"@{email.domain}"


def hash_key(store: Store, email: EmailAddress) -> str:
    """What is left of an address after erasure: a keyed hash, or nothing without a key."""
    if not store.erasure_key:
        return ""
    mac = hmac.new(store.erasure_key, b"upcycle_news/person/" + email.key.encode(), hashlib.sha256)
    return f"#{mac.hexdigest()}"


def keys_of(store: Store, email: EmailAddress) -> tuple[str, ...]:
    """Every name under which an address may be suppressed."""
    return tuple(filter(None, (email.key, domain_key(email), hash_key(store, email))))


def reason_barred() -> ScalarSelect[str]:
    """Why the person in `subscribers` must not be written to; NULL for somebody who may be."""
    return (
        select(suppressions.c.reason)
        .where(
            suppressions.c.email_key.in_(
                [subscribers.c.email_key, subscribers.c.domain_key, subscribers.c.hash_key]
            )
        )
        .limit(1)
        .correlate(subscribers)
        .scalar_subquery()
    )


def barred(
    connection: Connection, store: Store, emails: Iterable[EmailAddress]
) -> Mapping[str, str]:
    """The reason for each of these addresses that is suppressed, by `EmailAddress.key`.

    Of several the one that no consent of the person lifts.
    """
    names: dict[str, list[str]] = {}
    for email in emails:
        for key in keys_of(store, email):
            names.setdefault(key, []).append(email.key)
    found: dict[str, str] = {}
    wanted = list(names)
    for start in range(0, len(wanted), _CHUNK):
        query = select(suppressions.c.email_key, suppressions.c.reason).where(
            suppressions.c.email_key.in_(wanted[start : start + _CHUNK])
        )
        for row in connection.execute(query):
            for key in names[row.email_key]:
                if found.get(key, FORGOTTEN) in LIFTED_BY_CONSENT:
                    found[key] = row.reason
    return found


def suppress(connection: Connection, key: str, *, reason: str, detail: str, now: datetime) -> bool:
    """Add a suppression unless there is one already that holds as fast; whether it is new."""
    insert_here = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"reason": reason, "detail": detail, "created_at": now}
    statement = insert_here(suppressions).values(email_key=key, **values)
    if reason in LIFTED_BY_CONSENT:
        statement = statement.on_conflict_do_nothing()
    else:
        statement = statement.on_conflict_do_update(
            index_elements=[suppressions.c.email_key],
            set_=values,
            where=suppressions.c.reason.in_(LIFTED_BY_CONSENT),
        )
    # Not `rowcount`: of an INSERT it says -1 in Postgres.
    return connection.scalar(statement.returning(suppressions.c.email_key)) is not None


def suppress_all(
    store: Store, keys: Iterable[str], *, reason: str, detail: str, now: datetime
) -> int:
    """Suppress addresses and ``@domains``, all or none; returns how many are new."""
    with store.writing() as connection:
        return sum(suppress(connection, key, reason=reason, detail=detail, now=now) for key in keys)


def unsuppress(store: Store, key: str, email: EmailAddress | None = None) -> bool:
    """Take a suppression away, and the hash of `email` with it; whether there was one."""
    keys = {key, *((email.key, hash_key(store, email)) if email else ())} - {""}
    with store.writing() as connection:
        done = connection.execute(delete(suppressions).where(suppressions.c.email_key.in_(keys)))
    return done.rowcount > 0


def lift_by_consent(connection: Connection, store: Store, email: EmailAddress) -> None:
    """The person came back by their own will: what only they could undo is undone."""
    connection.execute(
        delete(suppressions).where(
            suppressions.c.email_key.in_([email.key, hash_key(store, email)]),
            suppressions.c.reason.in_(LIFTED_BY_CONSENT),
        )
    )


def all_suppressions(store: Store) -> Iterator[Suppression]:
    """Every suppression, oldest first."""
    with store.reading() as connection:
        for row in connection.execute(select(suppressions).order_by(suppressions.c.created_at)):
            yield Suppression(row.email_key, row.reason, row.detail, row.created_at)
