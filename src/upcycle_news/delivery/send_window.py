"""The send window: the hours in which mail may go out, on the clock of the issue's time zone. Pure.

A window is a span between two instants, computed for each day, not a comparison of clock times:
in the night when the hour from two to three comes twice it opens at the first two o'clock, and
closes once; in the night when that hour is missing, what should open in it opens at three.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class SendWindow:
    """Open from `start` to `end` on these days; an `end` not after `start` is on the next day."""

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[str] = frozenset(DAYS)

    def next_opening(self, now: datetime) -> datetime | None:
        """Return when the window opens next (UTC); None when it is open at `now`."""
        today = now.astimezone(self.zone).date()
        for offset in range(-1, 9):
            day = today + timedelta(days=offset)
            begin, end = self.span(day)
            if begin == end or DAYS[day.weekday()] not in self.days:
                continue
            if now < end:
                return None if begin <= now else begin
        raise AssertionError("a window without days")

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Return the beginning and the end (UTC) of the window that begins on `day`."""
        last = day + timedelta(days=1) if self.end <= self.start else day
        return instant(day, self.start, self.zone), instant(last, self.end, self.zone)


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the first moment (UTC) at which clocks in `zone` show `at` or, if they skip it, later."""
    local = datetime.combine(day, at, zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # Skipped: somewhere between the two readings of `local` the clocks are put forward.
    early, late = local.replace(fold=1).astimezone(UTC), moment
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
