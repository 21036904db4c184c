"""Which item is which: within one reading of a feed, and from one reading to the next.

A guid identifies an item, unless the feed uses it for several; then the link does; and where all
items lead to one page, their titles do.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from upcycle_news.models import Feed, FeedItem
from upcycle_news.text.sanitize import normalise_whitespace

MAX_KEY = 400


@dataclass(frozen=True)
class KnownItem:
    """What is remembered of an item: where it led and what it was called."""

    canonical: str
    title: str


def item_key(guid: str, canonical: str, feed: Feed) -> str:
    """Identify an item: by its guid, made unique where it is a mere number; else by its link."""
    guid = normalise_whitespace(guid)
    if not guid:
        return canonical
    if feed.url and not re.match(r"(?:https?://|tag:|urn:)", guid):
        guid = f"{feed.url} {guid}"
    return _short(guid)


def deduplicate_items(items: Sequence[FeedItem]) -> tuple[FeedItem, ...]:
    """Drop repetitions, and give items that share a key keys of their own."""
    groups: dict[str, list[FeedItem]] = defaultdict(list)
    for item in items:
        groups[item.key].append(item)
    reused = {key for key, group in groups.items() if len({i.canonical for i in group}) > 1}
    # Without guids, and all leading to the front page: only the titles differ.
    pageless = {
        key
        for key, group in groups.items()
        if key == group[0].canonical and len({item.title for item in group}) > 1
    }
    found: dict[tuple[str, str], FeedItem] = {}
    for item in items:
        if item.key in pageless:
            item = _by_title(item)
        elif item.key in reused:
            item = _by_link(item)
        found.setdefault((item.key, item.canonical), item)
    return tuple(found.values())


def resolve_reused_guids(
    items: Iterable[FeedItem], known: Mapping[str, KnownItem]
) -> tuple[FeedItem, ...]:
    """Tell items from remembered ones whose guid they reuse; `known` is kept by key.

    The same guid with another link and another title is another item; with the same title the
    publisher only moved the page.
    """
    return tuple(_settled(item, known) for item in items)


def _settled(item: FeedItem, known: Mapping[str, KnownItem]) -> FeedItem:
    other = _by_link(item)
    if other.key in known:
        return other
    before = known.get(item.key)
    if before is None or before.canonical == item.canonical or before.title == item.title:
        return item
    return other


def _by_link(item: FeedItem) -> FeedItem:
    return replace(item, key=_short(f"{item.key} {item.canonical}"))


def _by_title(item: FeedItem) -> FeedItem:
    # The page does not identify it either, so its canonical link must not: it would be "used" and
    # merged with its neighbours.
    mark = hashlib.sha256(item.title.encode()).hexdigest()[:16]
    own = f"{item.canonical}#item-{mark}"
    return replace(item, key=_short(own), canonical=own)


def _short(key: str) -> str:
    if len(key) <= MAX_KEY:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
