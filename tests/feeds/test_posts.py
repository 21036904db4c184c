"""Whole texts out of feeds, and how a cut one is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from upcycle_news.feeds.parser_sandbox import ParserSandbox
from upcycle_news.feeds.posts import parse_posts
from upcycle_news.models.posts import ParsedPosts

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
LONG = "".join(f"<p>{'Ein Satz über Holz und Glas. ' * 20}</p>" for _ in range(4))


def rss(item: str, channel: str = "<title>Umbau</title>") -> bytes:
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"{channel}<item><title>Der Laden</title><link>https://u.example.org/l</link>{item}</item>"
        "</channel></rss>"
    ).encode()


def parsed(body: bytes) -> ParsedPosts:
    return parse_posts(
        body,
        url="https://u.example.org/feed",
        content_type="",
        name="Umbau",
        language="de",
        now=NOW,
    )


def content(html: str) -> str:
    return f"<content:encoded><![CDATA[{html}]]></content:encoded>"


@pytest.mark.parametrize(
    ("item", "cut"),
    [
        (content("<p>Kurz und ganz.</p>"), ""),
        (f"<description><![CDATA[{LONG}]]></description>", ""),
        ("<description>Ein Satz.</description>", "summary"),
        (f"<description><![CDATA[{LONG[:600]}]]></description>", "summary"),
        ("", "empty"),
        (content("<p>A.</p><p>Der Beitrag Der Laden erschien zuerst auf Umbau.</p>"), ""),
        (content("<p>A.</p><p>Weiterlesen</p><p>Der Beitrag Der Laden erschien zuerst auf Umbau.</p>"), "ends"),
        (content(f"{LONG}<p>Mehr […]</p>"), "ends"),
        (content(f"{LONG}<p>Und dann …</p>"), ""),
    ],
)  # fmt: skip
def test_a_text_is_whole_or_cut(item: str, cut: str) -> None:
    [post] = parsed(rss(item)).posts
    assert post.cut == cut


@pytest.mark.parametrize(
    ("written", "author"),
    [
        ("<dc:creator>Mara Muster</dc:creator>", "Mara Muster"),
        ("<author>post@example.org (Mara Muster)</author>", "Mara Muster"),
        ("<author>post@example.org</author>", ""),
        ("<dc:creator>Mara Muster</dc:creator><dc:creator>Jan Beispiel</dc:creator>",
         "Mara Muster, Jan Beispiel"),
    ],
)  # fmt: skip
def test_the_author_is_a_name_and_no_address(written: str, author: str) -> None:
    [post] = parsed(rss(f"{written}{content('<p>A.</p>')}")).posts
    assert post.author == author


def test_an_entry_without_a_page_is_left_out_and_told() -> None:
    body = rss(content("<p>A.</p>")).replace(b"<link>https://u.example.org/l</link>", b"")
    result = parsed(body)
    assert (result.posts, len(result.problems)) == ((), 1)


def test_a_zero_ends_no_text() -> None:
    body = (
        b'{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [{"id": "1\\u0000", '
        b'"url": "https://u.example.org/j", "title": "J", "content_html": "<p>Vor\\u0000her.</p>"}]}'
    )
    [post] = parsed(body).posts
    assert (post.key, post.html) == ("1", "<p>Vorher.</p>")


def test_the_process_that_reads_feeds_gives_the_same_posts() -> None:
    body = rss(f"<pubDate>Tue, 24 Nov 2026 08:00:00 +0000</pubDate>{content(LONG)}")
    with ParserSandbox() as sandbox:
        result = sandbox.parse_posts(
            body,
            url="https://u.example.org/feed",
            content_type="",
            name="Umbau",
            language="de",
            now=NOW,
        )
        assert result == parsed(body)
        page = sandbox.parse_posts(
            b"<html>",
            url="https://u.example.org/",
            content_type="",
            name="U",
            language="de",
            now=NOW,
        )
    assert (page.format, len(page.problems)) == ("", 1)
