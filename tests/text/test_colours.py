"""Contrast, the nearest colour that can be read, and the palette for the dark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.text.colours import (
    channels,
    contrast,
    dark_palette,
    luminance,
    nearest_readable,
)

PAPER = {
    "page": "#efece4",
    "sheet": "#fffefa",
    "tint": "#f5f2ea",
    "ink": "#23231f",
    "soft": "#625e55",
    "accent": "#1d6152",
    "rule": "#d9d3c5",
}
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    "colour", ["inherit", "var(--ink)", "#12345", "#ffffff80", "rgba(0, 0, 0, 128)", "", None, 7]
)
def test_another_notation_is_not_judged(colour: object) -> None:
    assert luminance(colour) is None
    assert contrast(colour, "#ffffff") is None
    assert channels(colour) is None


def test_black_on_white_is_twenty_one_and_short_notations_are_the_same() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#fff", "#FFFFFF") == pytest.approx(1)


@given(COLOURS, COLOURS)
def test_a_proposal_holds_on_its_ground_and_there_is_always_one(colour: str, ground: str) -> None:
    found = nearest_readable(colour, [ground])
    assert found is not None
    assert (contrast(found, ground) or 0) >= 4.5


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("white", "#ffffff"),
        ("DarkGreen", "#006400"),
        ("rgb(1, 2, 3)", "#010203"),
        ("hsl(0, 100%, 50%)", "#f00"),
    ],
)
def test_names_and_other_notations_of_colours_are_judged(written: str, same: str) -> None:
    assert channels(written) == channels(same)
    assert contrast(written, "#777777") == contrast(same, "#777777")


def test_a_colour_that_holds_is_its_own_proposal() -> None:
    assert nearest_readable("#1D6152", ["#fffefa", "#f5f2ea"]) == "#1d6152"


@pytest.mark.parametrize(
    ("colour", "grounds", "near"),
    [
        ("#f2b705", ["#fffefa", "#f5f2ea"], "#8d6900"),  # yellow becomes ochre, not black
        ("#1d6152", ["#1b1e1b", "#232723"], "#579887"),  # green goes up in the dark
        ("#777777", ["#ffffff"], "#767676"),
    ],
)
def test_the_nearest_colour_keeps_its_hue_and_gives_no_more_contrast_than_is_needed(
    colour: str, grounds: list[str], near: str
) -> None:
    assert nearest_readable(colour, grounds) == near
    assert min(contrast(near, ground) or 0 for ground in grounds) < 4.7


def test_no_colour_holds_on_white_and_grey_and_black_together() -> None:
    assert nearest_readable("#777777", ["#ffffff", "#777777", "#000000"]) is None


@given(st.fixed_dictionaries(dict.fromkeys(PAPER, COLOURS)))
def test_texts_of_a_dark_palette_that_follows_can_be_read_whatever_the_light_one_is(
    light: dict[str, str],
) -> None:
    dark = dark_palette(light, {})
    for ground in ("page", "sheet", "tint"):
        assert (luminance(dark[ground]) or 0) < 0.08
        for text in ("ink", "soft", "accent"):
            assert (contrast(dark[text], dark[ground]) or 0) >= 4.5


def test_a_dark_palette_keeps_the_hue_and_the_order_of_its_grounds() -> None:
    dark = dark_palette(PAPER, {})
    lights = [
        luminance(dark[name]) or 0 for name in ("page", "sheet", "tint", "rule", "soft", "ink")
    ]
    assert lights == sorted(lights)
    red, green, blue = channels(dark["accent"]) or (0, 0, 0)
    assert green > blue > red


def test_what_is_given_stays_and_the_others_hold_on_it() -> None:
    dark = dark_palette(PAPER, {"sheet": "#444444", "soft": "#888888"})
    assert (dark["sheet"], dark["soft"]) == ("#444444", "#888888")
    assert (contrast(dark["accent"], "#444444") or 0) >= 4.5


def test_another_notation_stays_as_it_is_in_the_dark() -> None:
    assert dark_palette({**PAPER, "warn": "inherit"}, {})["warn"] == "inherit"
