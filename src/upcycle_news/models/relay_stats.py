"""How a relay answered: counts, and how long its answers took, in classes that can be added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

Answer = Literal["accepted", "deferred", "refused", "lost"]
"""What became of one message: 2xx, 4xx, 5xx (RFC 5321, 4.2.1), or no answer at all."""

_STEPS = 4  # classes for each doubling: a median is right to some 10 %


@dataclass(frozen=True)
class Replies:
    """What a relay answered to so many messages. `slowest` in seconds.

    `classes`: how many answers took about 2**(class/4) milliseconds; what was lost has none.
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
        """How many answers were timed."""
        return sum(self.classes.values())

    @property
    def median(self) -> float:
        """Seconds within which about half of the answers came; 0 when there was none."""
        half, seen = (self.timed + 1) / 2, 0
        for number in sorted(self.classes):
            seen += self.classes[number]
            if seen >= half:
                return float(min(2.0 ** (number / _STEPS) / 1000, self.slowest))
        return 0.0

    @classmethod
    def together(cls, relay: str, several: Iterable[Self]) -> Self:
        """The counts of several senders, or of several issues, as one."""
        classes: Counter[int] = Counter()
        accepted = deferred = refused = lost = 0
        slowest = 0.0
        for one in several:
            accepted, deferred = accepted + one.accepted, deferred + one.deferred
            refused, lost = refused + one.refused, lost + one.lost
            slowest = max(slowest, one.slowest)
            classes.update(one.classes)
        return cls(relay, accepted, deferred, refused, lost, slowest, dict(classes))


class Counting:
    """`Replies` while they come in."""

    def __init__(self, relay: str) -> None:
        """Nothing was answered yet."""
        self.relay = relay
        self._counts: Counter[Answer] = Counter()
        self._classes: Counter[int] = Counter()
        self._slowest = 0.0

    def add(self, answer: Answer, seconds: float) -> None:
        """Count one message that took so long; the time of a lost answer says nothing."""
        self._counts[answer] += 1
        if answer != "lost":
            self._classes[round(_STEPS * math.log2(max(seconds * 1000, 0.001)))] += 1
            self._slowest = max(self._slowest, seconds)

    def told(self) -> Replies:
        """The counts so far."""
        told = self._counts
        return Replies(
            self.relay,
            accepted=told["accepted"],
            deferred=told["deferred"],
            refused=told["refused"],
            lost=told["lost"],
            slowest=self._slowest,
            classes=dict(self._classes),
        )
