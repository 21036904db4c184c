"""Footnotes as the parser leaves them to mail and text part."""

from __future__ import annotations

import pytest

from upcycle_news.rendering.markdown import parse, to_html
from upcycle_news.rendering.plaintext import to_text


@pytest.mark.parametrize(
    "body",
    ["Wort[^1]\n\n[^1]: 1. * [^1]: Innen", "Wort[^1]\n\n[^1]: Außen\n\n    [^2]: Innen", "[^1]\n\n- [^1]: Note"],
)  # fmt: skip
def test_a_footnote_within_a_footnote_tears_nothing_apart(body: str) -> None:
    tokens = parse(body, language="de")
    text, _ = to_text(tokens, image_label="Bild")
    assert to_html(tokens, {}, "de")
    assert text.split()[-1] in ("Innen", "Note")


def test_footnotes_are_set_as_the_text_is() -> None:
    tokens = parse('Wort.[^1]\n\n[^1]: Siehe "Plan" der Händler*innen\n    7. März 1931', language="de")
    text, _ = to_text(tokens, image_label="Bild")
    assert text.endswith("¹ Siehe „Plan“ der Händler*innen\n  7. März 1931")
