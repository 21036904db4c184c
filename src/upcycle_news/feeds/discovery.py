"""Where a web page keeps its feeds: what it says itself, else the usual places."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.urls import BadLinkError, safe_link

# The head of a page is what counts; what comes later is not searched.
SEARCHED = 500_000
MOST = 20
USUAL_PLACES = (
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
    """An address that may be a feed, and what the page calls it."""

    url: str
    title: str = ""


def autodiscover_feeds(page: bytes, url: str) -> tuple[FeedLink, ...]:
    """Return the feeds a page announces with ``<link rel="alternate" type="…">``."""
    text = page[:SEARCHED].decode("utf-8", "replace")
    base_tag = _BASE.search(text)
    base = urljoin(url, html.unescape(base_tag[1])) if base_tag else url
    found: dict[str, FeedLink] = {}
    for attributes in _links(text):
        rel = attributes.get("rel", "").lower().split()
        if "alternate" not in rel or not _TYPES.fullmatch(attributes.get("type", "").strip()):
            continue
        try:
            target = safe_link(attributes.get("href", ""), base)
        except BadLinkError:
            continue
        title = truncate(normalise_whitespace(attributes.get("title", "")), 120)
        found.setdefault(target, FeedLink(target, title))
    return tuple(found.values())[:MOST]


def common_feed_urls(url: str) -> tuple[FeedLink, ...]:
    """Return the addresses at which sites of this kind keep their feeds, the likely ones first."""
    root = urljoin(url, "/")
    folder = url if url.endswith("/") else url.partition("?")[0] + "/"
    bases = dict.fromkeys((folder, root))
    found = (urljoin(base, place) for base in bases for place in USUAL_PLACES)
    return tuple(FeedLink(place) for place in dict.fromkeys(found))[:MOST]


def _links(text: str) -> Iterator[dict[str, str]]:
    for match in _LINK.finditer(text):
        yield {
            name.lower(): html.unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(match[1])
        }
