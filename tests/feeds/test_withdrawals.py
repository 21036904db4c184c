"""What disappears from a feed: withdrawn or rolled off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.feeds.withdrawals import missing_items
from upcycle_news.models import FeedItem

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def feed(ages: str) -> list[FeedItem]:
    """Return items named by letters, with their ages in days: ``a1 b2 c60``."""
    return [
        FeedItem(
            key=word[0],
            feed="f",
            link="",
            canonical="",
            title=word[0],
            summary="",
            date=NOW - timedelta(days=int(word[1:])),
            date_source="feed",
        )
        for word in ages.split()
    ]


@pytest.mark.parametrize(
    ("before", "present", "added", "missing"),
    [
        ("a1 b2 c3 d4", "acd", 0, {"b": "withdrawn"}),
        ("a1 b2 c3 d4", "xacd", 1, {"b": "withdrawn"}),
        ("a1 b2 c3", "bc", 0, {"a": "perhaps withdrawn"}),
        ("a1 b2 c3", "ab", 0, {}),  # it rolled off
        ("a1 b2 c3 d4", "xya", 2, {}),
        ("a4 b6 c60", "xyc", 2, {}),  # rolled off beside a pinned one
        ("a4 b6 c60", "xac", 1, {}),
        ("a4 b6 c60", "ac", 0, {"b": "withdrawn"}),  # nothing came in its place
        ("d4 c3 b2 a1", "dba", 0, {"c": "withdrawn"}),  # oldest first
        ("d4 c3 b2 a1", "cbax", 1, {}),
        ("a1 b9 c3 d7 e2 f8", "acdef", 0, {}),  # in no order
        ("a1", "x", 1, {}),
        ("", "x", 1, {}),
    ],
)
def test_an_item_between_others_that_are_there_was_taken_out(before, present, added, missing):
    assert missing_items(feed(before), set(present), added) == missing
