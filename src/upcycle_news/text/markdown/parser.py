"""The parser of essays: CommonMark, and our rules in their order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from upcycle_news.text.markdown.callouts import callout_plugin
from upcycle_news.text.markdown.emphasis import (
    german_star_plugin,
    mark_plugin,
    typed_backticks_plugin,
)
from upcycle_news.text.markdown.fenced_blocks import fenced_blocks_plugin
from upcycle_news.text.markdown.footnotes import flat_footnotes_plugin
from upcycle_news.text.markdown.inline_typography import MARKS, typography_plugin
from upcycle_news.text.markdown.links import (
    bare_links_plugin,
    picture_widths_plugin,
    spaced_destinations_plugin,
)
from upcycle_news.text.markdown.lists import german_lists_plugin
from upcycle_news.text.markdown.paragraphs import paragraphs_plugin
from upcycle_news.text.markdown.source import prepare
from upcycle_news.text.markdown.tables import table_alignment_plugin
from upcycle_news.text.markdown.title import AUTHOR, TITLE, own_title_plugin
from upcycle_news.text.typography import base_language, one_line

MAX_NESTING = 20
"""Levels of nesting, such as quotes in lists in quotes; deeper markup is shown as text."""


def parse_body(
    body: str, *, language: str, title: str = "", author: str = "", marks: str = ""
) -> list[Token]:
    """Parse the Markdown of an essay into tokens, set by the typography of its language.

    `title` and `author` are those of the front matter: at the beginning of the body they are not
    repeated. `marks` are a publication's own quotation marks, such as ``»«›‹``.
    """
    env: dict[str, Any] = {TITLE: title, AUTHOR: author, MARKS: marks}
    return markdown_parser(language).parse(prepare(body), env)


def parse_line(text: str, language: str) -> str:
    """Return the words of one line of Markdown; see `text.markdown.plain_line`."""
    inline = _line_parser(base_language(language)).parseInline(one_line(text))[0]
    return one_line(words(inline.children or []))


def words(children: Sequence[Token], *, alt_texts: bool = True) -> str:
    """Return the text of inline tokens as it is read, line ends as spaces, without footnotes."""
    parts: list[str] = []
    for token in children:
        if token.type == "image" and alt_texts:
            parts.append(words(token.children or []))
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif token.type in ("text", "text_special", "code_inline"):
            parts.append(token.content)
    return "".join(parts)


@lru_cache(maxsize=16)
def markdown_parser(language: str) -> MarkdownIt:
    """Return the parser of essays in a language; it is shared, so it is not to be changed."""
    return build_parser(language)


def build_parser(language: str) -> MarkdownIt:
    """Return a parser of essays in a language, to add rules to."""
    base = base_language(language)
    parser = _commonmark(base).enable("table")
    parser.use(fenced_blocks_plugin)
    # Rules that follow the blocks stand directly behind them: the one that is added last comes first.
    parser.use(flat_footnotes_plugin)
    parser.use(german_lists_plugin, german=base == "de")
    parser.use(paragraphs_plugin)
    parser.use(table_alignment_plugin)
    parser.use(callout_plugin, language=base)
    parser.use(own_title_plugin)
    parser.use(spaced_destinations_plugin)
    parser.use(picture_widths_plugin)
    parser.use(typography_plugin, language=language)
    return parser


@lru_cache(maxsize=16)
def _line_parser(language: str) -> MarkdownIt:
    return _commonmark(language)


def _commonmark(language: str) -> MarkdownIt:
    """Return a parser with the inline rules of every text."""
    options = {"html": False, "xhtmlOut": True, "maxNesting": MAX_NESTING, "tasklists": True}
    parser = MarkdownIt("commonmark", options).enable("strikethrough")
    # Bad links are dropped by the renderer and reported by preflight; markdown-it would print their
    # source into the mail.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    if language == "de":
        parser.use(german_star_plugin)
    parser.use(mark_plugin)
    parser.use(typed_backticks_plugin)
    return parser.use(bare_links_plugin)
