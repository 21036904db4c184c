"""Colours of the theme that many could not read are told at their line."""

from __future__ import annotations

import tomllib

import pytest

from upcycle_news.checks.theme import check_theme, contrast, luminance

THEME = """[light]
page = "#efece4"
sheet = "#fffefa"
tint = "#f5f2ea"
ink = "#23231f"
soft = "#625e55"
accent = "#1d6152"

[dark]
page = "#121412"
sheet = "#1b1e1b"
tint = "#232723"
ink = "#e9e5db"
soft = "#aba698"
accent = "#8fcab7"
"""


def findings(theme: str) -> list[tuple[str, str]]:
    found = check_theme(tomllib.loads(theme), theme)
    return [(finding.where, finding.in_language("de")) for finding in found]


def test_the_palettes_that_come_along_have_no_finding() -> None:
    assert findings(THEME) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('accent = "#1d6152"', 'accent = "#f2b705"', 7),
        ('accent = "#8fcab7"', 'accent = "#1d6152"', 15),
        ('soft = "#625e55"', 'soft = "#999"', 6),
        ('sheet = "#fffefa"', 'sheet = "#777777"', 5),
    ],
)
def test_a_colour_without_contrast_is_told_in_light_and_dark(old: str, new: str, line: int) -> None:
    found = findings(THEME.replace(old, new))
    assert f"templates/theme.toml:{line}" in [where for where, _ in found]
    assert "Kontrast von" in found[0][1]


def test_the_worst_ground_is_named_with_its_contrast() -> None:
    [(_, text)] = findings(THEME.replace("#1d6152", "#f2b705"))
    assert "„accent“ auf „page“ in [light] hat einen Kontrast von 1,5" in text


@pytest.mark.parametrize("colour", ["darkgreen", "rgb(1, 2, 3)", "#12345", "", None, 7])
def test_another_notation_is_not_judged(colour: object) -> None:
    assert luminance(colour) is None
    assert contrast(colour, "#ffffff") is None


def test_black_on_white_is_twenty_one_and_short_notations_are_the_same() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#fff", "#FFFFFF") == pytest.approx(1)
