"""A ledger for tests that look at one delivery after another."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.models import Claim, Verdict
from upcycle_news.storage.ledger import Ledger


class OneByOne(Ledger):
    """The ledger of the program, taken and written down one by one."""

    def claim(self, now: datetime) -> Claim | None:
        """Lease and mark one delivery; None when there is none to be had now."""
        while leased := self.lease(1, now):
            [answer] = self.turn([], leased, now)
            if answer.kind == "go":
                return leased[0]
            if answer.kind != "gone":
                self.give_back(leased)
                return None
        return None

    def record(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write down what became of one delivery."""
        self.turn([(claim, verdict)], [], now)
