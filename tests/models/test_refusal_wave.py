from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models.refusal_wave import (
    LEAST,
    WINDOW,
    Outcome,
    RefusalWave,
    find_wave,
    find_waves_around,
)


def sequence(pattern: str) -> list[Outcome]:
    """Return outcomes, oldest first: ``.`` accepted, ``x`` refused by a domain of its own.

    Any other letter is refused by the domain of that letter.
    """
    return [
        Outcome(
            number, "" if letter == "." else f"@{number}" if letter == "x" else f"@{letter}.test"
        )
        for number, letter in enumerate(pattern, 1)
    ]


def newest(pattern: str) -> RefusalWave | None:
    return find_wave(sequence(pattern)[::-1])


@pytest.mark.parametrize(
    ("pattern", "is_wave"),
    [
        ("x" * 9, False),
        ("x" * 10, True),
        ("." * 9 + "x" * 10, True),
        ("." * 10 + "x" * 10, False),
        ("." * 10 + "x" * 11, True),
        ("." * 400 + "x" * 11, True),
        ("x." * 40, False),
        ("." * 20 + "xxxxxxxxx.x", False),
        ("." * 20 + "xxxxxxxxx.xx", True),
        (".........x" * 40, False),
        ("x" * 11 + "." * 10, False),
        ("", False),
    ],
)
def test_more_than_half_of_the_last_twenty_and_at_least_ten_are_a_wave(pattern, is_wave):
    wave = newest(pattern)

    assert (wave is not None) is is_wave
    assert wave is None or wave.spread


def test_a_wave_holds_all_that_was_refused_since_more_were_refused_than_accepted():
    wave = newest("." * 50 + "x" + "." * 30 + "xxxxxxx." * 2)

    assert wave is not None
    assert wave.deliveries == frozenset([*range(82, 89), *range(90, 97)])
    assert (wave.refused, wave.outcomes) == (14, 20)


@pytest.mark.parametrize(
    "pattern",
    ["." * 20 + "a" * 12, "a" * 12, "." * 5 + "a" * 60, "." * 20 + "a" * 9 + "x" + "a" * 9],
)
def test_refusals_for_one_domain_count_once_and_are_doubtful_all_the_same(pattern):
    wave = newest(pattern)

    assert wave is not None
    assert not wave.spread
    last = set(range(len(pattern) - min(len(pattern), WINDOW) + 1, len(pattern) + 1))
    assert wave.doubtful == {number for number in last if pattern[number - 1] == "a"}


def test_two_dead_domains_are_no_wave_of_the_relay_and_ten_domains_are():
    assert not newest("." * 20 + "a" * 12 + "b" * 12).spread
    assert newest("." * 20 + "aab" + "cdefghijk").spread


@given(st.integers(0, 300), st.integers(10, 40))
def test_when_everything_is_refused_from_somewhere_on_there_is_a_wave_soon(before, refused):
    wave = newest("." * before + "x" * max(refused, 11))

    assert wave is not None
    assert wave.spread
    assert max(wave.deliveries) == before + max(refused, 11)


@given(st.text(".....................xab", max_size=120))
def test_the_members_of_a_wave_are_refused_and_the_last_is_one_of_them(pattern):
    wave = newest(pattern)
    refused = {outcome.delivery for outcome in sequence(pattern) if outcome.refused}

    if wave is None:
        window = [letter != "." for letter in pattern[-WINDOW:]]
        assert sum(window) < LEAST or 2 * sum(window) <= len(window)
    else:
        assert wave.doubtful <= refused
        assert wave.deliveries <= refused
        assert not wave.spread or max(wave.deliveries) >= len(pattern) - 2 * WINDOW


@given(st.text(".x", max_size=20))
def test_few_outcomes_make_no_wave_unless_most_were_refused(pattern):
    refused = pattern.count("x")

    assert (newest(pattern) is not None) == (refused >= LEAST and 2 * refused > len(pattern))


def around(pattern: str, *deliveries: int) -> frozenset[int]:
    return find_waves_around(sequence(pattern), deliveries, reach=200)


@pytest.mark.parametrize("position", [21, 25, 40])
def test_a_report_belongs_to_a_wave_wherever_it_stands_in_it(position):
    pattern = "." * 20 + "x" * 20 + "." * 60

    assert position in around(pattern, position)
    assert around(pattern, 5) == around(pattern, 9999) == frozenset()


def test_scattered_reports_of_a_long_list_are_no_wave():
    assert around(".........x" * 12, *range(10, 121, 10)) == frozenset()


@given(st.text(".xa", max_size=120))
def test_reports_looked_at_together_are_as_doubtful_as_each_by_itself(pattern):
    refused = [number for number, letter in enumerate(pattern, 1) if letter != "."]

    each = [around(pattern, number) for number in refused]
    assert around(pattern, *refused) == frozenset().union(*each)
    assert around(pattern, *refused) <= set(refused)
