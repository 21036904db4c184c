"""Parsing as tests of the rules read it: HTML by markdown-it's own renderer."""

from __future__ import annotations

from upcycle_news.text.markdown.parser import markdown_parser, parse_body


def html(body: str, language: str = "de", **head: str) -> str:
    """Return the HTML of a body on one line for each element."""
    parser = markdown_parser(language)
    fragment: str = parser.renderer.render(
        parse_body(body, language=language, **head), parser.options, {}
    )
    return fragment.replace("<br />\n", "<br />").strip()


def line(text: str, language: str = "de") -> str:
    """Return the HTML of a text that is one paragraph, without its tags."""
    fragment = html(text, language)
    assert fragment.startswith("<p>")
    assert fragment.endswith("</p>")
    return fragment[3:-4]
