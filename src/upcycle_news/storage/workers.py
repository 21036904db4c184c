"""Workers: the processes that send. Each registers, sends heartbeats, and deregisters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import close_if_done, settle_returned_deliveries
from upcycle_news.storage.schema import deliveries, issues, workers

NO_WORKER = 0
_IN_FLIGHT = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)


@dataclass(frozen=True)
class Worker:
    """A registered sending process. `process_start` tells two processes with the same pid apart."""

    id: int
    host: str
    pid: int
    process_start: str
    heartbeat_at: datetime
    ended_at: datetime | None = None


def register_worker(
    store: Store, *, host: str, pid: int, process_start: str, now: datetime
) -> Worker:
    """Register a worker; its leases and claims carry the id that is returned.

    Raises `SendHoldError` while a send hold is active.
    """
    with store.writing() as connection:
        send_hold.raise_if_held(connection)
        number = connection.execute(
            insert(workers)
            .values(host=host, pid=pid, process_start=process_start, heartbeat_at=now)
            .returning(workers.c.id)
        ).scalar_one()
    return Worker(number, host, pid, process_start, now)


def deregister_worker(store: Store, worker: Worker, *, now: datetime) -> None:
    """Record that the worker ended: its remaining deliveries may be reclaimed at once."""
    with store.writing() as connection:
        connection.execute(update(workers).where(workers.c.id == worker.id).values(ended_at=now))


def registered_workers(store: Store) -> tuple[Worker, ...]:
    """Return the workers that have not deregistered; some of them may be dead."""
    with store.reading() as connection:
        rows = connection.execute(select(workers).where(workers.c.ended_at.is_(None)))
        return tuple(Worker(**row._mapping) for row in rows)


def workers_in_flight(store: Store, issue: IssueId) -> tuple[Worker, ...]:
    """Return the workers that have deliveries of this issue, leased or on the wire."""
    ids = (
        select(deliveries.c.worker_id)
        .where(
            deliveries.c.issue_id == str(issue),
            deliveries.c.state.in_(_IN_FLIGHT),
            deliveries.c.worker_id > NO_WORKER,
        )
        .distinct()
    )
    with store.reading() as connection:
        rows = connection.execute(select(workers).where(workers.c.id.in_(ids)))
        return tuple(Worker(**row._mapping) for row in rows)


def reclaim_deliveries(
    store: Store, issue: IssueId, dead: Sequence[Worker], *, resend: bool, now: datetime
) -> int:
    """Settle what dead workers had on the wire: unknown, or queued with `resend`; returns how many.

    What they had only leased was never on the wire and goes back to the queue.
    """
    of_the_dead = (
        deliveries.c.issue_id == str(issue),
        deliveries.c.worker_id.in_([worker.id for worker in dead]),
    )
    unknown = {
        "state": DeliveryState.UNKNOWN,
        "reason": str(localized("reason-sender-died")),
    }
    queued = {"state": DeliveryState.QUEUED, "reason": "", "worker_id": NO_WORKER}
    with store.writing() as connection:
        # Before any delivery, as cancelling does: in another order the two could deadlock.
        connection.execute(
            select(issues.c.id).where(issues.c.id == str(issue)).with_for_update(read=True)
        )
        connection.execute(
            update(deliveries)
            .where(
                *of_the_dead,
                deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]),
            )
            .values(worker_id=NO_WORKER)
        )
        count = connection.execute(
            update(deliveries)
            .where(*of_the_dead, deliveries.c.state == DeliveryState.SENDING)
            .values(**(queued if resend else unknown), changed_at=now, next_at=None)
        ).rowcount
        settle_returned_deliveries(connection, str(issue), now=now)
        close_if_done(connection, str(issue), now=now)
    return count
