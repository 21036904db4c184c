"""The usual turn of a sender, in the driver's own form: some were sent, others may go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from upcycle_news.model import Claim, Verdict
from upcycle_news.store import ledger_rows as rows
from upcycle_news.store.engine import Store
from upcycle_news.store.prepared import Prepared
from upcycle_news.store.senders import Sender


class _NotAllMayGoError(Exception):
    """Some of the marks need a closer look."""


class QuickTurns:
    """What `Ledger.turn` does, as long as nothing is special about it."""

    def __init__(self, store: Store, sender: Sender) -> None:
        """Work in the name of `sender`."""
        self._store, self._me = store, sender.id
        self._record = Prepared(rows.RECORD, store.driver)
        self._mark = Prepared(rows.MARK_WHO_MAY_GO, store.driver)

    def turn(
        self, records: Sequence[tuple[Claim, Verdict]], marks: Sequence[Claim], now: datetime
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
