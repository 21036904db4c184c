"""A paragraph of any runs shows its words and signs, whatever they are, and no mark of Markdown."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from upcycle_news.content.manuscripts.document import Losses
from upcycle_news.content.manuscripts.inline import Piece, write_line
from upcycle_news.text.markdown.parser import markdown_parser, words

STYLES = ["bold", "italic", "strike", "code", "mark"]
TEXTS = st.text(
    alphabet=st.sampled_from(list("aÄß1 .,*_~=[]()<>&|#+-!\\\"'„“:;/@$%^{}\n\xa0")), max_size=12
)
PIECES = st.builds(
    Piece,
    text=TEXTS,
    styles=st.sets(st.sampled_from(STYLES), max_size=2).map(frozenset),
    href=st.sampled_from([None, None, None, "https://example.org/a_(b)"]),
)
# What typography sets otherwise, and white space.
_SET = re.compile(r"[\s\xa0\u202f„“”‚‘’‹›»«\"'`´,.…–—-]+")


def shown(markdown: str) -> str:
    tokens = markdown_parser("de").parse(markdown)
    return "".join(
        words(token.children) if token.children else token.content
        for token in tokens
        if token.type == "inline" or token.type in ("code_block", "fence")
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6))
@example([Piece("a"), Piece("b*c", frozenset(["bold"])), Piece("*d")])
@example([Piece("1."), Piece(" x", frozenset(["italic"]))])
@example([Piece("`a` und ``b"), Piece("`", frozenset(["bold"]))])
@example([Piece("a`b", frozenset(["code"]))])
@example([Piece("- ", frozenset(["bold"])), Piece("x")])
def test_what_is_written_is_what_is_shown(pieces: list[Piece]) -> None:
    markdown, plain = write_line(pieces, "de", Losses())
    assert _SET.sub("", shown(markdown)) == _SET.sub("", plain), markdown
    source = unicodedata.normalize("NFC", "".join(piece.text for piece in pieces))
    assert re.findall(r"[^\W_]+", plain.replace("\n", " ")) == re.findall(r"[^\W_]+", source)


@pytest.mark.parametrize(
    ("pieces", "markdown"),
    [
        ([Piece("Elf "), Piece("Familien ", frozenset(["bold"])), Piece("und mehr")], "Elf **Familien** und mehr"),
        ([Piece("a", frozenset(["bold"])), Piece(" ", frozenset()), Piece("b", frozenset(["bold"]))], "**a b**"),
        ([Piece("fett ", frozenset(["bold"])), Piece("schräg", frozenset(["bold", "italic"]))], "**fett *schräg***"),
        ([Piece("Sie sagt "), Piece('"ja"', frozenset(["italic"])), Piece(".")], "Sie sagt *„ja“*."),
        ([Piece("da", href="https://example.org/a_b")], "[da](https://example.org/a_b)"),
        ([Piece("https://example.org/a_b", href="https://example.org/a_b")],
         "[https://example.org/a_b](https://example.org/a_b)"),
        ([Piece("eins"), Piece("", kind="break"), Piece("zwei")], "eins\\\nzwei"),
        ([Piece("x", frozenset(["code"]))], "`x`"),
        ([Piece("a"), Piece("2", frozenset(["sup"])), Piece("b")], "a²b"),
        ([Piece("\uf0b7 Punkt")], "• Punkt"),
    ],
)  # fmt: skip
def test_a_paragraph_is_written_as_markdown_has_it(pieces: list[Piece], markdown: str) -> None:
    losses = Losses()
    assert write_line(pieces, "de", losses)[0] == markdown
    assert losses.notes() == ()


def test_emphasis_that_markdown_cannot_write_is_left_out_and_counted() -> None:
    losses = Losses()
    pieces = [Piece("Un"), Piece("sinn", frozenset(["italic"])), Piece("ig")]
    assert write_line(pieces, "de", losses)[0] == "Unsinnig"
    assert losses.counts == {"emphasis": 1}
