"""Raw feeds and entries: the common form of RSS, Atom and JSON Feed before items are made of them."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.text.sanitize import html_to_text, looks_like_html, normalise_whitespace

MAX_BODY = 15 * 1024 * 1024
MAX_ENTRIES = 500
MAX_ENTRY = 200_000
# A summary needs 2,000 characters; cleaning 200 kB of nested tags for it would take seconds.
MAX_CLEANED = 10_000
MAX_TITLE = 300
MAX_SUMMARY = 2000


@dataclass(frozen=True)
class RawText:
    """A text as the feed sent it. `html` None: the format does not say and it must be guessed."""

    value: str
    html: bool | None

    def plain(self) -> str:
        """Return it as one line of plain text, decoded exactly once."""
        value = self.value[:MAX_CLEANED]
        html = looks_like_html(value) if self.html is None else self.html
        return html_to_text(value) if html else normalise_whitespace(value)


@dataclass(frozen=True)
class RawEntry:
    """One entry: `texts` are candidates for the summary, `dates` raw dates, both best first.

    `images` are address, width and height as they were written.
    """

    id: str
    link: str
    title: RawText
    texts: tuple[RawText, ...]
    dates: tuple[str, ...]
    base: str = ""
    images: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class RawFeed:
    """A parsed body. An empty `format` means that it is no feed.

    `base` is the address the feed itself gives, `problems` are sentences for the editor.
    """

    format: str
    title: RawText
    entries: tuple[RawEntry, ...]
    problems: tuple[str, ...] = ()
    base: str = ""
