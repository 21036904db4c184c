"""The usual turn of a sender, in the driver's own form: some were sent, others may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Update

from upcycle_news.models import LeasedDelivery, Verdict
from upcycle_news.storage import ledger_sql as rows
from upcycle_news.storage.database import Store
from upcycle_news.storage.workers import Sender


class Prepared:
    """A statement compiled once for a dialect. `row` makes the parameters of one execution."""

    def __init__(self, statement: Update, dialect: Dialect) -> None:
        """Compile `statement`."""
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._in_order = compiled.positiontup is not None
        fixed: dict[str, Any] = {}
        processes: dict[str, Any] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                processes[name] = process
            else:
                value = bind.effective_value
                fixed[name] = process(value) if process else value
        names = compiled.positiontup or list(compiled.binds)
        self._slots = [(name, processes.get(name), fixed.get(name)) for name in names]
        self._told = frozenset(processes)
        self._names = names

    def row(self, values: Mapping[str, Any]) -> Any:
        """`values` as the driver takes them: in their order, or by their names."""
        told = self._told
        row = [
            (process(values[name]) if process else values[name]) if name in told else fixed
            for name, process, fixed in self._slots
        ]
        return row if self._in_order else dict(zip(self._names, row, strict=True))


class _NotAllMayGoError(Exception):
    """Some of the marks need a closer look."""


class QuickTurns:
    """What `Ledger.turn` does, as long as nothing is special about it."""

    def __init__(self, store: Store, sender: Sender) -> None:
        """Work in the name of `sender`."""
        self._store, self._me = store, sender.id
        self._record = Prepared(rows.RECORD, store.driver)
        self._mark = Prepared(rows.MARK_WHO_MAY_GO, store.driver)

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        marks: Sequence[LeasedDelivery],
        now: datetime,
    ) -> bool:
        """Commit these records and all of these marks; False, and nothing done, if not all may go.

        Nothing is special about a verdict that changes its own delivery only, and about somebody
        who may be written to, in an issue that is being sent.
        """
        if any(verdict.suppress or verdict.state in rows.HELD_BACK for _, verdict in records):
            return False
        try:
            with self._store.driving() as cursor:
                if records:
                    told = [rows.recorded(*record, self._me, now) for record in records]
                    cursor.executemany(self._record.sql, [self._record.row(one) for one in told])
                if marks:
                    # In the order in which whoever cancels the issue locks them.
                    told = [
                        rows.marked(claim, self._me, now)
                        for claim in sorted(marks, key=lambda claim: claim.delivery)
                    ]
                    cursor.executemany(self._mark.sql, [self._mark.row(one) for one in told])
                    if cursor.rowcount != len(marks):
                        raise _NotAllMayGoError
        except _NotAllMayGoError:
            return False
        return True
