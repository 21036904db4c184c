"""The fingerprint of the person key that a store belongs to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import issues, key_fingerprints, subscribers, suppressions

_NAME = "person.key"


def recorded_fingerprint(store: Store) -> str | None:
    """Return the fingerprint of the keys that a migrated store belongs to; None for a new one."""
    query = select(key_fingerprints.c.fingerprint).where(key_fingerprints.c.name == _NAME)
    with store.reading() as connection:
        fingerprint: str | None = connection.scalar(query)
    return fingerprint


def belongs_to_other_keys(store: Store, fingerprint: str) -> bool:
    """Return whether a migrated store belongs to other keys than those with this fingerprint.

    A store without subscribers, issues and suppressions belongs to nobody yet.
    """
    known = recorded_fingerprint(store)
    if known is None or known == fingerprint:
        return False
    tables = (subscribers.c.id, issues.c.id, suppressions.c.email_key)
    with store.reading() as connection:
        return any(connection.execute(select(column).limit(1)).first() for column in tables)


def record_fingerprint(
    store: Store, fingerprint: str, *, now: datetime, replace: bool = False
) -> None:
    """Record which keys a store belongs to; what is recorded stays unless `replace` says otherwise."""
    with store.writing() as connection:
        if replace:
            connection.execute(delete(key_fingerprints).where(key_fingerprints.c.name == _NAME))
        connection.execute(
            dialect_insert(store.dialect, key_fingerprints)
            .values(name=_NAME, fingerprint=fingerprint, recorded_at=now)
            .on_conflict_do_nothing()
        )
