"""Reads a finished HTML part the way a mail program does: links, pictures, words, what it loads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

# Attributes that make a mail program fetch something as soon as the mail is opened.
_LOADING = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("video", "src"),
    ("video", "poster"),
}
_CSS_ADDRESS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page:
    """What stands in an HTML part. `loads` are the addresses that are fetched on opening."""

    links: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    words: str = ""

    def says(self, text: str) -> bool:
        """Whether the page shows a text, whatever its white space."""
        return _spaced(text) in self.words


def read_page(html: str) -> Page:
    """Parse an HTML part; never fails, as mail programs never do."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.words = _spaced(" ".join(reader.text))
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.text: list[str] = []
        self.unseen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and "href" in values:
            self.page.links.append(values["href"] or "")
        if tag == "img":
            self.page.images.append((values.get("src") or "", values.get("alt")))
        for name, value in attrs:
            self._look_at(tag, name, value or "")
        if tag in ("style", "title", "script"):
            self.unseen = tag

    def _look_at(self, tag: str, name: str, value: str) -> None:
        if (tag, name) in _LOADING or name == "background":
            self.page.loads.append(value)
        elif name == "srcset":
            self.page.loads += [part.split()[0] for part in value.split(",") if part.split()]
        elif name == "style":
            self.page.loads += _addresses(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == self.unseen:
            self.unseen = ""

    def handle_data(self, data: str) -> None:
        if self.unseen == "style":
            self.page.loads += _addresses(data)
        elif not self.unseen:
            self.text.append(data)


def _addresses(css: str) -> list[str]:
    return [first or second for first, second in _CSS_ADDRESS.findall(css)]


def _spaced(text: str) -> str:
    return " ".join(text.split())
