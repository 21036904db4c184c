"""Notices to operators that are not delivered yet: by mail, by the webhook, or by both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import notices


@dataclass(frozen=True)
class Notice:
    """A notice, how often it was tried, and the ways on which it has not gone yet."""

    id: int
    event: str
    message: str
    created_at: datetime
    attempts: int
    mail_pending: bool
    webhook_pending: bool

    @property
    def is_pending(self) -> bool:
        """True while one of its ways is open."""
        return self.mail_pending or self.webhook_pending


def add(
    store: Store, event: str, message: str, *, mail: bool, webhook: bool, now: datetime
) -> Notice:
    """Store a notice that is to go on these ways, due at once."""
    values = {
        "event": event,
        "message": message,
        "created_at": now,
        "attempts": 0,
        "mail_pending": mail,
        "webhook_pending": webhook,
    }
    with store.writing() as connection:
        number = connection.execute(
            insert(notices).values(**values, next_at=now).returning(notices.c.id)
        ).scalar_one()
    return Notice(id=number, **values)  # type: ignore[arg-type]


def list_due(store: Store, now: datetime) -> tuple[Notice, ...]:
    """Return the notices that are due, oldest first."""
    columns = [column for column in notices.c if column.name != "next_at"]
    query = select(*columns).where(notices.c.next_at <= now).order_by(notices.c.id)
    with store.reading() as connection:
        return tuple(Notice(**row._mapping) for row in connection.execute(query))


def claim(store: Store, notice: Notice, *, until: datetime) -> bool:
    """Reserve a due notice for this process until then; False when another one has it."""
    with store.writing() as connection:
        changed = connection.execute(
            update(notices)
            .where(notices.c.id == notice.id, notices.c.attempts == notice.attempts)
            .values(attempts=notice.attempts + 1, next_at=until)
        )
        return changed.rowcount == 1


def save(store: Store, notice: Notice) -> None:
    """Store on which ways a notice is still to go, or delete it when there is none."""
    with store.writing() as connection:
        row = notices.c.id == notice.id
        if notice.is_pending:
            connection.execute(
                update(notices)
                .where(row)
                .values(mail_pending=notice.mail_pending, webhook_pending=notice.webhook_pending)
            )
        else:
            connection.execute(delete(notices).where(row))
