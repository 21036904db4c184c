"""Items of several feeds that tell the same become one story.

Two items tell the same when they lead to the same page, or when two thirds of the shorter one's
character 4-grams occur in the other (on 18 German pairs .66 parted them without a mistake,
look-alikes reached .65). Numbers and places that contradict each other keep look-alikes apart: "KW
47" is not "KW 48", and what happens in Musterhausen does not happen in Beispielstadt.

One page under two feeds is one item, not two sources: the heavier feed keeps it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from upcycle_news.models import FeedItem, Story
from upcycle_news.text.urls import page_of

CONTAINMENT = 0.66
MIN_GRAMS = 30  # shorter texts resemble everything
COMPARED = 300  # characters of the summary
WINDOW = timedelta(days=7)  # what is told again later is another story


def merge(
    items: Sequence[FeedItem], weights: Mapping[str, float] | None = None
) -> tuple[Story, ...]:
    """Group items into stories, newest first; each is led by the item of the weightiest feed.

    `weights` maps names of feeds to their weight. The order of `items` does not matter.
    """
    weights = weights or {}
    ordered = sorted(
        items, key=lambda item: (-item.date.timestamp(), item.feed, item.key, item.link)
    )
    groups = _Groups(len(ordered))
    _join_same_page(ordered, groups)
    _join_same_text(ordered, groups)
    stories: dict[int, list[FeedItem]] = defaultdict(list)
    for index, item in enumerate(ordered):
        stories[groups.root(index)].append(item)
    return tuple(Story(_one_each(_led(group, weights))) for group in stories.values())


def _one_each(items: tuple[FeedItem, ...]) -> tuple[FeedItem, ...]:
    """Name a page once, and each feed once."""
    pages = {page_of(item.canonical): item for item in reversed(items)}
    feeds = {item.feed: item for item in reversed(items) if pages[page_of(item.canonical)] is item}
    return tuple(item for item in items if feeds.get(item.feed) is item)


def _led(group: list[FeedItem], weights: Mapping[str, float]) -> tuple[FeedItem, ...]:
    """Put the item that is shown first: heaviest feed, then with a summary, then the earliest."""
    return tuple(
        sorted(
            group,
            key=lambda item: (
                -weights.get(item.feed, 1.0), not item.summary, item.date, item.feed, item.key,
            ),
        )
    )  # fmt: skip


class _Groups:
    """Disjoint sets of indices; the lowest index stands for its set."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low

    def members(self, index: int) -> list[int]:
        root = self.root(index)
        return [other for other in range(len(self._parent)) if self.root(other) == root]


def _join_same_page(items: Sequence[FeedItem], groups: _Groups) -> None:
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        groups.join(first.setdefault(page_of(item.canonical), index), index)


def _join_same_text(items: Sequence[FeedItem], groups: _Groups) -> None:
    grams = [grams_of(_text(item)) for item in items]
    numbers = [_numbers(_text(item)) for item in items]
    places = [_places(item) for item in items]
    likely = [
        (-share, one, other)
        for one, other, share in _alike(items, grams)
        if items[one].language == items[other].language
        and not _contradict(numbers[one], numbers[other])
        and not _elsewhere(places[one], places[other], items[one], items[other])
    ]
    # The most alike first: who is joined already may keep a less alike one of the same feed out.
    for _, one, other in sorted(likely):
        if _may_join(items, groups, one, other):
            groups.join(one, other)


def _may_join(items: Sequence[FeedItem], groups: _Groups, one: int, other: int) -> bool:
    """Within one feed likeness means a series: its publisher would not write the same twice."""
    feeds = ({items[index].feed for index in groups.members(which)} for which in (one, other))
    return next(feeds).isdisjoint(next(feeds))


def _alike(
    items: Sequence[FeedItem], grams: Sequence[frozenset[str]]
) -> Iterator[tuple[int, int, float]]:
    """Find the pairs of which one contains the other, among `items` in the order of their dates.

    Each set is one long integer with a bit for each 4-gram, so that comparing two is one `&`: 1,500
    items take about a second.
    """
    bits: dict[str, int] = {}
    masks = []
    for one in grams:
        mask = 0
        for gram in one:
            mask |= 1 << bits.setdefault(gram, len(bits))
        masks.append(mask)
    sizes = [len(one) if len(one) >= MIN_GRAMS else 0 for one in grams]
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


def grams_of(text: str) -> frozenset[str]:
    """Return the character 4-grams of a text: lower case, letters and digits, single spaces."""
    plain = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return frozenset(plain[start : start + 4] for start in range(len(plain) - 3))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"[.,]", "", number) for number in re.findall(r"\d+(?:[.,]\d+)*", text))


def _contradict(one: frozenset[str], other: frozenset[str]) -> bool:
    return not (one <= other or other <= one)


# What follows "in", "bei" or "Stadt" without an article, what ends like a place, and what stands
# before a colon at the start: names of places, and some other words, which only costs a merger.
_PLACE = re.compile(
    r"\b(?:[Ii]n|[Bb]ei|[Aa]us|[Nn]ach|[Vv]on|Stadt|Gemeinde|Kreis|Landkreis|Dorf)\s+([A-ZÄÖÜ][a-zäöüß]+)"
    r"|\b([A-ZÄÖÜ][a-zäöüß]{2,}(?:hausen|heim|burg|stadt|dorf|berg|bach|furt|hagen|feld|ingen|leben|walde))\b"
    r"|^([A-ZÄÖÜ][a-zäöüß]+):"
)


def _places(item: FeedItem) -> frozenset[str]:
    found = _PLACE.findall(_text(item))
    return frozenset(name for groups in found for name in groups if name)


def _elsewhere(
    one: frozenset[str], other: frozenset[str], first: FeedItem, second: FeedItem
) -> bool:
    """Tell whether each names a place of which the other does not speak."""
    ours, theirs = _text(first), _text(second)
    return any(name not in theirs for name in one) and any(name not in ours for name in other)
