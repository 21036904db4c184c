"""Shortcodes are told from words in brackets."""

from __future__ import annotations

import pytest

from upcycle_news.content.posts.shortcodes import find_shortcodes, shortcode_names


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in find_shortcodes(text, shortcode_names(text))]


@pytest.mark.parametrize(
    "code",
    [
        '[gallery ids="1,2"]', "[gallery]", "[contact-form-7 id=“12″ title=“Kontakt“]", "[toc]",
        "[video width='640' src=x.mp4]", '[newsletter_form lists="1"]', '[su_box title="Tipp" /]',
    ],
)  # fmt: skip
def test_a_shortcode_is_found(code: str) -> None:
    assert found(f"Davor {code} danach.") == [code]


def test_what_a_shortcode_encloses_stays() -> None:
    text = '[caption id="1" width="300"]Das Tor[/caption] und [zitat]Ein Satz.[/zitat]'
    assert found(text) == ['[caption id="1" width="300"]', "[/caption]", "[zitat]", "[/zitat]"]


@pytest.mark.parametrize(
    "text",
    [
        "Das steht so da [sic].", "Siehe [1] und [Müller 2024, S. 3].", "[…]", "[Anm. d. Red.]",
        "Er sagte: [lacht] Nein.", "x[i] = y[i]", "[/b]", "a [b] c [d] e", "[ ] offen",
    ],
)  # fmt: skip
def test_words_in_brackets_are_none(text: str) -> None:
    assert found(text) == []
