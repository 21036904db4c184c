"""How far each outgoing webhook has got in the log of events, and why it does not get on.

The log itself is the outbox (`storage.event_log`): a webhook has a position in it, and nothing is copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update

from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import events, webhook_cursors

KEPT_UNUSED = timedelta(days=90)
"""A webhook that has not been in the settings for so long is forgotten; it would begin anew."""
_SEEN_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class WebhookCursor:
    """The state of a webhook: all events up to `position` were taken, or are not for it.

    `attempts` failed since an event was taken last, the first of them at `failing_since`; the next one is
    due at `next_at`. `reason` is an English sentence about the last one. `stopped`: no further one.
    """

    name: str
    position: int
    attempts: int
    next_at: datetime | None
    failing_since: datetime | None
    reason: str
    stopped: bool
    delivered_at: datetime | None
    seen_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Return True if an attempt may be made."""
        return not self.stopped and (self.next_at is None or self.next_at <= now)


def cursor_of(store: Store, name: str) -> WebhookCursor | None:
    """Return the state of a webhook; None before it was first looked at."""
    return cursors(store, [name]).get(name)


def cursors(store: Store, names: Collection[str] | None = None) -> Mapping[str, WebhookCursor]:
    """Return the states by name: of all webhooks, or of those that were looked at among `names`."""
    query = select(webhook_cursors).order_by(webhook_cursors.c.name)
    if names is not None:
        query = query.where(webhook_cursors.c.name.in_(list(names)))
    with store.reading() as connection:
        return {row.name: WebhookCursor(**row._mapping) for row in connection.execute(query)}


def begin(store: Store, name: str, position: int, *, now: datetime) -> WebhookCursor:
    """Return the state of a webhook; a new one begins behind `position`: it is told of what comes."""
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, webhook_cursors)
            .values(name=name, position=position, attempts=0, reason="", stopped=False, seen_at=now)
            .on_conflict_do_nothing()
        )
        row = connection.execute(
            select(webhook_cursors).where(webhook_cursors.c.name == name)
        ).one()
    return WebhookCursor(**row._mapping)


def mark_seen(store: Store, cursor: WebhookCursor, *, now: datetime) -> None:
    """Note, once a day, that a webhook is in the settings."""
    if now - cursor.seen_at >= _SEEN_EVERY:
        with store.writing() as connection:
            connection.execute(
                update(webhook_cursors)
                .where(webhook_cursors.c.name == cursor.name)
                .values(seen_at=now)
            )


def advance(store: Store, name: str, *, since: int, to: int, delivered_at: datetime | None) -> bool:
    """Move a webhook's position from `since` to `to`; False if it is no longer at `since`.

    With `delivered_at` an event was taken then, and earlier failures are forgotten.
    """
    values: dict[str, object] = {"position": to}
    if delivered_at is not None:
        values |= {
            "attempts": 0,
            "next_at": None,
            "failing_since": None,
            "reason": "",
            "stopped": False,
            "delivered_at": delivered_at,
        }
    with store.writing() as connection:
        changed = connection.execute(
            update(webhook_cursors)
            .where(webhook_cursors.c.name == name, webhook_cursors.c.position == since)
            .values(**values)
        )
        return changed.rowcount == 1


def record_failure(
    store: Store,
    name: str,
    *,
    position: int,
    attempts: int,
    reason: str,
    next_at: datetime | None,
    now: datetime,
) -> None:
    """Note that the event behind `position` was not taken; `next_at` None stops the webhook.

    Nothing happens if the webhook has got on meanwhile.
    """
    with store.writing() as connection:
        connection.execute(
            update(webhook_cursors)
            .where(webhook_cursors.c.name == name, webhook_cursors.c.position == position)
            .values(
                attempts=attempts,
                reason=reason,
                next_at=next_at,
                stopped=next_at is None,
                failing_since=func.coalesce(webhook_cursors.c.failing_since, now),
            )
        )


def reset(store: Store, name: str) -> None:
    """Let a webhook be tried at once, with all its attempts before it; it keeps its position."""
    with store.writing() as connection:
        connection.execute(
            update(webhook_cursors)
            .where(webhook_cursors.c.name == name)
            .values(attempts=0, next_at=None, failing_since=None, stopped=False)
        )


def count_waiting(store: Store, position: int, kinds: Collection[str]) -> int:
    """Return how many events of these kinds come after `position`, those without a position included."""
    with store.reading() as connection:
        return (
            connection.scalar(
                select(func.count()).where(
                    events.c.kind.in_(list(kinds)),
                    or_(events.c.position > position, events.c.position.is_(None)),
                )
            )
            or 0
        )


def delete_unused(store: Store, *, now: datetime) -> int:
    """Forget webhooks that are no longer in the settings; return how many."""
    with store.writing() as connection:
        return connection.execute(
            delete(webhook_cursors).where(webhook_cursors.c.seen_at < now - KEPT_UNUSED)
        ).rowcount
