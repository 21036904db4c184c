"""Sentences with addresses as Markdown: each link is the address, whatever stands around it."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from upcycle_news.text.escaped_markdown import escape_markdown, markdown_of_sentence


def links(markdown: str) -> list[str]:
    """Return where the links of a text lead, in CommonMark with bare addresses as links, too."""
    reader = MarkdownIt("gfm-like", {"linkify": False})
    return [
        str(token.attrs["href"])
        for block in reader.parse(markdown)
        for token in block.children or ()
        if token.type == "link_open"
    ]


@pytest.mark.parametrize(
    ("sentence", "address"),
    [
        ("Der Link „http://a.example/plan“ ist nicht sicher.", "http://a.example/plan"),
        ("the link “https://a.example/x_y_z” is dead", "https://a.example/x_y_z"),
        ("the link 'https://a.example/x' is dead", "https://a.example/x"),
        ("« https://a.example/x », »https://a.example/x«", "https://a.example/x"),
        ("(see https://a.example/x).", "https://a.example/x"),
        ("https://a.example/wiki/Bau_(Haus), zweimal", "https://a.example/wiki/Bau_(Haus)"),
        ("Mit *Stern* und [Klammer](https://a.example/x)", "https://a.example/x"),
        ("am Ende: HTTPS://a.example/x?b=1&c=2", "HTTPS://a.example/x?b=1&c=2"),
    ],
)
def test_an_address_is_a_link_without_its_quotation_marks(sentence: str, address: str) -> None:
    markdown = markdown_of_sentence(sentence)
    assert f"<{address}>" in markdown
    assert {link.lower() for link in links(markdown)} == {address.lower()}


@pytest.mark.parametrize(
    "sentence", ["Schreiben Sie https://, nicht http://.", "<b>&amp; | *x*", ""]
)
def test_a_sentence_without_an_address_has_no_link(sentence: str) -> None:
    assert markdown_of_sentence(sentence) == escape_markdown(sentence)
