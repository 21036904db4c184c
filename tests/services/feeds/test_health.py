"""What is said of a feed that answers: fine only where it was looked at, odd with a cure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.feeds.item_identity import GuidStability
from upcycle_news.feeds.parser import parse_feed
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Feed
from upcycle_news.services.feeds.health import after_reading, health_summary, oddities
from upcycle_news.storage.feeds import FeedState

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
FEED = Feed(name="Umbau", url="https://umbau.example/feed")
ASKED = FeedState(url=FEED.url, name=FEED.name, tried_at=NOW, succeeded_at=NOW)


def _entry(number: int, *, text: str = "Ein Dach wird gedeckt.", year: int = 2026) -> str:
    return (
        f"<item><title>Meldung {number}</title><link>https://umbau.example/{number}</link>"
        f"<pubDate>{number:02} Nov {year} 06:00 GMT</pubDate><description>{text}</description></item>"
    )


def _read(items: str, *, encoding: str = "utf-8", guids: GuidStability | None = None) -> FeedState:
    body = (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Umbau</title>'
        f"<link>https://umbau.example/</link>{items}</channel></rss>"
    ).encode(encoding)
    parsed = parse_feed(body, url=FEED.url, content_type="application/rss+xml", feed=FEED, now=NOW)
    return after_reading(ASKED, parsed, guids or GuidStability())


def _codes(state: FeedState, now: datetime = NOW) -> list[str]:
    return [oddity.key for oddity in oddities(state, now)]


def test_a_feed_with_items_and_texts_is_fine() -> None:
    state = _read("".join(map(_entry, range(1, 5))))
    assert _codes(state) == []
    assert health_summary(FEED, state, NOW) == "fine"


def test_a_feed_that_was_never_read_is_not_called_fine() -> None:
    assert _codes(ASKED) == ["feed-odd-unread"]
    assert "fine" not in health_summary(FEED, ASKED, NOW)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (_read(""), "feed-odd-empty"),
        (_read("<item><category>Ohne alles</category></item>"), "feed-odd-unusable"),
        (_read("".join(_entry(n, text="") for n in range(1, 5))), "feed-odd-texts"),
        (_read("".join(_entry(n, year=2024) for n in range(1, 5))), "feed-odd-old"),
        (_read(_entry(1, text="Grüne Höfe"), encoding="latin-1"), "feed-odd-encoding"),
        (_read(_entry(1), guids=GuidStability(kept=1, changed=30)), "feed-odd-identity"),
    ],
)
def test_a_feed_that_answers_and_is_not_as_it_should_be_is_odd(state: FeedState, code: str) -> None:
    assert _codes(state) == [code]
    sentence = health_summary(FEED, state, NOW)
    assert sentence.startswith("odd: ")
    german = recognise(sentence, "feeds").in_language("de")
    assert german.startswith("seltsam: ")
    assert german.rstrip().endswith("."), "a whole sentence"


def test_few_items_without_text_say_nothing_of_a_feed() -> None:
    assert _codes(_read(_entry(1, text="") + _entry(2, text=""))) == []


def test_a_feed_without_dates_is_not_called_old() -> None:
    item = "<item><title>Eins</title><link>https://umbau.example/1</link><description>T</description></item>"
    state = _read(item)
    assert _codes(state, NOW + timedelta(days=800)) == []


def test_a_feed_that_fails_is_not_called_odd_as_well() -> None:
    state = replace(_read(""), errors=2, last_error="the server does not answer")
    assert _codes(state) == []
    assert "odd" not in health_summary(FEED, state, NOW)
