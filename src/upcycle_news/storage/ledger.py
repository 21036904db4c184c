"""The ledger: one row for one issue to one subscriber, leased, marked before SMTP, settled after.

A lease is a promise to oneself: the row stays queued or deferred, and only its holder may mark it.
What is marked is on the wire. Leases come in batches, one for many messages; marks and replies are
committed together, a reply with the next mark, and several connections of a process at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    IssueId,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.storage import ledger_sql as rows
from upcycle_news.storage import quotas as quota_rows
from upcycle_news.storage.database import Store
from upcycle_news.storage.issues import IssueState, end_if_cancelled
from upcycle_news.storage.ledger_fast_path import QuickTurns
from upcycle_news.storage.quotas import Quotas
from upcycle_news.storage.schema import (
    deliveries,
    issues,
    senders,
    suppressions,
)
from upcycle_news.storage.workers import NOBODY, Sender

_GO, _GONE, _HELD = (
    ClaimResult(ClaimStatus.GRANTED),
    ClaimResult(ClaimStatus.LOST),
    ClaimResult(ClaimStatus.ISSUE_HALTED),
)


class Ledger:
    """The deliveries of one issue as one sender sees them. Every method is one commit.

    With `fresh_only` it gives out what has never been on the wire: that is all a second relay may
    have.
    """

    def __init__(
        self,
        store: Store,
        issue: IssueId,
        sender: Sender,
        *,
        quotas: Quotas = Quotas(),
        fresh_only: bool = False,
    ) -> None:
        """Work on `issue` in the name of `sender`."""
        self._store, self._issue, self._sender = store, str(issue), sender
        self._quotas, self._fresh_only = quotas, fresh_only
        self._aside: dict[str, tuple[datetime, int]] = {}
        self._quick = QuickTurns(store, sender)

    # --- taking

    def lease(self, limit: int, now: datetime) -> list[LeasedDelivery]:
        """Reserve up to `limit` deliveries that may go out, those due again among them.

        People who are suppressed or have left since the issue was queued are settled on the way.
        Empty when nothing is due, or the issue is paused, stopped or cancelled.
        """
        with self._store.writing() as connection:
            state = connection.scalar(select(issues.c.state).where(issues.c.id == self._issue))
            if state != IssueState.SENDING:
                return []
            while found := self._next(connection, limit, now):
                claims = [
                    rows.claim_of(row) for row in found if not self._settle(connection, row, now)
                ]
                if claims:
                    connection.execute(
                        rows.LEASE,
                        [{"row": claim.delivery, "me": self._sender.id} for claim in claims],
                    )
                    return claims
        return []

    def _next(self, connection: Connection, limit: int, now: datetime) -> list[Row[Any]]:
        mine = {"issue": self._issue, "now": now}
        found: list[Row[Any]] = []
        if not self._fresh_only:
            # Some room for those due again while the queue is long, and all of it afterwards.
            found += connection.execute(rows.DUE, {**mine, "most": max(1, limit // 4)})
        query = rows.FRESH if self._fresh_only else rows.QUEUED
        if len(found) < limit:
            found += connection.execute(query, {**mine, "most": limit - len(found)})
        return found

    def _settle(self, connection: Connection, row: Row[Any], now: datetime) -> bool:
        """End a delivery to somebody who must not get it any more; False when they may."""
        refusal = rows.refusal(row)
        if refusal is None:
            return False
        state, reason = refusal
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(state=state, reason=reason, changed_at=now, next_at=None)
        )
        return True

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """Leases that are not needed any more: somebody else may have them."""
        if claims:
            with self._store.writing() as connection:
                numbers = sorted(one.delivery for one in claims)
                connection.execute(
                    rows.LET_GO, [{"row": number, "me": self._sender.id} for number in numbers]
                )

    # --- the wire

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        marks: Sequence[LeasedDelivery],
        now: datetime,
    ) -> list[ClaimResult]:
        """Write down what became of some deliveries and mark others as sending, in one commit.

        Whoever gets ``go`` may send as soon as this returns. A record may come again for a
        delivery of this run; the last one counts, and a suppression is only ever added.
        """
        if not self._quotas and self._quick.commit(records, marks, now):
            return [_GO] * len(marks)
        with self._store.writing() as connection:
            self._record(connection, records, now)
            return self._mark(connection, marks, now) if marks else []

    def _record(
        self,
        connection: Connection,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        now: datetime,
    ) -> None:
        if not records:
            return
        waiting = any(verdict.state in rows.HELD_BACK for _, verdict in records)
        if waiting:
            # Before any delivery, as cancelling does: in another order the two could deadlock.
            connection.execute(rows.HOLD_ISSUE, {"issue": self._issue})
        connection.execute(
            rows.RECORD, [rows.recorded(*one, self._sender.id, now) for one in records]
        )
        for claim, verdict in records:
            if verdict.suppress:
                self._suppress(connection, claim, verdict, now)
        if waiting:
            end_if_cancelled(connection, self._issue, now=now)

    def _mark(
        self, connection: Connection, marks: Sequence[LeasedDelivery], now: datetime
    ) -> list[ClaimResult]:
        found = connection.execute(rows.STANDING, {"rows": [claim.delivery for claim in marks]})
        standing = {row.id: row for row in found}
        answers = [
            self._leave(connection, claim, standing.get(claim.delivery), now) for claim in marks
        ]
        going = [
            {"row": claim.delivery, "attempt": claim.attempt, "changed_at": now}
            for claim, answer in zip(marks, answers, strict=True)
            if answer is _GO
        ]
        if going:
            connection.execute(rows.MARK, going)
        return answers

    def _leave(
        self, connection: Connection, claim: LeasedDelivery, row: Row[Any] | None, now: datetime
    ) -> ClaimResult:
        if row is None or row.sender_id != self._sender.id or row.state not in rows.HELD_BACK:
            return _GONE
        if row.issue_state != IssueState.SENDING:
            return _HELD
        if self._settle(connection, row, now):
            return _GONE
        if self._quotas:
            scopes = self._quotas.scopes(claim.address)
            if (full := quota_rows.reserve(connection, scopes, now)) is not None:
                if not full.scope.aside:
                    return ClaimResult(ClaimStatus.RATE_LIMITED, full.until)
                self._put_aside(connection, claim, full, now)
                return ClaimResult(ClaimStatus.LOST, full.until)
        return _GO

    def _put_aside(
        self, connection: Connection, claim: LeasedDelivery, full: quota_rows.Full, now: datetime
    ) -> None:
        """Let a delivery wait for its domain's quota, behind those that wait for it already."""
        until, waiting = self._aside.get(full.scope.name, (full.until, 0))
        if until < full.until:
            until, waiting = full.until, 0
        self._aside[full.scope.name] = (until, waiting + 1)
        behind = timedelta(seconds=waiting // full.rate.limit * full.rate.seconds)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == claim.delivery)
            .values(
                state=DeliveryState.DEFERRED,
                next_at=until + behind,
                reason="waits for the quota of the recipient's domain",
                sender_id=NOBODY,
                changed_at=now,
            )
        )

    def _suppress(
        self, connection: Connection, claim: LeasedDelivery, verdict: Verdict, now: datetime
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

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """Nothing of a marked delivery was on the wire: it goes back to the queue, uncounted."""
        with self._store.writing() as connection:
            connection.execute(rows.HOLD_ISSUE, {"issue": self._issue})
            connection.execute(
                update(deliveries)
                .where(
                    deliveries.c.id == claim.delivery,
                    deliveries.c.sender_id == self._sender.id,
                    deliveries.c.state == DeliveryState.SENDING,
                )
                .values(
                    state=DeliveryState.QUEUED,
                    attempts=claim.attempt - 1,
                    sender_id=NOBODY,
                    changed_at=now,
                )
            )
            end_if_cancelled(connection, self._issue, now=now)

    # --- looking

    def next_due(self) -> datetime | None:
        """When the next deferred delivery may be tried again; None when none waits."""
        with self._store.reading() as connection:
            due: datetime | None = connection.scalar(
                select(func.min(deliveries.c.next_at)).where(
                    deliveries.c.issue_id == self._issue, rows.DEFERRED
                )
            )
        return due

    def heartbeat(self, now: datetime) -> None:
        """Show that this sender lives."""
        with self._store.writing() as connection:
            connection.execute(
                update(senders).where(senders.c.id == self._sender.id).values(beat_at=now)
            )
