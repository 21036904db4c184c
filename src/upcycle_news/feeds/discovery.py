"""Feed autodiscovery: the feeds a web page links to, else the paths where feeds usually are."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.urls import BadLinkError, safe_link

# Links to feeds are in the head of a page; what comes later is not searched.
MAX_SEARCHED = 500_000  # bytes
MAX_LINKS = 20
COMMON_PATHS = (
    "feed", "feed/", "rss", "rss.xml", "feed.xml", "atom.xml", "index.xml", "feed.json",
    "?format=feed&type=rss",
)  # fmt: skip
_TYPES = re.compile(
    r"application/(?:rss\+xml|atom\+xml|feed\+json|json|rdf\+xml|xml)|text/xml", re.IGNORECASE
)
_LINK = re.compile(r"<(?:link|a)\s([^<>]{1,2000})>", re.IGNORECASE)
_BASE = re.compile(r"<base\s[^<>]{0,500}?href\s*=\s*[\"']?([^\"'\s>]{1,1000})", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"([a-z-]{1,20})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)


@dataclass(frozen=True)
class FeedLink:
    """The address of a possible feed, and its title in the page."""

    url: str
    title: str = ""


def autodiscover_feeds(page: bytes, url: str) -> tuple[FeedLink, ...]:
    """Return the feeds a page links to with ``<link rel="alternate" type="…">``."""
    text = page[:MAX_SEARCHED].decode("utf-8", "replace")
    base_tag = _BASE.search(text)
    base = urljoin(url, html.unescape(base_tag[1])) if base_tag else url
    links: dict[str, FeedLink] = {}
    for attributes in _links(text):
        rel = attributes.get("rel", "").lower().split()
        if "alternate" not in rel or not _TYPES.fullmatch(attributes.get("type", "").strip()):
            continue
        try:
            target = safe_link(attributes.get("href", ""), base)
        except BadLinkError:
            continue
        title = truncate(normalise_whitespace(attributes.get("title", "")), 120)
        links.setdefault(target, FeedLink(target, title))
    return tuple(links.values())[:MAX_LINKS]


def common_feed_urls(url: str) -> tuple[FeedLink, ...]:
    """Return the addresses where sites usually have their feeds, the most common first."""
    root = urljoin(url, "/")
    folder = url if url.endswith("/") else url.partition("?")[0] + "/"
    bases = dict.fromkeys((folder, root))
    urls = (urljoin(base, path) for base in bases for path in COMMON_PATHS)
    return tuple(FeedLink(url) for url in dict.fromkeys(urls))[:MAX_LINKS]


def _links(text: str) -> Iterator[dict[str, str]]:
    for match in _LINK.finditer(text):
        yield {
            name.lower(): html.unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(match[1])
        }
