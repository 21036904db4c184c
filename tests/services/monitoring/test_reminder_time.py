"""A reminder comes in working hours, whatever weekend, night or change of the clocks lies before the end."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.services.monitoring.reminder_time import (
    WorkingHours,
    is_reminder_due,
    reminder_time,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = WorkingHours(time(8), time(18), frozenset(range(5)), BERLIN)
LEAD = timedelta(hours=6)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("asked", "hours", "reminded"),
    [
        # Thursday, half past seven, for two days: the end is on Saturday.
        ("2026-11-26T07:30", 48, "2026-11-27T08:00"),
        # The end is on Wednesday at noon, in working hours as six hours before are not.
        ("2026-11-23T12:00", 48, "2026-11-25T08:00"),
        ("2026-11-23T15:00", 48, "2026-11-25T09:00"),
        # The end is on Monday at ten: two hours would be left on that morning, so it is Friday's.
        ("2026-11-26T10:00", 96, "2026-11-27T08:00"),
        # Asked on Friday evening until Monday morning: there is only Monday's morning.
        ("2026-11-27T19:00", 63, "2026-11-30T08:00"),
        # Asked on Friday evening until Sunday: nobody works, and it is better than nothing.
        ("2026-11-27T19:00", 48, "2026-11-29T13:00"),
        # One day from the early morning: not again half an hour after the question.
        ("2026-11-26T07:30", 24, "2026-11-26T13:00"),
        # The clocks change in the night to Sunday: eight is eight.
        ("2026-10-22T07:30", 100, "2026-10-23T08:00"),
        ("2026-10-23T19:00", 65, "2026-10-26T08:00"),
        ("2027-03-26T19:00", 65, "2027-03-29T08:00"),
    ],
)
def test_a_reminder_comes_on_a_working_day(asked: str, hours: float, reminded: str) -> None:
    begin = local(asked)
    end = (begin.astimezone(UTC) + timedelta(hours=hours)).astimezone(BERLIN)
    assert reminder_time(begin, end, LEAD, HOURS).astimezone(BERLIN) == local(reminded)


@given(
    asked=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    minutes=st.integers(30, 14 * 24 * 60),
    lead=st.integers(0, 72),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "UTC"]),
)
def test_it_is_never_outside_working_hours_while_there_are_any(
    asked: datetime, minutes: int, lead: int, zone: str
) -> None:
    expires = asked + timedelta(minutes=minutes)
    hours = WorkingHours(time(8, 30), time(17), frozenset(range(5)), ZoneInfo(zone))
    moment = reminder_time(asked, expires, timedelta(hours=lead), hours)
    assert asked <= moment <= expires
    spans = list(hours.between(asked, expires))
    if spans and moment < expires:
        assert any(begin <= moment < end for begin, end in spans)


def test_one_that_is_late_waits_for_the_morning_and_not_for_one_after_the_end() -> None:
    asked, expires = local("2026-11-25T07:30"), local("2026-11-27T16:00")

    def due(now: str, end: datetime = expires) -> bool:
        return is_reminder_due(asked, end, LEAD, HOURS, now=local(now))

    assert not due("2026-11-27T09:59")
    assert due("2026-11-27T10:00")
    late = local("2026-11-27T02:00")  # Friday: nobody works before, and the runs of watch were away
    assert due("2026-11-27T01:00", late)
    assert not due("2026-11-26T19:00", late)  # nor before its time, if nobody works any more
    assert not due("2026-11-27T01:00", local("2026-11-27T08:30"))
    assert due("2026-11-27T08:00", local("2026-11-27T08:30"))
