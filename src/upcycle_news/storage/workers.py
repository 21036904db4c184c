"""Who sends: every run signs on, shows that it lives, and signs off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issues import end_if_cancelled
from upcycle_news.storage.schema import deliveries, issues, senders

NOBODY = 0
_HELD = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)


@dataclass(frozen=True)
class Sender:
    """A run that sends. `process_start` tells two processes with one pid apart."""

    id: int
    host: str
    pid: int
    process_start: str
    beat_at: datetime
    ended_at: datetime | None = None


def register_sender(
    store: Store, *, host: str, pid: int, process_start: str, now: datetime
) -> Sender:
    """Sign on as a sender; its leases and marks carry the id that is returned.

    Raises `PausedError` while nothing may go out.
    """
    with store.writing() as connection:
        send_hold.refuse(connection)
        found = connection.execute(
            insert(senders)
            .values(host=host, pid=pid, process_start=process_start, beat_at=now)
            .returning(senders.c.id)
        ).scalar_one()
    return Sender(found, host, pid, process_start, now)


def sign_off(store: Store, sender: Sender, *, now: datetime) -> None:
    """The run is over: what it still holds, if anything, may be settled at once."""
    with store.writing() as connection:
        connection.execute(update(senders).where(senders.c.id == sender.id).values(ended_at=now))


def signed_on(store: Store) -> tuple[Sender, ...]:
    """The senders that have not signed off; some of them may be dead."""
    with store.reading() as connection:
        rows = connection.execute(select(senders).where(senders.c.ended_at.is_(None)))
        return tuple(Sender(**row._mapping) for row in rows)


def senders_in_flight(store: Store, issue: IssueId) -> tuple[Sender, ...]:
    """The senders that hold deliveries of this issue, on the wire or leased."""
    held = (
        select(deliveries.c.sender_id)
        .where(
            deliveries.c.issue_id == str(issue),
            deliveries.c.state.in_(_HELD),
            deliveries.c.sender_id > NOBODY,
        )
        .distinct()
    )
    with store.reading() as connection:
        rows = connection.execute(select(senders).where(senders.c.id.in_(held)))
        return tuple(Sender(**row._mapping) for row in rows)


def abandon(
    store: Store, issue: IssueId, dead: Sequence[Sender], *, resend: bool, now: datetime
) -> int:
    """What dead senders had on the wire is unknown, or with `resend` queued; returns how many.

    What they had only leased was never on the wire and goes back to the queue.
    """
    theirs = (
        deliveries.c.issue_id == str(issue),
        deliveries.c.sender_id.in_([sender.id for sender in dead]),
    )
    ended = {
        "state": DeliveryState.UNKNOWN,
        "reason": "the sending process died before the relay's answer was recorded",
    }
    again = {"state": DeliveryState.QUEUED, "reason": "", "sender_id": NOBODY}
    with store.writing() as connection:
        # Before any delivery, as cancelling does: in another order the two could deadlock.
        connection.execute(
            select(issues.c.id).where(issues.c.id == str(issue)).with_for_update(read=True)
        )
        connection.execute(
            update(deliveries)
            .where(*theirs, deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]))
            .values(sender_id=NOBODY)
        )
        found = connection.execute(
            update(deliveries)
            .where(*theirs, deliveries.c.state == DeliveryState.SENDING)
            .values(**(again if resend else ended), changed_at=now, next_at=None)
        ).rowcount
        end_if_cancelled(connection, str(issue), now=now)
    return found
