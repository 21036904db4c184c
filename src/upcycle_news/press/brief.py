"""How long a text takes to read, and how to say less of it."""

from __future__ import annotations

import re

from upcycle_news.press.typography import one_line

READING_SPEED = 200
"""Words a minute."""

EXCERPT = 240
"""Characters of a feed item's summary that an issue shows at the most."""

TITLE = 200
"""Characters of a feed item's title."""


def reading_minutes(body: str) -> int:
    """Minutes an essay takes to read, at least one."""
    return max(1, round(len(body.split()) / READING_SPEED))


def excerpt(summary: str, limit: int = EXCERPT) -> str:
    """Shorten to whole sentences if enough of them fit, to whole words with an ellipsis if not."""
    summary = one_line(summary)
    if len(summary) <= limit:
        return summary
    cut = summary[:limit]
    sentence = max(cut.rfind(mark) for mark in (". ", "! ", "? ", "…"))
    if sentence >= limit // 2:
        return cut[: sentence + 1]
    return cut[: cut.rfind(" ") if " " in cut else limit].rstrip(" ,;:–-(") + " …"


def foreign_text(text: str, limit: int) -> str:
    """What a feed says, so that it can neither fill the mail nor look like a template's leftover."""
    return re.sub(r"\{(?=[{%#])", "{ ", excerpt(text, limit))
