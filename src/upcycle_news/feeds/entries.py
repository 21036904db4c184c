"""Raw feeds and entries: the common form of RSS, Atom and JSON Feed before items are made of them."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.text.html_text import headline_to_text, html_to_lines, looks_like_html
from upcycle_news.text.sanitize import normalise_whitespace

MAX_BODY = 15 * 1024 * 1024
MAX_ENTRIES = 500
MAX_TITLE = 300
MAX_TITLE_MARKUP = 10_000
MAX_SUMMARY = 2000
MAX_READ = MAX_SUMMARY + 500  # characters of text that are read out of an entry


@dataclass(frozen=True)
class RawText:
    """A text as the feed sent it. `html` None: the format does not say and it must be guessed."""

    value: str
    html: bool | None

    def headline(self) -> str:
        """Return it as one line of plain text, read as a headline, decoded exactly once."""
        value = self.value[:MAX_TITLE_MARKUP]
        return headline_to_text(value) if self._is_html(value) else normalise_whitespace(value)

    def lines(self) -> tuple[str, ...]:
        """Return its lines as plain text, decoded exactly once; a block of HTML is a line."""
        text = html_to_lines(self.value, MAX_READ) if self._is_html(self.value) else self.value
        lines = map(normalise_whitespace, text[: 4 * MAX_READ].splitlines())
        return tuple(line for line in lines if line)

    def _is_html(self, value: str) -> bool:
        return looks_like_html(value) if self.html is None else self.html


@dataclass(frozen=True)
class RawLink:
    """A link of an entry as it was written; `base` is what it is relative to, if the feed says so.

    `rel` is a registered name of RFC 8288 in lower case; a link of RSS is an alternate.
    """

    href: str
    rel: str = "alternate"
    type: str = ""
    language: str = ""
    base: str = ""


@dataclass(frozen=True)
class RawEntry:
    """One entry: `titles`, `texts` and `dates` are candidates, each best first.

    `permalink` tells whether the id is declared to be the entry's address, or not declared not to be
    (RSS 2.0, guid). `updated` is the raw date of the last change. `images` are address, width and
    height as they were written. `contents` are those of the `texts` that the format means for the whole
    text, `summaries` those for a summary; `authors` and `categories` are plain.
    """

    id: str
    titles: tuple[RawText, ...]
    texts: tuple[RawText, ...]
    dates: tuple[str, ...]
    links: tuple[RawLink, ...] = ()
    permalink: bool = True
    updated: str = ""
    language: str = ""
    images: tuple[tuple[str, str, str], ...] = ()
    contents: tuple[RawText, ...] = ()
    summaries: tuple[RawText, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawFeed:
    """A parsed body. An empty `format` means that it is no feed.

    `base` is the address the feed itself gives, `page` the address of its web page, `language` what
    it says to be written in; `problems` are sentences for the editor.
    """

    format: str
    title: RawText
    entries: tuple[RawEntry, ...]
    problems: tuple[str, ...] = ()
    base: str = ""
    page: str = ""
    language: str = ""
    complete: bool = True
