"""A ledger for tests that handle one delivery after another."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.models import ClaimStatus, LeasedDelivery, Verdict
from upcycle_news.storage.ledger import Ledger


class SingleLeaseLedger(Ledger):
    """The program's ledger, leasing, claiming and recording one delivery at a time."""

    def claim(self, now: datetime) -> LeasedDelivery | None:
        """Lease and claim one delivery; None when none may be sent now."""
        while leased := self.lease(1, now):
            [result] = self.commit([], leased, now)
            if result.status is ClaimStatus.GRANTED:
                return leased[0]
            if result.status is not ClaimStatus.LOST:
                self.release_leases(leased)
                return None
        return None

    def record(self, claim: LeasedDelivery, verdict: Verdict, now: datetime) -> None:
        """Record the verdict on one delivery."""
        self.commit([(claim, verdict)], [], now)
