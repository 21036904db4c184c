"""Our reading beside feedparser's own: every difference is one that docs/feeds.md lists.

feedparser reads with its defaults off (no sanitiser, no resolving), as it was used before there was an
own reading of entries. The bodies are our cases, the demo's feeds, and feeds made at random.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import feedparser
import pytest

from upcycle_news.feeds.boilerplate import folded
from upcycle_news.feeds.parser import parse_feed
from upcycle_news.models import Feed
from upcycle_news.text.html_text import html_to_text

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
URL = "https://feed.example/feed.xml"
FEEDS = [
    *sorted((ROOT / "tests/feeds/cases/read").glob("*.xml")),
    *sorted((ROOT / "src/upcycle_news/demo/feeds").glob("*.xml")),
]


@dataclass(frozen=True)
class Entry:
    """What both readings make of an entry."""

    title: str
    link: str
    summary: str


def by_feedparser(body: bytes) -> list[Entry]:
    parsed = feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-location": URL, "content-type": "application/xml"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    return [
        Entry(
            html_to_text((entry.get("title_detail") or {}).get("value", "")),
            entry.get("link", ""),
            html_to_text((entry.get("summary_detail") or {}).get("value", "")),
        )
        for entry in parsed.entries
    ]


def by_us(body: bytes) -> list[Entry]:
    feed = Feed("Quelle", URL)
    parsed = parse_feed(body, url=URL, content_type="application/xml", feed=feed, now=NOW)
    return [Entry(item.title, item.link, item.summary) for item in parsed.items]


def differences(body: bytes) -> set[str]:
    """Return which parts of the entries differ: "count", or "title", "link", "summary"."""
    theirs, ours = by_feedparser(body), by_us(body)
    if len(theirs) != len(ours):
        return {"count"}
    return {
        name
        for first, second in zip(theirs, ours, strict=True)
        for name in ("title", "link", "summary")
        if folded(getattr(first, name)) != folded(getattr(second, name))
    }


# What differs on purpose, by file; each has its row in docs/feeds.md, "Where reading differs".
JUDGED = {
    "atom-hreflang.xml": {"link"},
    "atom-rel-as-iri.xml": {"link"},
    "atom-same-id.xml": {"count"},
    "author-link-in-item.xml": {"link"},
    "control-script-with-end.xml": set(),
    "control-trailer-with-title.xml": {"summary"},
    "dc-title-first.xml": {"title"},
    "entities-doctype-same-line.xml": {"title", "summary"},
    "eszett-host.xml": {"link"},
    "image-title-in-item.xml": {"title"},
    "link-with-uri-attribute.xml": {"link"},
    "media-description-before-text.xml": {"summary"},
    "no-link-but-enclosure.xml": {"link"},
    "one-bad-byte.xml": {"title", "summary"},
    "one-latin1-item.xml": {"title", "summary"},
    "reference-too-big.xml": {"count"},
    "says-utf16-is-utf8.xml": {"count"},
    "selfclosed-iframe-titleless.xml": {"title", "summary"},
    "sentence-with-read-on.xml": {"title", "summary"},
    "surrogate-pair.xml": {"count"},
    "title-names-a-tag.xml": {"title"},
}


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.name)
def test_a_difference_to_feedparser_is_a_judged_one(path: Path) -> None:
    try:
        found = differences(path.read_bytes())
    except ValueError:  # feedparser cannot parse it at all
        found = {"count"}
    assert found == JUDGED.get(path.name, set())


def test_every_kind_of_difference_is_judged_in_the_documentation() -> None:
    text = (ROOT / "docs/feeds.md").read_text(encoding="utf-8")
    section = text.partition("## Where reading differs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert len(rows) >= 12
    assert all(ours.strip() and why.strip() for _, ours, why in rows)


WORDS = "Hof Tor Garten Mühle Straße Größe Dach Holz Lehm Bäume Öl & Ähre Wagen „Rad“ 5 § – café".split()  # noqa: SIM905


def random_feeds(count: int, seed: int) -> Iterator[bytes]:
    """Yield sound feeds: RSS and Atom, with markup escaped, in CDATA, and in-line."""
    choose = random.Random(seed)

    def words(least: int, most: int) -> str:
        return " ".join(choose.choices(WORDS, k=choose.randint(least, most))).replace("&", "&amp;")

    for _ in range(count):
        atom = choose.random() < 0.5
        rows = []
        for number in range(choose.randint(0, 6)):
            title, text = f"Nr. {number} {words(1, 5)}", f"{words(3, 20)}."
            link = f"https://x.example/{number}?a=1&amp;b={number}"
            date = f"2026-11-{choose.randint(1, 20):02}T08:00:00Z"
            if choose.random() < 0.5:
                text = f"<p>{text}</p><p><b>{words(1, 4)}</b>.</p>"
            markup = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            if choose.random() < 0.5:
                markup = f"<![CDATA[{text}]]>"
            if atom:
                rows.append(
                    f"<entry><id>urn:x:{number}</id><title>{title}</title><link href='{link}'/>"
                    f"<updated>{date}</updated><summary type='html'>{markup}</summary></entry>"
                )
            else:
                rows.append(
                    f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
                    f"<pubDate>{date}</pubDate><description>{markup}</description></item>"
                )
        inner = "".join(rows)
        text = (
            f"<feed xmlns='http://www.w3.org/2005/Atom'><title>Q</title>{inner}</feed>"
            if atom
            else f"<rss version='2.0'><channel><title>Q</title>{inner}</channel></rss>"
        )
        encoding = choose.choice(("utf-8", "utf-8", "windows-1252", "utf-16"))
        yield f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)


def test_sound_feeds_are_read_as_feedparser_reads_them() -> None:
    for body in random_feeds(200, seed=11):
        assert differences(body) == set(), body
