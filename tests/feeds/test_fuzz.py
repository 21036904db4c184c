"""Bytes to items, whatever the bytes are: feeds, responses, pages and OPML that nobody would write.

The suite tries some hundred of each; `make nightly` goes on for an hour, from new seeds each time.
UPCYCLE_FUZZ_EXAMPLES says how many the suite tries.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upcycle_news.errors import ContentError
from upcycle_news.feeds.cookies import RedirectCookies
from upcycle_news.feeds.discovery import likeliest_first, read_page
from upcycle_news.feeds.http_body import BodyError, decode_body
from upcycle_news.feeds.http_response import Response, ResponseError
from upcycle_news.feeds.opml import parse_opml
from upcycle_news.feeds.parser import parse_feed
from upcycle_news.feeds.parser_sandbox import _as_json, _from_json
from upcycle_news.models import Feed
from upcycle_news.models.content import LANGUAGE
from upcycle_news.text.urls import BadLinkError, safe_link

from .clean_feed import NOW, assert_clean, assert_safe
from .hostile_bodies import item, json_feed, rss
from .test_http_response import ODD

EXAMPLES = int(os.environ.get("UPCYCLE_FUZZ_EXAMPLES", "150"))
# A round of the nightly run: a minute or so on one core.
ROUNDS, EXAMPLES_OF_A_ROUND = 60, 8_000
FEED = Feed("Baublatt", "https://bau.example/feed")
ROOT = Path(__file__).parents[2]
BODIES = [
    path.read_bytes()
    for folder in ("tests/feeds/cases/read", "src/upcycle_news/demo/feeds")
    for path in sorted((ROOT / folder).iterdir())
    if path.suffix in (".xml", ".json")
]


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


# --- strategies -----------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["<title>", "</title>", "<item>", "</item>", "<link>", "https://x.example/1", "<![CDATA[", "]]>",
     "<!--", "-->", "&amp;", "&#x0;", "&lt;b&gt;", "<script>", "\x00", "\u202e", "{{", "}}", "ä", "<", ">",
     "<guid>", "<pubDate>", "Mo, 05 Okt 2026", "<description>", "<content:encoded>", "xml:base='x:'",
     "<!DOCTYPE x [", "<!ENTITY a 'b'>", "&a;", "</mj-text>", "<entry>", "<id>", "<?xml?>", "<link href='", "'/>"]
)  # fmt: skip
TOKENS = st.sampled_from(
    [b"<", b">", b"/>", b"&", b"&#xD83D;", b"&#55357;", b"]]>", b"<!--", b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\xbd",
     b"\xef\xbb\xbf", b"<item>", b"</item>", b"<guid isPermaLink='false'>", b"<link/>", b"<link>//x.example/</link>",
     b"<updated>0000-00-00</updated>", b"<pubDate>05/11/2026 11:00 PM</pubDate>", b"<iframe/>", b"<title/>",
     b"xml:lang='en'", b"xml:base='../'", b"type='xhtml'", b"<xhtml:div>", b"encoding='utf-16'", b"1" * 400]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, bodies: list[bytes]) -> bytes:
    """Return one of `bodies` with pieces cut out, repeated, moved, replaced, or taken from another."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 120)))
        change = draw(st.sampled_from(("cut", "repeat", "move", "token", "bytes", "splice")))
        if change == "cut":
            body = body[:start] + body[end:]
        elif change == "repeat":
            body = body[:start] + body[start:end] * draw(st.integers(2, 9)) + body[end:]
        elif change == "move":
            rest = body[:start] + body[end:]
            place = draw(st.integers(0, len(rest)))
            body = rest[:place] + body[start:end] + rest[place:]
        elif change == "token":
            body = body[:start] + draw(TOKENS) + body[start:]
        elif change == "bytes":
            body = body[:start] + draw(st.binary(max_size=12)) + body[end:]
        else:
            other = draw(st.sampled_from(bodies))
            place = draw(st.integers(0, len(other)))
            body = body[:start] + other[place : place + 300] + body[end:]
    return body[:50_000]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = ["id", "url", "title", "summary", "content_html", "content_text", "date_published", "image"]
JSON_ITEMS = st.lists(
    _VALUES | st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=8), max_size=5
)

# --- what holds for all of them -------------------------------------------------------------------


def read_body(body: bytes) -> None:
    feed = parse_feed(body, url=FEED.url, content_type="", feed=FEED, now=NOW)
    assert_clean(feed)
    assert _from_json(_as_json(feed)) == feed
    again = parse_feed(body, url=FEED.url, content_type="", feed=FEED, now=later(NOW))
    assert [entry.key for entry in again.items] == [entry.key for entry in feed.items]


def later(now: datetime) -> datetime:
    """Return another time of the same second: what an item is called must not depend on it."""
    return now.replace(microsecond=1)


def read_response(data: bytes) -> None:
    def result(step: int) -> bytes | str:
        pieces = iter([data[n : n + step] for n in range(0, len(data), step)])
        try:
            response = Response(lambda: next(pieces, b""))
            codings = response.head.members("content-encoding")
            return decode_body(response.body(), codings, 100_000)
        except (ResponseError, BodyError) as error:
            assert "\n" not in str(error)
            assert 0 < len(str(error)) < 200
            return str(error)

    assert result(7) == result(1 << 20)


def read_html(page: bytes) -> None:
    found = read_page(page, FEED.url, "text/html")
    for link in likeliest_first([*found.announced, *found.linked], "de", found.language):
        assert_safe(link.url)
        assert "\n" not in link.title
    if found.refresh:
        assert_safe(found.refresh)


def read_opml(data: bytes) -> None:
    try:
        opml = parse_opml(data, "x.opml")
    except ContentError as error:
        assert error.in_language("de").startswith("x.opml")
        return
    for feed in opml.feeds:
        assert_safe(feed.url)
        assert feed.name
        assert "\n" not in feed.name
        assert "{{" not in feed.name
        assert LANGUAGE.fullmatch(feed.language)
    assert all(text.in_language("de") for text in opml.skipped)


def follow(location: str) -> None:
    try:
        url = safe_link(location, FEED.url)
    except BadLinkError as error:
        assert error.text.in_language("de")
        return
    assert_safe(url)
    cookies = RedirectCookies()
    cookies.store(url, [line.encode("utf-8", "replace") for line in location.splitlines()])
    assert not set(cookies.header(url)) & {"\r", "\n", "\0"}


PAGES = [
    b'<html lang="de"><head><base href="/a/"><meta charset="iso-8859-1"><title>H\xf6fe</title>'
    b'<link rel="alternate" type="application/rss+xml" title="Neu > alt" href="/f.xml" hreflang=de>'
    b"<!-- <link rel=feed href=x> --><meta http-equiv=refresh content='0; url=/neu'></head>"
    b"<body><![CDATA[x]]><a href='feed://x.example/rss'>RSS<img alt='Atom'></a></body></html>"
]
LISTS = [
    b'<?xml version="1.0"?><opml version="2.0"><body><outline text="Bau &amp;amp; Holz" language="german">'
    b'<outline type="rss" text="{{ A }}" xmlUrl="feed://a.example/?x=1&y=2" category="/a/b"/></outline>'
    b'<outline type="HTML+XPath" text="B&nbsp;B" xmlurl="https://b\xc3\xbc.example/"/></body></opml>'
]
TARGETS: dict[str, tuple[st.SearchStrategy[object], Callable[..., None]]] = {
    "feeds of random pieces": (
        st.lists(PIECES | st.text(max_size=12), max_size=60).map(
            lambda pieces: rss("".join(pieces).encode("utf-8", "replace").decode())
        ),
        read_body,
    ),
    "feeds that were changed": (mutated(BODIES), read_body),
    "feeds with one edit": (
        mutated([rss(item(summary="Ein Satz. Noch einer."), item("Zwei", "https://x.example/2"))]),
        read_body,
    ),
    "bytes": (st.binary(max_size=400), read_body),
    "JSON of any values": (JSON_ITEMS.map(lambda items: json_feed(items=items)), read_body),
    "responses": (mutated(list(ODD.values())), read_response),
    "pages": (mutated(PAGES), read_html),
    "lists": (mutated(LISTS), read_opml),
    "addresses": (st.text(max_size=60) | st.text("htps:/.@[]%0x7-\\?#ß。1", max_size=40), follow),
}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_read_or_refused_in_a_sentence(name: str) -> None:
    strategy, check = TARGETS[name]
    fuzz(EXAMPLES)(given(strategy)(check))()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_an_hour_of_whatever_comes_is_read_or_refused_in_a_sentence(number: int) -> None:
    names = list(TARGETS)
    # Reading feeds has the most to lose: half of the rounds are of feeds that were changed.
    name = "feeds that were changed" if number % 2 else names[number // 2 % len(names)]
    strategy, check = TARGETS[name]
    fuzz(EXAMPLES_OF_A_ROUND)(given(strategy)(check))()
