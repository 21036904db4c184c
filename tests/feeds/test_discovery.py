"""Finding a page's feeds as its editors meant them, and in the order in which they are wanted."""

from __future__ import annotations

import html

import pytest

from upcycle_news.feeds.discovery import (
    FeedLink,
    WebPage,
    common_feed_urls,
    likeliest_first,
    read_page,
)

URL = "https://hof.example/blog/start"
FEED = "https://hof.example/feed.xml"
RSS = 'rel="alternate" type="application/rss+xml"'


def head(markup: str, language: str = "de") -> WebPage:
    page = f'<!doctype html><html lang="{language}"><head>{markup}</head><body></body></html>'
    return read_page(page.encode(), URL)


def body(markup: str) -> WebPage:
    return read_page(f"<html><body>{markup}</body></html>".encode(), URL)


def urls(links: tuple[FeedLink, ...]) -> list[str]:
    return [link.url.removeprefix("https://hof.example") for link in links]


@pytest.mark.parametrize(
    "link",
    [
        f'<link {RSS} href="/feed.xml">',
        f"<LINK {RSS.upper()} HREF='/feed.xml'/>",
        '<link rel=alternate type=application/atom+xml href=/feed.xml>',
        '<link rel="alternate" type="application/rss+xml; charset=utf-8" href="/feed.xml">',
        '<link rel="alternate" type=" Application/RSS+XML ;v=2" href="/feed.xml">',
        '<link rel="alternate" type="text/rss+xml" href="/feed.xml">',
        '<link rel="alternate" type="application/rss" href="/feed.xml">',
        '<link rel="alternate" type="application/x-rss+xml" href="/feed.xml">',
        '<link rel="alternate" type="application/feed+json" href="/feed.xml">',
        '<link rel="alternate" type="application/rdf+xml" href="/feed.xml">',
        '<link rel="alternate" type="text/xml" href="/feed.xml">',
        '<link rel="alternate" href="/feed.xml">',
        '<link rel="alternative" type="application/rss+xml" href="/feed.xml">',
        '<link type="application/rss+xml" href="/feed.xml">',
        '<link rel="feed" href="/feed.xml">',
        '<link rel="alternate feed" type="application/xml" href="/feed.xml">',
        f'<link {RSS} title="Hof > Haus" href="/feed.xml">',
        f'<link {RSS} title="<!-- kein Kommentar" href="/feed.xml">',
        f"<link {RSS} title='sagt \"ja\" > nein' href='/feed.xml'>",
        f'<link {RSS} href="feed://hof.example/feed.xml">',
        f'<link {RSS} href="feed:https://hof.example/feed.xml">',
        f'<link {RSS} href=" /feed.xml\n">',
        f'<link {RSS} href="/feed.xml" href="/zweite.xml">',
        f'<base href="/anders/"><link {RSS} href="../feed.xml">',
        f'<base><base href="/anders/"><base href="/dritte/x/"><link {RSS} href="../feed.xml">',
        f'<!--[if !IE]><!--><link {RSS} href="/feed.xml"><!--<![endif]-->',
        f'<!--><link {RSS} href="/feed.xml"><!-- -->',
        f'<!-- <b> --!><link {RSS} href="/feed.xml">',
        f'<![if !IE]><link {RSS} href="/feed.xml"><![endif]>',
        f'<![CDATAp-[ x ]]><link {RSS} href="/feed.xml">',
        f'<![?><!><!x><?xml?></ ><link {RSS} href="/feed.xml">',
        f'<iframe src="x"/><link {RSS} href="/feed.xml">',
        f'<noscript><link {RSS} href="/feed.xml"></noscript>',
        f'<link {RSS} href="/feed.xml"><!-- <link {RSS} href="/alt.xml">',
    ],
)  # fmt: skip
def test_a_feed_that_a_page_announces_is_found(link: str) -> None:
    (found,) = head(link).announced
    assert found.url.replace("http:", "https:") == FEED


@pytest.mark.parametrize(
    "markup",
    [
        f'<!-- <link {RSS} href="/alt.xml"> -->',
        f'<!--[if IE]><link {RSS} href="/alt.xml"><![endif]-->',
        f"<script>document.write('<link {RSS} href=\"/alt.xml\">')</script>",
        f'<style><link {RSS} href="/alt.xml"></style>',
        f'<template><link {RSS} href="/alt.xml"></template>',
        f'<textarea><link {RSS} href="/alt.xml"></textarea>',
        f'<title><link {RSS} href="/alt.xml"></title>',
        '<link rel="stylesheet" type="text/xml" href="/feed.css">',
        '<link rel="self" type="application/rss+xml" href="/feed.xml">',
        '<link rel="alternate" hreflang="en" href="/en/">',
        '<link rel="alternate" type="text/html" href="/feed/">',
        '<link rel="feed" type="text/html" href="/feeds">',
        '<link rel="search" type="application/opensearchdescription+xml" href="/s.xml">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed">',
        f'<link {RSS} href="">',
        f"<link {RSS}>",
        f'<link {RSS} href="javascript:alert(1)">',
        f'<link {RSS} href="https:///feed">',
    ],
)
def test_what_is_no_link_to_a_feed_is_not_found(markup: str) -> None:
    assert head(markup).announced == ()


def test_what_surely_is_a_feed_comes_before_what_may_be_one() -> None:
    page = head(
        f'<link rel="alternate" type="application/json" href="/wp-json/1"><link {RSS} href="/feed.xml">'
    )
    assert urls(page.announced) == ["/feed.xml", "/wp-json/1"]


def ordered(page: WebPage, language: str = "de") -> list[str]:
    return urls(likeliest_first(page.announced, language, page.language))


@pytest.mark.parametrize(
    "comments",
    [
        'title="Kommentare" href="/2.xml"',
        'title="Hof &raquo; Kommentar-Feed" href="/2.xml"',
        'title="Comments on Hof" href="/2.xml"',
        'title="Hof" href="/comments/feed/"',
        'title="Hof" href="/?feed=comments-rss2"',
        'href="/kommentare.xml"',
        'title="Commentaires" href="/2.xml"',
    ],
)
def test_comments_come_last(comments: str) -> None:
    page = head(f'<link {RSS} {comments}><link {RSS} title="Hofblatt" href="/feed.xml">')
    assert ordered(page)[0] == "/feed.xml"
    assert len(ordered(page)) == 2


@pytest.mark.parametrize("title", ["Kommunales", "Commons", "Im Kommen", "Hofblatt"])
def test_what_only_sounds_like_comments_keeps_its_place(title: str) -> None:
    page = head(f'<link {RSS} title="{title}" href="/1.xml"><link {RSS} href="/2.xml">')
    assert ordered(page) == ["/1.xml", "/2.xml"]


def test_the_publications_language_comes_first_then_none_then_the_pages() -> None:
    page = head(
        "".join(
            f'<link {RSS} hreflang="{language}" href="/{language or "ohne"}.xml">'
            for language in ("en", "fr", "", "de-AT", "DE")
        ),
        language="fr",
    )
    assert ordered(page) == ["/de-AT.xml", "/DE.xml", "/ohne.xml", "/fr.xml", "/en.xml"]
    assert ordered(page, "en") == ["/en.xml", "/ohne.xml", "/fr.xml", "/de-AT.xml", "/DE.xml"]


def test_comments_in_the_right_language_come_after_posts_in_another() -> None:
    page = head(
        f'<link {RSS} hreflang="de" title="Kommentare" href="/k.xml"><link {RSS} hreflang="en" href="/en.xml">'
    )
    assert ordered(page) == ["/en.xml", "/k.xml"]


@pytest.mark.parametrize(
    "anchor",
    [
        '<a href="/feed.xml">RSS</a>',
        '<a class="icon" href="/feed.xml"><img src="r.png" alt="RSS-Feed"></a>',
        '<a href="/feed.xml" title="Newsfeed abonnieren"></a>',
        '<a href="/feed.xml" aria-label="Atom-Feed"><svg></svg></a>',
        '<a href="/feed.xml">Unsere Meldungen</a>',
        "<a href='/feed.xml'><b>Meldungen</b> als <i>RSS</i>",
        '<a href="/feed.xml">RSS<a href="/impressum">Impressum</a>',
    ],
)
def test_a_plain_link_that_says_rss_is_found(anchor: str) -> None:
    assert FEED in [link.url for link in body(anchor + "<a href='/x'>x</a>").linked]


@pytest.mark.parametrize(
    "anchor",
    [
        '<a href="/feedback">Feedback</a>',
        '<a href="/impressum">Impressum</a>',
        '<a name="rss">RSS</a>',
        '<!-- <a href="/feed.xml">RSS</a> -->',
        '<a href="mailto:rss@hof.example">RSS</a>',
        '<a href="javascript:rss()">RSS</a>',
    ],
)
def test_a_plain_link_that_does_not_is_not_followed(anchor: str) -> None:
    assert body(anchor).linked == ()


def test_plain_links_that_say_it_twice_and_stay_on_the_site_come_first() -> None:
    page = body(
        '<a href="https://fremd.example/rss.xml">RSS</a><a href="/was-ist-das">Was ist RSS?</a>'
        '<a href="/feed.xml">RSS</a>'
    )
    assert urls(page.linked) == ["/feed.xml", "/was-ist-das", "https://fremd.example/rss.xml"]


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0; url=/neu", "/neu"),
        ("0;URL='/neu'", "/neu"),
        ('5, URL = "/neu" ', "/neu"),
        ("0 /neu", "/neu"),
        ("0;/neu", "/neu"),
        (".5;url=../neu", "/neu"),
        (" 10 ; url = https://hof.example/neu", "/neu"),
        ("60", ""),
        ("bald; url=/neu", ""),
        ("0; url=", ""),
        ("0; url=javascript:x", ""),
    ],
)
def test_a_refresh_leads_on_as_the_html_standard_reads_it(content: str, target: str) -> None:
    markup = f'<meta http-equiv=Refresh content="{html.escape(content)}">'
    assert head(markup).refresh.removeprefix("https://hof.example") == target


def test_a_refresh_is_relative_to_the_base_of_its_page() -> None:
    page = head('<base href="/anders/"><meta http-equiv="refresh" content="0; url=neu">')
    assert page.refresh == "https://hof.example/anders/neu"


def test_a_refresh_for_browsers_without_scripts_is_not_followed() -> None:
    markup = '<meta http-equiv="refresh" content="0;url=/ohne-skripte">'
    assert head(f"<noscript>{markup}</noscript>").refresh == ""
    assert head(f"<!-- {markup} -->").refresh == ""


@pytest.mark.parametrize(
    ("encoding", "content_type", "meta"),
    [
        ("iso-8859-1", "text/html", '<meta charset="iso-8859-1">'),
        ("iso-8859-1", "text/html; charset=iso-8859-1", ""),
        ("windows-1252", "", "<META http-equiv=content-type content='text/html; charset=windows-1252'>"),
        ("utf-8", "text/html", ""),
        ("utf-8", "text/html", '<meta charset="utf-8">'),
        ("utf-8", "text/html", '<meta charset="iso-8859-1">'),
        ("utf-8", "text/html", '<meta charset="utf-16">'),
        ("iso-8859-1", "text/html", ""),
        ("utf-16", "text/html", ""),
        ("iso-8859-2", "text/html; charset=iso-8859-2", '<meta charset="utf-8">'),
    ],
)  # fmt: skip
def test_titles_are_read_in_the_encoding_of_the_page(
    encoding: str, content_type: str, meta: str
) -> None:
    page = f'<html><head>{meta}<link {RSS} title="Grüne Höfe" href="/feed.xml">'
    (link,) = read_page(page.encode(encoding), URL, content_type).announced
    assert link.title == "Grüne Höfe"


def test_hostile_pages_are_read_to_their_end() -> None:
    for markup in (
        "<!--" * 100_000,
        "<link " * 80_000,
        "<a href='" * 50_000,
        "<a>" * 150_000,
        "<" * 500_000,
    ):
        assert len(read_page(markup.encode(), URL).linked) <= 20
    many = "".join(f'<link {RSS} href="/{n}.xml">' for n in range(500))
    assert len(head(many).announced) == 20


def test_without_links_the_usual_paths_come_in_their_order() -> None:
    assert common_feed_urls("https://x.example/a/")[0].url == "https://x.example/a/feed"
