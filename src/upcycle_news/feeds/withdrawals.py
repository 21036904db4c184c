"""Items that disappeared from their feed: withdrawn by the publisher, or rolled off at its end.

A feed shows its newest items, so what is gone at the end merely rolled off. What is gone between items
that are still there was taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Literal

from upcycle_news.models import FeedItem

Missing = Literal["withdrawn", "perhaps withdrawn"]

MIN_ORDERED = 0.8  # of the neighbours in a feed that are in the order of their dates
PINNED_GAP = timedelta(days=14)
PINNED_FACTOR = 3  # times as long as the rest of the feed goes back


def missing_items(
    before: Sequence[FeedItem], present: Collection[str], added: int
) -> Mapping[str, Missing]:
    """Return the keys of items that were in the body before and were taken out since.

    `before` are the items of that body in its order, `present` the keys of those in the new one,
    which has `added` new ones. Certain is an item whose neighbours on both sides are still there;
    one that was the newest had none in front. Feeds that are in no order say nothing.
    """
    items = _newest_first(before)
    if items is None:
        return {}
    missing: dict[str, Missing] = {}
    gone = sum(item.key not in present for item in items)
    for index, item in enumerate(items):
        if item.key in present or index + 1 == len(items):
            continue
        behind, in_front = items[index + 1], items[index - 1] if index else None
        if behind.key not in present or (in_front is not None and in_front.key not in present):
            continue
        if added >= gone and _is_pinned(items, index + 1):
            continue  # as many came as went: it rolled off in front of what stays there for good
        missing[item.key] = "withdrawn" if in_front is not None else "perhaps withdrawn"
    return missing


def _newest_first(items: Sequence[FeedItem]) -> Sequence[FeedItem] | None:
    """Return the items newest first; None for a feed that is in no order."""
    dates = [item.date for item in items if item.date_source in ("feed", "german")]
    pairs = list(pairwise(dates))
    if not pairs:
        return items
    falling = sum(first >= second for first, second in pairs)
    rising = sum(first <= second for first, second in pairs)
    if falling >= MIN_ORDERED * len(pairs):
        return items
    # One pinned item may stand at the top of a short feed.
    if rising >= MIN_ORDERED * len(pairs):
        return items[::-1]
    return items if len(pairs) < 4 and falling >= len(pairs) - 1 else None


def _is_pinned(items: Sequence[FeedItem], index: int) -> bool:
    """Tell whether the items from `index` on are so much older that they are there for good."""
    dates = [item.date for item in items if item.date_source in ("feed", "german")]
    tail = [item.date for item in items[index:] if item.date_source in ("feed", "german")]
    rest = dates[: len(dates) - len(tail)]
    if not tail or not rest:
        return False
    gap = min(rest) - max(tail)
    return gap > PINNED_GAP and gap > PINNED_FACTOR * (max(rest) - min(rest))
