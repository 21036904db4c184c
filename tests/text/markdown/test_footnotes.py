"""Footnotes as the parser leaves them to mail and text part."""

from __future__ import annotations

import pytest

from upcycle_news.rendering.markdown import parse, to_html
from upcycle_news.rendering.plaintext import to_text


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("Wort[^1] und[^2]\n\n[^1]: Außen\n\n    [^2]: Innen", "Wort¹ und²|¹ Außen|² Innen"),
        ("a[^1] b[^2]\n\n[^1]: Eins.\n[^2]: Zwei.", "a¹ b²|¹ Eins.|² Zwei."),
        ("Wort[^1]\n\n[^1]: 1. * [^1]: Innen", "Wort¹|¹ Innen"),
    ],
)
def test_a_footnote_within_a_footnote_follows_it(body: str, shown: str) -> None:
    tokens = parse(body, language="de")
    text, _ = to_text(tokens, image_label="Bild")
    assert to_html(tokens, {}, "de")
    lines = [line for line in text.split("\n") if line.strip("-")]
    assert "|".join(lines) == shown


def test_footnotes_are_set_as_the_text_is() -> None:
    tokens = parse(
        'Wort.[^1]\n\n[^1]: Siehe "Plan" der Händler*innen\n    7. März 1931', language="de"
    )
    text, _ = to_text(tokens, image_label="Bild")
    assert text.endswith("¹ Siehe „Plan“ der Händler*innen\n  7. März 1931")


def test_a_list_within_a_footnote_stays_there() -> None:
    body = "Wort.[^1]\n\n[^1]: Mit Liste:\n\n    - eins\n    - zwei\n\nEnde."
    text, _ = to_text(parse(body, language="de"), image_label="Bild")
    assert text.split("\n") == [
        "Wort.¹",
        "",
        "Ende.",
        "",
        "-" * 20,
        "¹ Mit Liste:",
        "  - eins",
        "  - zwei",
    ]
