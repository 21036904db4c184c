"""Days as Hugo, Jekyll, Obsidian and Germans write them."""

from __future__ import annotations

from datetime import date

import pytest

from upcycle_news.text.written_days import guess_day, read_day

DAY = date(2026, 11, 5)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-05",
        "2026-11-05T07:30:00+01:00",
        "2026-11-05T06:30:00Z",
        "2026-11-05T07:30",
        "2026-11-05t07:30:00.123+0100",
        "2026-11-05 07:30:00 +0100",
        "2026-11-05 07:30",
        "2026-11-05 07:30:00 CET",
        "2026-11-5",
        "2026/11/05",
        "05.11.2026",
        "5.11.2026",
        "5. 11. 2026",
        "05.11.2026 07:30",
        "5.11.2026, 7.30 Uhr",
        "5.11.2026, 7 Uhr",
        "Thu, 05 Nov 2026 07:30:00 +0100",
        "5. November 2026",
        "5. Nov. 2026",
        "Donnerstag, 5. November 2026",
        "Do., 5.11.2026",
        "5 November 2026",
        "November 5, 2026",
        " 2026-11-05 ",
    ],
)
def test_a_day_is_read_however_it_is_written(written: str) -> None:
    assert read_day(written) == DAY


@pytest.mark.parametrize(
    "written",
    [
        "",
        "gestern",
        "5. Oktober",
        "2026",
        "2026-11",
        "2026-11-05T25:00",
        "2026-11-05 und später",
        "5. Brumaire 2026",
        "2026-11/05",
        "05.11.26",
        "11/05/2026",
        "20261105",
    ],
)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_no_day(written: str) -> None:
    assert read_day(written) is None


@pytest.mark.parametrize("written", ["2026-02-30", "30.02.2026", "2026-13-01", "0. Mai 2026"])
def test_a_day_that_no_calendar_has_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match=r"month|day|range"):
        read_day(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("26.11.26", date(2026, 11, 26)),
        ("20261126", date(2026, 11, 26)),
        ("26/11/2026", date(2026, 11, 26)),
        ("11/26/2026", date(2026, 11, 26)),
        ("11-11-2026", date(2026, 11, 11)),
        ("05/11/2026", None),  # the fifth of November, or the eleventh of May
        ("31.02.26", None),
        ("bald", None),
    ],
)
def test_a_guess_names_a_day_only_when_one_can_be_meant(written: str, meant: date | None) -> None:
    assert guess_day(written) == meant
