"""Feed autodiscovery: the feeds a web page names, else the paths where feeds usually are.

A page is read as browsers read it: what stands in a comment, a script or a template is not there, and
the value of an attribute may hold ``>``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from upcycle_news.feeds.encoding import decode_body
from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import BadLinkError, safe_link, without_feed_scheme

MAX_SEARCHED = 500_000  # bytes
MAX_LINKS = 20
COMMON_PATHS = (
    "feed", "feed/", "rss", "rss.xml", "feed.xml", "atom.xml", "index.xml", "feed.json",
    "?format=feed&type=rss",
)  # fmt: skip
_CHARSET = re.compile(rb"<meta\s[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
# Media types without their parameters (RFC 9110, 8.3.1); "text/rss" and "x-rss" never were registered.
_FEED_TYPE = re.compile(r"(?:application|text)/(?:x-)?(?:rss|atom|rdf|feed)(?:\W?(?:xml|json))?")
_WEAK_TYPES = frozenset({"application/json", "application/xml", "text/xml"})
_SAYS_FEED = re.compile(r"\b(?:rss|atom|feeds?|newsfeeds?|webfeeds?)\b", re.IGNORECASE)
_FEED_PATH = re.compile(
    r"(?:^|[/._?=&-])(?:rss|atom|feeds?|rdf)(?:[/._?=&-]|\d|$)|\.(?:rss|atom|rdf)$", re.IGNORECASE
)
_COMMENTS = re.compile(
    r"\b(?:comments?|kommentar\w*|commentaires?|comentarios?|comentários?|commenti|reacties|replies)\b"
    r"|comments?[-_]|(?<=[/=._-])kommentare?",
    re.IGNORECASE,
)
# Their contents are text or another document (HTML, 13.2.5 and 4.12.3).
_OPAQUE = frozenset({"iframe", "noembed", "noframes", "template", "textarea", "title", "xmp"})
_REFRESH = re.compile(
    r"\s*(?:\d+(?:\.\d*)?|\.\d+)\s*[;,\s]\s*(?:url\s*=\s*)?+(?:\"([^\"]*)|'([^']*)|(\S.*))",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class FeedLink:
    """The address of a possible feed, and what its page says about it: title and language."""

    url: str
    title: str = ""
    language: str = ""


@dataclass(frozen=True)
class WebPage:
    """What a page says about feeds: those it announces in its head, and plain links that say RSS.

    `refresh` is the address that a ``<meta http-equiv="refresh">`` leads to, empty without one.
    """

    announced: tuple[FeedLink, ...] = ()
    linked: tuple[FeedLink, ...] = ()
    refresh: str = ""
    language: str = ""


def read_page(page: bytes, url: str, content_type: str = "") -> WebPage:
    """Return what a web page that was fetched from `url` says about feeds."""
    reader = _PageReader()
    # Not closed: what is open at the end, such as a comment, hides the rest, as in a browser.
    reader.feed(_page_text(page[:MAX_SEARCHED], content_type))
    base = urljoin(url, reader.base) if reader.base else url
    announced = [(_announced(tag), tag) for tag in reader.links]
    linked = [(_linked(tag, url), tag) for tag in reader.anchors]
    return WebPage(
        _feed_links(announced, base),
        _feed_links(linked, base),
        _usable(reader.refresh, base),
        reader.language,
    )


def likeliest_first(
    links: Sequence[FeedLink], language: str, page_language: str
) -> tuple[FeedLink, ...]:
    """Return links in the order in which they are wanted: comments last, the right language first.

    That is the publication's, then what names none, then the page's own, then any other; a page's order
    decides between equals.
    """

    def rank(link: FeedLink) -> tuple[bool, int]:
        own = base_language(link.language)
        languages = [base_language(language), "", base_language(page_language)]
        about = f"{link.title} {urlsplit(link.url).path} {urlsplit(link.url).query}"
        comments = bool(_COMMENTS.search(about))
        return comments, languages.index(own) if own in languages else len(languages)

    return tuple(sorted(links, key=rank))


def common_feed_urls(url: str) -> tuple[FeedLink, ...]:
    """Return the addresses where sites usually have their feeds, the most common first."""
    root = urljoin(url, "/")
    folder = url if url.endswith("/") else url.partition("?")[0] + "/"
    bases = dict.fromkeys((folder, root))
    urls = (urljoin(base, path) for base in bases for path in COMMON_PATHS)
    return tuple(FeedLink(url) for url in dict.fromkeys(urls))[:MAX_LINKS]


class _Tag(NamedTuple):
    """A link of a page: its attributes, and the words that stand for it."""

    attributes: dict[str, str]
    words: str


@dataclass
class _Anchor:
    attributes: dict[str, str]
    words: list[str] = field(default_factory=list)


class _PageReader(HTMLParser):
    """Collects the tags that may lead to feeds, in the order of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[_Tag] = []
        self.anchors: list[_Tag] = []
        self.base = self.refresh = self.language = ""
        self._opaque = ""
        self._noscript = False
        self._anchor: _Anchor | None = None

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Return where a comment ends (HTML, 13.2.5.43 to 51), -1 when it does not."""
        end = re.compile(r"-?>").match(self.rawdata, i + 4)
        end = end or re.compile(r"--!?>").search(self.rawdata, i + 4)
        return end.end() if end else -1

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Return where ``<![…`` ends, which in HTML is a comment up to ``>`` (13.2.5.42)."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._opaque:
            return
        attributes = {name: value or "" for name, value in reversed(attrs)}  # the first one counts
        if tag in _OPAQUE:
            self._opaque = tag
        elif tag == "noscript":
            self._noscript = True
        elif tag == "html":
            self.language = attributes.get("lang") or attributes.get("xml:lang", "")
        elif tag == "base":
            self.base = self.base or attributes.get("href", "").strip()
        elif tag == "meta":
            self._meta(attributes)
        elif tag == "link":
            self.links.append(_Tag(attributes, attributes.get("title", "")))
        elif tag == "a":
            self._end_anchor()
            self._anchor = _Anchor(attributes)
        elif tag == "img" and self._anchor:
            self._anchor.words += [attributes.get("alt", ""), attributes.get("title", "")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _OPAQUE:  # written as XHTML, it has no contents
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._opaque:
            self._opaque = ""
        elif tag == "noscript":
            self._noscript = False
        elif tag == "a" and not self._opaque:
            self._end_anchor()

    def handle_data(self, data: str) -> None:
        if self._anchor and not self._opaque:
            self._anchor.words.append(data)

    def _meta(self, attributes: dict[str, str]) -> None:
        # A browser that runs scripts sees nothing of what is in noscript.
        is_refresh = attributes.get("http-equiv", "").strip().lower() == "refresh"
        if is_refresh and not self._noscript and not self.refresh:
            match = _REFRESH.match(attributes.get("content", ""))
            self.refresh = (match[1] or match[2] or match[3] or "").strip() if match else ""

    def _end_anchor(self) -> None:
        anchor, self._anchor = self._anchor, None
        if anchor is not None:
            named = (anchor.attributes.get(name, "") for name in ("title", "aria-label"))
            words = normalise_whitespace(" ".join((*anchor.words, *named)))
            self.anchors.append(_Tag(anchor.attributes, words[:500]))


def _page_text(page: bytes, content_type: str) -> str:
    """Decode a page as its header or its own ``<meta charset>`` says (HTML, 13.2.3.2)."""
    if "charset" not in content_type.lower() and (declared := _CHARSET.search(page[:4096])):
        content_type = f"text/html; charset={declared[1].decode('ascii', 'replace')}"
    return decode_body(page, content_type).text


def _announced(tag: _Tag) -> int | None:
    """Rank a ``<link>``: 0 where its type or relation is that of a feed, 1 where it may be; else None."""
    relations = tag.attributes.get("rel", "").lower().split()
    kind = tag.attributes.get("type", "").partition(";")[0].strip().lower()
    if {"stylesheet", "self"} & set(relations):
        return None
    if _FEED_TYPE.fullmatch(kind) or ("feed" in relations and kind != "text/html"):
        return 0
    if "alternate" not in relations:
        return None
    if kind in _WEAK_TYPES:
        return 1
    says = _SAYS_FEED.search(tag.words) or _FEED_PATH.search(tag.attributes.get("href", ""))
    return 1 if says and not kind else None


def _linked(tag: _Tag, page: str) -> int | None:
    """Rank a plain link: 0 where its words and its address say that it is a feed, 1 where one does.

    A link to another site comes after those to the page's own.
    """
    href = tag.attributes.get("href", "").strip()
    in_words = bool(_SAYS_FEED.search(tag.words))
    in_address = bool(_FEED_PATH.search(href)) or without_feed_scheme(href) != href
    if not (in_words or in_address):
        return None
    host = urlsplit(page).hostname or ""
    try:
        foreign = (urlsplit(urljoin(page, href)).hostname or host) != host
    except ValueError:
        return None
    return (not (in_words and in_address)) + 2 * foreign


def _feed_links(ranked: Sequence[tuple[int | None, _Tag]], base: str) -> tuple[FeedLink, ...]:
    links: dict[str, FeedLink] = {}
    chosen = [(rank, tag) for rank, tag in ranked if rank is not None]
    for _, tag in sorted(chosen, key=lambda pair: pair[0]):
        href = tag.attributes.get("href", "")
        if href.strip() and (url := _usable(href, base)):
            title = truncate(normalise_whitespace(tag.words), 120)
            links.setdefault(url, FeedLink(url, title, tag.attributes.get("hreflang", "").strip()))
    return tuple(links.values())[:MAX_LINKS]


def _usable(href: str, base: str) -> str:
    """Return the absolute address of a link, empty for what is none."""
    try:
        return safe_link(without_feed_scheme(href), base) if href.strip() else ""
    except BadLinkError:
        return ""
