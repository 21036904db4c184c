"""Near-duplicate detection: items of several feeds that report the same become one story.

Two items are the same story when they link to the same page, or when two thirds of the shorter one's
character 4-grams occur in the other: set containment (on 18 German pairs a threshold of .66 made no
mistake, look-alikes reached .65). Numbers and places that contradict each other keep look-alikes
apart: "KW 47" is not "KW 48", and what happens in Musterhausen does not happen in Beispielstadt.
Pairs are joined with a disjoint-set forest, the most similar first.

One page under two feeds is one item, not two sources: the feed with the higher weight keeps it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from upcycle_news.models import FeedItem, Story
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import page_key

CONTAINMENT = 0.66
MIN_NGRAMS = 30  # shorter texts resemble everything
COMPARED = 300  # characters of the summary that are compared
WINDOW = timedelta(days=7)  # a repetition after that is another story


def cluster_stories(
    items: Sequence[FeedItem], weights: Mapping[str, float] | None = None
) -> tuple[Story, ...]:
    """Group items into stories, newest first; each is led by the item of the weightiest feed.

    `weights` maps names of feeds to their weight. The order of `items` does not matter.
    """
    weights = weights or {}
    ordered = sorted(
        items, key=lambda item: (-item.date.timestamp(), item.feed, item.key, item.link)
    )
    groups = _DisjointSets(len(ordered))
    _join_same_page(ordered, groups)
    _join_same_text(ordered, groups)
    stories: dict[int, list[FeedItem]] = defaultdict(list)
    for index, item in enumerate(ordered):
        stories[groups.root(index)].append(item)
    return tuple(Story(_deduplicate(_lead_first(group, weights))) for group in stories.values())


def _deduplicate(items: tuple[FeedItem, ...]) -> tuple[FeedItem, ...]:
    """Keep one item for each page and for each feed."""
    pages = {page_key(item.canonical): item for item in reversed(items)}
    feeds = {item.feed: item for item in reversed(items) if pages[page_key(item.canonical)] is item}
    return tuple(item for item in items if feeds.get(item.feed) is item)


def _lead_first(group: list[FeedItem], weights: Mapping[str, float]) -> tuple[FeedItem, ...]:
    """Sort the lead first: of the feed with the highest weight, with a summary, the earliest."""
    return tuple(
        sorted(
            group,
            key=lambda item: (
                -weights.get(item.feed, 1.0), not item.summary, item.date, item.feed, item.key,
            ),
        )
    )  # fmt: skip


class _DisjointSets:
    """Disjoint sets of indices (union-find); the lowest index is the root of its set."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        low, high = sorted((self.root(first), self.root(second)))
        self._parent[high] = low

    def members(self, index: int) -> list[int]:
        root = self.root(index)
        return [member for member in range(len(self._parent)) if self.root(member) == root]


def _join_same_page(items: Sequence[FeedItem], groups: _DisjointSets) -> None:
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        groups.join(first.setdefault(page_key(item.canonical), index), index)


def _join_same_text(items: Sequence[FeedItem], groups: _DisjointSets) -> None:
    ngrams = [character_ngrams(_text(item)) for item in items]
    numbers = [_numbers(_text(item)) for item in items]
    places = [_places(item) for item in items]
    pairs = [
        (-containment, first, second)
        for first, second, containment in _similar_pairs(items, ngrams)
        if base_language(items[first].language) == base_language(items[second].language)
        and not _contradict(numbers[first], numbers[second])
        and not _elsewhere(places[first], places[second], items[first], items[second])
    ]
    # The most similar first: a joined item may keep a less similar one of the same feed out.
    for _, first, second in sorted(pairs):
        if _may_join(items, groups, first, second):
            groups.join(first, second)


def _may_join(items: Sequence[FeedItem], groups: _DisjointSets, first: int, second: int) -> bool:
    """Refuse items of one feed: similar texts there are a series, no publisher writes one twice."""
    feeds = ({items[index].feed for index in groups.members(member)} for member in (first, second))
    return next(feeds).isdisjoint(next(feeds))


def _similar_pairs(
    items: Sequence[FeedItem], ngrams: Sequence[frozenset[str]]
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of which one contains the other and how much; `items` are sorted by date.

    Each set is one long integer with a bit for each 4-gram, so that comparing two is one `&`: 1,500
    items take about a second.
    """
    bits: dict[str, int] = {}
    masks = []
    for item_ngrams in ngrams:
        mask = 0
        for ngram in item_ngrams:
            mask |= 1 << bits.setdefault(ngram, len(bits))
        masks.append(mask)
    sizes = [len(item_ngrams) if len(item_ngrams) >= MIN_NGRAMS else 0 for item_ngrams in ngrams]
    for first, item in enumerate(items):
        if not sizes[first]:
            continue
        mask, size, oldest = masks[first], sizes[first], item.date - WINDOW
        for second in range(first + 1, len(items)):
            if items[second].date < oldest:
                break
            smaller = min(size, sizes[second])
            common = (mask & masks[second]).bit_count()
            if smaller and common >= CONTAINMENT * smaller:
                yield first, second, common / smaller


def _text(item: FeedItem) -> str:
    # A long text contains every short one by chance: the beginning is what is compared.
    return f"{item.title}. {item.summary[:COMPARED]}"


def character_ngrams(text: str) -> frozenset[str]:
    """Return the character 4-grams of a text: lower case, letters and digits, single spaces."""
    plain = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return frozenset(plain[start : start + 4] for start in range(len(plain) - 3))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"[.,]", "", number) for number in re.findall(r"\d+(?:[.,]\d+)*", text))


def _contradict(first: frozenset[str], second: frozenset[str]) -> bool:
    return not (first <= second or second <= first)


# Place names: a word after "in", "bei" or "Stadt" without an article, a word that ends like a place,
# and a word before a colon at the start. Some other words match, which only costs a merger.
_PLACE = re.compile(
    r"\b(?:[Ii]n|[Bb]ei|[Aa]us|[Nn]ach|[Vv]on|Stadt|Gemeinde|Kreis|Landkreis|Dorf)\s+([A-ZÄÖÜ][a-zäöüß]+)"
    r"|\b([A-ZÄÖÜ][a-zäöüß]{2,}(?:hausen|heim|burg|stadt|dorf|berg|bach|furt|hagen|feld|ingen|leben|walde))\b"
    r"|^([A-ZÄÖÜ][a-zäöüß]+):"
)


def _places(item: FeedItem) -> frozenset[str]:
    matches = _PLACE.findall(_text(item))
    return frozenset(name for groups in matches for name in groups if name)


def _elsewhere(
    first_places: frozenset[str],
    second_places: frozenset[str],
    first: FeedItem,
    second: FeedItem,
) -> bool:
    """Tell whether each item names a place that the other does not mention."""
    first_text, second_text = _text(first), _text(second)
    return any(name not in second_text for name in first_places) and any(
        name not in first_text for name in second_places
    )
