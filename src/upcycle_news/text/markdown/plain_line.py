"""A line of Markdown as plain words; the parser is imported only for a line that has marks."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"[*_`\[=~&<\\]")


def plain_line(text: str, language: str) -> str:
    """Return a title or a summary as plain words: without Markdown's marks, with entities decoded.

    What is no mark stays: ``R&D``, ``2 * 3``, ``?a=1&copy=2``. Typography is not applied.
    """
    if not _MARKUP.search(text):
        return text
    from upcycle_news.text.markdown.parser import parse_line

    return parse_line(text, language)
