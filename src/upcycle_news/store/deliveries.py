"""The ledger: one row for one issue to one subscriber, claimed before SMTP, settled after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.model import (
    Claim,
    Delivery,
    DeliveryState,
    EmailAddress,
    IssueId,
    SubscriberStatus,
    Verdict,
)
from upcycle_news.store.engine import Store
from upcycle_news.store.issues import IssueState, end_if_cancelled
from upcycle_news.store.schema import deliveries, issues, senders, subscribers, suppressions


@dataclass(frozen=True)
class Sender:
    """A process that sends. `process_start` tells two processes with one pid apart."""

    id: int
    host: str
    pid: int
    process_start: str
    beat_at: datetime


def register_sender(
    store: Store, *, host: str, pid: int, process_start: str, now: datetime
) -> Sender:
    """Sign on as a sender; its claims carry the id that is returned."""
    with store.writing() as connection:
        found = connection.execute(
            insert(senders)
            .values(host=host, pid=pid, process_start=process_start, beat_at=now)
            .returning(senders.c.id)
        ).scalar_one()
    return Sender(found, host, pid, process_start, now)


def senders_in_flight(store: Store, issue: IssueId) -> tuple[Sender, ...]:
    """The senders that hold a claim of this issue."""
    query = (
        select(senders)
        .join(deliveries, deliveries.c.sender_id == senders.c.id)
        .where(deliveries.c.issue_id == str(issue), deliveries.c.state == DeliveryState.SENDING)
        .distinct()
    )
    with store.reading() as connection:
        return tuple(Sender(**row._mapping) for row in connection.execute(query))


def abandon(
    store: Store, issue: IssueId, dead: Sequence[Sender], *, resend: bool, now: datetime
) -> int:
    """What dead senders had on the wire is unknown, or with `resend` queued; returns how many."""
    state = DeliveryState.QUEUED if resend else DeliveryState.UNKNOWN
    with store.writing() as connection:
        found = connection.execute(
            update(deliveries)
            .where(
                deliveries.c.issue_id == str(issue),
                deliveries.c.state == DeliveryState.SENDING,
                deliveries.c.sender_id.in_([sender.id for sender in dead]),
            )
            .values(
                state=state,
                reason=""
                if resend
                else "the sending process died before the relay's answer was recorded",
                changed_at=now,
                next_at=None,
            )
        ).rowcount
        end_if_cancelled(connection, str(issue), now=now)
    return found


def requeue(store: Store, issue: IssueId, state: DeliveryState, *, now: datetime) -> int:
    """Queue again, on command, what is in `state`; returns how many. Never in a cancelled issue."""
    going = select(issues.c.id).where(issues.c.state != IssueState.CANCELLED)
    with store.writing() as connection:
        return connection.execute(
            update(deliveries)
            .where(
                deliveries.c.issue_id == str(issue),
                deliveries.c.issue_id.in_(going),
                deliveries.c.state == state,
            )
            .values(
                state=DeliveryState.QUEUED,
                reason="",
                code=None,
                enhanced="",
                next_at=None,
                queued_at=now,
                changed_at=now,
            )
        ).rowcount


class Ledger:
    """The deliveries of one issue as one sender sees them. Every method is one commit."""

    def __init__(self, store: Store, issue: IssueId, sender: Sender) -> None:
        """Work on `issue` in the name of `sender`."""
        self._store, self._issue, self._sender = store, str(issue), sender

    def claim(self, now: datetime) -> Claim | None:
        """Take the next delivery that may go out, and mark it as sending.

        People who are suppressed or have left since the issue was queued are settled on the way.
        None when nothing is due, or the issue is paused, stopped or cancelled.
        """
        with self._store.writing() as connection:
            state = connection.scalar(select(issues.c.state).where(issues.c.id == self._issue))
            if state != IssueState.SENDING:
                return None
            while (row := self._next(connection, now)) is not None:
                refusal = _refusal(row)
                if refusal is None:
                    self._set(
                        connection,
                        row.id,
                        state=DeliveryState.SENDING,
                        sender_id=self._sender.id,
                        attempts=row.attempts + 1,
                        changed_at=now,
                    )
                    return Claim(
                        delivery=row.id,
                        subscriber=row.subscriber_id,
                        address=EmailAddress(row.email),
                        name=row.name,
                        attempt=row.attempts + 1,
                        queued_at=row.queued_at,
                    )
                ended, reason = refusal
                self._set(
                    connection, row.id, state=ended, reason=reason, changed_at=now, next_at=None
                )
        return None

    def _next(self, connection: Connection, now: datetime) -> Row[Any] | None:
        due = or_(
            deliveries.c.state == DeliveryState.QUEUED,
            and_(deliveries.c.state == DeliveryState.DEFERRED, deliveries.c.next_at <= now),
        )
        query = (
            select(
                deliveries.c.id,
                deliveries.c.subscriber_id,
                deliveries.c.attempts,
                deliveries.c.queued_at,
                subscribers.c.email,
                subscribers.c.name,
                subscribers.c.status,
                suppressions.c.reason.label("suppressed"),
            )
            .select_from(deliveries)
            .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .outerjoin(suppressions, suppressions.c.email_key == subscribers.c.email_key)
            .where(deliveries.c.issue_id == self._issue, due)
            .order_by(deliveries.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        return connection.execute(query).first()

    def _set(self, connection: Connection, delivery: int, **values: Any) -> None:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery, deliveries.c.issue_id == self._issue)
            .values(**values)
        )

    def release(self, claim: Claim, now: datetime) -> None:
        """Nothing of this delivery was on the wire: it goes back to the queue, uncounted."""
        with self._store.writing() as connection:
            self._set(
                connection,
                claim.delivery,
                state=DeliveryState.QUEUED,
                attempts=claim.attempt - 1,
                changed_at=now,
            )
            end_if_cancelled(connection, self._issue, now=now)

    def record(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write down what became of a claim, and the suppression if the verdict says so.

        May be called again for a claim of this run; the last call counts.
        """
        with self._store.writing() as connection:
            self._set(
                connection,
                claim.delivery,
                state=verdict.state,
                next_at=verdict.next_at,
                code=verdict.code,
                enhanced=verdict.enhanced,
                reason=verdict.reason,
                changed_at=now,
            )
            if verdict.state in (DeliveryState.QUEUED, DeliveryState.DEFERRED):
                end_if_cancelled(connection, self._issue, now=now)
            if verdict.suppress:
                self._suppress(connection, claim, verdict, now)

    def _suppress(
        self, connection: Connection, claim: Claim, verdict: Verdict, now: datetime
    ) -> None:
        insert_here = postgresql.insert if self._store.dialect == "postgresql" else sqlite.insert
        detail = " ".join(
            part for part in (str(verdict.code or ""), verdict.enhanced, verdict.reason) if part
        )
        connection.execute(
            insert_here(suppressions)
            .values(email_key=claim.address.key, reason="bounced", detail=detail, created_at=now)
            .on_conflict_do_nothing()
        )

    def next_due(self) -> datetime | None:
        """When the next deferred delivery may be tried again; None when none waits."""
        with self._store.reading() as connection:
            due: datetime | None = connection.scalar(
                select(func.min(deliveries.c.next_at)).where(
                    deliveries.c.issue_id == self._issue,
                    deliveries.c.state == DeliveryState.DEFERRED,
                )
            )
        return due

    def heartbeat(self, now: datetime) -> None:
        """Show that this sender lives."""
        with self._store.writing() as connection:
            connection.execute(
                update(senders).where(senders.c.id == self._sender.id).values(beat_at=now)
            )


def _refusal(row: Row[Any]) -> tuple[DeliveryState, str] | None:
    if row.email is None:
        return DeliveryState.CANCELLED, "the person was forgotten"
    if row.suppressed is not None:
        return DeliveryState.SUPPRESSED, f"suppressed: {row.suppressed}"
    if row.status != SubscriberStatus.CONFIRMED:
        return DeliveryState.CANCELLED, "has unsubscribed"
    return None


def listed(store: Store, issue: IssueId, state: DeliveryState) -> Iterator[Delivery]:
    """The deliveries of an issue in one state, with the address of each person still known."""
    query = (
        select(deliveries, subscribers.c.email)
        .select_from(deliveries)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue), deliveries.c.state == state)
        .order_by(deliveries.c.id)
    )
    with store.reading() as connection:
        for row in connection.execute(query):
            yield Delivery(
                issue=row.issue_id,
                subscriber=row.subscriber_id,
                address=None if row.email is None else EmailAddress(row.email),
                state=DeliveryState(row.state),
                code=row.code,
                reason=row.reason,
                at=row.changed_at,
            )
