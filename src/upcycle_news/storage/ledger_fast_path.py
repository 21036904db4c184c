"""The usual commit of a worker without SQLAlchemy: some messages were sent, others may be sent.

`ledger.Ledger.commit` calls `LedgerFastPath.try_commit` first when no quota is set, and does the
work itself when that declines. The statements are those of `ledger_sql`, compiled once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Update

from upcycle_news.models import LeasedDelivery, Verdict
from upcycle_news.storage import ledger_sql as sql
from upcycle_news.storage.database import Store
from upcycle_news.storage.workers import Worker


class CompiledStatement:
    """A statement compiled once for a dialect, for executing with the driver's own cursor."""

    def __init__(self, statement: Update, dialect: Dialect) -> None:
        """Compile `statement`; parameters without a value are given to `parameters` later."""
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._is_positional = compiled.positiontup is not None
        constants: dict[str, Any] = {}
        processors: dict[str, Any] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                processors[name] = process
            else:
                value = bind.effective_value
                constants[name] = process(value) if process else value
        names = compiled.positiontup or list(compiled.binds)
        self._slots = [(name, processors.get(name), constants.get(name)) for name in names]
        self._variables = frozenset(processors)
        self._names = names

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return `values` as the driver takes them: a list in their order, or a dict by name."""
        variables = self._variables
        row = [
            (process(values[name]) if process else values[name]) if name in variables else constant
            for name, process, constant in self._slots
        ]
        return row if self._is_positional else dict(zip(self._names, row, strict=True))


class _DeclinedError(Exception):
    """A claim was not granted, or a verdict is about a delivery that was settled before."""


class LedgerFastPath:
    """Does what `Ledger.commit` does as long as every claim is granted."""

    def __init__(self, store: Store, worker: Worker) -> None:
        """Commit on behalf of `worker`."""
        self._store, self._me = store, worker.id
        self._record = CompiledStatement(sql.RECORD_VERDICT_IN_FLIGHT, store.sql_dialect)
        self._claim = CompiledStatement(sql.CLAIM_IF_ALLOWED, store.sql_dialect)

    def try_commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        claims: Sequence[LeasedDelivery],
        now: datetime,
    ) -> bool:
        """Commit all records and claims; False, and nothing done, when a claim is not granted.

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
                    cursor.executemany(
                        self._record.sql, [self._record.parameters(row) for row in rows]
                    )
                    if cursor.rowcount != len(records):
                        raise _DeclinedError
                if claims:
                    # In the order in which cancelling the issue locks them.
                    rows = [
                        sql.claim_parameters(claim, self._me, now)
                        for claim in sorted(claims, key=lambda claim: claim.delivery)
                    ]
                    cursor.executemany(
                        self._claim.sql, [self._claim.parameters(row) for row in rows]
                    )
                    if cursor.rowcount != len(claims):
                        raise _DeclinedError
        except _DeclinedError:
            return False
        return True
