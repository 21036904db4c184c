"""Days as people and programs write them: ISO 8601 with and without a time, and as Germans do.

The time of day and its zone are left aside: the day is the one that is written.
"""

from __future__ import annotations

import re
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner january jan jän",
            "februar feber february feb",
            "märz maerz march mar mär mrz",
            "april apr",
            "mai may",
            "juni june jun",
            "juli july jul",
            "august aug",
            "september sep sept",
            "oktober october okt oct",
            "november nov",
            "dezember december dez dec",
        ),
        1,
    )
    for name in names.split()
}

_TIME = (
    r"(?:(?:[Tt]|,?\s+)(?:um\s+)?(?:[01]?\d|2[0-3])(?:\s*Uhr|[:.][0-5]\d(?:[:.][0-5]\d(?:[.,]\d+)?)?"
    r"(?:\s*(?:Uhr|[Zz]|[A-Z]{3,4}|[+-]\d{2}(?::?\d{2})?))?))?"
)
_WEEKDAY = r"(?:[^\W\d]{2,10}\.?,\s*)?"
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}}){_TIME}", re.ASCII
)
_DAY_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?(?P<year>\d{{4}}){_TIME}"
)
_DAY_AND_NAME = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})\.?\s?(?P<month>[^\W\d]+)\.?,?\s?(?P<year>\d{{4}}){_TIME}"
)
_NAME_AND_DAY = re.compile(
    rf"{_WEEKDAY}(?P<month>[^\W\d]+)\.?\s(?P<day>\d{{1,2}}),?\s(?P<year>\d{{4}}){_TIME}"
)
_MEANT = (
    re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{2})", re.ASCII),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<day>\d{1,2})[/-](?P<month>\d{1,2})[/-](?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})", re.ASCII),
)


def read_day(written: str) -> date | None:
    """Return the day of ``2026-11-26``, ``2026-11-26T07:30:00+01:00``, ``26.11.2026``, ``26. November 2026``.

    None for what is no such text; raises `ValueError` for a day that no calendar has.
    """
    for form in (_YEAR_FIRST, _DAY_FIRST, _DAY_AND_NAME, _NAME_AND_DAY):
        match = form.fullmatch(written.strip())
        if match and (month := _month(match["month"])):
            return date(int(match["year"]), month, int(match["day"]))
    return None


def guess_day(written: str) -> date | None:
    """Return the one day that a text such as ``26.11.26`` or ``11/26/2026`` can mean, to ask for it."""
    days: set[date] = set()
    for form in _MEANT:
        if match := form.fullmatch(written.strip()):
            year = int(match["year"])
            try:
                days.add(date(year + 2000 * (year < 100), int(match["month"]), int(match["day"])))
            except ValueError:
                continue
    return days.pop() if len(days) == 1 else None


def _month(written: str) -> int | None:
    return int(written) if written.isdecimal() else _MONTHS.get(written.casefold())
