"""Parsing of the dates that feeds send."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.feeds.dates import (
    EARLIEST,
    MAX_AHEAD,
    ParsedDate,
    day_month_order,
    item_date,
    parse_date,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OCTOBER_5 = datetime(2026, 10, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "Mon, 05 Oct 2026 10:00:00 +0200", "Mon, 05 Oct 2026 10:00:00 CEST", "05 Oct 26 08:00 GMT",
        "Mon, 05 Oct 2026 10:00:00 MESZ", "Monday, 05-Oct-26 08:00:00 UTC", "Mon, 5 Oct 2026 04:00:00 EDT",
        "Mon Oct  5 10:00:00 2026", "2026-10-05T08:00:00Z", "2026-10-05T10:00:00.123+02:00",
        "2026-10-05 10:00", "1791187200", "1791187200000", "Mon, 05 Oct 2026 08:00:00 GMT (Zulu)",
    ],
)  # fmt: skip
def test_a_strict_date_is_understood_with_its_zone(raw):
    assert parse_date(raw, now=NOW) == ParsedDate(OCTOBER_5, "feed")


@pytest.mark.parametrize(
    "raw",
    [
        "Mo, 05 Okt 2026 10:00:00 +0200", "5. Oktober 2026, 10:00 Uhr", "05.10.2026 10:00",
        "5. Oktober 2026, 10.00 Uhr", "Mo, 05.10.2026 - 10:00", "Mo, 05 Okt 2026 10:00 MESZ",
        "2026/10/5 10:00",
    ],
)  # fmt: skip
def test_a_date_in_german_words_is_understood(raw):
    assert parse_date(raw, now=NOW) == ParsedDate(OCTOBER_5, "german")


@pytest.mark.parametrize(
    "raw",
    [
        "2026-10-05 10:00:00+02", "2026-10-05T10:00:00+02:00[Europe/Berlin]", "20261005T080000Z",
        "2026-10-05T0800Z", "Mon, 05 Oct 2026 10:00:00 Europe/Berlin", "lun. 5 octobre 2026 10:00 CEST",
        "lunedì 5 ottobre 2026 10:00 CEST", "5 października 2026 10:00 +0200", "5 октября 2026 г., 10:00 +0200",
        "пн, 05 окт 2026 10:00:00 +0200", "5 mei 2026 10:00 CEST", "5 de octubre de 2026, 10:00 +0200",
        "Monday, October 5, 2026 10:00 AM CEST", "Mon, 05 Oct 2026 18:00:00 AEST",
    ],
)  # fmt: skip
def test_loose_forms_and_words_of_other_languages_are_understood(raw):
    expected = OCTOBER_5.replace(month=5) if "mei" in raw else OCTOBER_5
    assert parse_date(raw, now=NOW) == ParsedDate(expected, "feed")


@pytest.mark.parametrize(
    ("raws", "first", "date"),
    [
        (["05/11/2025 3:00 PM", "23/11/2025 3:00 PM"], "day", (11, 5)),
        (["11/05/2025 3:00 PM", "11/23/2025 3:00 PM"], "month", (11, 5)),
        (["11/05/2025 15:00", "11/23/2025 15:00"], "month", (11, 5)),
        (["11/05/2025 3:00 PM"], "month", (11, 5)),
        (["05/11/2025 15:00"], None, (11, 5)),
        (["11/05/2025 15:00", "23/11/2025 15:00", "11/23/2025 15:00"], None, (5, 11)),
        (["05-11-2025", "24-12-2025"], "day", (11, 5)),
        (["11/12/2026 15:00"], None, (11, 12)),  # 11 December is ahead
    ],
)
def test_the_dates_of_a_feed_agree_on_the_order_of_day_and_month(raws, first, date):
    order = day_month_order(raws)
    assert order.first == first
    parsed = parse_date(raws[0], now=NOW, order=order)
    assert (parsed.date.month, parsed.date.day) == date


@pytest.mark.parametrize("raw", ["2026-10-05", "05.10.2026", "5. Oktober 2026", "05 Oct 2026"])
def test_a_day_without_a_time_is_that_day_in_every_time_zone(raw):
    date = parse_date(raw, now=NOW).date
    assert {(date + timedelta(hours=hours)).date() for hours in (-9, 0, 9)} == {OCTOBER_5.date()}


def test_a_date_without_zone_is_german_time_in_german_feeds_only():
    assert parse_date("2026-07-05T10:00:00", now=NOW).date.hour == 8
    assert parse_date("2026-07-05T10:00:00", now=NOW, language="en").date.hour == 10


@pytest.mark.parametrize(
    "raw",
    [
        "", "gestern", "Montag", "März 2026", "Wed, 32 Oct 2026 10:00", "1791-01-01", "0000-00-00",
        "Thu, 01 Jan 1970 00:00:00 GMT", "2027-11-26", "99999999999999", "1" * 500,
        "9999-12-31T23:59:59-14:00", "2026-10-05T10:00:00+99:00", "Mon, 05 Oct 2026 25:00:00 GMT",
    ],
)  # fmt: skip
def test_an_item_without_a_usable_date_is_dated_now(raw):
    assert parse_date(raw, now=NOW) is None
    assert item_date([raw], now=NOW) == ParsedDate(NOW, "first seen")


def test_the_second_date_is_used_when_the_first_is_invalid():
    assert item_date(["bald", "2026-10-05T08:00:00Z"], now=NOW) == ParsedDate(OCTOBER_5, "feed")


def test_a_date_up_to_a_day_ahead_becomes_now_and_a_later_one_waits_for_its_day():
    assert parse_date("2026-11-27T11:00:00Z", now=NOW) == ParsedDate(NOW, "feed")
    ahead = datetime(2026, 11, 27, 13, tzinfo=UTC)
    assert parse_date("2026-11-27T13:00:00Z", now=NOW) == ParsedDate(ahead, "feed")
    assert parse_date("2027-06-27T13:00:00Z", now=NOW) is None


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789 .:-/+TZ,OktMESZrzä", max_size=40))
def test_every_text_gives_a_plausible_date(raw):
    parsed = item_date([raw], now=NOW)
    assert EARLIEST <= parsed.date <= NOW + MAX_AHEAD
    assert parsed.date.utcoffset() == timedelta(0)
    assert parsed.source in ("feed", "german", "first seen")
