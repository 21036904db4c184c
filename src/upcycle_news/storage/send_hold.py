"""Send holds: nothing is sent from a store that was restored from a backup or moved elsewhere.

Such a store does not know everything that was sent. While a hold is active no worker registers,
nothing is queued and nothing is requeued. The hold is checked where those things begin, in their
own transaction, and never for a single message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, or_, select, update

from upcycle_news.errors import SendHoldError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import send_holds


class HoldKind(StrEnum):
    """The reason for a send hold."""

    RESTORED = "restored"
    MOVED = "moved"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class SendHold:
    """An active hold. `location` names the backup it was restored from, or the store it moved to.

    `as_of`: what happened later is not in this store. One that is outdated was set back without a
    restore: a hold of that kind begins when a person settles it, and ends with that.
    """

    kind: HoldKind
    as_of: datetime
    started_at: datetime
    location: str

    @property
    def explanation(self) -> LocalizedText:
        """What happened, and how to continue: one sentence."""
        if self.kind is HoldKind.MOVED:
            return localized("hold-moved", location=self.location, at=self.as_of)
        if self.kind is HoldKind.OUTDATED:
            return localized("hold-outdated")
        return localized("hold-restored", at=self.as_of)


def active_hold(store: Store) -> SendHold | None:
    """Return the active hold, the newest when there are several; None when sending is allowed."""
    with store.reading() as connection:
        return _active_hold(connection)


def raise_if_held(connection: Connection) -> None:
    """Raise `SendHoldError` while a hold is active."""
    if (hold := _active_hold(connection)) is not None:
        raise SendHoldError(hold.explanation)


def raise_if_store_held(store: Store) -> None:
    """Raise `SendHoldError` while a hold is active, in a transaction of its own."""
    with store.reading() as connection:
        raise_if_held(connection)


def start(
    connection: Connection, kind: HoldKind, *, as_of: datetime, location: str, now: datetime
) -> None:
    """Start a hold, active from this commit on."""
    connection.execute(
        insert(send_holds).values(
            kind=kind, as_of=as_of, started_at=now, location=location, ended_by=""
        )
    )


def clear(store: Store, *, by: str, now: datetime) -> int:
    """End every active hold; returns how many."""
    with store.writing() as connection:
        return connection.execute(
            update(send_holds)
            .where(send_holds.c.ended_at.is_(None))
            .values(ended_at=now, ended_by=by)
        ).rowcount


def restored_since(connection: Connection, moment: datetime) -> bool:
    """Return whether the store was restored after `moment`, or is on hold because of a restore.

    One that was set back in another way counts as well, once a person has settled it.
    """
    query = select(send_holds.c.id).where(
        send_holds.c.kind.in_([HoldKind.RESTORED, HoldKind.OUTDATED]),
        or_(send_holds.c.started_at >= moment, send_holds.c.ended_at.is_(None)),
    )
    return connection.execute(query.limit(1)).first() is not None


def _active_hold(connection: Connection) -> SendHold | None:
    row = connection.execute(
        select(send_holds)
        .where(send_holds.c.ended_at.is_(None))
        .order_by(send_holds.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return SendHold(HoldKind(row.kind), row.as_of, row.started_at, row.location)
