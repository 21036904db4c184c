"""The rhythm of readers, and the periods of the digest: pure functions of days in the publication's time zone.

A reader gets each issue, or a digest of the issues of a period. Who gets what is decided by whole periods:
within one nobody's rhythm changes, so that an essay reaches each reader once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, get_args

DigestInterval = Literal["weekly", "monthly", "quarterly"]
DIGEST_INTERVALS: tuple[DigestInterval, ...] = get_args(DigestInterval)


class Rhythm(StrEnum):
    """How often a reader gets mail."""

    EVERY_ISSUE = "every_issue"
    DIGEST = "digest"


@dataclass(frozen=True, order=True)
class DigestPeriod:
    """The days of the issues that a digest tells: from `start` to the day before `end`, its own day."""

    start: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


@dataclass(frozen=True)
class ReaderRhythm:
    """A reader's rhythm, and the one that was asked for and begins with the issues of `changes_on`.

    `afterwards` was chosen when that could not be changed any more, since an issue of that time was queued ahead.
    """

    present: Rhythm = Rhythm.EVERY_ISSUE
    coming: Rhythm | None = None
    changes_on: date | None = None
    afterwards: Rhythm | None = None

    @property
    def chosen(self) -> Rhythm:
        """What the reader chose last."""
        return self.afterwards or self.coming or self.present

    def as_dict(self) -> dict[str, str | None]:
        """Return the JSON object of `subscribers show`; `from` is the first day of what comes."""
        return {
            "present": self.present.value,
            "coming": None if self.coming is None else self.coming.value,
            "from": None if self.changes_on is None else self.changes_on.isoformat(),
        }


@dataclass(frozen=True)
class RhythmStart:
    """A rhythm, and the first day of the issues that it holds for."""

    from_day: date
    rhythm: Rhythm


@dataclass(frozen=True)
class RhythmOutlook:
    """What a reader is told of their rhythm today.

    `interval` is that of the digest that may be chosen, None without one. `next_digest` is the day of the
    digest that comes next as things stand, None when none comes; `choice_begins` the first day of the issues
    that a choice of today holds for, None where nothing can be chosen.
    """

    rhythm: ReaderRhythm = ReaderRhythm()
    interval: DigestInterval | None = None
    next_digest: date | None = None
    choice_begins: date | None = None

    @property
    def coming_digest(self) -> bool:
        """Whether the digest was chosen and begins later, with a day of its own."""
        return self.rhythm.coming is Rhythm.DIGEST and self.next_digest is not None

    @property
    def leaves_digest(self) -> bool:
        """Whether every issue was chosen again, and a digest comes until then."""
        return self.rhythm.coming is Rhythm.EVERY_ISSUE and self.next_digest is not None


@dataclass(frozen=True)
class RhythmOnConfirmation:
    """What was chosen on the form: `begins` is None where it holds from the confirmation on."""

    rhythm: Rhythm
    begins: date | None = None


def interval_of(day: date, interval: DigestInterval) -> DigestPeriod:
    """Return the calendar week (from Monday, ISO 8601), month or quarter that holds a day."""
    if interval == "weekly":
        monday = day - timedelta(days=day.weekday())
        return DigestPeriod(monday, monday + timedelta(days=7))
    months = 3 if interval == "quarterly" else 1
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    later = first.month - 1 + months
    return DigestPeriod(first, date(first.year + later // 12, later % 12 + 1, 1))


def period_of(
    day: date,
    known: Sequence[DigestPeriod],
    interval: DigestInterval | None,
    newest_issue: date | None,
) -> DigestPeriod | None:
    """Return the period of the digest that holds a day; None where everybody gets the issues of that day.

    A period that is `known` stays as it began, whatever the setting is now. A new one begins after the
    last known one and after the day of the newest issue that was queued: nobody was left out of that.
    """
    for period in known:
        if day in period:
            return period
    if interval is None:
        return None
    found = interval_of(day, interval)
    start = max(
        [found.start]
        + [period.end for period in known]
        + ([newest_issue + timedelta(days=1)] if newest_issue else [])
    )
    return DigestPeriod(start, found.end) if start <= day else None
