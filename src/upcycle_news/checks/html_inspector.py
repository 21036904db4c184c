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
class Link:
    """An ``a`` element: where it leads, what it is called (to a screen reader), its line."""

    address: str | None
    line: int
    name: str = ""


@dataclass(frozen=True)
class Image:
    """An ``img`` element; None for attributes that are not there."""

    source: str
    alt: str | None
    width: str | None
    line: int


@dataclass(frozen=True)
class ExternalResource:
    """An address that is fetched as soon as the mail is opened."""

    address: str
    line: int


@dataclass(frozen=True)
class Heading:
    """A heading and its level, 1 to 6."""

    level: int
    line: int


@dataclass
class HtmlDocument:
    """What stands in an HTML part; `anchors` are the places that links inside it may lead to."""

    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    resources: list[ExternalResource] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    words: str = ""

    @property
    def addresses(self) -> list[str]:
        """Where the links lead, each once."""
        return list(dict.fromkeys(link.address for link in self.links if link.address))

    def says(self, text: str) -> bool:
        """Whether the page shows a text, whatever its white space."""
        return _spaced(text) in self.words


def inspect_html(html: str) -> HtmlDocument:
    """Parse an HTML part; never fails, as mail programs never do."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.words = _spaced(" ".join(reader.text))
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = HtmlDocument()
        self.text: list[str] = []
        self.unseen = ""
        self.link: Link | None = None
        self.labelled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        line = self.getpos()[0]
        if tag == "a" and "name" not in values:
            self.labelled = bool(values.get("aria-label"))
            self.link = Link(values.get("href"), line, values.get("aria-label") or "")
            self.page.links.append(self.link)
        elif tag == "img":
            alt = values.get("alt", "") or "" if "alt" in values else None
            width = values.get("width")
            self.page.images.append(Image(values.get("src") or "", alt, width, line))
            self._name(alt or "")
        elif re.fullmatch(r"h[1-6]", tag):
            self.page.headings.append(Heading(int(tag[1]), line))
        for name, value in attrs:
            self._look_at(tag, name, value or "", line)
        if tag in ("style", "title", "script"):
            self.unseen = tag

    def _look_at(self, tag: str, name: str, value: str, line: int) -> None:
        found: list[str] = []
        if name == "id" or (tag, name) == ("a", "name"):
            self.page.anchors.add(value)
        elif (tag, name) in _LOADING or name == "background":
            found = [value]
        elif name == "srcset":
            found = [part.split()[0] for part in value.split(",") if part.split()]
        elif name == "style":
            found = _addresses(value)
        self.page.resources += [ExternalResource(address, line) for address in found]

    def handle_endtag(self, tag: str) -> None:
        if tag == self.unseen:
            self.unseen = ""
        elif tag == "a":
            self.link = None

    def handle_data(self, data: str) -> None:
        if self.unseen == "style":
            line = self.getpos()[0]
            self.page.resources += [ExternalResource(address, line) for address in _addresses(data)]
        elif not self.unseen:
            self.text.append(data)
            self._name(data)

    def _name(self, text: str) -> None:
        if self.link is not None and text.strip() and not self.labelled:
            self.link.name = f"{self.link.name} {_spaced(text)}".strip()


def _addresses(css: str) -> list[str]:
    return [first or second for first, second in _CSS_ADDRESS.findall(css)]


def _spaced(text: str) -> str:
    return " ".join(text.split())
