"""Identity of feed items, within one body of a feed and from one collection to the next.

A guid identifies an item, unless the feed uses it for several; then the link does; and where all
items link to one page, their titles do.
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
    """The stored link and title of an item."""

    canonical: str
    title: str


def item_key(guid: str, canonical: str, feed: Feed) -> str:
    """Return the key of an item: its guid, made unique where it is a mere number, else its link."""
    guid = normalise_whitespace(guid)
    if not guid:
        return canonical
    if feed.url and not re.match(r"(?:https?://|tag:|urn:)", guid):
        guid = f"{feed.url} {guid}"
    return _short(guid)


def deduplicate_items(items: Sequence[FeedItem]) -> tuple[FeedItem, ...]:
    """Drop duplicates, and give different items that share a key keys of their own."""
    groups: dict[str, list[FeedItem]] = defaultdict(list)
    for item in items:
        groups[item.key].append(item)
    reused = {key for key, group in groups.items() if len({item.canonical for item in group}) > 1}
    # Without guids, and all linking to the front page: only the titles differ.
    without_page = {
        key
        for key, group in groups.items()
        if key == group[0].canonical and len({item.title for item in group}) > 1
    }
    unique: dict[tuple[str, str], FeedItem] = {}
    for item in items:
        if item.key in without_page:
            item = _by_title(item)
        elif item.key in reused:
            item = _by_link(item)
        unique.setdefault((item.key, item.canonical), item)
    return tuple(unique.values())


def resolve_reused_guids(
    items: Iterable[FeedItem], known: Mapping[str, KnownItem]
) -> tuple[FeedItem, ...]:
    """Give items that reuse the guid of another stored item a key of their own.

    `known` maps keys to stored items. The same guid with another link and another title is another
    item; with the same title the publisher only moved the page.
    """
    return tuple(_with_own_key(item, known) for item in items)


def _with_own_key(item: FeedItem, known: Mapping[str, KnownItem]) -> FeedItem:
    by_link = _by_link(item)
    if by_link.key in known:
        return by_link
    before = known.get(item.key)
    if before is None or before.canonical == item.canonical or before.title == item.title:
        return item
    return by_link


def _by_link(item: FeedItem) -> FeedItem:
    return replace(item, key=_short(f"{item.key} {item.canonical}"))


def _by_title(item: FeedItem) -> FeedItem:
    # The page does not identify it either, so its canonical link must not: it would be "used" and
    # merged with its neighbours.
    title_hash = hashlib.sha256(item.title.encode()).hexdigest()[:16]
    link = f"{item.canonical}#item-{title_hash}"
    return replace(item, key=_short(link), canonical=link)


def _short(key: str) -> str:
    if len(key) <= MAX_KEY:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
