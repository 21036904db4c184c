"""Suppressions: addresses, domains or keyed hashes of addresses that are never mailed.

They outlive the subscriber and always win. `suppression_reason_sql` is the one expression that
queueing, claiming and every other query share.
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
# Lifted by the subscriber's own new consent. After a bounce or a complaint only an operator lifts
# the suppression.
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
    """Return the key of a suppression of the address's whole domain."""
    return f"@{email.domain}"


def hash_key(store: Store, email: EmailAddress) -> str:
    """Return the keyed hash that is kept of an erased address; empty without a key."""
    if not store.erasure_key:
        return ""
    mac = hmac.new(store.erasure_key, b"upcycle_news/person/" + email.key.encode(), hashlib.sha256)
    return f"#{mac.hexdigest()}"


def suppression_keys(store: Store, email: EmailAddress) -> tuple[str, ...]:
    """Return every key under which an address may be suppressed."""
    return tuple(filter(None, (email.key, domain_key(email), hash_key(store, email))))


def suppression_reason_sql() -> ScalarSelect[str]:
    """Return SQL for the reason why the row of `subscribers` is suppressed; NULL if it is not."""
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


def suppressed_reasons(
    connection: Connection, store: Store, emails: Iterable[EmailAddress]
) -> Mapping[str, str]:
    """Return the reason for each address that is suppressed, by `EmailAddress.key`.

    Of several reasons the one that no new consent lifts.
    """
    addresses: dict[str, list[str]] = {}
    for email in emails:
        for key in suppression_keys(store, email):
            addresses.setdefault(key, []).append(email.key)
    reasons: dict[str, str] = {}
    keys = list(addresses)
    for start in range(0, len(keys), _CHUNK):
        query = select(suppressions.c.email_key, suppressions.c.reason).where(
            suppressions.c.email_key.in_(keys[start : start + _CHUNK])
        )
        for row in connection.execute(query):
            for key in addresses[row.email_key]:
                if reasons.get(key, FORGOTTEN) in LIFTED_BY_CONSENT:
                    reasons[key] = row.reason
    return reasons


def suppress(connection: Connection, key: str, *, reason: str, detail: str, now: datetime) -> bool:
    """Add a suppression, or replace one that a new consent lifts; returns whether it is new."""
    dialect_insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"reason": reason, "detail": detail, "created_at": now}
    statement = dialect_insert(suppressions).values(email_key=key, **values)
    if reason in LIFTED_BY_CONSENT:
        statement = statement.on_conflict_do_nothing()
    else:
        statement = statement.on_conflict_do_update(
            index_elements=[suppressions.c.email_key],
            set_=values,
            where=suppressions.c.reason.in_(LIFTED_BY_CONSENT),
        )
    # Not `rowcount`: it is -1 for an INSERT in Postgres.
    return connection.scalar(statement.returning(suppressions.c.email_key)) is not None


def suppress_all(
    store: Store, keys: Iterable[str], *, reason: str, detail: str, now: datetime
) -> int:
    """Suppress addresses and ``@domains``, all or none; returns how many are new."""
    with store.writing() as connection:
        return sum(suppress(connection, key, reason=reason, detail=detail, now=now) for key in keys)


def unsuppress(store: Store, key: str, email: EmailAddress | None = None) -> bool:
    """Delete a suppression, and the hash of `email` with it; returns whether there was one."""
    keys = {key, *((email.key, hash_key(store, email)) if email else ())} - {""}
    with store.writing() as connection:
        result = connection.execute(delete(suppressions).where(suppressions.c.email_key.in_(keys)))
    return result.rowcount > 0


def lift_on_resubscribe(connection: Connection, store: Store, email: EmailAddress) -> None:
    """Delete the suppressions that the subscriber's own new consent lifts."""
    connection.execute(
        delete(suppressions).where(
            suppressions.c.email_key.in_([email.key, hash_key(store, email)]),
            suppressions.c.reason.in_(LIFTED_BY_CONSENT),
        )
    )


def all_suppressions(store: Store) -> Iterator[Suppression]:
    """Yield every suppression, oldest first."""
    with store.reading() as connection:
        for row in connection.execute(select(suppressions).order_by(suppressions.c.created_at)):
            yield Suppression(row.email_key, row.reason, row.detail, row.created_at)
