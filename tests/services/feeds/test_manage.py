"""Managing the list of feeds: show, discover, add, import and export."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from upcycle_news.feeds.feeds_toml import as_toml, load_feeds
from upcycle_news.feeds.opml import as_opml
from upcycle_news.models import Feed

from ...feeds.feed_site import site
from ...feeds.hostile_bodies import item, json_feed, rss

OPEN = {"FEEDS__ALLOW_PRIVATE": "true"}
FEEDS = (
    Feed('Bau "quer" & <mehr>', "https://bau.example/feed?a=1&b=2", ("Bauen, Umbau", "Stadt"), 1.5,
         "de", 2, False),
    Feed("Änderung", "https://stadt.example/rss"),
)  # fmt: skip


@pytest.fixture
def web():
    with site() as server:
        server.feed = rss(item("Eins"), item("Zwei", "/zwei"))
        yield server


def listed(publication):
    return load_feeds(publication.home / "content/feeds.toml", publication.home)


def test_show_prints_an_object_for_each_file_readable_or_not(publication, tmp_path):
    files = {
        "gut.xml": rss(
            item("Holz &amp;amp; Lehm", "/eins", "Ein Satz.", "<guid isPermaLink='false'>7</guid>"
                 "<pubDate>Mo, 05 Okt 2026 10:00:00 +0200</pubDate>"
                 '<enclosure url="https://bau.example/1.jpg" type="image/jpeg"/>'),
            channel="<title>Blatt</title><link>https://bau.example/</link>",
        ),
        "gut.json": json_feed(),
        "seite.html": b"<html>Hallo</html>",
    }  # fmt: skip
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    paths = [str(tmp_path / name) for name in files]
    rows = publication.run("feeds", "show", *paths, str(tmp_path / "keine"), "--json", code=1).lines
    assert [row["source"] for row in rows] == [*paths, str(tmp_path / "keine")]
    assert rows[0] == {
        "source": paths[0],
        "format": "rss20",
        "title": "Blatt",
        "entries": [
            {
                "id": "7",
                "link": "https://bau.example/eins",
                "title": "Holz & Lehm",
                "summary": "Ein Satz.",
                "date": "2026-10-05T08:00:00Z",
                "date_source": "german",
                "images": ["https://bau.example/1.jpg"],
            }
        ],
        "problems": [],
    }
    assert rows[1]["format"] == "json11"
    assert rows[2]["problems"] == ["it is a web page, not a feed"]
    assert rows[3]["problems"][0].startswith("there is no such file")


def test_show_reads_an_address_and_needs_no_publication(web, publication, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = publication.run("feeds", "show", web.url + "/plain", **OPEN)
    assert "Eins" in result.out
    assert web.url + "/zwei" in result.out
    refused = publication.run("feeds", "show", web.url + "/plain", "--json", code=1)
    assert "private network" in refused.json["problems"][0]
    assert publication.run("feeds", "show", "ftp://x.example/", "--json", code=1).json[
        "problems"
    ] == ["the address is not http or https"]


def test_feeds_are_discovered_by_the_links_of_a_page(web, publication):
    page = b"""<html><head><base href="/blog/"><link href='../plain' type="application/rss+xml"
        rel="alternate" title="Neu &amp; gut"><link rel=stylesheet href=x><a rel="alternate"
        type="application/atom+xml" href="javascript:x"><link rel="alternate" hreflang="en" href="/en">"""
    web.pages = {"/": page}
    result = publication.run("feeds", "discover", web.url + "/", "--json", **OPEN)
    assert result.json == {"url": web.url + "/plain", "title": "Blatt", "entries": 2}


def test_without_links_the_usual_paths_of_a_page_are_tried(web, publication):
    web.pages = {"/blog/": b"<html>Hallo", "/blog/feed": rss(item())}
    result = publication.run("feeds", "discover", web.url + "/blog/", **OPEN)
    assert result.out == f"{web.url}/blog/feed  Blatt (1 Eintrag)\n"
    web.pages = {"/": b"<html>Hallo"}
    assert "kein Feed" in publication.run("feeds", "discover", web.url + "/", code=1, **OPEN).err


def test_adding_a_feed_parses_it_first_and_keeps_the_rest_of_the_file(web, publication):
    path = publication.home / "content/feeds.toml"
    path.write_text("# Unsere Quellen\n", encoding="utf-8")
    publication.run("feeds", "add", web.url + "/plain", "--topic", "bestand", **OPEN)
    assert path.read_text(encoding="utf-8").startswith("# Unsere Quellen\n\n[[feeds]]")
    assert listed(publication) == (Feed("Blatt", web.url + "/plain", ("bestand",)),)
    again = publication.run("feeds", "add", web.url + "/plain", code=1, **OPEN)
    assert "steht schon in feeds.toml, als „Blatt“" in again.err
    other = publication.run("feeds", "add", web.url + "/plain?x=1", code=1, **OPEN)
    assert "Geben Sie ihm mit --name einen anderen" in other.err
    web.pages = {"/leer": b"<html>"}
    assert (
        "Dort gibt es keinen Feed"
        in publication.run("feeds", "add", web.url + "/leer", code=1, **OPEN).err
    )


def test_export_and_import_give_the_same_list(publication, tmp_path):
    path = publication.home / "content/feeds.toml"
    path.write_text("\n".join(map(as_toml, FEEDS)), encoding="utf-8")
    assert listed(publication) == FEEDS
    opml = tmp_path / "feeds.opml"
    opml.write_text(publication.run("feeds", "export").out, encoding="utf-8")
    path.write_text("", encoding="utf-8")
    report = publication.run("feeds", "import", str(opml), "--json").json
    assert report == {"added": [feed.name for feed in FEEDS], "skipped": []}
    assert listed(publication) == FEEDS
    report = publication.run("feeds", "import", str(opml), "--json").json
    assert report["added"] == []
    assert len(report["skipped"]) == 2
    again = publication.run("feeds", "export").out
    assert again == opml.read_text(encoding="utf-8")
    ET.fromstring(again)


def test_imported_feeds_with_the_same_name_get_unique_names(publication, tmp_path):
    opml = tmp_path / "x.opml"
    feeds = [Feed("Blatt", f"https://{n}.example/") for n in "abc"]
    opml.write_text(as_opml([*feeds, Feed("Blatt", "https://a.example/2")], "x"), encoding="utf-8")
    publication.run("feeds", "import", str(opml))
    assert [feed.name for feed in listed(publication)] == [
        "Blatt", "Blatt (b.example)", "Blatt (c.example)", "Blatt (a.example)",
    ]  # fmt: skip


def test_health_prints_a_json_object_a_line(publication):
    output = publication.run("feeds", "health", "--json").out
    assert all(json.loads(line) for line in output.splitlines())


NAMELESS = rss(item("Eins"), channel="<description>ohne Titel</description>")
COMMENTS = rss(item("Antwort"), channel="<title>Kommentare zum Blatt</title>")
ENGLISH = rss(item("Post"), channel="<title>Farm news</title><language>en-us</language>")
GERMAN = rss(item("Beitrag"), channel="<title>Hofblatt</title><language>de-DE</language>")
ALTERNATE = '<link rel="alternate" type="application/rss+xml"'


def discovered(publication, url, code=0):
    return [
        row["url"]
        for row in publication.run("feeds", "discover", url, "--json", code=code, **OPEN).lines
    ]


def test_posts_are_added_before_comments_and_the_right_language_before_another(web, publication):
    web.pages = {
        "/": f"<html lang=de>{ALTERNATE} title='Alles' href='/k'>{ALTERNATE} href='/en'>{ALTERNATE} href='/de'>".encode(),
        "/k": COMMENTS, "/en": ENGLISH, "/de": GERMAN,
    }  # fmt: skip
    order = [web.url + "/de", web.url + "/en", web.url + "/k"]
    assert discovered(publication, web.url + "/") == order
    assert publication.run("feeds", "add", web.url + "/", **OPEN).out.startswith("Hofblatt: ")


def test_a_feed_that_calls_itself_english_keeps_its_place_before_one_that_says_nothing(
    web, publication
):
    web.pages = {
        "/": f"<html lang=de>{ALTERNATE} href='/en'>{ALTERNATE} href='/ohne'>".encode(),
        "/en": ENGLISH, "/ohne": NAMELESS,
    }  # fmt: skip
    assert discovered(publication, web.url + "/") == [web.url + "/en", web.url + "/ohne"]


def test_links_in_the_text_count_where_the_announced_feeds_are_gone(web, publication):
    web.pages = {
        "/": f"<html>{ALTERNATE} href='/weg'><a href='/meldungen'>RSS</a>".encode(),
        "/meldungen": NAMELESS,
    }
    assert discovered(publication, web.url + "/") == [web.url + "/meldungen"]
    added = publication.run("feeds", "add", web.url + "/", **OPEN).out
    assert added.startswith("127.0.0.1: ")  # "RSS" is no name


def test_a_refresh_is_followed_to_the_page_with_the_feed_and_a_loop_of_them_ends(web, publication):
    refresh = "<meta http-equiv=refresh content='0; url={}'>"
    web.pages = {
        "/": refresh.format("/zwei").encode(),
        "/zwei": refresh.format("/drei").encode(),
        "/drei": f"{ALTERNATE} href='/plain'>".encode(),
        "/rund": refresh.format("/herum").encode(),
        "/herum": refresh.format("/rund").encode(),
    }
    assert discovered(publication, web.url + "/") == [web.url + "/plain"]
    assert discovered(publication, web.url + "/rund", code=1) == []


def test_a_title_in_latin_1_becomes_a_name_that_readers_can_read(web, publication):
    page = f"<meta charset=iso-8859-1>{ALTERNATE} title='Grüne Höfe' href='/namenlos'>"
    web.pages = {"/": page.encode("latin-1"), "/namenlos": NAMELESS}
    publication.run("feeds", "add", web.url + "/", **OPEN)
    assert "Grüne Höfe" in [feed.name for feed in listed(publication)]


def test_a_feed_address_is_added_and_shown_as_what_it_is_a_nickname_of(web, publication):
    nickname = web.url.replace("http:", "feed:") + "/plain"
    assert "Eins" in publication.run("feeds", "show", nickname, **OPEN).out
    publication.run("feeds", "add", nickname, **OPEN)
    assert web.url + "/plain" in [feed.url for feed in listed(publication)]


def test_a_feed_address_and_a_host_of_ones_own_script_may_stand_in_feeds_toml(publication):
    path = publication.home / "content/feeds.toml"
    path.write_text(
        '[[feeds]]\nname = "A"\nurl = "feed://burgfuß.example/feed"\n', encoding="utf-8"
    )
    assert [feed.url for feed in listed(publication)] == ["http://xn--burgfu-gta.example/feed"]


def test_a_name_with_template_brackets_stops_no_issue(web, publication, tmp_path, clock):
    publication.add_subscribers("leserin@example.org")
    title = "<title>Hof {{ name }} Blatt {% if %} &lt;mj-raw&gt;</title>"
    body = rss(
        item("Neues", more=f"<pubDate>{clock():%a, %d %b %Y} 00:00:00 GMT</pubDate>"), channel=title
    )
    web.pages = {
        "/a": body,
        "/b": body.replace(b"bau.example/1", b"bau.example/2").replace(b"Neues", b"Zweites"),
    }
    path = publication.home / "content/feeds.toml"
    path.write_text("", encoding="utf-8")
    publication.run("feeds", "add", web.url + "/a", **OPEN)
    with path.open("a", encoding="utf-8") as file:  # typed by hand
        file.write(f'\n[[feeds]]\nname = "{{{{ x }}}} {{%"\nurl = "{web.url}/b"\n')
    assert [feed.name for feed in listed(publication)] == [
        "Hof { { name } } Blatt { % if % } < mj-raw>", "{ { x } } { %",
    ]  # fmt: skip
    publication.run("feeds", "collect", "--all", **OPEN)
    preview = publication.run(
        "issue", "preview", "--no-open", "--no-collect", "--json", ISSUE__ITEMS_ONLY="true", **OPEN
    )
    assert preview.json["items"] == 2
    assert [row for row in preview.json["findings"] if row["level"] == "error"] == []


def test_an_import_that_brings_nothing_says_so_and_fails(publication, tmp_path):
    opml = tmp_path / "x.opml"
    opml.write_text(
        '<opml><body><outline text="Schaber" type="HTML+XPath" xmlUrl="https://a.example/"/></body></opml>',
        encoding="utf-8",
    )
    report = publication.run("feeds", "import", str(opml), "--json", code=1).json
    assert report["added"] == []
    assert report["skipped"][0].startswith(
        "Schaber: it is no feed, another program makes one of it"
    )
    told = publication.run("feeds", "import", str(opml), code=1)
    assert told.out == "0 Feeds aufgenommen, 1 ausgelassen\n"
    assert told.err.startswith(
        "Schaber: Das ist kein Feed, sondern wird von einem anderen Programm"
    )
    opml.write_text("<opml><body/></opml>", encoding="utf-8")
    assert publication.run("feeds", "import", str(opml), code=1).err == (
        f"{opml}: In der Datei steht kein Feed.\n"
    )


@pytest.mark.parametrize(
    ("allowed", "shown"),
    [
        ("false", ["Draußen"]),
        ('["127.0.0.1"]', ["Draußen", "Hier in Zahlen"]),
        ('["127.0.0.1", "localhost"]', ["Draußen", "Hier", "Hier in Zahlen"]),
        ('["127.0.0.0/8", "10.0.0.0/8", "wiki"]', ["Draußen", "Hier in Zahlen", "Netz", "Wiki"]),
        ("true", ["Draußen", "Hier", "Hier in Zahlen", "Netz", "Wiki"]),
    ],
)
def test_links_into_private_networks_are_left_out_unless_they_are_named(
    publication, tmp_path, allowed, shown
):
    links = {
        "Draußen": "https://hof.example/1", "Hier": "http://localhost:1313/x", "Hier in Zahlen": "http://2130706433/x",
        "Netz": "http://10.1.2.3/x", "Wiki": "http://wiki/x", "Ohne Host": "https:///x",
        "Metadaten": "http://169.254.169.254/x",
    }  # fmt: skip
    path = tmp_path / "feed.xml"
    path.write_bytes(rss(*(item(title, link) for title, link in links.items())))
    feed = publication.run("feeds", "show", str(path), "--json", FEEDS__ALLOW_PRIVATE=allowed).json
    assert [entry["title"] for entry in feed["entries"]] == shown
    told = " ".join(feed["problems"])
    assert "entry 6 was left out: its link names no host" in told
    for title in links.keys() - {*shown, "Ohne Host"}:
        could = "" if title == "Metadaten" else " (feeds.allow_private would allow that)"
        reason = f"'{title}' was left out: its link leads to this machine or into a private network"
        assert reason + could in feed["problems"]
    assert len(feed["problems"]) == len(links) - len(shown)
