"""A store that is not the whole truth stands still: restored from a backup, or moved elsewhere.

While a pause stands nobody signs on as a sender, nothing is queued and nothing is queued again. It
is asked where those things begin, in their own transaction, and never for a single message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, or_, select, update

from upcycle_news.errors import SendHoldError
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import pauses


class PauseKind(StrEnum):
    """Why the store stands still."""

    RESTORED = "restored"
    MOVED = "moved"


@dataclass(frozen=True)
class Pause:
    """A pause that stands. `as_of`: what came later is not in this store; `place`: where from or to."""

    kind: PauseKind
    as_of: datetime
    begun_at: datetime
    place: str

    @property
    def sentence(self) -> str:
        """What happened, and how it goes on."""
        if self.kind is PauseKind.MOVED:
            return (
                f"nothing goes out: this store was moved to {self.place} on "
                f"{self.as_of:%Y-%m-%d %H:%M} UTC; use that one (UPCYCLE_NEWS_STORE), or say with "
                "'upcycle-news store confirm' that this one is in use again"
            )
        return (
            f"nothing goes out: this store was restored from a backup of "
            f"{self.as_of:%Y-%m-%d %H:%M} UTC and does not know what was sent since; look at "
            "'upcycle-news store info', then 'upcycle-news store confirm'"
        )


def standing(store: Store) -> Pause | None:
    """The pause that stands, or None; the newest when there are several."""
    with store.reading() as connection:
        return _standing(connection)


def refuse(connection: Connection) -> None:
    """Raise `PausedError` while a pause stands."""
    if (pause := _standing(connection)) is not None:
        raise SendHoldError(pause.sentence)


def refuse_while_paused(store: Store) -> None:
    """Raise `PausedError` while a pause stands."""
    with store.reading() as connection:
        refuse(connection)


def begin(
    connection: Connection, kind: PauseKind, *, as_of: datetime, place: str, now: datetime
) -> None:
    """Let the store stand still from this commit on."""
    connection.execute(
        insert(pauses).values(kind=kind, as_of=as_of, begun_at=now, place=place, ended_by="")
    )


def end(store: Store, *, by: str, now: datetime) -> int:
    """End every pause that stands; returns how many."""
    with store.writing() as connection:
        return connection.execute(
            update(pauses).where(pauses.c.ended_at.is_(None)).values(ended_at=now, ended_by=by)
        ).rowcount


def restored_since(connection: Connection, moment: datetime) -> bool:
    """Whether the store was restored after `moment`, or stands still because it was restored."""
    query = select(pauses.c.id).where(
        pauses.c.kind == PauseKind.RESTORED,
        or_(pauses.c.begun_at >= moment, pauses.c.ended_at.is_(None)),
    )
    return connection.execute(query.limit(1)).first() is not None


def _standing(connection: Connection) -> Pause | None:
    row = connection.execute(
        select(pauses).where(pauses.c.ended_at.is_(None)).order_by(pauses.c.id.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return Pause(PauseKind(row.kind), row.as_of, row.begun_at, row.place)
