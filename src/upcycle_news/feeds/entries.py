"""Entries of feeds before they are judged: the common form of RSS, Atom and JSON Feed."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.text.sanitize import from_html, looks_like_html, tidy

MAX_BODY = 15 * 1024 * 1024
MAX_ENTRIES = 500
MAX_ENTRY = 200_000
# A summary needs 2,000 characters; cleaning 200 kB of nested tags for it would take seconds.
MAX_CLEANED = 10_000
MAX_TITLE = 300
MAX_SUMMARY = 2000


@dataclass(frozen=True)
class Text:
    """A text as the feed gave it. `html` None: the format leaves it to the reader to guess."""

    value: str
    html: bool | None

    def plain(self) -> str:
        """Return it as one line of plain text, decoded exactly once."""
        value = self.value[:MAX_CLEANED]
        html = looks_like_html(value) if self.html is None else self.html
        return from_html(value) if html else tidy(value)


@dataclass(frozen=True)
class Entry:
    """One entry: `texts` are candidates for the summary, `dates` raw dates, both best first.

    `images` are address, width and height as they were written.
    """

    id: str
    link: str
    title: Text
    texts: tuple[Text, ...]
    dates: tuple[str, ...]
    base: str = ""
    images: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Entries:
    """What a parser made of a body. An empty `format` means that it is no feed.

    `base` is where the feed itself says it lives.
    """

    format: str
    title: Text
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    base: str = ""
