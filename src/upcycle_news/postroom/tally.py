"""The counts of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from upcycle_news.model import Claim, DeliveryState, Verdict
from upcycle_news.postroom.contract import DeliveryReport


@dataclass
class Tally:
    """Counts verdicts; a delivery that was deferred counts as such until it ends."""

    sent: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: set[int] = field(default_factory=set)

    def add(self, claim: Claim, verdict: Verdict) -> None:
        """Count one more verdict."""
        self.deferred.discard(claim.delivery)
        match verdict.state:
            case DeliveryState.SENT:
                self.sent += 1
            case DeliveryState.REJECTED:
                self.rejected += 1
            case DeliveryState.UNKNOWN:
                self.unknown += 1
            case DeliveryState.DEFERRED:
                self.deferred.add(claim.delivery)

    def take_back(self, rejected: int) -> None:
        """So many were not rejected after all."""
        self.rejected -= rejected

    def report(self) -> DeliveryReport:
        """The counts so far."""
        return DeliveryReport(
            sent=self.sent,
            deferred=len(self.deferred),
            rejected=self.rejected,
            unknown=self.unknown,
        )
