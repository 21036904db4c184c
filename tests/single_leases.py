"""A ledger for tests that look at one delivery after another."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.models import ClaimStatus, LeasedDelivery, Verdict
from upcycle_news.storage.ledger import Ledger


class OneByOne(Ledger):
    """The ledger of the program, taken and written down one by one."""

    def claim(self, now: datetime) -> LeasedDelivery | None:
        """Lease and mark one delivery; None when there is none to be had now."""
        while leased := self.lease(1, now):
            [answer] = self.commit([], leased, now)
            if answer.status is ClaimStatus.GRANTED:
                return leased[0]
            if answer.status is not ClaimStatus.LOST:
                self.release_leases(leased)
                return None
        return None

    def record(self, claim: LeasedDelivery, verdict: Verdict, now: datetime) -> None:
        """Write down what became of one delivery."""
        self.commit([(claim, verdict)], [], now)
