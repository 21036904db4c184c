"""Suppressions: addresses, domains or keyed hashes of addresses that are never mailed.

They outlive the subscriber and always win. `suppress_several` is the one function that writes the table and
`lift` the one that deletes from it, whatever the suppression came from; `suppression_reason_sql` is
the one expression that claiming and every other query share (`is_not_suppressed_sql` where all are asked about).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    and_,
    delete,
    or_,
    select,
)
from sqlalchemy.sql.dml import ReturningInsert

from upcycle_news.models import EmailAddress, EventKind, Suppression, SuppressionSource
from upcycle_news.storage import event_log
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.key_lists import is_one_of_keys
from upcycle_news.storage.schema import subscribers, suppressions

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
COMPLAINT = "complaint"
SOFT_BOUNCES = "soft bounces"
# What failed may turn out to be no fault of the address; who complained has decided.
_WEAKER_THAN_COMPLAINT = (*LIFTED_BY_CONSENT, HARD_BOUNCE, REFUSED, SOFT_BOUNCES)
_CHUNK = 500


def hash_key(store: Store, email: EmailAddress) -> str:
    """Return the keyed hash that is kept of an erased address; empty without a key."""
    return _hash_key(store, email.key)


def _hash_key(store: Store, key: str) -> str:
    if not store.erasure_key:
        return ""
    mac = hmac.digest(store.erasure_key, b"upcycle_news/person/" + key.encode(), "sha256")
    return f"#{mac.hex()}"


class SuppressionKeys(NamedTuple):
    """The keys under which an address may be suppressed, as the columns of a subscriber hold them."""

    email_key: str
    domain_key: str
    hash_key: str
    """Empty without a key of the hashes."""


def suppression_keys(store: Store, email: EmailAddress) -> SuppressionKeys:
    """Return every key under which an address may be suppressed."""
    key = email.key
    return SuppressionKeys(key, f"@{key.rpartition('@')[2]}", _hash_key(store, key))


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


def is_not_suppressed_sql(dialect: str) -> ColumnElement[bool]:
    """Return SQL that is true where `suppression_reason_sql` is NULL, for a query about all subscribers.

    SQLite takes a third of the time to look into the index for each key by `NOT IN`. Postgres would read all
    suppressions for each subscriber where they are many.
    """
    if dialect != "sqlite":
        return suppression_reason_sql().is_(None)
    suppressed = select(suppressions.c.email_key)
    keys = (subscribers.c.email_key, subscribers.c.domain_key, subscribers.c.hash_key)
    return and_(*(key.not_in(suppressed) for key in keys))


@cache
def _select_reasons(dialect: str) -> Select[tuple[str, str]]:
    return select(suppressions.c.email_key, suppressions.c.reason).where(
        is_one_of_keys(suppressions.c.email_key, dialect)
    )


def suppressed_reasons(
    connection: Connection, store: Store, emails: Iterable[EmailAddress]
) -> Mapping[str, str]:
    """Return the reason for each address that is suppressed, by `EmailAddress.key`.

    Of several reasons the one that no new consent lifts.
    """
    return suppressed_by_keys(connection, [suppression_keys(store, email) for email in emails])


def suppressed_by_keys(
    connection: Connection, addresses: Sequence[SuppressionKeys]
) -> Mapping[str, str]:
    """Return what `suppressed_reasons` returns for the addresses with these keys."""
    query = _select_reasons(connection.dialect.name)
    stored: dict[str, str] = {}
    for start in range(0, len(addresses), _CHUNK):
        keys = set(chain.from_iterable(addresses[start : start + _CHUNK]))
        rows = connection.execute(query, {"keys": list(keys)})
        stored.update((row.email_key, row.reason) for row in rows)
    reasons: dict[str, str] = {}
    for keys_of_one in addresses if stored else ():
        found = [stored[key] for key in keys_of_one if key in stored]
        lasting = [reason for reason in found if reason not in LIFTED_BY_CONSENT]
        if found:
            reasons[keys_of_one.email_key] = (lasting or found)[0]
    return reasons


def suppress(connection: Connection, suppression: Suppression) -> bool:
    """Store a suppression, as `suppress_several` does; returns whether it is new."""
    return bool(suppress_several(connection, [suppression]))


def suppress_several(connection: Connection, wanted: Sequence[Suppression]) -> frozenset[str]:
    """Store suppressions of different keys in few statements; returns the keys that are new.

    A known key keeps its first suppression, unless the subscriber's own new consent would lift that
    one and not the new one, or the new one is a complaint and the other a failure. All writing goes through
    here.
    """
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    # In one order: two transactions about the same addresses wait for one another, and never in a circle.
    for one in sorted(wanted, key=lambda one: one.key):
        alike.setdefault(_replaceable(one), []).append(_values(one))
    new: set[str] = set()
    for replaceable, rows in sorted(alike.items()):
        # Not `rowcount`: it is -1 for an INSERT in Postgres.
        new |= set(connection.scalars(_insert(connection.dialect.name, replaceable), rows))
    _tell_suppressed(connection, (one for one in wanted if one.key in new))
    return frozenset(new)


def _replaceable(suppression: Suppression) -> tuple[str, ...]:
    """Return the reasons of suppressions that this one replaces."""
    if suppression.reason in LIFTED_BY_CONSENT:
        return ()
    return _WEAKER_THAN_COMPLAINT if suppression.reason == COMPLAINT else LIFTED_BY_CONSENT


def _values(suppression: Suppression) -> dict[str, Any]:
    return {
        "email_key": suppression.key,
        "reason": suppression.reason,
        "source": suppression.source,
        "detail": suppression.detail,
        "issue_id": suppression.issue,
        "delivery_id": suppression.delivery,
        "created_at": suppression.at,
    }


def suppress_many(connection: Connection, new: Iterable[Suppression]) -> int:
    """Store suppressions, of several for one key the first, as `suppress_several` does; returns how many are new."""
    count = 0
    chunk: dict[str, Suppression] = {}
    for suppression in new:
        chunk.setdefault(suppression.key, suppression)
        if len(chunk) == _CHUNK:
            count += len(suppress_several(connection, list(chunk.values())))
            chunk = {}
    return count + len(suppress_several(connection, list(chunk.values())))


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
def _insert(dialect: str, replaceable: tuple[str, ...]) -> ReturningInsert[tuple[str]]:
    """Return the statement of `suppress_several`, built once: a list may have a hundred thousand lines."""
    statement = dialect_insert(dialect, suppressions)
    if not replaceable:
        statement = statement.on_conflict_do_nothing()
    else:
        changed = [column.name for column in suppressions.c if not column.primary_key]
        statement = statement.on_conflict_do_update(
            index_elements=[suppressions.c.email_key],
            set_={name: statement.excluded[name] for name in changed},
            # Not IN: its parameters cannot stand in a statement for several rows.
            where=or_(*(suppressions.c.reason == reason for reason in replaceable)),
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


def page(
    store: Store, *, after: tuple[datetime, str] | None = None, limit: int
) -> tuple[Suppression, ...]:
    """Return at most `limit` suppressions, oldest first; those after a time and key, if they are given."""
    at, key = suppressions.c.created_at, suppressions.c.email_key
    query = select(suppressions).order_by(at, key).limit(limit)
    if after is not None:
        query = query.where(or_(at > after[0], and_(at == after[0], key > after[1])))
    with store.reading() as connection:
        return tuple(_suppression(row) for row in connection.execute(query))


def find(store: Store, key: str, email: EmailAddress | None = None) -> Suppression | None:
    """Return the suppression with this key; with `email` that of the address, its domain or its hash."""
    with store.reading() as connection:
        if email is not None:
            return suppression_of(connection, store, email)
        row = connection.execute(
            select(suppressions).where(suppressions.c.email_key == key)
        ).first()
    return None if row is None else _suppression(row)


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
