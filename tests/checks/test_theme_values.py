"""A value of theme.toml that no template takes is told at its line; what ships and what is right is not."""

from __future__ import annotations

import pytest

from upcycle_news.checks.templates import check_templates
from upcycle_news.checks.theme_values import check_theme_values
from upcycle_news.rendering.theme import THEME, read_theme

from ..rendering.sample_manifest import TEMPLATES


def found(old: str, new: str) -> list[tuple[str, str, str]]:
    """Level, code and line text of the findings about the shipped theme with a change."""
    source = TEMPLATES[THEME]
    assert old in source
    source = source.replace(old, new, 1)
    return [
        (finding.level, finding.code, source.split("\n")[finding.place[1] - 1])
        for finding in check_theme_values(read_theme({**TEMPLATES, THEME: source}), source)
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width = 180", 'width = "120px"'),
        ('align = "left"', 'align = "center"'),
        ("contents_from = 5", "contents_from = 0"),
        ('teaser_pictures = "large"', 'teaser_pictures = "none"'),
        ("forwarded = false", "forwarded = true"),
        ("[logo]", "[logo]\nown = 3"),
        ('accent = "#1d6152"', 'accent = "Teal"'),
        ('accent = "#1d6152"', 'accent = "oklch(50% 0.1 170)"'),
        ('accent = "#1d6152"', 'accent = "#1d6152cc"'),
        ('rule = "#d9d3c5"', 'rule = "transparent"'),
        ('body = "18px"', 'body = "1.1em"'),
        ('body = "1.62"', "body = 1.5"),
        ("[light]", '[light]\nfill = "#f5c800"'),
    ],
)
def test_what_is_right_has_no_finding(old: str, new: str) -> None:
    assert found(old, new) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width = 180", 'width = "breit"'),
        ("width = 180", "width = true"),
        ("width = 180", "width = 0"),
        ('align = "left"', 'align = "links"'),
        ("contents_from = 5 ", 'contents_from = "vier" '),
        ("contents_from = 5 ", "contents_from = true "),
        ('teaser_pictures = "large"', 'teaser_pictures = "klein"'),
        ("forwarded = false", 'forwarded = "ja"'),
        ('picture_alt = ""', "picture_alt = 3"),
        ('accent = "#1d6152"', 'accent = "gelb"'),
        ('accent = "#1d6152"', 'accent = "#1d615"'),
        ('accent = "#1d6152"', 'accent = "1d6152"'),
        ('accent = "#1d6152"', 'accent = "red;}</style>"'),
        ('accent = "#8fcab7"', 'accent = "url(a);b"'),
        ('body = "18px"', "body = 18"),
        ('body = "18px"', 'body = "groß"'),
        ('body = "1.62"', 'body = "weit"'),
        ("mono = \"Menlo, Consolas, 'Liberation Mono', monospace\"", 'mono = "a; }"'),
        ('sections = ["contents", ', 'sections = ["lead", '),
        (
            'sections = ["contents", "lead", "author", "teasers", "related", "question", "closing"]',
            'sections = "lead"',
        ),
        ('sections = ["contents", ', "sections = [3, "),
    ],
)
def test_a_value_that_no_template_takes_is_an_error_at_its_line(old: str, new: str) -> None:
    ((level, code, line),) = found(old, new)
    assert (level, code) == ("error", "theme-value")
    assert line.startswith(new)


def test_a_key_that_is_nearly_known_is_told() -> None:
    assert found('light = ""', 'lihgt = "logo.png"') == [
        ("warning", "theme-key", 'lihgt = "logo.png"')
    ]


def test_pieces_without_a_macro_are_told() -> None:
    name = "partials/pieces.mjml"
    text = TEMPLATES[name].replace("macro quote(", "macro zitat(")
    (finding,) = check_templates({**TEMPLATES, name: text})
    assert (finding.code, finding.where) == ("template", f"templates/{name}")
    assert "quote" in finding.in_language("de")
