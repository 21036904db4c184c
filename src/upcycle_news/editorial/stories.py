"""Items of several feeds that tell the same become one story.

Two items tell the same when they lead to the same page, or when two thirds of the shorter one's
character 4-grams occur in the other (on 18 German pairs .66 parted them without a mistake,
look-alikes reached .65). Numbers that contradict each other keep look-alikes apart: "KW 47" is not
"KW 48".
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from upcycle_news.model import FeedItem, Story

CONTAINMENT = 0.66
MIN_GRAMS = 30  # shorter texts resemble everything


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
    return tuple(Story(_led(group, weights)) for group in stories.values())


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
        groups.join(first.setdefault(item.canonical, index), index)


def _join_same_text(items: Sequence[FeedItem], groups: _Groups) -> None:
    grams = [grams_of(_text(item)) for item in items]
    numbers = [_numbers(_text(item)) for item in items]
    likely = []
    for one, other in _pairs(grams):
        if items[one].language != items[other].language:
            continue
        share = containment(grams[one], grams[other])
        if share >= CONTAINMENT and not _contradict(numbers[one], numbers[other]):
            likely.append((-share, one, other))
    # The most alike first: who is joined already may keep a less alike one of the same feed out.
    for _, one, other in sorted(likely):
        if _may_join(items, groups, one, other):
            groups.join(one, other)


def _may_join(items: Sequence[FeedItem], groups: _Groups, one: int, other: int) -> bool:
    """Within one feed likeness means a series: its publisher would not write the same twice."""
    feeds = ({items[index].feed for index in groups.members(which)} for which in (one, other))
    return next(feeds).isdisjoint(next(feeds))


def _pairs(grams: Sequence[frozenset[str]]) -> Iterable[tuple[int, int]]:
    """Find the pairs worth comparing, without comparing all.

    Who shares two thirds of a set shares at least one of the rarest third and one more of it
    (prefix filtering), so each item asks only for the others that have one of its rarest grams.
    """
    frequency = Counter(gram for one in grams for gram in one)
    having: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(grams):
        for gram in one:
            having[gram].append(index)
    found: set[tuple[int, int]] = set()
    for index, one in enumerate(grams):
        if len(one) < MIN_GRAMS:
            continue
        rarest = sorted(one, key=lambda gram: (frequency[gram], gram))
        for gram in rarest[: len(one) - math.ceil(CONTAINMENT * len(one)) + 1]:
            for other in having[gram]:
                if other != index and len(grams[other]) >= len(one):
                    found.add((min(index, other), max(index, other)))
    return sorted(found)


def _text(item: FeedItem) -> str:
    return f"{item.title}. {item.summary}"


def grams_of(text: str) -> frozenset[str]:
    """Return the character 4-grams of a text: lower case, letters and digits, single spaces."""
    plain = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return frozenset(plain[start : start + 4] for start in range(len(plain) - 3))


def containment(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the smaller set that is in the other, 0 to 1."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def _numbers(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"[.,]", "", number) for number in re.findall(r"\d+(?:[.,]\d+)*", text))


def _contradict(one: frozenset[str], other: frozenset[str]) -> bool:
    return not (one <= other or other <= one)
