"""Relay statistics of an issue: reply counts and a latency histogram that can be added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

RelayReply = Literal["accepted", "deferred", "refused", "lost"]
"""The reply to one message: 2xx, 4xx, 5xx (RFC 5321, 4.2.1), or none at all."""

_STEPS = 4  # histogram classes per doubling: a median is right to some 10 %


@dataclass(frozen=True)
class RelayStats:
    """Counts of a relay's replies, and how long they took. `slowest` is in seconds.

    `classes` is the histogram: how many replies took about 2**(class/4) milliseconds; lost ones
    are in no class.
    """

    relay: str
    accepted: int = 0
    deferred: int = 0
    refused: int = 0
    lost: int = 0
    slowest: float = 0.0
    classes: Mapping[int, int] = field(default_factory=dict)

    @property
    def timed(self) -> int:
        """The number of replies that were timed."""
        return sum(self.classes.values())

    @property
    def median(self) -> float:
        """Seconds within which about half of the replies came; 0 without replies."""
        half, seen = (self.timed + 1) / 2, 0
        for number in sorted(self.classes):
            seen += self.classes[number]
            if seen >= half:
                return float(min(2.0 ** (number / _STEPS) / 1000, self.slowest))
        return 0.0

    @classmethod
    def combined(cls, relay: str, parts: Iterable[Self]) -> Self:
        """Return the sum of the statistics of several workers, or of several issues."""
        classes: Counter[int] = Counter()
        accepted = deferred = refused = lost = 0
        slowest = 0.0
        for part in parts:
            accepted, deferred = accepted + part.accepted, deferred + part.deferred
            refused, lost = refused + part.refused, lost + part.lost
            slowest = max(slowest, part.slowest)
            classes.update(part.classes)
        return cls(relay, accepted, deferred, refused, lost, slowest, dict(classes))


class RelayStatsCounter:
    """Collects the `RelayStats` of one relay reply by reply."""

    def __init__(self, relay: str) -> None:
        """Start with zero counts."""
        self.relay = relay
        self._counts: Counter[RelayReply] = Counter()
        self._classes: Counter[int] = Counter()
        self._slowest = 0.0

    def add(self, reply: RelayReply, seconds: float) -> None:
        """Count one reply that took so many seconds; the time of a lost one is ignored."""
        self._counts[reply] += 1
        if reply != "lost":
            self._classes[round(_STEPS * math.log2(max(seconds * 1000, 0.001)))] += 1
            self._slowest = max(self._slowest, seconds)

    def snapshot(self) -> RelayStats:
        """Return the statistics so far."""
        counts = self._counts
        return RelayStats(
            self.relay,
            accepted=counts["accepted"],
            deferred=counts["deferred"],
            refused=counts["refused"],
            lost=counts["lost"],
            slowest=self._slowest,
            classes=dict(self._classes),
        )
