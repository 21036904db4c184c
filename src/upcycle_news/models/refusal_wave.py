"""When refusals are a wave, so that they speak of the relay or the sender and not of the recipients.

A list has scattered dead addresses. When more than half of the last `WINDOW` outcomes, and at least
`LEAST`, are permanent refusals (or hard bounces), something else is wrong. Refusals for one domain
count once: a company that has closed its mail server is no relay that has turned. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

WINDOW = 20
"""So many of the last outcomes are looked at."""
LEAST = 10
"""Fewer refusals are no wave."""


@dataclass(frozen=True)
class Outcome:
    """One delivery that was accepted or refused; `domain` is the recipient's if it was refused."""

    delivery: int
    domain: str = ""

    @property
    def refused(self) -> bool:
        """True for a permanent refusal or a hard bounce."""
        return bool(self.domain)


@dataclass(frozen=True)
class RefusalWave:
    """Refusals that suppress nobody by themselves.

    `deliveries` are all refused ones since more were refused than accepted, `doubtful` those of them
    that are no evidence against their recipients even if the issue goes on: in a wave over few
    domains, such as a dead company's, only those whose domain was refused repeatedly. `refused` of the
    last `outcomes` were counted. `spread`: over so many domains that it is the relay, or the sender.
    `unbroken`: nothing was accepted in between.
    """

    deliveries: frozenset[int]
    doubtful: frozenset[int]
    domains: frozenset[str]
    refused: int
    outcomes: int
    spread: bool
    unbroken: bool


def find_wave(newest_first: Sequence[Outcome]) -> RefusalWave | None:
    """Return the wave that the newest outcomes belong to; None without one."""
    window = newest_first[:WINDOW]
    once = _once_per_domain(newest_first)
    spread = _is_wave(once)
    if not spread and not _is_wave(window):
        return None
    refused = [outcome for outcome in _mostly_refused(newest_first) if outcome.refused]
    domains = Counter(outcome.domain for outcome in window if outcome.refused)
    repeated = [outcome for outcome in window if domains[outcome.domain] > 1]
    counted = once if spread else window
    return RefusalWave(
        deliveries=frozenset(outcome.delivery for outcome in refused),
        doubtful=frozenset(outcome.delivery for outcome in (refused if spread else repeated)),
        domains=frozenset(domains),
        refused=sum(outcome.refused for outcome in counted),
        outcomes=len(counted),
        spread=spread,
        unbroken=all(outcome.refused for outcome in window),
    )


def find_waves_around(
    outcomes: Sequence[Outcome], deliveries: Collection[int], *, reach: int
) -> frozenset[int]:
    """Return what is doubtful in the waves that hold one of `deliveries`, of outcomes oldest first.

    Reports come in any order, so each delivery is looked at in every window that it is part of, up to
    `reach` outcomes after it; of the waves that hold it the largest counts.
    """
    positions = {outcome.delivery: index for index, outcome in enumerate(outcomes)}
    asked = sorted(positions[delivery] for delivery in deliveries if delivery in positions)
    waves: dict[int, RefusalWave | None] = {}
    doubtful: set[int] = set()
    for position in asked:
        delivery = outcomes[position].delivery
        found = []
        for end in range(position + 1, min(position + 1 + reach, len(outcomes)) + 1):
            if end not in waves:  # once for all deliveries: neighbours share nearly all windows
                waves[end] = find_wave(outcomes[max(0, end - 2 * reach - 1) : end][::-1])
            wave = waves[end]
            if wave is not None and delivery in wave.doubtful:
                found.append(wave)
        if found:
            doubtful |= max(found, key=lambda wave: (wave.spread, len(wave.doubtful))).doubtful
    return frozenset(doubtful)


def _is_wave(outcomes: Sequence[Outcome]) -> bool:
    refused = sum(outcome.refused for outcome in outcomes)
    return refused >= LEAST and 2 * refused > len(outcomes)


def _once_per_domain(newest_first: Sequence[Outcome]) -> list[Outcome]:
    """Return the last `WINDOW` outcomes, of the refusals for one domain only the newest."""
    window: list[Outcome] = []
    domains: set[str] = set()
    for outcome in newest_first:
        if outcome.domain in domains:
            continue
        if outcome.refused:
            domains.add(outcome.domain)
        window.append(outcome)
        if len(window) == WINDOW:
            break
    return window


def _mostly_refused(newest_first: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return the outcomes back to where as many were accepted as refused since."""
    end = refused = 0
    for count, outcome in enumerate(newest_first, 1):
        refused += outcome.refused
        if 2 * refused > count:
            end = count
    return newest_first[:end]
