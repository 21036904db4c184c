"""Our reading beside feedparser's own: every difference is one that docs/feeds.md lists.

feedparser reads with its defaults off (no sanitiser, no resolving), as it was used before there was an
own reading of entries. The bodies are our cases, the demo's feeds, and feeds made at random.
"""

from __future__ import annotations

import calendar
import io
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    """What both readings make of an entry; `date` is None where none could be read."""

    title: str
    link: str
    summary: str
    date: datetime | None
    guid: str


PARTS = ("title", "link", "summary", "date", "guid")


def by_feedparser(body: bytes) -> tuple[str, list[Entry]]:
    """Return the feed's title and its entries as feedparser reads them."""
    parsed = feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-location": URL, "content-type": "application/xml"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    entries = [
        Entry(
            html_to_text((entry.get("title_detail") or {}).get("value", "")),
            entry.get("link", ""),
            html_to_text((entry.get("summary_detail") or {}).get("value", "")),
            _date(entry.get("published_parsed") or dict(entry).get("updated_parsed")),
            entry.get("id", ""),
        )
        for entry in parsed.entries
    ]
    return html_to_text(parsed.feed.get("title", "")), entries


def _date(parsed: Any) -> datetime | None:
    return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None


def by_us(body: bytes) -> tuple[str, list[Entry]]:
    feed = Feed("Quelle", URL)
    parsed = parse_feed(body, url=URL, content_type="application/xml", feed=feed, now=NOW)
    return parsed.title, [
        Entry(
            item.title,
            item.link,
            item.summary,
            None if item.date_source == "first seen" else item.date,
            item.guid,
        )
        for item in parsed.items
    ]


def differences(body: bytes) -> set[str]:
    """Return what differs: "feed" for its title, "count" of the entries, or one of `PARTS` of them."""
    (title, theirs), (our_title, ours) = by_feedparser(body), by_us(body)
    found = {"feed"} if folded(title) != folded(our_title) else set()
    if len(theirs) != len(ours):
        return found | {"count"}
    return found | {
        name
        for first, second in zip(theirs, ours, strict=True)
        for name in PARTS
        if _comparable(getattr(first, name)) != _comparable(getattr(second, name))
    }


def _comparable(part: str | datetime | None) -> str | datetime | None:
    return folded(part) if isinstance(part, str) else part


def atom(entry: str) -> bytes:
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>Q</title><entry>{entry}</entry></feed>".encode()


def rss(item: str) -> bytes:
    return (
        f"<rss version='2.0'><channel><title>Q</title><item>{item}</item></channel></rss>".encode()
    )


# Bodies of differences that none of the files shows.
MORE = {
    "guid-no-address": rss("<title>T</title><guid>1</guid><description>Text.</description>"),
    "rdf-about": (
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>"
        b"<channel rdf:about='https://x.example/'><title>Q</title></channel>"
        b"<item rdf:about='https://x.example/1'><title>T</title></item></rdf:RDF>"
    ),
    "atom-text-like-html": atom(
        "<id>urn:x:1</id><title type='text'>Das &lt;b>-Element</title><link href='https://x.example/1'/>"
    ),
    "german-date": rss(
        "<title>T</title><link>https://x.example/1</link><pubDate>Mo, 05. Okt 2026 10:00 MESZ</pubDate>"
    ),
}

# What differs on purpose: the row of docs/feeds.md, "Where reading differs", and what differs.
JUDGED = {
    "atom-hreflang.xml": ("several alternates", {"link"}),
    "atom-rel-as-iri.xml": ("`rel` as an IRI of IANA", {"link"}),
    "atom-same-id.xml": ("entries with one id", {"count"}),
    "author-link-in-item.xml": ("an author's link, a picture's title", {"link"}),
    "control-dates-day-first.xml": ("dates in figures", {"date"}),
    "control-far-future.xml": ("a date years ahead", {"date"}),
    "control-trailer-with-title.xml": ("titleless entries, trailers", {"summary"}),
    "dates-iso-loose.xml": ("dates in loose forms", {"date"}),
    "dates-us.xml": ("dates in figures", {"date"}),
    "dc-title-first.xml": ("`dc:title` before `title`", {"title"}),
    "entities-doctype-same-line.xml": ("entities under a DOCTYPE", {"title", "summary"}),
    "eszett-host.xml": ("hosts with `ß`", {"link"}),
    "image-title-in-item.xml": ("an author's link, a picture's title", {"title"}),
    "link-with-uri-attribute.xml": ("`url` or `uri` attributes of `link`", {"link"}),
    "media-description-before-text.xml": ("a media description before the text", {"summary"}),
    "no-link-but-enclosure.xml": ("no link", {"link"}),
    "one-bad-byte.xml": ("one broken byte", {"title", "summary"}),
    "one-latin1-item.xml": ("one broken byte", {"title", "summary"}),
    "reference-too-big.xml": ("references beyond Unicode, surrogates", {"raises"}),
    "says-utf16-is-utf8.xml": ("UTF-16 declared over UTF-8", {"count", "feed"}),
    "selfclosed-iframe-titleless.xml": ("titleless entries, trailers", {"title", "summary"}),
    "sentence-with-read-on.xml": ("titleless entries, trailers", {"title", "summary"}),
    "surrogate-pair.xml": ("references beyond Unicode, surrogates", {"raises"}),
    "title-names-a-tag.xml": ("headlines that speak of tags", {"title"}),
    "guid-no-address": ("an Atom id or RSS guid that is no address", {"count"}),
    "rdf-about": ("an RSS 1.0 item without `link`", {"link"}),
    "atom-text-like-html": ("Atom text of type `text` that looks like HTML", {"title"}),
    "german-date": ("dates in loose forms", {"date"}),
}


def found_in(body: bytes) -> set[str]:
    try:
        return differences(body)
    except ValueError:  # feedparser cannot parse it at all
        return {"raises"}


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.name)
def test_a_difference_to_feedparser_is_a_judged_one(path: Path) -> None:
    assert found_in(path.read_bytes()) == JUDGED.get(path.name, ("", set()))[1]


@pytest.mark.parametrize("name", MORE)
def test_a_difference_that_no_file_shows_is_a_judged_one(name: str) -> None:
    assert found_in(MORE[name]) == JUDGED[name][1]


def test_every_difference_is_judged_in_the_documentation_and_every_judgement_is_shown() -> None:
    text = (ROOT / "docs/feeds.md").read_text(encoding="utf-8")
    section = text.partition("## Where reading differs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)[1:]
    assert {where for where, _, _ in rows} == {row for row, _ in JUDGED.values()}
    assert all(ours.strip() and why.strip() for _, ours, why in rows)
    assert set(JUDGED) <= {*MORE, *(path.name for path in FEEDS)}


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
