"""The theme: the publication's own over that of its look, and a dark palette in any case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upcycle_news.errors import TemplateError
from upcycle_news.rendering.render import render
from upcycle_news.rendering.theme import LOOK_THEME, THEME, read_theme

from . import sample_manifest

LIGHT = (
    '[light]\npage = "#eee"\nsheet = "#fff"\ntint = "#f5f5f5"\nink = "#222"\naccent = "#a00000"\n'
)
DARK = '[dark]\npage = "#111111"\naccent = "#ff9999"\n'


def test_the_ground_of_buttons_is_the_accent_unless_it_has_a_colour_of_its_own() -> None:
    theme = read_theme(sample_manifest.TEMPLATES)
    for palette in ("light", "dark"):
        colours = theme[palette]
        assert (colours["fill"], colours["on_fill"]) == (colours["accent"], colours["sheet"])


@pytest.mark.parametrize(
    ("fill", "text"),
    [("#f5c800", "ink"), ("#ffffff", "ink"), ("#004488", "sheet"), ("#c8102e", "sheet")],
)
def test_a_colour_for_grounds_stays_in_the_dark_and_has_the_text_that_is_read_on_it(
    fill: str, text: str
) -> None:
    templates = sample_manifest.TEMPLATES
    source = templates[THEME].replace("[light]", f'[light]\nfill = "{fill}"')
    theme = read_theme({**templates, THEME: source})
    for palette in ("light", "dark"):
        assert theme[palette]["fill"] == fill
        assert theme[palette]["on_fill"] == theme["light"][text]


def test_a_dark_palette_follows_from_the_light_one_where_it_is_not_given() -> None:
    dark = read_theme({THEME: LIGHT})["dark"]
    assert set(dark) == {"page", "sheet", "tint", "ink", "accent", "fill", "on_fill"}
    assert (dark["fill"], dark["on_fill"]) == (dark["accent"], dark["sheet"])
    assert dark["accent"] not in ("#a00000", "")
    given = read_theme({THEME: LIGHT + DARK})["dark"]
    assert (given["page"], given["accent"]) == ("#111111", "#ff9999")
    assert given["ink"] == dark["ink"]


def test_what_a_publication_says_counts_more_than_its_look() -> None:
    look = LIGHT + DARK + '[fonts]\nserif = "Georgia"\nsans = "Arial"\n'
    theme = read_theme({THEME: '[fonts]\nsans = "Verdana"\n', LOOK_THEME: look})
    assert theme["fonts"] == {"serif": "Georgia", "sans": "Verdana"}
    assert theme["light"]["accent"] == "#a00000"
    assert theme["dark"]["accent"] == "#ff9999"


def test_the_looks_dark_colour_goes_with_the_looks_light_one() -> None:
    # A publication that changes the light one only would have its look's accent in the dark.
    theme = read_theme({THEME: '[light]\naccent = "#003399"\n', LOOK_THEME: LIGHT + DARK})
    blue = theme["dark"]["accent"]
    assert blue not in ("#ff9999", "#003399")
    assert int(blue[5:], 16) > int(blue[1:3], 16)
    assert theme["dark"]["page"] == "#111111"


def test_an_issue_without_a_dark_palette_of_its_own_is_dark_in_the_dark() -> None:
    manifest = sample_manifest.manifest()
    theme = manifest.templates[THEME]
    start, end = theme.index("[dark]"), theme.index("# Pixels")
    templates = {**manifest.templates, THEME: theme[:start] + theme[end:]}
    html = render(replace(manifest, templates=templates)).html
    wanted = read_theme(templates)["dark"]
    assert f".page .sheet > table {{ background: {wanted['sheet']} !important; }}" in html


def test_a_mistake_in_a_theme_is_told_at_its_line() -> None:
    with pytest.raises(TemplateError, match=r"theme\.toml:2"):
        read_theme({THEME: "[light]\npage = #eee\n"})
