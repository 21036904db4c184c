"""Parsing of feeds: plain text, safe links, dates, identity, limits."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.feeds.parser import parse_feed
from upcycle_news.feeds.parser_sandbox import ParseLimits, ParserSandbox
from upcycle_news.models import Feed
from upcycle_news.text.html_text import html_to_text
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.urls import (
    BadLinkError,
    canonical_link,
    is_private_link,
    resolve_link,
    safe_link,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FEED = Feed("Baublatt", "https://bau.example/feed", topics=("Bauen",))


def parse(body, content_type="application/xml"):
    data = body.encode() if isinstance(body, str) else body
    return parse_feed(data, url=FEED.url, content_type=content_type, feed=FEED, now=NOW)


def rss(*items: str, channel: str = "<title>Blatt</title>") -> str:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}{inner}</channel></rss>'


def item(title="Titel", link="https://bau.example/1", more=""):
    return f"<title>{title}</title><link>{link}</link>{more}"


def only(body, **more):
    feed = parse(body, **more)
    assert len(feed.items) == 1, feed
    return feed.items[0]


def test_an_rss_item_is_read():
    feed = parse(
        rss(item("Holz", more="<guid>https://bau.example/1</guid><description>Ein Haus.</description>"
                 "<pubDate>Mon, 05 Oct 2026 10:00:00 CEST</pubDate>"))
    )  # fmt: skip
    assert (feed.format, feed.title, feed.problems) == ("rss20", "Blatt", ())
    (entry,) = feed.items
    assert (entry.key, entry.feed, entry.link) == (
        "https://bau.example/1",
        "Baublatt",
        "https://bau.example/1",
    )
    assert (entry.title, entry.summary, entry.topics) == ("Holz", "Ein Haus.", ("Bauen",))
    assert (entry.date, entry.date_source) == (datetime(2026, 10, 5, 8, tzinfo=UTC), "feed")


def test_an_atom_entry_is_read_with_its_published_date():
    entry = only(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://bau.example/blog/"><title>B</title>'
        '<entry><id>urn:x:1</id><title type="html">Holz &amp;amp; &lt;b&gt;Lehm&lt;/b&gt;</title>'
        '<link href="holz"/><updated>2026-11-01T00:00:00Z</updated><published>2026-10-05T08:00:00Z</published>'
        "<summary>Kurz.</summary></entry></feed>"
    )
    assert (entry.key, entry.link, entry.title) == (
        "urn:x:1",
        "https://bau.example/blog/holz",
        "Holz & Lehm",
    )
    assert entry.date == datetime(2026, 10, 5, 8, tzinfo=UTC)


def test_atom_text_that_looks_like_html_is_text():
    body = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="text">Das &lt;b&gt;-Element</title>'
        '<link href="https://bau.example/1"/></entry></feed>'
    )
    assert only(body).title == "Das <b>-Element"


def test_a_json_feed_is_read():
    body = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Blatt",
            "items": [
                {"id": 7, "url": "/7", "title": "Holz & Lehm", "content_html": "<p>Eins.</p><p>Zwei.</p>",
                 "date_published": "2026-10-05T10:00:00+02:00"},
                "kein Objekt",
            ],
        }
    )  # fmt: skip
    feed = parse(body, content_type="text/plain")
    assert (feed.format, feed.title) == ("json11", "Blatt")
    assert feed.problems == ("1 items are not objects and were skipped",)
    (entry,) = feed.items
    assert (entry.key, entry.link) == ("https://bau.example/feed 7", "https://bau.example/7")
    assert (entry.title, entry.summary, entry.date.hour) == ("Holz & Lehm", "Eins. Zwei.", 8)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "it is empty"),
        ("<!doctype html><html><body>Hallo</body></html>", "it is a web page, not a feed"),
        ("Guten Tag", "it is not a feed"),
        ("{}", "it is JSON, but not a JSON Feed (there is no 'version' of jsonfeed.org)"),
        ('{"version": "https://jsonfeed.org/version/1"', "it is not valid JSON"),
        ('{"version": "https://jsonfeed.org/version/1"}', "its 'items' are not a list"),
        ("{" * 100_000, "it is not valid JSON"),
        (b"\x00" * 100, "it is not a feed"),
    ],
)
def test_a_body_that_is_no_feed_has_one_problem(body, problem):
    feed = parse(body)
    assert not feed.usable
    assert feed.problems == (problem,)


def test_the_readable_items_of_broken_xml_are_used():
    feed = parse(rss(item("Eins"), item("Zwei", "https://bau.example/2"))[:-23])
    assert [entry.title for entry in feed.items] == ["Eins", "Zwei"]
    assert feed.problems[0].startswith("it is not well-formed")


def test_titles_become_plain_text_exactly_once():
    titles = {
        "Holz &amp;amp; Lehm": "Holz & Lehm",
        "&lt;b&gt;Holz&lt;/b&gt;": "Holz",
        "x &lt; y &amp; z": "x < y & z",
        "&amp;lt;b&amp;gt; bleibt": "<b> bleibt",
        "&lt;script&gt;alert(1)&lt;/script&gt;Holz&lt;style&gt;x{}&lt;/style&gt;": "Holz",
        "{{ config }} {% x %} &lt;/mj-text&gt;": "{{ config }} {% x %} </mj-text>",
        "Ho\u202elz\u200b \u2028  und\u00adso&#x7;": "Holz undso",
        "Mu\u0308hle": "Mühle",
    }
    for written, shown in titles.items():
        assert only(rss(item(written))).title == shown


def test_paragraphs_stay_separate_and_trailers_are_removed():
    text = "&lt;p&gt;Eins.&lt;/p&gt;&lt;p&gt;Zwei.&lt;/p&gt;"
    trailer = "Der Beitrag &lt;a href='x'&gt;Titel&lt;/a&gt; erschien zuerst auf Blatt."
    assert (
        only(rss(item(more=f"<description>{text}{trailer}</description>"))).summary == "Eins. Zwei."
    )


def test_an_item_without_title_takes_its_first_sentence():
    entry = only(
        rss("<link>https://bau.example/1</link><description>Ein Satz. Noch einer.</description>")
    )
    assert entry.title == "Ein Satz."


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("javascript:alert(1)", "its link is not http or https"),
        ("data:text/html,x", "its link is not http or https"),
        ("https://reader.invalid/unsubscribe", "(.invalid)"),
        ("https://READER.INVALID./x", "(.invalid)"),
        ("https://bank.example@evil.example/", "its link carries a user name"),
        ("https:///a", "its link names no host"),
        ("https://", "its link names no host"),
        ("https://[::1", "its link is not a web address"),
        ("https://x:99999/", "its link is not a web address"),
        ("https://x.example/" + "a" * 2000, "longer than 2000"),
    ],
)
def test_an_item_with_a_bad_link_is_left_out_and_reported(link, problem):
    feed = parse(rss(item("Schlecht", link), item("Gut")))
    assert [entry.title for entry in feed.items] == ["Gut"]
    assert feed.problems[0].startswith("entry 1 was left out: ")
    assert problem in feed.problems[0]


def test_links_are_made_safe_to_print():
    assert safe_link('/a b"<ü>{{x}}', "https://Bücher.example/") == (
        "https://xn--bcher-kva.example/a%20b%22%3C%C3%BC%3E%7B%7Bx%7D%7D"
    )
    with pytest.raises(BadLinkError, match="no link"):
        safe_link(" ", "https://x.example")


def test_a_canonical_link_has_no_tracking_parameters_port_or_fragment():
    dirty = "HTTPS://Bau.Example:443/a?utm_source=x&id=3&fbclid=y&mtm_campaign=z#teil"
    assert canonical_link(dirty) == "https://bau.example/a?id=3"
    assert canonical_link("http://bau.example:8080") == "http://bau.example:8080/"
    assert canonical_link("kein link") == "kein link"


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("https://burgfuß.example/a", "xn--burgfu-gta.example"),
        ("https://BÜCHER.example/", "xn--bcher-kva.example"),
        ("https://例。example/", "xn--fsq.example"),
    ],
)
def test_hosts_are_written_as_browsers_ask_for_them(link, host):
    assert safe_link(link).split("/")[2] == host


@pytest.mark.parametrize(
    ("link", "private"),
    [
        ("http://localhost:1313/x", True), ("http://127.1/", True), ("http://2130706433/", True),
        ("http://0x7f000001/", True), ("http://[::1]/", True), ("http://[::ffff:10.0.0.1]/", True),
        ("http://192.168.7.9/", True), ("http://169.254.169.254/", True), ("http://intranet/", True),
        ("http://nas.local/", True), ("http://8.8.8.8/", False), ("https://bau.example/", False),
    ],
)  # fmt: skip
def test_links_into_a_private_network_are_known_by_their_host(link, private):
    assert is_private_link(link) == private


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        ("stroh.html", "https://hof.example/x/stroh.html"),
        ("/stroh", "https://hof.example/stroh"),
        ("www.hof.example.org/stroh", "https://www.hof.example.org/stroh"),
        ("hof.example/stroh", "https://hof.example/stroh"),
        ("//b.example/x", "https://b.example/x"),
    ],
)
def test_relative_links_are_told_from_hosts_without_a_scheme(link, resolved):
    assert resolve_link(link, "https://hof.example/x/y") == resolved


def test_links_of_rss_are_relative_to_the_channels_page_and_those_of_atom_to_their_base():
    channel = "<title>B</title><link>https://hof.example/blog/</link>"
    assert only(rss(item(link="eins"), channel=channel)).link == "https://hof.example/blog/eins"
    assert only(rss(item(link="eins"))).link == "https://bau.example/eins"


def test_of_more_than_500_entries_the_newest_are_read_whatever_their_order():
    old = [
        item(f"T{n}", f"https://bau.example/{n}", f"<pubDate>{n % 28 + 1} Jan 2024</pubDate>")
        for n in range(600)
    ]
    new = item("Neu", "https://bau.example/neu", "<pubDate>20 Nov 2026</pubDate>")
    far = item("Fern", "https://bau.example/fern", "<pubDate>1 Jan 2038</pubDate>")
    for order in ([*old, new], [new, *old], [far] * 300 + [*old, new]):
        feed = parse(rss(*order))
        assert "Neu" in {entry.title for entry in feed.items}
        assert "it has more than 500 entries; the newest 500 were read" in feed.problems
    undated = parse(rss(*(item(f"T{n}", f"https://bau.example/{n}") for n in range(700))))
    assert {"T0", "T699"} <= {entry.title for entry in undated.items}


def test_an_entry_that_names_another_language_is_marked_with_it():
    entry = '<entry xml:lang="{}"><id>urn:1</id><title>T</title><link href="https://bau.example/1"/></entry>'
    feed = '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">{}</feed>'
    assert only(feed.format(entry.format("fr-CA"))).language == "fr-CA"
    assert only(feed.format(entry.format("de_CH"))).language == "de"
    assert only(feed.format(entry.replace(' xml:lang="{}"', ""))).language == "de"


def test_the_key_is_the_guid_unless_several_links_share_it():
    guid = "<guid isPermaLink='false'>1</guid>"
    twice = item("Eins", "https://bau.example/1?utm_source=a", guid)
    again = item("Eins", "https://bau.example/1?utm_source=b", guid)
    other = item("Zwei", "https://bau.example/2", guid)
    assert [entry.key for entry in parse(rss(twice, again)).items] == ["https://bau.example/feed 1"]
    keys = [entry.key for entry in parse(rss(twice, other)).items]
    assert keys == [
        "https://bau.example/feed 1 https://bau.example/1",
        "https://bau.example/feed 1 https://bau.example/2",
    ]


def test_the_key_of_an_item_without_guid_is_made_of_its_link_and_title():
    first = only(rss(item(link="https://bau.example/1?utm_source=a")))
    again, other = parse(
        rss(item(link="https://bau.example/1"), item("Zwei", "https://bau.example/1"))
    ).items
    assert first.key.startswith("https://bau.example/1 ")
    assert again.key == first.key != other.key


def test_entries_titles_summaries_and_bodies_are_capped():
    feed = parse(rss(*(item(link=f"https://bau.example/{n}") for n in range(600))))
    assert len(feed.items) == 500
    assert feed.problems == (
        "it has more than 500 entries, most without a date; 500 from its beginning and its end were read",
    )
    long = only(rss(item("Wort " * 500, more=f"<description>{'Wort ' * 5000}</description>")))
    assert len(long.title) <= 300
    assert len(long.summary) <= 2000
    assert parse(b" " * (15 * 1024 * 1024 + 1)).problems == ("it is larger than 15 MiB",)


HOSTILE_PIECES = ["<div>", "<!--", "&", "<b ", "&#0;", "]]", "<svg><style>"]


def repeated(piece):
    return rss(
        item(more=f"<description><![CDATA[{piece * (200_000 // len(piece))}]]></description>")
    )


@pytest.fixture(scope="module")
def sandbox():
    with ParserSandbox(ParseLimits(seconds=5.0)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("piece", HOSTILE_PIECES)
def test_hostile_markup_becomes_text_within_the_limits_of_the_sandbox(sandbox, piece):
    feed = sandbox.parse(
        repeated(piece).encode(), url=FEED.url, content_type="application/xml", feed=FEED, now=NOW
    )
    assert len(feed.items) == 1, feed.problems


def test_nested_entities_stay_within_the_title_limit():
    entities = "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )  # fmt: skip
    body = rss(item("&i;")).replace("?>", f'?><!DOCTYPE x [<!ENTITY a "{"x" * 10}">{entities}]>', 1)
    assert all(len(entry.title) <= 300 for entry in parse(body).items)


def test_a_local_file_is_never_read():
    body = rss(item("&f;")).replace(
        "?>", '?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>', 1
    )
    assert "root:" not in str(parse(body))
    assert not parse(b"/etc/passwd").usable


def test_the_charset_of_the_xml_declaration_is_used():
    body = rss(item("Größe")).replace("?>", ' encoding="iso-8859-1"?>', 1)
    assert only(body.encode("latin-1")).title == "Größe"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100))
def test_plain_text_has_no_invisible_characters(text):
    shown = html_to_text(text)
    assert shown == normalise_whitespace(shown)
    assert not any(
        ord(c) < 32 or 0x202A <= ord(c) <= 0x202E or 0x80 <= ord(c) < 0xA0 for c in shown
    )


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_no_body_ever_raises(noise, inside):
    parse(rss(item()).encode()[:-40] + noise if inside else noise)


@pytest.mark.parametrize("name", ["links", "title_detail", "link", "language", "title"])
def test_an_unknown_element_of_a_channel_takes_no_known_ones_place(name: str) -> None:
    feed = parse_feed(
        f'<rss version="2.0"><channel><title>Hof</title><link>https://hof.example/</link>'
        f"<{name}>x</{name}><item><title>Eins</title><link>https://hof.example/1</link></item>"
        f"</channel></rss>".encode(),
        url="https://hof.example/feed",
        content_type="application/rss+xml",
        feed=Feed(name="Hof", url="https://hof.example/feed"),
        now=datetime(2026, 11, 26, tzinfo=UTC),
    )
    assert [item.link for item in feed.items] == ["https://hof.example/1"]
