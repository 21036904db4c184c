"""OPML as other programs write it, read for what it means, or refused with the line and what is wrong."""

from __future__ import annotations

import pytest

from upcycle_news.errors import ContentError
from upcycle_news.feeds.opml import Opml, parse_opml
from upcycle_news.models import Feed

A = 'xmlUrl="https://a.example/feed"'


def read(text: str | bytes, language: str = "de") -> Opml:
    return parse_opml(text.encode() if isinstance(text, str) else text, "x.opml", language)


def outlines(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0"><body>\n{inner}\n</body></opml>'


def only(inner: str, language: str = "de") -> Feed:
    opml = read(outlines(inner), language)
    assert opml.skipped == ()
    (feed,) = opml.feeds
    return feed


def test_opml_of_other_programs_is_imported() -> None:
    opml = read("""<?xml version="1.0"?><opml version="1.0"><body><outline text="Bauen"><outline
      text="Holz"><outline title="Blatt" text="Blatt" xmlUrl="feed:https://a.example/rss"/></outline>
      <outline text="Kein" xmlUrl="javascript:x"/></outline>
      <outline text="Stadt" category="/News/Stadt,Land" language="de-DE" xmlUrl="http://b.example/"/>
      <outline text="leer"/></body></opml>""")
    assert opml.feeds == (
        Feed("Blatt", "https://a.example/rss", ("Bauen", "Holz")),
        Feed("Stadt", "http://b.example/", ("Stadt", "Land"), language="de-DE"),
    )
    assert [str(text) for text in opml.skipped] == ["Kein: the address is not http or https"]


@pytest.mark.parametrize(
    ("inner", "url"),
    [
        ('<outline text="A" xmlurl="https://a.example/feed"/>', "https://a.example/feed"),
        ('<Outline TEXT="A" XMLURL="https://a.example/feed"/>', "https://a.example/feed"),
        ('<outline text="A" type="rss" url="https://a.example/feed"/>', "https://a.example/feed"),
        ('<outline text="A" xmlUrl="https://a.example/?x=1&y=2"/>', "https://a.example/?x=1&y=2"),
        ('<outline text="A" xmlUrl="https://a.example/?x=1&copy=2"/>', "https://a.example/?x=1&copy=2"),
        ('<outline text="A" xmlUrl="https://a.example/?x=1&amp;y=2"/>', "https://a.example/?x=1&y=2"),
        ('<outline text="A" xmlUrl="https://a.example/?x=1&amp;amp;y=2"/>', "https://a.example/?x=1&y=2"),
        ('<outline text="A" xmlUrl="feed://a.example/feed"/>', "http://a.example/feed"),
        ('<outline text="A" xmlUrl="FEED:https://a.example/feed"/>', "https://a.example/feed"),
        ('<outline text="A" xmlUrl=" https://a.example/feed&#10;"/>', "https://a.example/feed"),
        ('<outline text="A" xmlUrl="https://burgfuß.example/feed"/>', "https://xn--burgfu-gta.example/feed"),
        ('<outline text="A" xmlUrl="https://b&uuml;cher.example/feed"/>', "https://xn--bcher-kva.example/feed"),
    ],
)  # fmt: skip
def test_an_address_is_taken_however_it_is_written(inner: str, url: str) -> None:
    feed = only(inner)
    assert (feed.name, feed.url) == ("A", url)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Huhn &amp; Hahn", "Huhn & Hahn"),
        ("Huhn &amp;amp; Hahn", "Huhn & Hahn"),
        ("Huhn & Hahn", "Huhn & Hahn"),
        ("AT&T", "AT&T"),
        ("Haus&nbsp;Hof", "Haus Hof"),
        ("H&ouml;fe", "Höfe"),
        ("&amp;#8222;Hof&amp;#8220;", "„Hof“"),
        ("Hof &unbekannt; Tor", "Hof &unbekannt; Tor"),
        ("Hof {{ name }} Blatt", "Hof { { name } } Blatt"),
        ("{%raw%}", "{ %raw% }"),
        ("&#123;&#123; x }}", "{ { x } }"),
        ("<![CDATA[", None),
    ],
)
def test_a_name_is_what_its_writer_meant(name: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ContentError, match=r"x\.opml:3: is not XML: there is a character"):
            only(f'<outline text="{name}" {A}/>')
    else:
        assert only(f'<outline text="{name}" {A}/>').name == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", "de"), ("de-DE", "de-DE"), ("de_at", "de-AT"), ("DE", "de"), ("deu", "de"), ("german", "de"),
        ("Deutsch", "de"), ("english", "en"), ("en-us", "en-US"), ("ge", "fr"), ("xx", "fr"), ("", "fr"), ("unbekannt", "fr"),
        ("zh-Hant-TW", "zh-TW"), ("hsb", "hsb"), ("iw", "he"),
    ],
)  # fmt: skip
def test_a_language_is_a_registered_one_or_the_publications(language: str, expected: str) -> None:
    assert only(f'<outline text="A" language="{language}" {A}/>', "fr").language == expected


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "rss",
        "RSS",
        "atom",
        "link",
        "rdf",
        "rss2.0",
        "JSONFeed",
        "podcast",
        "application/rss+xml",
    ],
)
def test_a_type_that_can_be_a_feed_is_taken(kind: str) -> None:
    assert only(f'<outline text="A" type="{kind}" {A}/>').url == "https://a.example/feed"


@pytest.mark.parametrize(
    "kind",
    [
        "HTML+XPath",
        "XML+XPath",
        "JSON+DotNotation",
        "HTML+XPath+JSON+DotNotation",
        "html",
        "include",
    ],
)
def test_what_another_program_makes_of_a_page_is_no_feed_and_is_named(kind: str) -> None:
    opml = read(outlines(f'<outline text="Schaber" type="{kind}" {A}/>'))
    assert opml.feeds == ()
    assert [text.in_language("de") for text in opml.skipped] == [
        f"Schaber: Das ist kein Feed, sondern wird von einem anderen Programm erst dazu gemacht "
        f'(type="{kind}").'
    ]


def test_an_outline_that_names_no_feed_is_named() -> None:
    opml = read(
        outlines(
            '<outline text="Seite" type="link" url="https://a.example/"/>'
            '<outline type="rss" htmlUrl="https://a.example/"/>'
            '<outline text="Ordner"/><outline text="Mit Namen" xmlUrl="https://u:p@a.example/"/>'
            '<outline text="Ohne Host" xmlUrl="https:///feed"/>'
        )
    )
    assert [str(text) for text in opml.skipped] == [
        "Seite: it names no address of a feed (xmlUrl)",
        "an outline without a name: it names no address of a feed (xmlUrl)",
        "Mit Namen: the address carries a user name",
        "Ohne Host: the address names no host",
    ]


GOOD = f'<opml version="2.0"><body><outline text="Grün" {A}/></body></opml>'


@pytest.mark.parametrize(
    "data",
    [
        f'\n\n<?xml version="1.0" encoding="UTF-8"?>\n{GOOD}'.encode(),
        f'\ufeff<?xml version="1.0" encoding="UTF-8"?>{GOOD}'.encode(),
        f"Hier meine Liste:\n{GOOD}".encode(),
        f"<!-- von <Programm> & Co. -->{GOOD}".encode(),
        f'<!DOCTYPE opml SYSTEM "opml.dtd">{GOOD}'.encode(),
        f'<?xml version="1.0" encoding="ISO-8859-1"?>{GOOD}'.encode("latin-1"),
        f'<?xml version="1.0" encoding="UTF-8"?>{GOOD}'.encode("latin-1"),
        f'<?xml version="1.0" encoding="UTF-16"?>{GOOD}'.encode("utf-16"),
        GOOD.replace("<opml", '<opml xmlns="http://opml.org/spec2"').encode(),
        GOOD.replace("opml", "OPML").replace("body", "Body").encode(),
        GOOD.replace("Grün", "Gr\x0bün").encode(),
    ],
)
def test_what_is_around_the_list_does_no_harm(data: bytes) -> None:
    assert [(feed.name, feed.url) for feed in read(data).feeds] == [
        ("Grün", "https://a.example/feed")
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "x.opml:1: is not XML: it ends before everything is closed"),
        ("<opml><body>", "x.opml:1: is not XML: it ends before everything is closed"),
        ("<html><body/></html>", "x.opml: is not OPML"),
        ("<opml/>", "x.opml: is not OPML"),
        ("<opml><body><outline text='leer'/></body></opml>", "x.opml: names no feed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><opml><body/></opml>', "x.opml: declares characters of its own"),
        ("x" * 6_000_000, "x.opml: is larger than 5 MiB"),
        (outlines(f'<outline text="a < b" {A}/>'), "x.opml:3: is not XML: there is a character that does not belong"),
        (outlines(f"<outline text=a {A}/>"), "x.opml:3: is not XML: there is a character that does not belong"),
        (outlines(f'<outline text="a" text="b" {A}/>'), "x.opml:3: is not XML: an element has an attribute twice"),
        (outlines("<outline>\n</outlines>"), "x.opml:4: is not XML: an element ends in another way"),
        (outlines("") + "\n<opml/>", "x.opml:5: is not XML: there is something behind"),
        ("\n\n<!--\n-->" + outlines("<outline"), "x.opml:7: is not XML: there is a character"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(data: str, message: str) -> None:
    with pytest.raises(ContentError) as error:
        read(data)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", ["", ' text="Ebene"'])
@pytest.mark.parametrize("levels", [3_000, 50_000])
def test_levels_count_whether_they_have_names_or_not(name: str, levels: int) -> None:
    deep = f"<outline{name}>" * levels + f"<outline {A}/>" + "</outline>" * levels
    opml = read(outlines(deep))
    assert opml.feeds == ()
    assert [str(text) for text in opml.skipped] == [
        "what is nested deeper than 20 levels was not read"
    ]


def test_the_twentieth_level_is_read_and_the_others_stay() -> None:
    shallow = '<outline text="Oben" xmlUrl="https://b.example/"/>'
    nested = "<outline>" * 19 + f'<outline text="Unten" {A}/>' + "</outline>" * 19
    opml = read(outlines(nested + shallow))
    assert [feed.name for feed in opml.feeds] == ["Unten", "Oben"]
    assert opml.skipped == ()
    opml = read(outlines(f"<outline>{nested}</outline>{shallow}"))
    assert [feed.name for feed in opml.feeds] == ["Oben"]
    assert len(opml.skipped) == 1
