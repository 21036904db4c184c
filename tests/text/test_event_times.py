"""When an event takes place is read as authors write it; what is not certain is refused, with what it may mean."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from upcycle_news.text.event_times import EventTimeError, read_event_time


@pytest.mark.parametrize(
    "written",
    [
        "2027-03-06 18:00",
        "2027-03-06T18:00",
        "6.3.2027, 18 Uhr",
        "06.03.2027, 18.00 Uhr",
        "Sa, 6.3.2027, 18 Uhr",
        "Samstag, 6. März 2027, 18:00 Uhr",
        "Sonnabend, 6. März 2027 um 18:00",
        "6. März 2027, ab 18 Uhr",
        "March 6, 2027, 6 pm",
        "Saturday, 6 March 2027, 6:00 p.m.",
    ],
)
def test_a_day_and_a_time_are_read(written: str) -> None:
    event = read_event_time(written)
    assert (event.start, event.end) == (datetime(2027, 3, 6, 18), None)


@pytest.mark.parametrize(
    "written",
    [
        "6.3.2027, 18–20 Uhr",
        "6.3.2027, 18-20 Uhr",
        "6.3.2027, 18:00-20:00",
        "6. März 2027, von 18 bis 20 Uhr",
        "6.3.2027, 18 Uhr bis 20 Uhr",
        "6.3.2027, 18 Uhr – 6.3.2027, 20 Uhr",
        "March 6, 2027, 6 pm to 8 pm",
    ],
)
def test_an_end_is_read(written: str) -> None:
    event = read_event_time(written)
    assert (event.start, event.end) == (datetime(2027, 3, 6, 18), datetime(2027, 3, 6, 20))


def test_time_and_end_may_stand_apart() -> None:
    assert read_event_time("6.3.2027", "18 Uhr", "20 Uhr") == read_event_time("6.3.2027, 18–20 Uhr")


def test_days_without_a_time_are_whole_days() -> None:
    assert read_event_time("2027-03-06").start == date(2027, 3, 6)
    event = read_event_time("6.3.2027 bis 8.3.2027")
    assert (event.start, event.end) == (date(2027, 3, 6), date(2027, 3, 8))
    assert event.last_day == date(2027, 3, 8)


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("6.3.2027, 22–2 Uhr", datetime(2027, 3, 7, 2)),
        ("6.3.2027, 20–24 Uhr", datetime(2027, 3, 7)),
        ("6.3.2027, 22 Uhr bis 7.3.2027, 4 Uhr", datetime(2027, 3, 7, 4)),
    ],
)
def test_an_event_may_last_beyond_midnight(written: str, end: datetime) -> None:
    assert read_event_time(written).end == end


@pytest.mark.parametrize(
    ("written", "mistake", "meant"),
    [
        ("", "form", None),
        ("demnächst", "form", None),
        ("6. März", "form", None),
        ("6.3.2027, 18", "form", None),
        ("6.–8. März 2027", "form", None),
        ("2027-03-06T18:00:00+01:00", "form", None),
        ("6.3.2027 bis 8.3.2027 bis 9.3.2027", "form", None),
        ("6.3.2027, 18 Uhr bis 8.3.2027", "form", None),
        ("6.3.27", "year", date(2027, 3, 6)),
        ("6.3.27, 18 Uhr", "year", date(2027, 3, 6)),
        ("30.2.2027", "calendar", None),
        ("6.3.2027, 25 Uhr", "calendar", None),
        ("6.3.2027, 13 pm", "calendar", None),
        ("Sonntag, 6.3.2027", "weekday", date(2027, 3, 6)),
        ("6.3.2027, 20 bis 18 Uhr", "order", None),
        ("8.3.2027 bis 6.3.2027", "order", None),
    ],
)
def test_what_is_not_certain_is_refused(written: str, mistake: str, meant: date | None) -> None:
    with pytest.raises(EventTimeError) as caught:
        read_event_time(written)
    assert (caught.value.mistake, caught.value.meant) == (mistake, meant)
