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
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from heapq import nsmallest
from itertools import pairwise

from upcycle_news.curation.kept import NOTHING_KEPT, ItemResults
from upcycle_news.models import FeedItem, Story
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import page_key

CONTAINMENT = 0.66
MIN_NGRAMS = 30  # shorter texts resemble everything
COMPARED = 300  # characters of the summary that are compared
WINDOW = timedelta(days=7)  # a repetition after that is another story
# How candidates for a comparison are found: by the rarest words and word pairs that others have, too.
PROBED_FEATURES = 24  # of an item
NEIGHBOURS = 6  # items of the same feature, each way in the order of dates
CANDIDATES = 8  # of an item, those with the most probed features
MIN_SHARE = 0.2  # of the features of the item that has fewer


def cluster_stories(
    items: Sequence[FeedItem],
    weights: Mapping[str, float] | None = None,
    results: ItemResults = NOTHING_KEPT,
) -> tuple[Story, ...]:
    """Group items into stories, newest first; each is led by the item of the weightiest feed.

    `weights` maps names of feeds to their weight. The order of `items` does not matter. Which texts are
    similar may be kept in `results`.
    """
    weights = weights or {}
    ordered = sorted(
        items, key=lambda item: (-item.date.timestamp(), item.feed, item.key, item.link)
    )
    groups = _DisjointSets(len(ordered))
    _join_same_page(ordered, groups)
    similar = results.whole(
        "similar",
        [[*_compared(item), item.date.timestamp()] for item in ordered],
        lambda: similar_pairs(ordered),
    )
    _join_similar(ordered, groups, similar)
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
    """Disjoint sets of indices (union-find) with the members of each set."""

    def __init__(self, size: int) -> None:
        self._root = list(range(size))
        self._members = [[index] for index in range(size)]

    def root(self, index: int) -> int:
        return self._root[index]

    def join(self, first: int, second: int) -> None:
        """Join the sets of two indices; the lowest index of a set is its root."""
        low, high = sorted((self._root[first], self._root[second]))
        if low == high:
            return
        for member in self._members[high]:
            self._root[member] = low
        self._members[low] += self._members[high]
        self._members[high] = []

    def members(self, index: int) -> list[int]:
        return self._members[self._root[index]]


def _join_same_page(items: Sequence[FeedItem], groups: _DisjointSets) -> None:
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        groups.join(first.setdefault(page_key(item.canonical), index), index)


def similar_pairs(items: Sequence[FeedItem]) -> list[list[int]]:
    """Return the pairs of items that tell the same, the most similar first, as numbers of `items`.

    These are sorted by date, newest first.
    """
    compared = _ComparedTexts(items)
    pairs = [
        (-containment, first, second)
        for first, second in sorted(set(candidate_pairs(items)))
        if (containment := compared.containment(first, second)) >= CONTAINMENT
        and not compared.contradict(first, second)
    ]
    return [[first, second] for _, first, second in sorted(pairs)]


def _compared(item: FeedItem) -> tuple[str, str, str]:
    """Return what of an item, beside its date, decides what it is similar to."""
    return item.feed, base_language(item.language), _text(item)


def _join_similar(
    items: Sequence[FeedItem], groups: _DisjointSets, pairs: Iterable[Sequence[int]]
) -> None:
    # The most similar first: a joined item may keep a less similar one of the same feed out.
    for first, second in pairs:
        if _may_join(items, groups, first, second):
            groups.join(first, second)


def _may_join(items: Sequence[FeedItem], groups: _DisjointSets, first: int, second: int) -> bool:
    """Refuse items of one feed: similar texts there are a series, no publisher writes one twice."""
    feeds = ({items[index].feed for index in groups.members(member)} for member in (first, second))
    return next(feeds).isdisjoint(next(feeds))


def candidate_pairs(items: Sequence[FeedItem]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of items that may tell the same; `items` are sorted by date, newest first.

    Candidates of an item are those that share the most of its rarest words and pairs of neighbouring
    words, come from another feed, are in its language and at most `WINDOW` away. Texts of which one
    contains two thirds of the other's 4-grams share many of these, so few other pairs need a closer
    look; and since each item has at most `CANDIDATES`, their number grows with the items and not
    with their square.
    """
    features = [_features(_text(item)) for item in items]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(features):
        for feature in found:
            holders[feature].append(index)
    common = {feature: holding for feature, holding in holders.items() if len(holding) > 1}
    words, sizes = [found.keys() for found in features], list(map(len, features))
    feeds = [item.feed for item in items]
    languages = [base_language(item.language) for item in items]
    for index, found in enumerate(features):
        shared = [common[feature] for feature in found if feature in common]
        near: list[int] = []
        for holding in sorted(shared, key=len)[:PROBED_FEATURES]:
            place = bisect_left(holding, index)
            near += holding[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS + 1]
        feed, language, date = feeds[index], languages[index], items[index].date
        others = [
            (-count, abs(index - other), other)
            for other, count in Counter(near).items()
            if feeds[other] != feed and languages[other] == language
        ]
        for _, _, other in nsmallest(CANDIDATES, others):
            smaller = min(sizes[index], sizes[other])
            if (
                abs(items[other].date - date) <= WINDOW
                and len(words[index] & words[other]) >= MIN_SHARE * smaller
            ):
                yield min(index, other), max(index, other)


def _features(text: str) -> dict[str, None]:
    """Return the words of a text and its pairs of neighbouring words, in lower case and in order."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return dict.fromkeys([*words, *[f"{first} {second}" for first, second in pairwise(words)]])


class _ComparedTexts:
    """What is compared of each item, computed when it is first asked for."""

    def __init__(self, items: Sequence[FeedItem]) -> None:
        self._items = items
        self._ngrams: dict[int, frozenset[str]] = {}

    def containment(self, first: int, second: int) -> float:
        """Return the share, 0 to 1, of the shorter text's 4-grams in the other; 0 for a short text."""
        grams = self._grams_of(first), self._grams_of(second)
        smaller = min(len(grams[0]), len(grams[1]))
        return len(grams[0] & grams[1]) / smaller if smaller >= MIN_NGRAMS else 0.0

    def contradict(self, first: int, second: int) -> bool:
        """Tell whether numbers or places of two items contradict each other."""
        items = self._items[first], self._items[second]
        numbers = _numbers(_text(items[0])), _numbers(_text(items[1]))
        return _contradict(*numbers) or _elsewhere(_places(items[0]), _places(items[1]), *items)

    def _grams_of(self, index: int) -> frozenset[str]:
        if index not in self._ngrams:
            self._ngrams[index] = character_ngrams(_text(self._items[index]))
        return self._ngrams[index]


def _text(item: FeedItem) -> str:
    # A long text contains every short one by chance: the beginning is what is compared.
    return f"{item.title}. {item.summary[:COMPARED]}"


def character_ngrams(text: str) -> frozenset[str]:
    """Return the character 4-grams of a text: lower case, letters and digits, single spaces."""
    plain = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return frozenset([plain[start : start + 4] for start in range(len(plain) - 3)])


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
