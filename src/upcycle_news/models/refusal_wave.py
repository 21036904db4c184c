"""When refusals are a wave, so that they speak of the relay or the sender and not of the recipients.

A list has scattered dead addresses. When more than half of the last `WINDOW` outcomes, and at least
`LEAST`, are permanent refusals (or hard bounces), something else is wrong. Refusals for one domain
count once: a company that has closed its mail server is no relay that has turned. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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


def find_wave_around(outcomes: Sequence[Outcome], delivery: int) -> RefusalWave | None:
    """Return a wave that holds `delivery`, in outcomes of which later ones are known, oldest first.

    Reports come in any order, so each is looked at in every window that it is part of.
    """
    position = next(
        (index for index, outcome in enumerate(outcomes) if outcome.delivery == delivery), None
    )
    if position is None:
        return None
    waves = []
    for end in range(position + 1, len(outcomes) + 1):
        wave = find_wave(outcomes[:end][::-1])
        if wave is not None and delivery in wave.doubtful:
            waves.append(wave)
    return max(waves, key=lambda wave: (wave.spread, len(wave.doubtful)), default=None)


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
