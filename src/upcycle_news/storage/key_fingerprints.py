"""The fingerprint of the person key that a store belongs to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import key_fingerprints

_NAME = "person.key"


def recorded_fingerprint(store: Store) -> str | None:
    """Return the fingerprint of the keys that a migrated store belongs to; None for a new one."""
    query = select(key_fingerprints.c.fingerprint).where(key_fingerprints.c.name == _NAME)
    with store.reading() as connection:
        fingerprint: str | None = connection.scalar(query)
    return fingerprint


def record_fingerprint(
    store: Store, fingerprint: str, *, now: datetime, replace: bool = False
) -> None:
    """Record which keys a store belongs to; what is recorded stays unless `replace` says otherwise."""
    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        if replace:
            connection.execute(delete(key_fingerprints).where(key_fingerprints.c.name == _NAME))
        connection.execute(
            insert_ignore(key_fingerprints)
            .values(name=_NAME, fingerprint=fingerprint, recorded_at=now)
            .on_conflict_do_nothing()
        )
