from __future__ import annotations

from datetime import timedelta

from upcycle_news.storage import feeds
from upcycle_news.storage.database import Store
from upcycle_news.storage.feeds import FeedState

from .sample_rows import NOW, item

FEED = FeedState(url="https://stadtbau.example/feed", name="Stadtbaublatt", etag='W/"1"')
LATER = NOW + timedelta(days=2)


def test_an_item_is_new_once(store: Store) -> None:
    assert feeds.record(store, FEED, [item("urn:1"), item("urn:2")], now=NOW) == 2
    assert feeds.record(store, FEED, [item("urn:2"), item("urn:3")], now=LATER) == 1
    assert {row.item.key for row in feeds.items_since(store, NOW)} == {"urn:1", "urn:2", "urn:3"}


def test_a_corrected_item_is_updated_and_not_new(store: Store) -> None:
    feeds.record(store, FEED, [item(title="Neue Fensetr")], now=NOW)
    fixed = item(title="Neue Fenster", summary="Aus alten Schulen.")
    assert feeds.record(store, FEED, [fixed], now=LATER) == 0
    assert [row.item for row in feeds.items_since(store, NOW)] == [fixed]


def test_an_item_without_a_date_keeps_the_day_it_was_first_seen(store: Store) -> None:
    feeds.record(store, FEED, [item(date_source="first seen", date=NOW)], now=NOW)
    again = item(date_source="first seen", date=LATER, title="Andere Fenster")
    assert feeds.record(store, FEED, [again], now=LATER) == 0
    [row] = feeds.items_since(store, NOW)
    assert (row.item.date, row.item.title) == (NOW, "Andere Fenster")


def test_a_date_that_a_feed_adds_later_replaces_the_first_seen_time(store: Store) -> None:
    feeds.record(store, FEED, [item(date_source="first seen", date=NOW)], now=NOW)
    dated = item(date_source="feed", date=NOW - timedelta(days=3))
    feeds.record(store, FEED, [dated], now=LATER)
    assert [row.item for row in feeds.items_since(store, NOW - timedelta(days=9))] == [dated]


def test_an_item_given_twice_in_one_feed_is_one_item(store: Store) -> None:
    assert feeds.record(store, FEED, [item("urn:1"), item("urn:1")], now=NOW) == 1


def test_two_feeds_may_use_the_same_key(store: Store) -> None:
    other = FeedState(url="https://anderswo.example/feed", name="Anderswo")
    assert feeds.record(store, FEED, [item("1")], now=NOW) == 1
    assert feeds.record(store, other, [item("1", feed="Anderswo")], now=NOW) == 1


def test_items_are_returned_newest_first_and_without_old_ones(store: Store) -> None:
    days = [item(f"urn:{age}", date=NOW - timedelta(days=age)) for age in (3, 0, 40, 1)]
    feeds.record(store, FEED, days, now=NOW)
    entries = feeds.items_since(store, NOW - timedelta(days=30))
    assert [row.item.key for row in entries] == ["urn:0", "urn:1", "urn:3"]


def test_the_state_of_a_feed_is_stored_unchanged(store: Store) -> None:
    state = FeedState(
        url=FEED.url,
        name="Stadtbaublatt",
        etag='W/"a\'b"',
        last_modified="Thu, 26 Nov 2026 06:00:00 GMT",
        body_hash="abc",
        tried_at=NOW,
        succeeded_at=NOW,
        errors=2,
        last_error="it answered 500",
    )
    feeds.record(store, state, (), now=NOW)
    assert feeds.states(store) == {FEED.url: state}
    feeds.record(store, FEED, (), now=NOW)
    assert feeds.states(store) == {FEED.url: FEED}
