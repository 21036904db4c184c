"""When an event takes place, as authors write it: ``Sa, 12.12.2026, 18–20 Uhr``, ``2026-12-12 bis 2026-12-13``.

Times are those of a clock on the wall at the place of the event; they carry no zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from upcycle_news.text.written_days import guess_day, read_day

Mistake = Literal["form", "year", "calendar", "weekday", "order"]
"""What is wrong: not a date, a year that is not written out, no such day, another weekday, an end before the start."""


@dataclass(frozen=True)
class EventTime:
    """Start and end of an event. Without a time of day both are dates, and `end` is the last day."""

    start: date | datetime
    end: date | datetime | None = None

    @property
    def last_day(self) -> date:
        """The day on which it ends."""
        return _day_of(self.end or self.start)


class EventTimeError(ValueError):
    """A date that cannot be read with certainty; `meant` is what it probably says."""

    def __init__(self, mistake: Mistake, meant: date | None = None) -> None:
        super().__init__(mistake)
        self.mistake, self.meant = mistake, meant


_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "mo montag mon monday",
            "di dienstag tue tues tuesday",
            "mi mittwoch wed wednesday",
            "do donnerstag thu thur thurs thursday",
            "fr freitag fri friday",
            "sa samstag sonnabend sat saturday",
            "so sonntag sun sunday",
        )
    )
    for name in names.split()
}
_WEEKDAY = re.compile(r"([^\W\d]{2,10})\.?,?\s+(?=\S)")
_CLOCK = re.compile(
    r"(?:(?:um|von|ab|at|from)\s+)?(?P<hour>\d{1,2})(?P<minute>[:.]\d{2})?"
    r"(?P<mark>\s*(?:Uhr|h)\b)?(?:\s*(?P<half>[ap])\.?m\.?)?",
    re.IGNORECASE,
)
_CLOCK_BEHIND = re.compile(
    rf"(?P<day>.*?\d.*?)(?:[,\s]+|(?<=\d)T)(?P<clock>{_CLOCK.pattern})", re.I
)
_RANGE = re.compile(
    r"\s*[–—]\s*|\s+(?:-|bis(?:\s+zum)?|to|until)\s+"
    r"|(?<=[:.]\d\d)-(?=\d)|(?<=\s\d)-(?=\d{1,2}(?:[:.]\d\d)?\s*(?:Uhr|h\b|[ap]\.?m))"
    r"|(?<=\s\d\d)-(?=\d{1,2}(?:[:.]\d\d)?\s*(?:Uhr|h\b|[ap]\.?m))",
    re.IGNORECASE,
)
# An end up to then that is not later than the start is one of the next morning.
_MIDNIGHT_PASSED = time(6)


def read_event_time(written: str, time_of_day: str = "", end: str = "") -> EventTime:
    """Return when an event takes place; raises `EventTimeError` for what is not certain.

    `time_of_day` and `end` are given where they are written apart from the date.
    """
    text = ", ".join(filter(None, (part.strip() for part in (written, time_of_day))))
    if end.strip():
        text = f"{text} – {end.strip()}"
    parts = _RANGE.split(" ".join(text.split()))
    if len(parts) > 2 or not parts[0]:
        raise _form_error(text)
    clock = _CLOCK.fullmatch(parts[1]) if len(parts) == 2 else None
    start = _moment(parts[0], bare_hour=clock is not None)
    if len(parts) == 1:
        return EventTime(start)
    until = _end_on(start, clock) if clock else _moment(parts[1])
    if isinstance(until, datetime) is not isinstance(start, datetime):
        raise EventTimeError("form")
    if until < start:
        raise EventTimeError("order")
    return EventTime(start, None if until == start else until)


def _moment(text: str, *, bare_hour: bool = False) -> date | datetime:
    """Return a day, or a day and a time of day; an hour without a mark counts before another one only."""
    match = _CLOCK_BEHIND.fullmatch(text)
    marked = match and (match["minute"] or match["mark"] or match["half"])
    if match and (marked or bare_hour) and (day := _day(match["day"].rstrip(","))):
        return _at(day, match)
    if day := _day(text):
        return day
    raise _form_error(text)


def _day(text: str) -> date | None:
    """Return a day; None for what is no date. A weekday before it has to be the day's own."""
    weekday = _WEEKDAY.match(text)
    number = _WEEKDAYS.get(weekday[1].casefold()) if weekday else None
    if weekday and number is not None:
        text = text[weekday.end() :]
    if re.search(r":|T\d|Uhr", text):
        return None  # a time that is not read here would be lost
    try:
        day = read_day(text.strip())
    except ValueError:
        raise EventTimeError("calendar") from None
    if day is not None and number is not None and day.weekday() != number:
        raise EventTimeError("weekday", day)
    return day


def _at(day: date, clock: re.Match[str]) -> datetime:
    hour, minute = int(clock["hour"]), int((clock["minute"] or ":0")[1:])
    if clock["half"]:
        if not 1 <= hour <= 12:
            raise EventTimeError("calendar")
        hour = hour % 12 + 12 * (clock["half"].lower() == "p")
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise EventTimeError("calendar")
    return datetime.combine(day, time()) + timedelta(hours=hour, minutes=minute)


def _end_on(start: date | datetime, clock: re.Match[str]) -> datetime:
    """Return the end of which only the time of day is written, perhaps after midnight."""
    if not isinstance(start, datetime):
        raise EventTimeError("form")
    end = _at(start.date(), clock)
    return end + timedelta(days=1) if end <= start and end.time() <= _MIDNIGHT_PASSED else end


def _form_error(text: str) -> EventTimeError:
    meant = guess_day(re.split(r"[,\s]\s*(?=\d{1,2}(?:[:.]\d\d|\s*Uhr))", text)[0])
    return EventTimeError("year" if meant else "form", meant)


def _day_of(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
