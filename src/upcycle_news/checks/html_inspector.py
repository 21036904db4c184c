"""Parses a finished HTML part into its links, images, headings, text and external resources."""

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
    """An ``a`` element: its ``href``, its accessible name and its line."""

    url: str | None
    line: int
    name: str = ""


@dataclass(frozen=True)
class Image:
    """An ``img`` element; None for missing attributes.

    `is_decoration`: its ``role`` says that it has nothing to say (WAI-ARIA 1.2, presentation).
    """

    source: str
    alt: str | None
    width: str | None
    line: int
    is_decoration: bool


@dataclass(frozen=True)
class ExternalResource:
    """A URL that is fetched as soon as the mail is opened."""

    url: str
    line: int


@dataclass(frozen=True)
class Heading:
    """A heading and its level, 1 to 6."""

    level: int
    line: int


@dataclass
class HtmlDocument:
    """The contents of an HTML part; `anchors` are the ids that links inside it may lead to."""

    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    resources: list[ExternalResource] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    text: str = ""

    @property
    def link_urls(self) -> list[str]:
        """The targets of the links, each once."""
        return list(dict.fromkeys(link.url for link in self.links if link.url))

    def contains(self, text: str) -> bool:
        """Return whether the text occurs, whatever its white space."""
        return _collapse_whitespace(text) in self.text


def inspect_html(html: str) -> HtmlDocument:
    """Parse an HTML part; never fails, as mail programs never do."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    parser.document.text = _collapse_whitespace(" ".join(parser.text))
    return parser.document


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = HtmlDocument()
        self.text: list[str] = []
        self.hidden_element = ""
        self.link: Link | None = None
        self.labelled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        line = self.getpos()[0]
        if tag == "a" and "name" not in values:
            self.labelled = bool(values.get("aria-label"))
            self.link = Link(values.get("href"), line, values.get("aria-label") or "")
            self.document.links.append(self.link)
        elif tag == "img":
            alt = values.get("alt", "") or "" if "alt" in values else None
            width = values.get("width")
            decoration = values.get("role") in ("none", "presentation")
            self.document.images.append(
                Image(values.get("src") or "", alt, width, line, decoration)
            )
            self._add_link_name(alt or "")
        elif re.fullmatch(r"h[1-6]", tag):
            self.document.headings.append(Heading(int(tag[1]), line))
        for name, value in attrs:
            self._collect_resources(tag, name, value or "", line)
        if tag in ("style", "title", "script"):
            self.hidden_element = tag

    def _collect_resources(self, tag: str, name: str, value: str, line: int) -> None:
        urls: list[str] = []
        if name == "id" or (tag, name) == ("a", "name"):
            self.document.anchors.add(value)
        elif (tag, name) in _LOADING or name == "background":
            urls = [value]
        elif name == "srcset":
            urls = [part.split()[0] for part in value.split(",") if part.split()]
        elif name == "style":
            urls = _css_urls(value)
        self.document.resources += [ExternalResource(url, line) for url in urls]

    def handle_endtag(self, tag: str) -> None:
        if tag == self.hidden_element:
            self.hidden_element = ""
        elif tag == "a":
            self.link = None

    def handle_data(self, data: str) -> None:
        if self.hidden_element == "style":
            line = self.getpos()[0]
            self.document.resources += [ExternalResource(url, line) for url in _css_urls(data)]
        elif not self.hidden_element:
            self.text.append(data)
            self._add_link_name(data)

    def _add_link_name(self, text: str) -> None:
        if self.link is not None and text.strip() and not self.labelled:
            self.link.name = f"{self.link.name} {_collapse_whitespace(text)}".strip()


def _css_urls(css: str) -> list[str]:
    return [first or second for first, second in _CSS_ADDRESS.findall(css)]


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())
