"""When editors are reminded of an approval that runs out: in their working hours, as far as there are any."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class WorkingHours:
    """From `start` up to `end` on the clock of `zone`, on `days` (0 is Monday); holidays are not known."""

    start: time
    end: time
    days: Collection[int]
    zone: ZoneInfo

    def between(self, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working hours between two moments, each as its begin and end, the earliest first."""
        day = begin.astimezone(self.zone).date()
        while True:
            opens, closes = (
                datetime.combine(day, clock, self.zone).astimezone(UTC)
                for clock in (self.start, self.end)
            )
            if opens >= end:
                return
            if day.weekday() in self.days and closes > begin:
                yield max(opens, begin), min(closes, end)
            day += timedelta(days=1)


def reminder_time(
    asked: datetime, expires: datetime, lead: timedelta, hours: WorkingHours
) -> datetime:
    """Return when to remind of a question that was asked and expires at these moments.

    That is `lead` before the end if somebody works then. Else it is the last morning of a working day that
    leaves half of `lead`, or else the first one at all, but none that comes less than `lead` after the
    question: then the middle of its last working hours. Without any it is `lead` before the end.
    """
    wanted = max(expires - lead, asked)
    spans = list(hours.between(asked, expires))
    if any(begin <= wanted < end for begin, end in spans):
        return wanted
    mornings = [begin for begin, _ in spans if begin >= asked + lead]
    if early := [morning for morning in mornings if expires - morning >= lead / 2]:
        return early[-1]
    if mornings:
        return mornings[0]
    if spans:
        begin, end = spans[-1]
        return begin + (end - begin) / 2
    return wanted


def is_reminder_due(
    asked: datetime, expires: datetime, lead: timedelta, hours: WorkingHours, *, now: datetime
) -> bool:
    """Return whether to remind now.

    A reminder that is late waits for working hours, or until `lead` before the end if none are left.
    """
    if now < reminder_time(asked, expires, lead, hours):
        return False
    spans = list(hours.between(now, expires))
    return spans[0][0] <= now if spans else now >= expires - lead
