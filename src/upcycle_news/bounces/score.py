"""The score of soft failures, and when a subscriber had too many. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class SoftFailures:
    """The soft failures of one subscriber: times, at most one for each issue.

    `unclear` are the times of reports that were not understood. `failed` holds the issues that
    failed for a known reason, `tried` those that the subscriber was sent, newest first.
    """

    understood: tuple[datetime, ...] = ()
    unclear: tuple[datetime, ...] = ()
    failed: frozenset[str] = frozenset()
    tried: tuple[str, ...] = ()


def score(times: Iterable[datetime], *, now: datetime, half_life: timedelta) -> float:
    """Return the score: a soft bounce counts 1 when it arrives, halved after every `half_life`."""
    ages = (max(now - at, timedelta()) / half_life for at in times)
    return sum(math.pow(0.5, age) for age in ages)


def too_often(
    failures: SoftFailures, *, now: datetime, half_life: timedelta, threshold: float
) -> bool:
    """Return True if the score reaches `threshold`, or if more than `threshold` issues failed in a row.

    Reports that were not understood add no more than the others do, so alone they never suppress a
    subscriber. With a half-life of a month a monthly issue never reaches a score of three: hence the
    second rule.
    """
    understood = score(failures.understood, now=now, half_life=half_life)
    unclear = score(failures.unclear, now=now, half_life=half_life)
    if understood + min(understood, unclear) >= threshold:
        return True
    return in_a_row(failures.failed, failures.tried) > math.ceil(threshold)


def in_a_row(failed: Collection[str], tried: Sequence[str]) -> int:
    """Return how many issues in a row failed, up to the newest that did.

    Newer issues do not interrupt the row: their reports may not have arrived yet.
    """
    newest = next((index for index, issue in enumerate(tried) if issue in failed), len(tried))
    count = 0
    for issue in tried[newest:]:
        if issue not in failed:
            break
        count += 1
    return count
