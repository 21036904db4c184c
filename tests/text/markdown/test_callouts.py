"""Call-outs of Obsidian and GitHub."""

from __future__ import annotations

import pytest

from .parsing import html


def callout(title: str, rest: str = "") -> str:
    first = f'<p class="callout-title"><strong>{title}</strong></p>'
    return f'<blockquote class="callout">\n{first}\n{rest}</blockquote>'


def test_a_callout_has_its_title_and_its_text() -> None:
    assert html("> [!note] Gut zu *wissen*\n> Der Zettel hängt.\n>\n> Noch.") == callout(
        "Gut zu <em>wissen</em>", "<p>Der Zettel hängt.</p>\n<p>Noch.</p>\n"
    )


@pytest.mark.parametrize(
    ("kind", "language", "title"),
    [
        ("note", "de", "Hinweis"), ("TIP", "de", "Tipp"), ("warning", "de", "Achtung"), ("note", "en", "Note"),
        ("bauplan", "de", "Bauplan"),
    ],
)  # fmt: skip
def test_without_a_title_it_is_called_after_its_kind(kind: str, language: str, title: str) -> None:
    assert html(f"> [!{kind}]\n> Text.", language) == callout(title, "<p>Text.</p>\n")


def test_the_marks_for_folding_are_none_of_the_title() -> None:
    assert html("> [!faq]- Fragen?\n> Ja.") == callout("Fragen?", "<p>Ja.</p>\n")


@pytest.mark.parametrize(
    "text", ["[!note] Text", "> \\[!note] Text", "> Erst.\n> [!note]", "> `[!note]`"]
)
def test_elsewhere_the_mark_is_text(text: str) -> None:
    assert "callout" not in html(text)
