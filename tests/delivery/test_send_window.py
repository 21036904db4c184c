from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.delivery.send_window import DAYS, SendWindow

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def window(start: str, end: str, *days: str) -> SendWindow:
    chosen = frozenset(days or DAYS)
    return SendWindow(time.fromisoformat(start), time.fromisoformat(end), BERLIN, chosen)


def hours(window: SendWindow, day: date) -> float:
    begin, end = window.span(day)
    return (end - begin).total_seconds() / 3600


def test_a_window_is_open_from_its_start_until_before_its_end() -> None:
    day = window("08:00", "20:00")
    assert day.next_opening(at(26, 7, 59)) == at(26, 8)
    assert day.next_opening(at(26, 8)) is None
    assert day.next_opening(at(26, 19, 59)) is None
    assert day.next_opening(at(26, 20)) == at(27, 8)


def test_a_window_may_reach_over_midnight() -> None:
    night = window("22:00", "06:00")
    assert night.next_opening(at(26, 23)) is None
    assert night.next_opening(at(27, 5, 59)) is None
    assert night.next_opening(at(27, 6)) == at(27, 22)


def test_a_window_opens_on_its_days_only() -> None:
    workdays = window("08:00", "20:00", "mon", "tue", "wed", "thu", "fri")
    assert workdays.next_opening(at(28, 9)) == at(30, 8)  # Saturday
    friday_night = window("22:00", "02:00", "fri")
    assert friday_night.next_opening(at(28, 1)) is None  # Friday's window, on Saturday
    assert friday_night.next_opening(at(28, 22)) == at(27, 22) + timedelta(days=7)


def test_when_clocks_are_set_back_a_window_opens_once_and_closes_once() -> None:
    assert window("02:00", "03:00").span(AUTUMN) == (
        datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 2, 0, tzinfo=UTC),
    )
    assert hours(window("02:30", "03:30"), AUTUMN) == 2
    # It closes when clocks show half past two for the first time, and stays closed.
    early = window("01:00", "02:30")
    assert hours(early, AUTUMN) == 1.5
    assert early.next_opening(datetime(2026, 10, 25, 1, 15, tzinfo=UTC)) == at(26, 1, month=10)
    assert hours(window("22:00", "06:00"), AUTUMN - timedelta(days=1)) == 9


def test_when_clocks_are_put_forward_a_window_in_the_missing_hour_opens_at_three() -> None:
    three = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert window("02:30", "04:00").span(SPRING) == (three, at(29, 4, month=3))
    assert window("01:00", "02:30").span(SPRING)[1] == three
    assert hours(window("22:00", "06:00"), SPRING - timedelta(days=1)) == 7
    # A window that lies within the missing hour does not open that night.
    missing = window("02:10", "02:50")
    assert missing.next_opening(at(29, 0, month=3)) == at(30, 2, 10, month=3)


@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2026, 11, 26)])
def test_a_window_by_day_has_the_same_length_on_every_day(day: date) -> None:
    assert hours(window("08:00", "20:00"), day) == 12


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.times(),
    st.times(),
    st.sets(st.sampled_from(DAYS), min_size=1),
)
def test_a_window_is_open_at_its_next_opening(
    now: datetime, start: time, end: time, days: set[str]
) -> None:
    random_window = SendWindow(
        start.replace(microsecond=0), end.replace(microsecond=0), BERLIN, frozenset(days)
    )
    next_opening = random_window.next_opening(now.replace(tzinfo=UTC))
    assert next_opening is None or (
        next_opening > now.replace(tzinfo=UTC) and random_window.next_opening(next_opening) is None
    )
