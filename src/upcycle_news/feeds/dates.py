"""Publication dates of feed items, parsed leniently.

Strict forms first (RFC 822, ISO 8601), parsed here because feedparser takes CEST for UTC; then German
ones; then the result must be plausible; else the item is dated when it was first seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from upcycle_news.models import DateSource

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
MAX_LENGTH = 80  # real dates are shorter; hostile feeds send longer ones

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        start=1,
    )
}
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "mez": 1,
    "cest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "est": -5, "edt": -4, "cst": -6,
    "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
_ZONE = r"(?P<zone>(?:GMT|UTC)?[+-]\d{1,2}:?\d{2}|[A-Za-z]{1,5})"
_RFC822 = re.compile(
    r"(?:[A-Za-z]{2,9}\.?,?\s+)?(?P<day>\d{1,2})[\s-]+(?P<month>[A-Za-z]{3,9})\.?[\s-]+(?P<year>\d{2,4}),?"
    rf"(?:\s+{_TIME}(?:\s*{_ZONE}(?:\s+\([^()]*\))?)?)?",
    re.ASCII,
)
_ISO = re.compile(
    rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})(?:[Tt\s]\s*{_TIME}(?:\s*{_ZONE})?)?",
    re.ASCII,
)
_ASCTIME = re.compile(
    rf"[A-Za-z]{{3}}\s+(?P<month>[A-Za-z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})",
    re.ASCII,
)
_ENGLISH_MONTH = re.compile(
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)


def item_date(
    raws: Iterable[str], *, now: datetime, language: str = "de"
) -> tuple[datetime, DateSource]:
    """Date an item by the first of its raw dates that can be understood and is plausible.

    Plausible is 1995 to tomorrow; up to a day ahead is taken for now (clocks differ), and what is
    further ahead, or not there at all, counts as seen first at `now`.
    """
    for raw in raws:
        if (parsed := parse_date(raw, now=now, language=language)) is not None:
            return parsed
    return now, "first seen"


def parse_date(
    raw: str, *, now: datetime, language: str = "de"
) -> tuple[datetime, DateSource] | None:
    """Parse one raw date into UTC and its source; None when it makes no sense."""
    raw = " ".join(raw.split())
    if not raw or len(raw) > MAX_LENGTH:
        return None
    local = ZoneInfo("Europe/Berlin") if language.startswith("de") else UTC
    source: DateSource = "feed"
    date = _strict(raw, local)
    if date is None:
        source, date = "german", _german(raw, local)
    if date is None:
        return None
    try:
        date = date.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    if not EARLIEST <= date <= now + timedelta(days=1):
        return None
    return min(date, now), source


def _strict(raw: str, local: tzinfo) -> datetime | None:
    if re.fullmatch(r"\d{10}|\d{13}", raw, re.ASCII):  # seconds or milliseconds since 1970
        return datetime.fromtimestamp(int(raw[:10]), UTC)
    match = _ISO.fullmatch(raw) or _RFC822.fullmatch(raw) or _ASCTIME.fullmatch(raw)
    if match is None:
        return None
    month = _month(match["month"])
    zone = _zone(match["zone"], local)
    if month is None or zone is None:
        return None
    # A day without a time is put at noon: it stays that day in every time zone.
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    hour = 12 if match["hour"] is None else hour
    try:
        midnight = datetime(_year(match["year"]), month, int(match["day"]), tzinfo=zone)
        if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second):
            return None
        # On the wall clock: adding a timedelta across a change of summer time stays local time.
        return midnight + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    except (ValueError, OverflowError):
        return None


def _month(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    return _MONTHS[text[:3].lower()] if _ENGLISH_MONTH.fullmatch(text.lower()) else None


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)  # RFC 2822, 4.3
    return year + 1900 if len(text) == 3 else year


def _zone(text: str | None, local: tzinfo) -> tzinfo | None:
    if text is None:
        return local
    if match := re.fullmatch(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})", text, re.IGNORECASE):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if offset > timedelta(hours=14) or int(match[3]) > 59:
            return None
        return timezone(-offset if match[1] == "-" else offset)
    hours = _ZONES.get(text.lower())
    return None if hours is None else timezone(timedelta(hours=hours))


def _german(raw: str, local: tzinfo) -> datetime | None:
    """Parse ``Mo, 05 Okt 2026``, ``5. Oktober 2026``, ``Mi, 21.04.2021 - 15:26`` and their like."""
    zone: tzinfo | None = local
    # dateparser knows neither MESZ nor what an offset after a German date belongs to.
    if (tail := re.search(rf"(?<=\d)\s*{_ZONE}$", raw, re.ASCII)) and ":" in raw[: tail.start()]:
        tail_zone = _zone(tail["zone"], local)
        if tail_zone is not None:
            zone, raw = tail_zone, raw[: tail.start()]
    raw = re.sub(r"\b(\d{1,2})\.(\d{2})\s*Uhr\b", r"\1:\2", raw)
    raw = re.sub(r"\b(\d{1,2})\s*Uhr\b", r"\1:00", raw)
    raw = re.sub(r"\s+[-–|]\s+(?=\d{1,2}:\d{2})|\s*\bUhr\b", " ", raw).strip()
    if not re.search(r"\d{4}|\d\.\d{2}$", raw):
        return None  # without a year every parser only guesses
    try:
        date: datetime | None = _dateparser().get_date_data(raw).date_obj
    except Exception:
        return None
    if date is None:
        return None
    return date.replace(tzinfo=zone) if ":" in raw else date.replace(hour=12, tzinfo=zone)


@cache
def _dateparser():  # type: ignore[no-untyped-def]  # dateparser carries no types
    from dateparser.date import DateDataParser  # late: costs a third of a second

    return DateDataParser(
        languages=["de", "en"],
        settings={
            "DATE_ORDER": "DMY",
            "PREFER_LOCALE_DATE_ORDER": False,
            "REQUIRE_PARTS": ["day", "month", "year"],
            "PARSERS": ["absolute-time"],
            "RETURN_AS_TIMEZONE_AWARE": False,
        },
    )
