"""The usual commit of a worker without SQLAlchemy: some messages were sent, others may be sent.

`ledger.Ledger.commit` calls `LedgerFastPath.try_commit` first and does the work itself when that
declines. The statements are those of `ledger_sql`, compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from upcycle_news.models import LeasedDelivery, Verdict
from upcycle_news.storage import ledger_sql as sql
from upcycle_news.storage.compiled_statement import CompiledStatement
from upcycle_news.storage.database import Store
from upcycle_news.storage.quotas import QuotaBlocks, Quotas
from upcycle_news.storage.workers import Worker


class _DeclinedError(Exception):
    """A claim was not granted, a quota is full, or a verdict is about a delivery settled before."""


class LedgerFastPath:
    """Does what `Ledger.commit` does as long as every claim is granted."""

    def __init__(self, store: Store, worker: Worker, quotas: Quotas) -> None:
        """Commit on behalf of `worker`, within `quotas`."""
        self._store, self._me = store, worker.id
        self._quotas = QuotaBlocks(quotas, store.sql_dialect) if quotas else None
        self._record = CompiledStatement(sql.RECORD_VERDICT_IN_FLIGHT, store.sql_dialect)
        self._claim = CompiledStatement(sql.CLAIM_IF_ALLOWED, store.sql_dialect)

    def try_commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        claims: Sequence[LeasedDelivery],
        now: datetime,
    ) -> bool:
        """Commit all records and claims; False, and nothing done, when a claim is not granted.

        A quota without room for all of them declines, too: which of them may go is for `Ledger` to say.
        Also False for a verdict that concerns more than its own delivery: one that suppresses the
        address, a permanent refusal, which the guard against waves of them counts, one that queues or
        defers again, where the issue may have been cancelled, and one about a delivery that was
        settled before, where the issue may be closed.
        """
        if any(
            verdict.state in sql.PENDING_STATES or verdict.suppress or (verdict.code or 0) >= 500
            for _, verdict in records
        ):
            return False
        try:
            with self._store.raw_cursor() as cursor:
                if records:
                    rows = [sql.record_parameters(*record, self._me, now) for record in records]
                    cursor.executemany(self._record.sql, self._record.rows(rows))
                    if cursor.rowcount != len(records):
                        raise _DeclinedError
                if claims:
                    addresses = [claim.address for claim in claims]
                    if self._quotas and not self._quotas.reserve(cursor, addresses, now):
                        raise _DeclinedError
                    # In the order in which cancelling the issue locks them.
                    rows = [
                        sql.claim_parameters(claim, self._me, now)
                        for claim in sorted(claims, key=lambda claim: claim.delivery)
                    ]
                    cursor.executemany(self._claim.sql, self._claim.rows(rows))
                    if cursor.rowcount != len(claims):
                        raise _DeclinedError
        except _DeclinedError:
            return False
        return True
