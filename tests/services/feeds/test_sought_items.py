"""A body's items are recognised among the stored ones that share a mark with them as among all of their feed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from upcycle_news.feeds.item_identity import (
    BodyItem,
    GuidStability,
    distinct_items,
    item_key,
    resolve_items,
)
from upcycle_news.feeds.item_marks import sought_items
from upcycle_news.feeds.parser import ParsedFeed
from upcycle_news.feeds.withdrawals import missing_items
from upcycle_news.models import Feed, FeedItem
from upcycle_news.services.feeds import item_recognition
from upcycle_news.services.feeds.item_recognition import RecognisedBody, marking, recognise_body
from upcycle_news.storage import feeds, schema
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.feeds import FeedState
from upcycle_news.text.urls import canonical_link

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NUMBERS = count()
LINKS = (
    "https://blatt.example/", "https://www.blatt.example/a", "http://blatt.example/a/", "https://blatt.example/a?utm_source=x",
    "https://blatt.example/a#1", "https://blatt.example/a#2", "https://neu.example/a", "https://blatt.example/index.php?id=1",
    "https://blatt.example/index.php?id=2", "https://blatt.example/index.php?id=3", "https://blatt.example/b",
    "https://blatt.example/c/", "https://blatt.example#oben", *(f"https://blatt.example/m/{n}" for n in range(12)),
)  # fmt: skip
TITLES = (
    "Rat kauft Mühle",
    "RAT KAUFT: MÜHLE!",
    "Aus dem Rathaus",
    "Heute",
    "!!!",
    "???",
    *(f"Meldung {n}" for n in range(12)),
)
GUIDS = (
    "",
    "1",
    "2",
    " 2",
    "3",
    "https://blatt.example/a",
    "http://www.blatt.example/a/",
    *(f"g{n}" for n in range(12)),
)
SENTENCES = (
    "Der Preis blieb geheim.", "Der Rat stimmte am späten Abend mit großer Mehrheit zu.", "Es gibt Kuchen.", "Die Kapelle spielt.",
    "Kurz.", *(f"Das ist die Meldung Nummer {n}." for n in range(12)),
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(SENTENCES), max_size=3).map(" ".join),
    st.sampled_from(["…", f"{SENTENCES[1]} Danach war es", f"{SENTENCES[1]} Danach war es {SENTENCES[2]}"]),
)  # fmt: skip
DAYS = st.one_of(st.none(), st.integers(0, 20))


def known_items(store: Store, url: str) -> tuple[FeedItem, ...]:
    """Return every stored item of one feed, the newest first: what was read of it before there were marks."""
    with store.reading() as connection:
        return feeds._newest_first(feeds._of_feed(connection, url))


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "title": draw(st.sampled_from(TITLES)),
        "link": draw(st.sampled_from(LINKS)),
        "guid": draw(st.sampled_from(GUIDS)),
        "text": draw(TEXTS),
        "day": draw(DAYS),
    }


@st.composite
def bodies(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Draw a history: each body has entries that were there once, some of them edited, and new ones."""
    seen: list[dict[str, Any]] = []
    history = []
    for _ in range(draw(st.integers(2, 6))):
        body = draw(st.lists(entries(), max_size=4))
        if seen:
            back = draw(st.lists(st.sampled_from(seen), max_size=3))
            kept = st.sets(st.sampled_from(("title", "link", "guid", "text", "day")))
            body += [
                {**new, **{name: old[name] for name in draw(kept)}}
                for old, new in zip(back, [draw(entries()) for _ in back], strict=True)
            ] + draw(st.lists(st.sampled_from(seen), max_size=2))
        seen += body
        history.append(body)
    return history


def parsed(feed: Feed, body: Sequence[dict[str, Any]], now: datetime) -> ParsedFeed:
    """Return a body as the parser does."""
    read = []
    for entry in body:
        canonical = canonical_link(entry["link"])
        day = entry["day"]
        item = FeedItem(
            key=item_key(entry["guid"], canonical, entry["title"], feed), feed=feed.name,
            link=entry["link"], canonical=canonical, title=entry["title"], summary=entry["text"],
            date=now if day is None else NOW - timedelta(days=day),
            date_source="first seen" if day is None else "feed", guid=entry["guid"],
        )  # fmt: skip
        read.append(BodyItem(item, item.date))
    distinct = distinct_items(read, "https://blatt.example/")
    return ParsedFeed(
        "rss", feed.name, tuple(one.item for one in distinct), complete=True,
        other_guids={one.item.key: one.other_guids for one in distinct if one.other_guids},
    )  # fmt: skip


def among_all(store: Store, url: str, body: ParsedFeed, state: FeedState) -> dict[str, Any]:
    """Return what is recognised among all stored items of a feed."""
    known = known_items(store, url)
    guids = GuidStability(state.guids_kept, state.guids_changed)
    resolution = resolve_items(body.items, known, guids, body.other_guids)
    by_key = {item.key: item for item in known}
    present = {one.item.key for one in resolution.items}
    added = sum(not one.known for one in resolution.items)
    before = [by_key[key] for key in feeds.last_body(store, url)]
    return {
        "items": [(one.item.key, one.item.canonical) for one in resolution.items],
        "identities": {one.item.key: one.identity for one in resolution.items},
        "missing": missing_items(before, present, added),
        "guids": resolution.guids,
    }


def recognised(body: RecognisedBody) -> dict[str, Any]:
    return {
        "items": [(item.key, item.canonical) for item in body.items],
        "identities": body.identities,
        "missing": body.missing,
        "guids": body.guids,
    }


def collect(
    store: Store, feed: Feed, body: ParsedFeed, state: FeedState, now: datetime
) -> FeedState:
    """Store a body as a collection does; return the feed's state."""
    found = recognise_body(store, feed, body, state, ())
    state = FeedState(
        feed.url, feed.name, succeeded_at=now, guids_kept=found.guids.kept,
        guids_changed=found.guids.changed,
    )  # fmt: skip
    feeds.record(
        store, state, found.items, now=now, identities=found.identities, missing=found.missing,
        marking=marking(),
    )  # fmt: skip
    return state


@pytest.fixture
def opened(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    yield store
    store.close()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=bodies())
def test_a_body_is_recognised_as_among_all_items(
    opened: Store, history: list[list[dict[str, Any]]]
) -> None:
    feed = Feed("Blatt", f"https://blatt{next(NUMBERS)}.example/feed")
    state = FeedState(feed.url, feed.name, succeeded_at=NOW)
    for week, entries_of_week in enumerate(history):
        now = NOW + timedelta(weeks=week)
        body = parsed(feed, entries_of_week, now)
        expected = among_all(opened, feed.url, body, state)
        assert recognised(recognise_body(opened, feed, body, state, ())) == expected
        state = collect(opened, feed, body, state, now)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=bodies())
def test_a_feed_is_recognised_under_another_address_as_among_all_items(
    opened: Store, history: list[list[dict[str, Any]]]
) -> None:
    number = next(NUMBERS)
    former = Feed("Blatt", f"https://blatt{number}.example/feed")
    state = FeedState(former.url, former.name, succeeded_at=NOW)
    for week, body in enumerate(history):
        now = NOW + timedelta(weeks=week)
        state = collect(opened, former, parsed(former, body, now), state, now)
    feed = Feed("Gut", f"https://gut{number}.example/feed")
    body = parsed(feed, history[0] + history[-1], NOW)
    fresh = FeedState(feed.url, feed.name)
    found = recognise_body(opened, feed, body, fresh, (former.url,))
    with pytest.MonkeyPatch.context() as patch:
        everything = lambda store, url, *_, **__: known_items(store, url)  # noqa: E731
        patch.setattr(item_recognition.feed_rows, "items_sought", everything)
        assert found == recognise_body(opened, feed, body, fresh, (former.url,))


def test_marks_follow_what_is_stored(opened: Store) -> None:
    """Items that are not marked, marked by other rules, or of another address are all read, and then marked."""
    feed = Feed("Blatt", "https://blatt.example/feed")
    rows = [
        {"title": f"Meldung {n}", "link": f"https://blatt.example/{n}", "guid": f"g{n}", "text": SENTENCES[n], "day": n}
        for n in range(4)
    ]  # fmt: skip
    body = parsed(feed, rows, NOW)
    state = FeedState(feed.url, feed.name, succeeded_at=NOW)
    last = parsed(feed, rows[3:], NOW)

    def found(url: str = feed.url) -> set[str]:
        sought = sought_items(last.items, {})
        items = feeds.items_sought(
            opened, url, marking(), marks=sought.marks, shared=sought.shared, keys=sought.keys
        )
        return {item.title for item in items}

    feeds.record(opened, state, body.items, now=NOW)
    assert len(found()) == 4
    collect(opened, feed, last, state, NOW)
    assert found() == {"Meldung 3"}
    feeds.move_feed(opened, feed.url, "https://neu.example/feed")
    moved = Feed("Blatt", "https://neu.example/feed")
    assert len(found(moved.url)) == 4
    marks = select(func.count()).select_from(schema.feed_item_marks)
    with opened.reading() as connection:
        before = connection.scalar(marks)
    collect(opened, moved, last, state, NOW)
    assert found(moved.url) == {"Meldung 3"}
    with opened.reading() as connection:
        assert connection.scalar(marks) == before, "those of the former address are gone"
