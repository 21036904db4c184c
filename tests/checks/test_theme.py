"""Colours that many could not read are told at their line, for each text on each ground where it occurs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from upcycle_news.checks.theme import check_colours
from upcycle_news.rendering.theme import THEME
from upcycle_news.text.colours import contrast

from ..rendering.sample_manifest import TEMPLATES

FOOTER = '    {% include "partials/footer.mjml" %}'


def findings(templates: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (finding.where, finding.in_language("de"))
        for finding in check_colours({**TEMPLATES, **templates})
    ]


def with_colour(old: str, new: str) -> dict[str, str]:
    assert TEMPLATES[THEME].count(old) == 1
    return {THEME: TEMPLATES[THEME].replace(old, new)}


def with_section(mjml: str) -> dict[str, str]:
    frame = TEMPLATES["newsletter.mjml"]
    section = f'<mj-section css-class="sheet"><mj-column>{mjml}</mj-column></mj-section>'
    assert FOOTER in frame
    return {"newsletter.mjml": frame.replace(FOOTER, f"{section}\n{FOOTER}")}


def line_of(templates: Mapping[str, str], name: str, text: str) -> str:
    lines = templates[name].split("\n")
    return f"templates/{name}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


def test_the_colours_that_come_along_have_no_finding() -> None:
    assert findings({}) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('accent = "#1d6152"', 'accent = "#f2b705"'),
        ('accent = "#8fcab7"', 'accent = "#1d6152"'),
        ('soft = "#625e55"', 'soft = "#999"'),
        ('ink = "#e9e5db"', 'ink = "#565656"'),
    ],
)
def test_a_text_without_contrast_is_told_in_light_and_dark(old: str, new: str) -> None:
    found = findings(with_colour(old, new))
    assert [where for where, _ in found] == [line_of(TEMPLATES, THEME, old)]
    assert "einen Kontrast von" in found[0][1]


def test_a_ground_without_contrast_is_told_for_each_text_on_it() -> None:
    found = findings(with_colour('sheet = "#fffefa"', 'sheet = "#777777"'))
    told = {re.match("„(.*?)“ auf „sheet“ hat im Hellen", text)[1] for _, text in found}
    assert told == {"ink", "soft", "accent"}


def test_the_worst_ground_is_named_and_the_proposal_holds_on_every_ground_where_the_text_occurs() -> (
    None
):
    [(_, text)] = findings(with_colour("#1d6152", "#f2b705"))
    assert "„accent“ auf „tint“ hat im Hellen einen Kontrast von 1,6" in text
    proposal = re.search(r"ist (#[0-9a-f]{6})\.", text)
    assert proposal is not None
    assert findings(with_colour("#1d6152", proposal[1])) == []


def test_a_yellow_of_the_house_stays_on_buttons_while_the_accent_can_be_read() -> None:
    yellow = with_colour('accent = "#1d6152"', 'accent = "#7a6200"\nfill = "#f5c800"')
    assert findings(yellow) == []
    ((_, told),) = findings(with_colour('accent = "#1d6152"', 'accent = "#f2b705"'))
    assert 'fill = "#f2b705"' in told


def test_a_ground_of_buttons_that_no_text_is_read_on_is_told_at_its_line() -> None:
    grey = with_colour('ink = "#23231f"', 'ink = "#4a4a45"\nfill = "#8a8a8a"')
    place = line_of(grey, THEME, "fill = ")
    assert [text.split(" ", 1)[0] for where, text in findings(grey) if where == place] == ["„fill“"]


def test_a_pair_that_occurs_nowhere_is_no_finding() -> None:
    # Nothing of the accent's colour stands on the page around the sheet.
    accent, page = "#2c7a69", "#c9c4b8"
    templates = with_colour("#1d6152", accent)
    templates[THEME] = templates[THEME].replace("#efece4", page).replace("#625e55", "#45423b")
    assert (contrast(accent, page) or 0) < 4.5
    assert findings(templates) == []


def test_where_no_colour_holds_the_ground_is_named() -> None:
    templates = with_colour('sheet = "#fffefa"', 'sheet = "#777777"')
    templates[THEME] = templates[THEME].replace('tint = "#f5f2ea"', 'tint = "#000000"')
    assert any("Keine Farbe reicht" in text for _, text in findings(templates))


def test_a_buttons_own_colours_are_told_where_a_template_names_them_and_once() -> None:
    templates = with_section(
        '<mj-button href="https://example.org/x" background-color="#f2b705" color="#ffffff">Los</mj-button>'
    )
    [(where, text)] = findings(templates)
    assert where == line_of(templates, "newsletter.mjml", "#ffffff")
    assert "„#ffffff“ auf „#f2b705“ hat im Hellen einen Kontrast von 1,8" in text


@pytest.mark.parametrize("ground", ["#c8102e", "#004488"])
def test_a_button_that_can_be_read_is_no_finding_in_the_dark_either(ground: str) -> None:
    button = f'<mj-button href="https://example.org/x" background-color="{ground}" color="#fff">Los</mj-button>'
    assert findings(with_section(button)) == []


def test_a_text_that_has_a_light_ground_of_its_own_in_the_dark_is_told() -> None:
    templates = with_section(
        '<mj-text><p style="background: #fff3c4">Dunkle Schrift auf hellem Grund.</p></mj-text>'
    )
    [(_, text)] = findings(templates)
    assert "„ink“ auf „#fff3c4“ hat im Dunkeln" in text


def test_colours_of_the_archive_and_of_the_pages_are_looked_at_too() -> None:
    for name in ("archive/style.css", "page.css"):
        css = TEMPLATES[name] + "\n.tagline { color: #d0d0d0; }\n"
        [(where, text)] = findings({name: css})
        assert where == line_of({name: css}, name, "#d0d0d0")
        assert "„#d0d0d0“ auf „sheet“ hat im Hellen" in text


@pytest.mark.parametrize(
    "piece",
    [
        ".contents li a", ".greeting p", ".lead .kicker", ".author p", ".event-facts", ".event-links a",
        ".box p", ".pull p", ".button td a", ".callout-title", ".scroll td a", ".notes li", ".prose mark",
        ".prose pre", ".teaser .summary", ".story .also", ".closing .note", ".imprint a",
    ],
)  # fmt: skip
def test_each_piece_of_a_mail_is_looked_at(piece: str) -> None:
    name = "partials/pieces.css"
    css = f"{TEMPLATES[name]}\n.page {piece} {{ color: #7f8f9f !important; }}\n"
    found = findings({name: css})
    assert [where for where, _ in found] == [line_of({name: css}, name, "#7f8f9f")]


def test_a_dark_palette_that_is_not_given_has_no_finding() -> None:
    theme = TEMPLATES[THEME]
    start, end = theme.index("[dark]"), theme.index("# Pixels")
    assert findings({THEME: theme[:start] + theme[end:]}) == []


def test_other_notations_are_not_judged() -> None:
    assert findings(with_colour('accent = "#1d6152"', 'accent = "rgba(29, 97, 82, 0.9)"')) == []


def test_colours_by_their_names_are_judged_as_well() -> None:
    [(where, text)] = findings(with_colour('accent = "#1d6152"', 'accent = "yellow"'))
    assert where == line_of(TEMPLATES, THEME, 'accent = "#1d6152"')
    assert "hat im Hellen einen Kontrast von 1,0" in text
    button = '<mj-button href="https://example.org/x" background-color="#f2b705" color="white">Los</mj-button>'
    templates = with_section(button)
    [(where, text)] = findings(templates)
    assert where == line_of(templates, "newsletter.mjml", button)
    assert "„white“ auf „#f2b705“" in text


def test_templates_that_do_not_work_have_no_finding_about_colours() -> None:
    assert findings({"newsletter.mjml": "{{ nothing }}", "archive/layout.html": "{% if %}"}) == []
