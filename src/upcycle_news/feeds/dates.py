"""Publication dates of feed items, parsed leniently, with the reason where a reason is needed.

Strict forms first (RFC 822, ISO 8601), parsed here because feedparser takes CEST for UTC; then months
in the words of eight languages, then numbers, then whatever dateparser makes of German and English.
The result must be plausible; else the item is dated when it was first seen.

05/11 is 5 November or 11 May: the other dates of the feed decide. One that can be read in one way
only decides for all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from upcycle_news.models import DateSource
from upcycle_news.text.sanitize import word_set
from upcycle_news.text.typography import base_language

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(days=180)  # what is dated further ahead is no announcement, but forged
MAX_LENGTH = 80  # real dates are shorter; hostile feeds send longer ones

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january januar jänner jän janvier janv gennaio gen enero ene januari stycznia"
            " styczeń sty января январь янв",
            "feb february februar feber février févr fév febbraio febrero februari lutego luty lut"
            " февраля февраль фев",
            "mar march märz mär mrz mars marzo maart mrt marca marzec марта март мар",
            "apr april avril avr aprile abril abr kwietnia kwiecień kwi апреля апрель апр",
            "may mai maggio mag mayo mei maja maj мая май",
            "jun june juni juin giugno giu junio czerwca czerwiec cze июня июнь июн",
            "jul july juli juillet juil luglio lug julio lipca lipiec lip июля июль июл",
            "aug august août agosto ago augustus sierpnia sierpień sie августа август авг",
            "sep sept september septembre settembre set septiembre września wrzesień wrz сентября"
            " сентябрь сен сент",
            "oct october oktober okt octobre ottobre ott octubre października październik paź"
            " октября октябрь окт",
            "nov november novembre noviembre listopada listopad lis ноября ноябрь ноя нояб",
            "dec december dezember dez décembre déc dicembre dic diciembre grudnia grudzień gru"
            " декабря декабрь дек",
        ],
        start=1,
    )
    for name in names.split()
}
_GERMAN_ONLY = word_set(
    "januar jänner jän februar feber märz mär mrz mai juni juli oktober okt dezember dez"
)
_ZONES = {
    "z": 0.0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "mez": 1,
    "cest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "est": -5, "edt": -4, "cst": -6,
    "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
    "jst": 9, "kst": 9, "hkt": 8, "sgt": 8, "awst": 8, "acst": 9.5, "aest": 10, "aedt": 11,
    "nzst": 12, "nzdt": 13, "sast": 2, "brt": -3,
}  # fmt: skip
_TIME = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?"
_ZONE = (
    r"(?P<zone>(?:GMT|UTC)?[+-]\d{1,2}(?::?\d{2})?(?!\d)|[A-Za-z]+/[A-Za-z_/+-]+|[A-Za-z]{1,5})"
    r"(?:\s*\[[^\[\]]*\])?"
)
_AMPM = r"(?:(?P<half>[AaPp])\.?[Mm]\.?)?"
_RFC822 = re.compile(
    r"(?:[A-Za-z]{2,9}\.?,?\s+)?(?P<day>\d{1,2})[\s-]+(?P<month>[A-Za-z]{3,9})\.?[\s-]+(?P<year>\d{2,4}),?"
    rf"(?:\s+{_TIME}(?:\s*{_ZONE}(?:\s+\([^()]*\))?)?)?",
    re.ASCII,
)
_ISO = re.compile(
    rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})(?:[Tt\s]\s*{_TIME}(?:\s*{_ZONE})?)?",
    re.ASCII,
)
_ISO_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[Tt\s](?P<hour>\d{2})(?P<minute>\d{2})?(?P<second>\d{2})?(?:[.,]\d+)?(?:\s*"
    + _ZONE
    + ")?)?",
    re.ASCII,
)
_ISO_MIXED = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})[Tt](?P<hour>\d{2})(?:(?P<minute>\d{2})(?P<second>\d{2})?)?"
    rf"(?:\s*{_ZONE})?",
    re.ASCII,
)
_ASCTIME = re.compile(
    rf"[A-Za-z]{{3}}\s+(?P<month>[A-Za-z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})",
    re.ASCII,
)
_TAIL = (
    rf"(?:(?:\s*[,|–T-]\s*|\s+)(?:(?:um|at|à|alle|om|o|в)\s+)?{_TIME}\s*(?:Uhr|uur|ч\.?)?\s*{_AMPM}"
    rf"(?:\s*{_ZONE})?)?"
)
_WORDED = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+){0,2}(?P<day>\d{1,2})(?:\.|er|º|°|st|nd|rd|th)?\s*(?:de\s+|of\s+|d')?"
    r"(?P<month>[^\W\d_]{3,12})\.?,?\s*(?:de\s+)?(?P<year>\d{4})(?:\s*г\.?|\s*r\.)?" + _TAIL
)
_MONTH_FIRST = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)??(?P<month>[^\W\d_]{3,12})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+"
    r"(?P<year>\d{4})" + _TAIL
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + _TAIL
)
_NUMBERS = re.compile(
    r"(?:(?P<weekday>[^\W\d_]+)\.?,?\s+)?(?P<first>\d{1,2})(?P<mark>[/-])(?P<second_number>\d{1,2})(?P=mark)"
    r"(?P<year>\d{4}|\d{2})" + _TAIL
)
_ENGLISH_MONTH = re.compile(
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)

Order = Literal["day", "month"]


@dataclass(frozen=True)
class DayMonthOrder:
    """Which number of a date such as 05/11/2026 is the day, and why; `first` None: nothing says so."""

    first: Order | None = None
    reason: str = ""


@dataclass(frozen=True)
class ParsedDate:
    """A date in UTC, where it was taken from, and the reason if it could be read in two ways."""

    date: datetime
    source: DateSource
    reason: str = ""


def day_month_order(raws: Iterable[str]) -> DayMonthOrder:
    """Return the order of day and month that the dates of a feed agree on."""
    evidence: dict[Order, str] = {}
    half_days = ""
    for raw in raws:
        match = _NUMBERS.fullmatch(" ".join(raw[: MAX_LENGTH + 1].split()))
        if match is None:
            continue
        first, second = int(match["first"]), int(match["second_number"])
        if first > 12 >= second:
            evidence.setdefault("day", raw)
        elif second > 12 >= first:
            evidence.setdefault("month", raw)
        half_days = half_days or (raw if match["half"] else "")
    if len(evidence) == 1:
        [(order, raw)] = evidence.items()
        return DayMonthOrder(order, f"{order} first, as in {_short(raw)} of this feed")
    if not evidence and half_days:
        return DayMonthOrder("month", f"month first, as usual with AM and PM ({_short(half_days)})")
    return DayMonthOrder()


def _short(raw: str) -> str:
    return " ".join(raw.split())[:20].partition(" ")[0]


def item_date(
    raws: Iterable[str],
    *,
    now: datetime,
    language: str = "de",
    order: DayMonthOrder | None = None,
) -> ParsedDate:
    """Date an item by the first of its raw dates that can be understood and is plausible.

    Plausible is 1995 to half a year ahead; up to a day ahead is taken for now (clocks differ). What
    is further ahead, or not there at all, counts as seen first at `now`.
    """
    for raw in raws:
        if (parsed := parse_date(raw, now=now, language=language, order=order)) is not None:
            return parsed
    return ParsedDate(now, "first seen")


def parse_date(
    raw: str, *, now: datetime, language: str = "de", order: DayMonthOrder | None = None
) -> ParsedDate | None:
    """Parse one raw date; None when it makes no sense or is not plausible."""
    raw = " ".join(raw.split())
    if not raw or len(raw) > MAX_LENGTH:
        return None
    local = ZoneInfo("Europe/Berlin") if base_language(language) == "de" else UTC
    if (date := _plausible(strict_date(raw, local), now)) is not None:
        return ParsedDate(date, "feed")
    worded, source = _worded(raw, local)
    if (date := _plausible(worded, now)) is not None:
        return ParsedDate(date, source)
    if match := _NUMBERS.fullmatch(raw):
        return _numbers(match, local, now, order or day_month_order([raw]))
    date = _plausible(_german(raw, local), now)
    return None if date is None else ParsedDate(date, "german")


def _plausible(date: datetime | None, now: datetime) -> datetime | None:
    try:
        date = None if date is None else date.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    if date is None or not EARLIEST <= date <= now + MAX_AHEAD:
        return None
    return now if now < date <= now + timedelta(days=1) else date


def strict_date(raw: str, local: tzinfo = UTC) -> datetime | None:
    """Parse the forms that cannot be misread: RFC 822, ISO 8601, asctime, seconds since 1970."""
    if re.fullmatch(r"\d{10}|\d{13}", raw, re.ASCII):  # seconds or milliseconds since 1970
        return datetime.fromtimestamp(int(raw[:10]), UTC)
    if re.fullmatch(r"\d{4}-?W\d{2}(?:-?\d)?", raw, re.ASCII):  # ISO 8601, 4.3: a day of a week
        try:
            return datetime.fromisoformat(raw).replace(hour=12, tzinfo=local)
        except ValueError:
            return None
    for form in (_ISO, _RFC822, _ASCTIME, _ISO_BASIC, _ISO_MIXED):
        if match := form.fullmatch(raw):
            month = _month(match["month"])
            if month is None or (
                form is _RFC822 and not _ENGLISH_MONTH.fullmatch(match["month"].lower())
            ):
                return None
            return _date(match, _year(match["year"]), month, int(match["day"]), local)
    return None


def _date(match: re.Match[str], year: int, month: int, day: int, local: tzinfo) -> datetime | None:
    """Return the date with the time and the zone of a match; None where there is no such date."""
    parts = match.groupdict()
    zone = _zone(parts.get("zone"), local)
    if zone is None:
        return None
    # A day without a time is put at noon: it stays that day in every time zone.
    hour, minute, second = (int(parts.get(part) or 0) for part in ("hour", "minute", "second"))
    hour = 12 if parts.get("hour") is None else hour
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        midnight = datetime(year, month, day, tzinfo=zone)
        if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second):
            return None
        # On the wall clock: adding a timedelta across a change of summer time stays local time.
        return midnight + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    except (ValueError, OverflowError):
        return None


def _month(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    return _MONTHS.get(unicodedata.normalize("NFC", text).lower())


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)  # RFC 2822, 4.3
    return year + 1900 if len(text) == 3 else year


def _zone(text: str | None, local: tzinfo) -> tzinfo | None:
    if text is None:
        return local
    if match := re.fullmatch(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?", text, re.IGNORECASE):
        minutes = int(match[3] or 0)
        offset = timedelta(hours=int(match[2]), minutes=minutes)
        if offset > timedelta(hours=14) or minutes > 59:
            return None
        return timezone(-offset if match[1] == "-" else offset)
    if "/" in text:
        return _named_zone(text)
    hours = _ZONES.get(text.lower())
    return None if hours is None else timezone(timedelta(hours=hours))


@cache
def _named_zone(name: str) -> tzinfo | None:
    """Return a zone of the tz database."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def _worded(raw: str, local: tzinfo) -> tuple[datetime | None, DateSource]:
    """Parse a date whose month is a word, in any of the languages, or that begins with its year."""
    raw = unicodedata.normalize("NFC", raw)
    if match := _YEAR_FIRST.fullmatch(raw):
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
        return _date(match, year, month, day, local), "german"
    match = _WORDED.fullmatch(raw) or _MONTH_FIRST.fullmatch(raw)
    number = _month(match["month"]) if match else None
    if match is None or number is None:
        return None, "feed"
    source: DateSource = "german" if match["month"].lower() in _GERMAN_ONLY else "feed"
    return _date(match, int(match["year"]), number, int(match["day"]), local), source


def _numbers(
    match: re.Match[str], local: tzinfo, now: datetime, order: DayMonthOrder
) -> ParsedDate | None:
    """Read a date made of numbers; day and month change places rather than lie in the future."""
    first, second = int(match["first"]), int(match["second_number"])
    readings: Sequence[tuple[int, int]] = [(second, first), (first, second)]  # month and day
    reason = order.reason
    if order.first == "month":
        readings = readings[::-1]
    dates = [
        _plausible(_date(match, _year(match["year"]), month, day, local), now)
        for month, day in readings
    ]
    if dates[1] is not None and (dates[0] is None or dates[0] > now >= dates[1]):
        dates.reverse()
        reason = (
            "day and month were read so that it is not in the future"
            if max(first, second) < 13
            else ""
        )
    if dates[0] is None:
        return None
    unequal = first != second and max(first, second) < 13
    return ParsedDate(dates[0], "feed" if order.first else "german", reason if unequal else "")


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
