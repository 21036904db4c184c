"""Named locks between processes and machines. They expire, so that a dead holder blocks nobody."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select, update

from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import locks


def acquire(store: Store, name: str, holder: str, *, until: datetime, now: datetime) -> bool:
    """Acquire a lock, or extend one's own; False while it is another holder's and not expired."""
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, locks)
            .values(name=name, holder=holder, expires_at=until)
            .on_conflict_do_nothing()
        )
        return (
            connection.execute(
                update(locks)
                .where(
                    locks.c.name == name, or_(locks.c.holder == holder, locks.c.expires_at <= now)
                )
                .values(holder=holder, expires_at=until)
            ).rowcount
            == 1
        )


def take_over(store: Store, name: str, holder: str, *, until: datetime) -> None:
    """Acquire a lock whoever holds it: the newest comer has it, and the holder before sees that in `holder`."""
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, locks)
            .values(name=name, holder=holder, expires_at=until)
            .on_conflict_do_update(
                index_elements=[locks.c.name], set_={"holder": holder, "expires_at": until}
            )
        )


def holder(store: Store, name: str, *, now: datetime) -> str:
    """Return who holds a lock that has not expired; empty when nobody does."""
    query = select(locks.c.holder).where(locks.c.name == name, locks.c.expires_at > now)
    with store.reading() as connection:
        return str(connection.scalar(query) or "")


def release(store: Store, name: str, holder: str) -> None:
    """Release a lock; nothing happens unless `holder` has it."""
    with store.writing() as connection:
        connection.execute(delete(locks).where(locks.c.name == name, locks.c.holder == holder))
