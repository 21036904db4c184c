"""The feeds that the demo serves."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.resources import files

import feedparser
import pytest

from upcycle_news.demo.feed_server import SAMPLE_FEEDS, DemoSite, render_feed

NOW = datetime(2026, 10, 12, 9, 0, tzinfo=UTC)
TODAY = date(2026, 10, 12)
XML = [feed.file for feed in SAMPLE_FEEDS if feed.file.endswith(".xml")]


@pytest.fixture(scope="module")
def site() -> Iterator[DemoSite]:
    with DemoSite(NOW) as running:
        yield running


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(
        url, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as reply:
        with reply:
            return reply.code, dict(reply.headers), reply.read()


def parse(file: str) -> feedparser.FeedParserDict:
    return feedparser.parse(io.BytesIO(render_feed(file, TODAY)))


@pytest.mark.parametrize("file", XML)
def test_every_xml_feed_is_read_with_titles_links_and_summaries(file: str) -> None:
    entries = parse(file).entries
    assert 4 <= len(entries) <= 7
    for entry in entries:
        assert entry.title and entry.summary and entry.id
        assert re.match(r"https://(www\.)?example\.(org|com|net)/", entry.link)


def test_the_json_feed_is_version_1_1_with_an_id_and_a_text_in_every_item() -> None:
    feed = json.loads(render_feed("feed.json", TODAY))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert 4 <= len(feed["items"]) <= 7
    for item in feed["items"]:
        assert item["id"] and item["url"] and item["title"]
        assert item.keys() & {"summary", "content_text", "content_html"}
        assert datetime.fromisoformat(item["date_published"]).utcoffset() == timedelta(hours=2)


def test_the_broken_feed_is_really_broken_and_still_gives_all_its_items() -> None:
    feed = parse("broken.xml")
    assert feed.bozo
    assert len(feed.entries) == 5
    assert feed.entries[0].title.endswith("Türen & Fenster öffnet in alter Druckerei")
    assert "Innentüren" in feed.entries[0].summary
    assert all("example.org" in entry.link for entry in feed.entries)
    assert all(entry.published_parsed for entry in feed.entries)


@pytest.mark.parametrize("file", [file for file in XML if file != "broken.xml"])
def test_the_other_feeds_are_well_formed(file: str) -> None:
    assert not parse(file).bozo


def test_german_dates_come_in_all_their_spellings() -> None:
    dates = [entry.published for entry in parse("german-dates.xml").entries]
    assert dates == [
        "Sa, 10 Okt 2026 10:15:00 +0200",
        "8. Oktober 2026",
        "07.10.2026",
        "Di, 06.10.2026 - 15:26",
        "Fr, 09 Okt 2026 17:40:00 +0200",
        "4. Oktober 2026",
    ]


def test_a_feed_has_german_month_names_and_winter_time() -> None:
    text = render_feed("german-dates.xml", date(2027, 3, 5)).decode()
    assert "Mi, 03 Mär 2027 10:15:00 +0100" in text
    assert "1. März 2027" in text


def test_items_are_at_most_ten_days_old_whenever_the_demo_runs() -> None:
    for entry in parse("rss.xml").entries:
        age = NOW - parsedate_to_datetime(entry.published)
        assert timedelta(0) < age < timedelta(days=10)


def test_two_feeds_contain_the_same_story() -> None:
    def grams(file: str) -> set[str]:
        entry = parse(file).entries[0]
        text = re.sub(r"\W+", " ", f"{entry.title}. {entry.summary}".lower())
        return {text[i : i + 4] for i in range(len(text) - 3)}

    first, second = grams("rss.xml"), grams("german-dates.xml")
    assert first != second
    assert len(first & second) / min(len(first), len(second)) > 0.75


def test_a_feed_changes_once_a_day() -> None:
    assert render_feed("rss.xml", TODAY) == render_feed("rss.xml", TODAY)
    assert render_feed("rss.xml", TODAY) != render_feed("rss.xml", TODAY + timedelta(days=1))


@pytest.mark.parametrize("feed", SAMPLE_FEEDS, ids=lambda feed: feed.file)
def test_an_unchanged_feed_is_answered_with_304(site: DemoSite, feed: object) -> None:
    sample = next(known for known in SAMPLE_FEEDS if known is feed)
    url = f"{site.url}/{sample.file}"
    status, headers, body = get(url)
    assert (status, headers["Content-Type"]) == (200, sample.content_type)
    assert body == render_feed(sample.file, TODAY)
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["ETag"])

    for condition in (
        {"If_None_Match": headers["ETag"]},
        {"If_None_Match": f'"other", W/{headers["ETag"]}'},
        {"If_Modified_Since": headers["Last-Modified"]},
    ):
        status, again, body = get(url, **condition)
        assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])


def test_a_client_with_old_validators_gets_the_feed_again(site: DemoSite) -> None:
    url = f"{site.url}/rss.xml"
    modified = get(url)[1]["Last-Modified"]
    assert get(url, If_None_Match='"old"', If_Modified_Since=modified)[0] == 200
    assert get(url, If_Modified_Since="Mon, 05 Oct 2026 00:00:00 GMT")[0] == 200
    assert get(url, If_Modified_Since="gestern")[0] == 200


def test_the_index_lists_the_feeds_and_everything_else_is_404(site: DemoSite) -> None:
    page = get(f"{site.url}/")[2].decode()
    assert all(feed.name in page and f'"/{feed.file}"' in page for feed in SAMPLE_FEEDS)
    assert get(f"{site.url}/../site.py")[0] == 404


def test_the_site_lists_its_feeds_as_an_editor_would(site: DemoSite) -> None:
    feeds = tomllib.loads(site.feeds_toml())["feeds"]
    assert [feed["name"] for feed in feeds] == [feed.name for feed in SAMPLE_FEEDS]
    assert all(feed["url"].startswith(f"{site.url}/") for feed in feeds)
    assert all(feed["topics"] and feed["weight"] > 0 for feed in feeds)


def test_the_site_has_a_url_only_inside_its_with_block() -> None:
    demo = DemoSite(NOW)
    with pytest.raises(RuntimeError, match="with block"):
        demo.feeds_toml()
    with demo:
        url = demo.url
        assert get(f"{url}/rss.xml")[0] == 200
    with pytest.raises(RuntimeError, match="with block"):
        demo.feeds_toml()
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/rss.xml")


def test_the_sample_subscribers_are_five_invented_people() -> None:
    text = (files("upcycle_news.demo") / "subscribers.csv").read_text(encoding="utf-8")
    people = list(csv.DictReader(io.StringIO(text)))
    assert len(people) == 5
    assert list(people[0]) == ["email", "name", "language", "topics"]
    assert all(re.search(r"@(example\.(org|com)|[a-z]+\.test)$", p["email"]) for p in people)
    assert sum("," in person["name"] for person in people) == 1
    assert sum(person["language"] == "en" for person in people) == 1
