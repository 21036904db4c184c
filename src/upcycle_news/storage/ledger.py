"""The delivery ledger: one row for each issue and subscriber.

A delivery is leased, claimed before SMTP, and settled with the relay's reply. A lease reserves the
row for one worker: it stays queued or deferred, and only that worker may claim it. Leases come in
batches. A claim marks the delivery as sending: from its commit on a message may be on the wire.
Claims and verdicts of all connections of a process are committed together.

Who calls what: `delivery.session.RunState` calls `Ledger` through the protocol of
`delivery.ports`, one ledger for each worker. `Ledger.commit` tries `ledger_fast_path` first;
everything else executes the statements of `ledger_sql` here. What concerns several workers
(registration, the deliveries of a dead one) is in `workers`, requeueing by command in `deliveries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from upcycle_news.i18n.messages import FALLBACK, localized
from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    IssueId,
    IssueState,
    LeasedDelivery,
    SuppressionSource,
    Verdict,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import ledger_sql as sql
from upcycle_news.storage import refusal_guard
from upcycle_news.storage.compiled_statement import CompiledStatement
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import correct_sums, settle_returned_deliveries
from upcycle_news.storage.ledger_fast_path import LedgerFastPath
from upcycle_news.storage.quotas import FullScope, Quotas, reserve
from upcycle_news.storage.refusal_guard import GuardStop, is_refusal
from upcycle_news.storage.schema import deliveries, workers
from upcycle_news.storage.subscriber_suppressions import SubscriberSuppression, suppress_by_id
from upcycle_news.storage.suppressions import REFUSED, hash_key
from upcycle_news.storage.workers import NO_WORKER, Worker

_GRANTED = ClaimResult(ClaimStatus.GRANTED)
_LOST = ClaimResult(ClaimStatus.LOST)
_ISSUE_HALTED = ClaimResult(ClaimStatus.ISSUE_HALTED)


class Ledger:
    """The deliveries of one issue as one worker sees them. Every method is one transaction.

    With `fresh_only` it leases only what has never been on the wire: a second relay may have
    nothing else; with `queued_at` only of an issue that was queued then: one that was taken back from
    the mailbox and queued again is another mailing. `guard_stop` says why the issue was stopped once a wave of refusals did that
    (`refusal_guard`), here or in another worker whose refusals come after that; `language` is that of
    its reason.
    """

    def __init__(
        self,
        store: Store,
        issue: IssueId,
        worker: Worker,
        *,
        queued_at: datetime | None = None,
        quotas: Quotas = Quotas(),
        fresh_only: bool = False,
        language: str = FALLBACK,
    ) -> None:
        """Deliver `issue` on behalf of `worker`."""
        self._store, self._issue, self._worker = store, str(issue), worker
        self._queued_at = queued_at
        self._quotas, self._fresh_only, self._language = quotas, fresh_only, language
        self._accepted = 0  # since this worker's last refusal, as far as that is not in the store
        self.guard_stop: GuardStop | None = None
        # By scope: when a domain's quota has room again, and how many deliveries wait for it.
        self._domain_waits: dict[str, tuple[datetime, int]] = {}
        self._fast_path = LedgerFastPath(store, worker, quotas)
        self._lease = CompiledStatement(sql.LEASE, store.sql_dialect)

    # --- leases

    def lease(self, limit: int, now: datetime) -> list[LeasedDelivery]:
        """Reserve up to `limit` deliveries, queued ones and deferred ones that are due.

        Deliveries to subscribers who were suppressed or have unsubscribed since the issue was
        queued are settled on the way. Empty when nothing is due, or the issue is paused, stopped
        or cancelled.
        """
        with self._store.writing() as connection:
            row = connection.execute(sql.SELECT_ISSUE, {"issue": self._issue}).first()
            if row is None or row.state != IssueState.SENDING:
                return []
            if self._queued_at not in (None, row.enqueued_at):
                return []
            while rows := self._select(connection, limit, now):
                leases = [
                    sql.leased_delivery(row)
                    for row in rows
                    if not self._settle_refused(connection, row, now)
                ]
                if leases:
                    marks = [{"row": lease.delivery, "me": self._worker.id} for lease in leases]
                    connection.exec_driver_sql(self._lease.sql, self._lease.rows(marks))
                    return leases
        return []

    def _select(self, connection: Connection, limit: int, now: datetime) -> list[Row[Any]]:
        parameters = {"issue": self._issue, "now": now}
        rows: list[Row[Any]] = []
        if not self._fresh_only:
            # A quarter for those due again while the queue is long, and all of it afterwards.
            due = {**parameters, "limit": max(1, limit // 4)}
            rows += connection.execute(sql.SELECT_DUE, due).all()
        query = sql.SELECT_NEVER_TRIED if self._fresh_only else sql.SELECT_QUEUED
        if len(rows) < limit:
            rows += connection.execute(query, {**parameters, "limit": limit - len(rows)}).all()
        return rows

    def _settle_refused(self, connection: Connection, row: Row[Any], now: datetime) -> bool:
        """End a delivery whose subscriber must not get the issue any more; False when allowed."""
        refusal = sql.refusal(row)
        if refusal is None:
            return False
        state, reason = refusal
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(state=state, reason=reason, changed_at=now, next_at=None)
        )
        return True

    def release_leases(self, leases: Sequence[LeasedDelivery]) -> None:
        """Release unused leases, so that other workers may take them."""
        if not leases and not self._accepted:
            return
        with self._store.writing() as connection:
            self._save_accepted(connection)
            if leases:
                connection.execute(
                    sql.RELEASE_LEASE,
                    [
                        {"row": delivery, "me": self._worker.id}
                        for delivery in sorted(lease.delivery for lease in leases)
                    ],
                )
        self._accepted = 0

    def _save_accepted(self, connection: Connection) -> None:
        """Store how many were accepted, for other workers and later runs of the issue."""
        if self._accepted:
            refusal_guard.add_outcomes(
                connection, self._issue, None, accepted_before=self._accepted
            )

    # --- claims and verdicts

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        claims: Sequence[LeasedDelivery],
        now: datetime,
    ) -> list[ClaimResult]:
        """Record verdicts and claim leased deliveries in one commit; one result for each claim.

        A granted message may be sent as soon as this returns. A verdict may be recorded again for
        a delivery of this run; the last one counts, and a suppression is only ever added.
        """
        if self._fast_path.try_commit(records, claims, now):
            self._accepted += sum(verdict.state is DeliveryState.SENT for _, verdict in records)
            return [_GRANTED] * len(claims)
        with self._store.writing() as connection:
            accepted, stop = self._record(connection, records, now)
            results = self._claim(connection, claims, now) if claims else []
        self._accepted, self.guard_stop = accepted, stop or self.guard_stop
        return results

    def _record(
        self,
        connection: Connection,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        now: datetime,
    ) -> tuple[int, GuardStop | None]:
        """Record verdicts; return how many were accepted since the last refusal, and a stop."""
        stop: GuardStop | None = None
        if any(is_refusal(verdict) for _, verdict in records):
            # Before any delivery, as cancelling does: in another order the two could deadlock.
            row = lifecycle.locked(connection, self._issue)
            if row is not None and row.state == IssueState.STOPPED:
                records, stop = _queued_again(records, row.stop_reason)
                for number in sorted(stop.deliveries):
                    refusal_guard.add_outcomes(connection, self._issue, number, accepted_before=0)
        self._record_verdicts(connection, records, now)
        accepted, last = self._accepted, None
        for delivery, verdict in records:
            if verdict.state is DeliveryState.SENT:
                accepted += 1
            elif is_refusal(verdict) and not delivery.refused_before:
                refusal_guard.add_outcomes(
                    connection, self._issue, delivery.delivery, accepted_before=accepted
                )
                accepted, last = 0, verdict
        if last is not None:
            stop = refusal_guard.check(
                connection, self._issue, last, language=self._language, now=now
            )
        return accepted, stop

    def _record_verdicts(
        self,
        connection: Connection,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        now: datetime,
    ) -> None:
        if not records:
            return
        waits_again = any(verdict.state in sql.PENDING_STATES for _, verdict in records)
        rows = {"rows": [delivery.delivery for delivery, _ in records]}
        settled_before = connection.execute(sql.SELECT_NOT_IN_FLIGHT, rows).first() is not None
        if waits_again or settled_before:
            # Before any delivery, as cancelling does: in another order the two could deadlock.
            connection.execute(sql.LOCK_ISSUE_SHARED, {"issue": self._issue})
        connection.execute(
            sql.RECORD_VERDICT,
            [sql.record_parameters(*record, self._worker.id, now) for record in records],
        )
        for delivery, verdict in records:
            if verdict.suppress:
                self._suppress(connection, delivery, verdict, now)
        if waits_again:
            settle_returned_deliveries(connection, self._issue, now=now)
        if settled_before:
            correct_sums(connection, self._issue, now=now)

    def _claim(
        self, connection: Connection, claims: Sequence[LeasedDelivery], now: datetime
    ) -> list[ClaimResult]:
        selected = connection.execute(
            sql.SELECT_FOR_CLAIM, {"rows": [claim.delivery for claim in claims]}
        )
        rows = {row.id: row for row in selected}
        results = [
            self._check_claim(connection, claim, rows.get(claim.delivery), now) for claim in claims
        ]
        granted = [
            {"row": claim.delivery, "attempt": claim.attempt, "changed_at": now}
            for claim, result in zip(claims, results, strict=True)
            if result is _GRANTED
        ]
        if granted:
            connection.execute(sql.CLAIM, granted)
        return results

    def _check_claim(
        self, connection: Connection, claim: LeasedDelivery, row: Row[Any] | None, now: datetime
    ) -> ClaimResult:
        if row is None or row.worker_id != self._worker.id or row.state not in sql.PENDING_STATES:
            return _LOST
        if row.issue_state != IssueState.SENDING:
            return _ISSUE_HALTED
        if self._settle_refused(connection, row, now):
            return _LOST
        if self._quotas:
            scopes = self._quotas.scopes(claim.address)
            if (full := reserve(connection, scopes, now)) is not None:
                if not full.scope.is_domain:
                    return ClaimResult(ClaimStatus.RATE_LIMITED, full.until)
                self._defer_for_domain(connection, claim, full, now)
                return ClaimResult(ClaimStatus.LOST, full.until)
        return _GRANTED

    def _defer_for_domain(
        self, connection: Connection, claim: LeasedDelivery, full: FullScope, now: datetime
    ) -> None:
        """Defer a delivery until its domain's quota has room, behind those that wait already."""
        until, waiting = self._domain_waits.get(full.scope.name, (full.until, 0))
        if until < full.until:
            until, waiting = full.until, 0
        self._domain_waits[full.scope.name] = (until, waiting + 1)
        behind = timedelta(seconds=waiting // full.rate.limit * full.rate.seconds)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == claim.delivery)
            .values(
                state=DeliveryState.DEFERRED,
                next_at=until + behind,
                reason=str(localized("reason-domain-quota")),
                worker_id=NO_WORKER,
                changed_at=now,
            )
        )

    def _suppress(
        self, connection: Connection, delivery: LeasedDelivery, verdict: Verdict, now: datetime
    ) -> None:
        detail = " ".join(
            part for part in (str(verdict.code or ""), verdict.enhanced, verdict.reason) if part
        )
        wanted = SubscriberSuppression(
            delivery.subscriber,
            REFUSED,
            SuppressionSource.SMTP,
            detail=detail,
            issue=self._issue,
            delivery=delivery.delivery,
            went_to=hash_key(self._store, delivery.address),
        )
        suppress_by_id(connection, wanted, now=now)

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """Undo a granted claim, of which nothing was on the wire: queued, the attempt not counted."""
        with self._store.writing() as connection:
            connection.execute(sql.LOCK_ISSUE_SHARED, {"issue": self._issue})
            connection.execute(
                update(deliveries)
                .where(
                    deliveries.c.id == claim.delivery,
                    deliveries.c.worker_id == self._worker.id,
                    deliveries.c.state == DeliveryState.SENDING,
                )
                .values(
                    state=DeliveryState.QUEUED,
                    attempts=claim.attempt - 1,
                    worker_id=NO_WORKER,
                    changed_at=now,
                )
            )
            settle_returned_deliveries(connection, self._issue, now=now)

    # --- times

    def next_due(self) -> datetime | None:
        """Return when the earliest deferred delivery is due; None when none is deferred."""
        with self._store.reading() as connection:
            due: datetime | None = connection.scalar(
                select(func.min(deliveries.c.next_at)).where(
                    deliveries.c.issue_id == self._issue, sql.IS_DEFERRED
                )
            )
        return due

    def heartbeat(self, now: datetime) -> None:
        """Record that this worker is alive, and how many messages were accepted since a refusal."""
        with self._store.writing() as connection:
            connection.execute(
                update(workers).where(workers.c.id == self._worker.id).values(heartbeat_at=now)
            )
            self._save_accepted(connection)
        self._accepted = 0


def _queued_again(
    records: Sequence[tuple[LeasedDelivery, Verdict]], reason: str
) -> tuple[list[tuple[LeasedDelivery, Verdict]], GuardStop]:
    """Return the records of a stopped issue: what was on the wire then and was refused is queued."""
    refused = frozenset(delivery.delivery for delivery, verdict in records if is_refusal(verdict))
    changed = [
        (delivery, Verdict(DeliveryState.QUEUED, reason=verdict.reason))
        if delivery.delivery in refused
        else (delivery, verdict)
        for delivery, verdict in records
    ]
    return changed, GuardStop(reason, refused)
