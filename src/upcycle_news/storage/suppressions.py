"""Suppressions: addresses, domains or keyed hashes of addresses that are never mailed.

They outlive the subscriber and always win. `suppress` is the one function that writes the table and
`lift` the one that deletes from it, whatever the suppression came from; `suppression_reason_sql` is
the one expression that queueing, claiming and every other query share.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from upcycle_news.models import EmailAddress, EventKind, Suppression, SuppressionSource
from upcycle_news.storage import event_log
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import address_changes, deliveries, subscribers, suppressions

FORGOTTEN = "forgotten"
MOVED = "moved"
"""The reason of an address whose subscriber has another one since."""
REFUSED = "bounced"
"""The reason after a refusal at SMTP time."""
HARD_BOUNCE = "hard bounce"
"""The reason after a report."""
# Lifted by the subscriber's own new consent. After a bounce or a complaint only an operator lifts
# the suppression.
LIFTED_BY_CONSENT = (FORGOTTEN, "unsubscribed", MOVED)
_CHUNK = 500


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


def suppress(connection: Connection, suppression: Suppression, *, tell: bool = True) -> bool:
    """Store a suppression; returns whether it is new.

    A known key keeps its first suppression, unless the subscriber's own new consent would lift that
    one and not the new one. All writing goes through here. Without `tell` the caller sees to the
    events.
    """
    statement = _insert(
        connection.dialect.name, replaces_liftable=suppression.reason not in LIFTED_BY_CONSENT
    )
    values = {
        "email_key": suppression.key,
        "reason": suppression.reason,
        "source": suppression.source,
        "detail": suppression.detail,
        "issue_id": suppression.issue,
        "delivery_id": suppression.delivery,
        "created_at": suppression.at,
    }
    # Not `rowcount`: it is -1 for an INSERT in Postgres.
    is_new = connection.scalar(statement, values) is not None
    if is_new and tell:
        _tell_suppressed(connection, [suppression])
    return is_new


def suppress_many(connection: Connection, new: Iterable[Suppression]) -> int:
    """Store suppressions as `suppress` does; returns how many are new."""
    count, untold = 0, []
    for suppression in new:
        if suppress(connection, suppression, tell=False):
            count += 1
            untold.append(suppression)
        if len(untold) == _CHUNK:
            _tell_suppressed(connection, untold)
            untold = []
    _tell_suppressed(connection, untold)
    return count


def _tell_suppressed(connection: Connection, new: Iterable[Suppression]) -> None:
    """Append the events of new suppressions: one for each subscriber, one statement for each kind of key."""
    alike: dict[tuple[SuppressionSource, str, datetime], list[str]] = {}
    for one in new:
        alike.setdefault((one.source, one.issue, one.at), []).append(one.key)
    for (source, issue, at), keys in alike.items():
        for those in _subscribers_with(keys):
            event_log.append_for_each(
                connection,
                EventKind.SUBSCRIBER_SUPPRESSED,
                those,
                at=at,
                issue=issue,
                detail={"source": source.value},
            )


def _subscribers_with(keys: Iterable[str]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions for the subscribers with these keys: one for each column, which has an index or not."""
    by_column: dict[str, list[str]] = {}
    for key in keys:
        column = {"@": "domain_key", "#": "hash_key"}.get(key[:1], "email_key")
        by_column.setdefault(column, []).append(key)
    for column, those in sorted(by_column.items()):
        yield subscribers.c[column].in_(those)


@cache
def _insert(dialect: str, *, replaces_liftable: bool) -> ReturningInsert[tuple[str]]:
    """Return the statement of `suppress`, built once: a list may have a hundred thousand lines."""
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(suppressions)
    if not replaces_liftable:
        statement = statement.on_conflict_do_nothing()
    else:
        changed = [column.name for column in suppressions.c if not column.primary_key]
        statement = statement.on_conflict_do_update(
            index_elements=[suppressions.c.email_key],
            set_={name: statement.excluded[name] for name in changed},
            where=suppressions.c.reason.in_(LIFTED_BY_CONSENT),
        )
    return statement.returning(suppressions.c.email_key)


def lift(
    connection: Connection, keys: Collection[str], *, now: datetime, reasons: Collection[str] = ()
) -> tuple[Suppression, ...]:
    """Delete the suppressions of these keys and return them; with `reasons` only those for one of them.

    All deleting goes through here. Subscribers who are not suppressed any more are told as events.
    """
    statement = delete(suppressions).where(suppressions.c.email_key.in_(keys))
    if reasons:
        statement = statement.where(suppressions.c.reason.in_(reasons))
    lifted = tuple(
        _suppression(row) for row in connection.execute(statement.returning(*suppressions.c))
    )
    for those in _subscribers_with(one.key for one in lifted):
        event_log.append_for_each(
            connection,
            EventKind.SUBSCRIBER_UNSUPPRESSED,
            those & suppression_reason_sql().is_(None),
            at=now,
        )
    return lifted


def suppress_by_id(
    connection: Connection,
    subscriber: int,
    *,
    reason: str,
    source: SuppressionSource,
    detail: str,
    issue: str,
    delivery: int | None,
    now: datetime,
) -> bool:
    """Suppress the address of the subscriber with this id; returns whether it is new.

    What says something about a delivery to an earlier address suppresses the keyed hash of that one;
    a complaint is the person's, whatever their address. False for one who was erased meanwhile: their
    hash is suppressed already, and their address must not be stored again.
    """
    key = connection.scalar(
        select(subscribers.c.email_key)
        .where(subscribers.c.id == subscriber)
        .with_for_update(read=True)  # Postgres: an erasure waits, and takes the new row with it
    )
    if key is None:
        return False
    if delivery is not None and source is not SuppressionSource.COMPLAINT:
        key = _address_of_delivery(connection, delivery) or key
    suppression = Suppression(
        key, reason, source, at=now, detail=detail, issue=issue, delivery=delivery
    )
    return suppress(connection, suppression)


def _address_of_delivery(connection: Connection, delivery: int) -> str | None:
    """Return the hash of the address that a delivery went to; None if it is the subscriber's still."""
    query = (
        select(address_changes.c.old_hash)
        .join(deliveries, deliveries.c.subscriber_id == address_changes.c.subscriber_id)
        .where(
            deliveries.c.id == delivery,
            deliveries.c.changed_at <= address_changes.c.confirmed_at,
            address_changes.c.old_hash != "",
        )
        .order_by(address_changes.c.confirmed_at)
        .limit(1)
    )
    key: str | None = connection.scalar(query)
    return key


def address_since(connection: Connection, subscriber: int) -> datetime | None:
    """Return when the subscriber got the present address by a change; None for the first one."""
    at: datetime | None = connection.scalar(
        select(func.max(address_changes.c.confirmed_at)).where(
            address_changes.c.subscriber_id == subscriber
        )
    )
    return at


def suppress_subscriber(
    store: Store,
    subscriber: int,
    *,
    reason: str,
    source: SuppressionSource,
    detail: str,
    issue: str,
    delivery: int | None,
    now: datetime,
) -> bool:
    """Suppress the address of a subscriber in a transaction of its own, as `suppress_by_id` does."""
    with store.writing() as connection:
        return suppress_by_id(
            connection,
            subscriber,
            reason=reason,
            source=source,
            detail=detail,
            issue=issue,
            delivery=delivery,
            now=now,
        )


def suppress_all(
    store: Store,
    keys: Iterable[str],
    *,
    reason: str,
    source: SuppressionSource = SuppressionSource.COMMAND,
    detail: str = "",
    now: datetime,
) -> int:
    """Suppress addresses and ``@domains``, all or none; returns how many are new."""
    with store.writing() as connection:
        return suppress_many(
            connection, (Suppression(key, reason, source, at=now, detail=detail) for key in keys)
        )


def unsuppress(store: Store, key: str, email: EmailAddress | None = None, *, now: datetime) -> bool:
    """Lift a suppression, and that of the hash of `email` with it; returns whether there was one."""
    keys = {key, *((email.key, hash_key(store, email)) if email else ())} - {""}
    with store.writing() as connection:
        return bool(lift(connection, keys, now=now))


def lift_on_resubscribe(
    connection: Connection, store: Store, email: EmailAddress, *, now: datetime
) -> None:
    """Lift the suppressions that the subscriber's own new consent lifts."""
    lift(connection, [email.key, hash_key(store, email)], now=now, reasons=LIFTED_BY_CONSENT)


def erase_suppressed_address(
    connection: Connection, store: Store, email: EmailAddress, *, now: datetime
) -> None:
    """Suppress the keyed hash of an address instead of the address itself.

    The reason and source of the address's suppression stay, if there was one: it came from something
    else than the erasure, and no new consent may lift it. What might identify a person goes.
    """
    forgotten = Suppression("", FORGOTTEN, SuppressionSource.ERASURE, at=now)
    lifted = lift(connection, [email.key], now=now)
    before = lifted[0] if lifted else forgotten
    suppress(
        connection,
        replace(forgotten, key=hash_key(store, email), reason=before.reason, source=before.source),
    )


def is_suppressed(connection: Connection, key: str) -> bool:
    """Return whether this very key is suppressed."""
    query = select(suppressions.c.email_key).where(suppressions.c.email_key == key)
    return connection.execute(query).first() is not None


def suppression_of(connection: Connection, store: Store, email: EmailAddress) -> Suppression | None:
    """Return the suppression of an address itself, else that of its domain or its hash."""
    query = select(suppressions).where(suppressions.c.email_key.in_(suppression_keys(store, email)))
    rows = sorted(connection.execute(query), key=lambda row: row.email_key != email.key)
    return _suppression(rows[0]) if rows else None


def all_suppressions(store: Store) -> Iterator[Suppression]:
    """Yield every suppression, oldest first."""
    with store.reading() as connection:
        yield from suppressions_in(connection)


def suppressions_in(connection: Connection) -> Iterator[Suppression]:
    """Yield every suppression of the store behind `connection`, oldest first."""
    for row in connection.execute(select(suppressions).order_by(suppressions.c.created_at)):
        yield _suppression(row)


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        key=row.email_key,
        reason=row.reason,
        source=SuppressionSource(row.source),
        at=row.created_at,
        detail=row.detail,
        issue=row.issue_id,
        delivery=row.delivery_id,
    )
