"""Hostile bodies and servers: a usable feed or one sentence, within limits, plain text in the mail."""

from __future__ import annotations

import contextlib
import html
import re
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from upcycle_news.checks.issue import preflight
from upcycle_news.curation.compose_issue import Limits, compose
from upcycle_news.feeds.fetcher import fetch_feeds
from upcycle_news.feeds.parser_sandbox import ParseLimits, ParserSandbox
from upcycle_news.feeds.results import Failed, FetchLimits
from upcycle_news.models import Feed, IssueId, Manifest
from upcycle_news.rendering.render import render

from ..rendering import sample_manifest
from .clean_feed import assert_clean
from .hostile_bodies import BODIES, item, rss

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FEED = Feed("Baublatt", "https://bau.example/feed")
LIMITS = ParseLimits(seconds=5.0, memory_bytes=512 * 1024 * 1024)


@pytest.fixture(scope="module")
def sandbox():
    with ParserSandbox(LIMITS) as sandbox:
        yield sandbox


def parse(sandbox, body, feed=FEED):
    return sandbox.parse(body, url=feed.url, content_type="application/xml", feed=feed, now=NOW)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.timeout(60)
def test_a_hostile_body_is_a_usable_feed_or_one_sentence(sandbox, name):
    feed = parse(sandbox, BODIES[name]())
    assert_clean(feed)
    if not feed.usable:
        assert len(feed.problems) == 1
        assert feed.items == ()


def test_the_corpus_is_large_enough():
    assert len(BODIES) >= 40


# In a process of its own, whose only child is the sandbox's: other tests have larger children.
MEASURE = """
import resource
from tests.feeds.test_hostile_bodies import BODIES, LIMITS, ParserSandbox, parse
with ParserSandbox(LIMITS) as sandbox:
    for body in BODIES.values():
        parse(sandbox, body())
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_no_body_makes_a_child_larger_than_its_memory_limit():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert 0 < int(done.stdout) < LIMITS.memory_bytes


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_body_that_takes_too_long_is_given_up_and_the_next_one_is_parsed():
    with ParserSandbox(ParseLimits(seconds=1.5)) as sandbox:
        feed = parse(sandbox, BODIES["many attributes"]())
        assert feed.problems == ("reading it takes longer than 1.5 seconds",)
        assert parse(sandbox, rss(item())).usable


def test_a_body_that_takes_too_much_memory_is_given_up_and_the_next_one_is_parsed():
    with ParserSandbox(ParseLimits(seconds=10, memory_bytes=48 * 1024 * 1024)) as sandbox:
        body = rss(*(item(f"T{n}", f"https://x.example/{n}", "x " * 9000) for n in range(700)))
        feed = parse(sandbox, body)
        assert not feed.usable
        assert feed.problems[0].startswith("reading it takes more")
        assert parse(sandbox, rss(item())).usable


def hostile_items(sandbox):
    for number, (name, body) in enumerate(BODIES.items()):
        feed = Feed(f"Quelle {number}", f"https://bau{number}.example/feed")
        data = body()
        if len(data) > 150_000:  # the titles are what counts here
            continue
        for entry in parse(sandbox, data, feed).items[:3]:
            if entry.link == "https://bau.example/1":
                entry = replace(entry, canonical=entry.link + name, key=f"{number} {entry.key}")
            yield feed, entry


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def page(text: str) -> _Page:
    parsed = _Page()
    parsed.feed(text)
    return parsed


def test_hostile_items_reach_the_mail_as_plain_text_only(sandbox):
    items = list(hostile_items(sandbox))
    feeds = list({feed.url: feed for feed, _ in items}.values())
    issue = compose(
        id=IssueId(date(2026, 11, 26)), language="de", essays=[], published=(), used=(),
        candidates=[entry for _, entry in items], feeds=feeds,
        limits=Limits(items=100, per_feed=5, per_section=100, max_age_days=3650, items_only=True),
    )  # fmt: skip
    assert len(issue.related) > 40
    plain = sample_manifest.manifest()
    harmless_item = replace(plain.issue.related[0].story.lead, title="Titel", summary="Text.")
    harmless_related = tuple(
        replace(
            related,
            story=replace(
                related.story, items=(replace(harmless_item, feed=related.story.lead.feed),)
            ),
        )
        for related in issue.related
    )
    hostile = render(
        Manifest(
            replace(plain.issue, related=issue.related),
            sample_manifest.PUBLICATION,
            sample_manifest.TEMPLATES,
        )
    )
    harmless = render(
        Manifest(
            replace(plain.issue, related=harmless_related),
            sample_manifest.PUBLICATION,
            sample_manifest.TEMPLATES,
        )
    )
    expected, actual = page(harmless.html + render(plain).html), page(hostile.html)
    # The same elements and attributes as with harmless items: none came from a feed.
    assert set(actual.tags) <= set(expected.tags)
    assert actual.attributes <= expected.attributes
    assert {"script", "iframe", "form", "object", "svg", "input"}.isdisjoint(actual.tags)
    for link in actual.links:
        assert re.match(r"https?://|mailto:|cid:|#", link), link
    text = html.unescape(re.sub(r"<[^>]*>", "", hostile.html))
    for part in (text, hostile.text):
        assert "1337" not in part  # 7*191, had a template seen it
        assert "{ { 7*191 } } { % raw % }" in part
        assert "root:x:0" not in part
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00]", part)
        assert not re.search(r"(?m)^Bcc:", part)
    assert "Titel< /mj-text>< mj-raw>" in hostile.text
    errors = {
        finding.code
        for finding in preflight(
            hostile, replace(plain.issue, related=issue.related), sample_manifest.PUBLICATION
        )
        if finding.level == "error"
    }
    assert errors <= {"size-too-large"}
    unsubscribe = "https://reader.invalid/unsubscribe"
    assert actual.links.count(unsubscribe) == page(harmless.html).links.count(unsubscribe)


# --- hostile servers ---------------------------------------------------------------------


class _RawServer(socketserver.ThreadingTCPServer):
    """Sends the same bytes to each client, then closes, stays silent or repeats them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: bytes, then: str) -> None:
        super().__init__(("127.0.0.1", 0), _RawHandler)
        self.answer, self.then = answer, then


class _RawHandler(socketserver.BaseRequestHandler):
    server: _RawServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.recv(65536)
            self.request.sendall(self.server.answer)
            while self.server.then == "repeat":
                self.request.sendall(self.server.answer)
            if self.server.then == "silence":
                self.request.recv(1)


@contextlib.contextmanager
def raw_server(answer: bytes, then: str) -> Iterator[str]:
    """Run a `_RawServer`; yield its URL."""
    with _RawServer(answer, then) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


OK = b"HTTP/1.1 200 OK\r\n"
BEHAVIOURS = {
    "no answer at all": (b"", "silence"),
    "a connection closed at once": (b"", "close"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "close"),
    "headers without end": (b"X-A: " + b"b" * 60_000 + b"\r\n", "repeat"),
    "a status line without end": (b"HTTP/1.1 200 " + b"O" * 200_000, "repeat"),
    "a body without end": (OK + b"\r\n" + b"<rss>" * 20_000, "repeat"),
    "a length that lies": (OK + b"Content-Length: 99999999\r\n\r\n<rss/>", "close"),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\n<rss/>", "close"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n<rss/>", "close"),
    "a chunk of nonsense": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "close"),
    "a chunk as large as the world": (
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", "silence",
    ),
    "encoded twice": (OK + b"Content-Encoding: gzip, gzip\r\n\r\nx", "close"),
    "a NUL in a header": (OK + b"ETag: \x00\r\n\r\n<rss/>", "close"),
    "an invalid status": (b"HTTP/1.1 999 Nein\r\n\r\n", "close"),
    "continue for ever": (b"HTTP/1.1 100 Continue\r\n\r\n", "repeat"),
    "a redirect to itself": (b"HTTP/1.1 301 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "close"),
    "a redirect to nowhere": (b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n", "close"),
    "a redirect to a file": (b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n", "close"),
    "a redirect of megabytes": (
        b"HTTP/1.1 302 x\r\nLocation: /" + b"a" * 90_000 + b"\r\n\r\n", "close",
    ),
    "half a head": (OK + b"Content-Ty", "silence"),
}  # fmt: skip


@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.timeout(30)
def test_a_hostile_server_is_given_up_at_the_deadline(name):
    answer, then = BEHAVIOURS[name]
    with raw_server(answer, then) as url:
        (result,) = fetch_feeds(
            [Feed("x", url)], {}, user_agent="x", allow_private=True, now=NOW,
            limits=FetchLimits(seconds=0.8, wait_seconds=0.5, body_bytes=2_000_000),
        )  # fmt: skip
    if isinstance(result, Failed):
        assert "\n" not in result.reason
        assert len(result.reason) < 200
    else:
        assert name == "a NUL in a header"


@pytest.mark.timeout(30)
def test_a_name_server_that_does_not_answer_is_given_up_at_the_deadline(monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [stuck.wait()][:0])
    (result,) = fetch_feeds(
        [Feed("x", "http://langsam.example/")], {}, user_agent="x", allow_private=True, now=NOW,
        limits=FetchLimits(seconds=0.4, wait_seconds=0.3),
    )  # fmt: skip
    stuck.set()
    assert result.reason == "the server did not answer in time"
