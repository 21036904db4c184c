"""The ledger of the welcome: as `ledger.Ledger`, with the key (series, step, subscriber) of its own.

A delivery is leased, claimed before SMTP and settled with the relay's reply. A claim is one commit, so that
from it on a message may be on the wire, and a death after it leaves the delivery in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, or_, select, update

from upcycle_news.i18n.messages import FALLBACK
from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.models.welcome import SERIES
from upcycle_news.storage import ledger_sql, packed_deliveries, welcome_guard
from upcycle_news.storage.database import Store
from upcycle_news.storage.quotas import Quotas, reserve
from upcycle_news.storage.refusal_guard import GuardStop, is_refusal
from upcycle_news.storage.rhythms import digest_readers, period_told
from upcycle_news.storage.schema import deliveries, subscribers, welcome_deliveries, workers
from upcycle_news.storage.suppressions import suppression_reason_sql
from upcycle_news.storage.workers import NO_WORKER, Worker

_rows = welcome_deliveries.c
_PENDING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


class WelcomeLedger:
    """The deliveries of one step and revision as one worker sees them. Every method is one transaction.

    `issue` is the newest issue where the step is one: who has come into its audience since, or gets it in a
    digest, gets no second one. `guard_stop` says why the run has to end once a wave of refusals was found
    (`welcome_guard`), in `language`; what is older than `give_up_after` is not tried again then.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        *,
        step: str,
        revision_id: str,
        issue: str = "",
        quotas: Quotas = Quotas(),
        give_up_after: timedelta = timedelta(hours=24),
        language: str = FALLBACK,
    ) -> None:
        """Deliver a step on behalf of `worker`."""
        self._store, self._worker, self._quotas, self._issue = store, worker, quotas, issue
        self._give_up_after, self._language = give_up_after, language
        self.guard_stop: GuardStop | None = None
        with store.reading() as connection:
            self._told_in = period_told(connection, issue)
        self._part = (
            _rows.series == SERIES,
            _rows.step == step,
            _rows.revision_id == revision_id,
            _rows.issue_id == issue,
        )

    def lease(self, limit: int, now: datetime) -> list[LeasedDelivery]:
        """Reserve up to `limit` deliveries that are queued, or deferred and due."""
        due = or_(
            _rows.state == DeliveryState.QUEUED,
            (_rows.state == DeliveryState.DEFERRED) & (_rows.next_at <= now),
        )
        query = (
            self._select()
            .where(*self._part, _rows.worker_id == NO_WORKER, due)
            .order_by(_rows.attempts, _rows.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=welcome_deliveries)
        )
        with self._store.writing() as connection:
            while rows := connection.execute(query).all():
                leases = [
                    ledger_sql.leased_delivery(row)
                    for row in rows
                    if not self._settle_refused(connection, row, now)
                ]
                if leases:
                    connection.execute(
                        update(welcome_deliveries)
                        .where(_rows.id.in_([lease.delivery for lease in leases]))
                        .values(worker_id=self._worker.id)
                    )
                    return leases
        return []

    def _select(self) -> Any:
        in_audience: ColumnElement[bool] = exists().where(
            deliveries.c.issue_id == self._issue,
            deliveries.c.subscriber_id == _rows.subscriber_id,
        )
        if self._told_in is not None:
            in_audience |= _rows.subscriber_id.in_(digest_readers(self._told_in))
        return (
            select(
                _rows.id, _rows.subscriber_id, _rows.attempts, _rows.code, _rows.queued_at,
                _rows.variant,
                _rows.state, _rows.worker_id, subscribers.c.email, subscribers.c.name,
                subscribers.c.status, suppression_reason_sql().label("suppressed"),
                in_audience.label("in_audience"),
            )
            .select_from(welcome_deliveries)
            .outerjoin(subscribers, subscribers.c.id == _rows.subscriber_id)
        )  # fmt: skip

    def _settle_refused(self, connection: Connection, row: Row[Any], now: datetime) -> bool:
        """End a delivery whose subscriber must not get the step any more; False when allowed."""
        refusal = ledger_sql.refusal(row)
        if refusal is None and self._issue and self._is_in_audience(connection, row):
            refusal = (DeliveryState.CANCELLED, "is in the audience of the issue")
        if refusal is None:
            return False
        state, reason = refusal
        self._set(connection, row.id, state=state, reason=reason, changed_at=now, next_at=None)
        return True

    def _is_in_audience(self, connection: Connection, row: Row[Any]) -> bool:
        return bool(
            row.in_audience
            or packed_deliveries.of_subscribers(connection, self._issue, {row.subscriber_id})
        )

    def _set(self, connection: Connection, number: int, **values: Any) -> None:
        connection.execute(update(welcome_deliveries).where(_rows.id == number).values(**values))

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """Release unused leases, so that other workers may take them."""
        if not claims:
            return
        with self._store.writing() as connection:
            connection.execute(
                update(welcome_deliveries)
                .where(
                    _rows.id.in_([claim.delivery for claim in claims]),
                    _rows.worker_id == self._worker.id,
                    _rows.state.in_(_PENDING),
                )
                .values(worker_id=NO_WORKER)
            )

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        claims: Sequence[LeasedDelivery],
        now: datetime,
    ) -> list[ClaimResult]:
        """Record verdicts and claim leased deliveries in one commit; one result for each claim."""
        with self._store.writing() as connection:
            for delivery, verdict in records:
                self._record(connection, delivery, verdict, now)
            refused = [verdict for _, verdict in records if is_refusal(verdict)]
            stop = self._check(connection, refused[-1], now) if refused else None
            results = [self._claim(connection, claim, now) for claim in claims]
        self.guard_stop = stop or self.guard_stop
        return results

    def _check(self, connection: Connection, last: Verdict, now: datetime) -> GuardStop | None:
        return welcome_guard.check(
            connection,
            last,
            language=self._language,
            give_up_after=self._give_up_after,
            now=now,
        )

    def _record(
        self, connection: Connection, delivery: LeasedDelivery, verdict: Verdict, now: datetime
    ) -> None:
        """Record a verdict, which suppresses nobody: the next issue finds a dead address."""
        values = ledger_sql.record_parameters(delivery, verdict, self._worker.id, now)
        connection.execute(
            update(welcome_deliveries)
            .where(_rows.id == values.pop("row"), _rows.worker_id == values.pop("me"))
            .values(**values)
        )

    def _claim(self, connection: Connection, claim: LeasedDelivery, now: datetime) -> ClaimResult:
        row = connection.execute(
            self._select().where(_rows.id == claim.delivery).with_for_update(of=welcome_deliveries)
        ).first()
        if row is None or row.worker_id != self._worker.id or row.state not in _PENDING:
            return ClaimResult(ClaimStatus.LOST)
        if self._settle_refused(connection, row, now):
            return ClaimResult(ClaimStatus.LOST)
        if self._quotas:
            full = reserve(connection, self._quotas.scopes(claim.address), now)
            if full is not None:
                return ClaimResult(ClaimStatus.RATE_LIMITED, full.until)
        self._set(
            connection,
            claim.delivery,
            state=DeliveryState.SENDING,
            attempts=claim.attempt,
            changed_at=now,
        )
        return ClaimResult(ClaimStatus.GRANTED)

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """Undo a granted claim, of which nothing was on the wire: queued, the attempt not counted."""
        with self._store.writing() as connection:
            connection.execute(
                update(welcome_deliveries)
                .where(
                    _rows.id == claim.delivery,
                    _rows.worker_id == self._worker.id,
                    _rows.state == DeliveryState.SENDING,
                )
                .values(
                    state=DeliveryState.QUEUED,
                    attempts=claim.attempt - 1,
                    worker_id=NO_WORKER,
                    changed_at=now,
                )
            )

    def next_due(self) -> datetime | None:
        """Return when the earliest deferred delivery is due; None when none is deferred."""
        query = select(func.min(_rows.next_at)).where(
            *self._part, _rows.state == DeliveryState.DEFERRED
        )
        with self._store.reading() as connection:
            due: datetime | None = connection.scalar(query)
        return due

    def heartbeat(self, now: datetime) -> None:
        """Record that this worker is alive."""
        with self._store.writing() as connection:
            connection.execute(
                update(workers).where(workers.c.id == self._worker.id).values(heartbeat_at=now)
            )
