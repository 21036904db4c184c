"""The counts of a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from upcycle_news.model import Claim, DeliveryState, Verdict
from upcycle_news.postroom.contract import DeliveryReport


@dataclass
class Tally:
    """Counts verdicts; a delivery that was deferred counts as such until it ends."""

    counts: DeliveryReport = field(default_factory=DeliveryReport)
    deferred: set[int] = field(default_factory=set)

    def add(self, claim: Claim, verdict: Verdict) -> None:
        """Count one more verdict."""
        self.deferred.discard(claim.delivery)
        match verdict.state:
            case DeliveryState.SENT:
                self.counts = replace(self.counts, sent=self.counts.sent + 1)
            case DeliveryState.REJECTED:
                self.counts = replace(self.counts, rejected=self.counts.rejected + 1)
            case DeliveryState.UNKNOWN:
                self.counts = replace(self.counts, unknown=self.counts.unknown + 1)
            case DeliveryState.DEFERRED:
                self.deferred.add(claim.delivery)

    def take_back(self, rejected: int) -> None:
        """So many were not rejected after all."""
        self.counts = replace(self.counts, rejected=self.counts.rejected - rejected)

    def report(self) -> DeliveryReport:
        """The counts so far."""
        return replace(self.counts, deferred=len(self.deferred))
