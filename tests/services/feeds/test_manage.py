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
    assert result.out == f"{web.url}/blog/feed  Blatt (1 entries)\n"
    web.pages = {"/": b"<html>Hallo"}
    assert "no feed" in publication.run("feeds", "discover", web.url + "/", code=1, **OPEN).err


def test_adding_a_feed_parses_it_first_and_keeps_the_rest_of_the_file(web, publication):
    path = publication.home / "content/feeds.toml"
    path.write_text("# Unsere Quellen\n", encoding="utf-8")
    publication.run("feeds", "add", web.url + "/plain", "--topic", "bestand", **OPEN)
    assert path.read_text(encoding="utf-8").startswith("# Unsere Quellen\n\n[[feeds]]")
    assert listed(publication) == (Feed("Blatt", web.url + "/plain", ("bestand",)),)
    again = publication.run("feeds", "add", web.url + "/plain", code=1, **OPEN)
    assert "is in feeds.toml already, as 'Blatt'" in again.err
    other = publication.run("feeds", "add", web.url + "/plain?x=1", code=1, **OPEN)
    assert "give it another --name" in other.err
    web.pages = {"/leer": b"<html>"}
    assert "no feed there" in publication.run("feeds", "add", web.url + "/leer", code=1, **OPEN).err


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
