"""How much soft bounces weigh, and when there were too many. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class SoftFailures:
    """What failed for one subscriber and may pass: times, one for each issue at the most.

    `unclear` are the times of mails that nobody understood. `failed` names the issues that failed
    for a known reason, `tried` those that the subscriber was sent, the newest first.
    """

    understood: tuple[datetime, ...] = ()
    unclear: tuple[datetime, ...] = ()
    failed: frozenset[str] = frozenset()
    tried: tuple[str, ...] = ()


def score(times: Iterable[datetime], *, now: datetime, half_life: timedelta) -> float:
    """Each soft bounce counts one when it comes and half of it after every `half_life`."""
    ages = (max(now - at, timedelta()) / half_life for at in times)
    return sum(math.pow(0.5, age) for age in ages)


def too_often(
    failures: SoftFailures, *, now: datetime, half_life: timedelta, threshold: float
) -> bool:
    """True if the score reaches `threshold`, or every issue failed for a while.

    What nobody understood adds no more than what was understood does, so alone it ends nobody's
    subscription. A half-life of a month never lets a monthly issue reach three: a mailbox that took
    none of the last issues, one more than `threshold`, is given up all the same.
    """
    understood = score(failures.understood, now=now, half_life=half_life)
    unclear = score(failures.unclear, now=now, half_life=half_life)
    if understood + min(understood, unclear) >= threshold:
        return True
    return in_a_row(failures.failed, failures.tried) > math.ceil(threshold)


def in_a_row(failed: Collection[str], tried: Sequence[str]) -> int:
    """How many issues failed one after the other, up to the newest that did.

    Issues after it do not end the row: their reports may not have come yet.
    """
    newest = next((place for place, issue in enumerate(tried) if issue in failed), len(tried))
    count = 0
    for issue in tried[newest:]:
        if issue not in failed:
            break
        count += 1
    return count
