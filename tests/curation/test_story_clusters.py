"""Grouping items into stories: the same as comparing every pair, with work that grows with the items."""

from __future__ import annotations

import cProfile
import pstats
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from upcycle_news.curation import story_clusters
from upcycle_news.curation.selection import SelectionLimits, select_candidates
from upcycle_news.models import Essay, Feed, FeedItem

DAY = date(2026, 11, 26)
PER_FEED = 30
SYLLABLES = ("ba", "del", "fin", "gru", "hol", "kan", "ler", "mos", "nau", "pel", "rost", "schul")
COMMON = ("der", "die", "das", "und", "in", "auf", "mit", "von", "für", "den", "ein", "ist", "wird")


def _word(rng: random.Random) -> str:
    """Return a word of a vocabulary in which, as in a language, few words make up most of a text."""
    if rng.random() < 0.4:
        return rng.choice(COMMON)
    number = len(SYLLABLES) + int(rng.lognormvariate(5, 2))
    parts = []
    while number:
        number, digit = divmod(number, len(SYLLABLES))
        parts.append(SYLLABLES[digit])
    return "".join(parts[:5]).capitalize()


def _items(count: int, *, repeated: float = 0.05, seed: int = 1) -> list[FeedItem]:
    """Return items of `count // PER_FEED` feeds; some tell, reworded, what another one tells."""
    rng = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < repeated:
            words = list(rng.choice(texts))
            for _ in range(rng.randrange(6)):
                words[rng.randrange(len(words))] = _word(rng)
        else:
            words = [_word(rng) for _ in range(45)]
        texts.append(words)
    newest = datetime(2026, 11, 26, tzinfo=UTC)
    return [
        FeedItem(
            key=f"k{number}",
            feed=f"Feed {number % (count // PER_FEED)}",
            link=f"https://example.org/{number}",
            canonical=f"https://example.org/{number}",
            title=" ".join(words[:8]),
            summary=" ".join(words[8:]),
            date=newest - timedelta(minutes=rng.randrange(60 * 24 * 28)),
            date_source="feed",
        )
        for number, words in enumerate(texts)
    ]


def _every_pair(items: list[FeedItem]) -> list[tuple[int, int]]:
    """Return the pairs that may become one story, without looking at their texts."""
    return [
        (first, second)
        for first, item in enumerate(items)
        for second in range(first + 1, len(items))
        if item.feed != items[second].feed
        and abs(item.date - items[second].date) <= story_clusters.WINDOW
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_stories_are_those_of_comparing_every_pair(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = _items(600, repeated=0.2, seed=seed)
    stories = story_clusters.cluster_stories(items)
    monkeypatch.setattr(story_clusters, "candidate_pairs", _every_pair)
    assert stories == story_clusters.cluster_stories(items)
    assert len(stories) < 580, "some items tell the same"


def test_the_number_of_compared_pairs_grows_with_the_items() -> None:
    for count in (500, 3000):
        pairs = list(story_clusters.candidate_pairs(_items(count)))
        assert len(pairs) <= story_clusters.CANDIDATES * count


def test_one_text_in_sixty_feeds_is_one_story() -> None:
    text = "Die Stadt kauft das alte Kaufhaus am Markt und baut es mit gebrauchten Teilen um"
    items = [
        FeedItem(
            key=f"k{number}",
            feed=f"Feed {number}",
            link=f"https://example.org/{number}",
            canonical=f"https://example.org/{number}",
            title=text,
            summary="Im Erdgeschoss ziehen eine Bücherei und eine Werkstatt ein.",
            date=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=number),
            date_source="feed",
        )
        for number in range(60)
    ]
    (story,) = story_clusters.cluster_stories(items)
    assert len(story.items) == 60


def _calls(count: int) -> int:
    """Return how many functions are called to choose among `count` items."""
    items = _items(count)
    feeds = [Feed(name=name, url="https://example.org/feed") for name in {i.feed for i in items}]
    essay = Essay(
        slug="e", source="", title="Nau und Pel", author="", date=DAY, language="de", summary="",
        body=" ".join(item.title for item in items[:5]), topics=("Rost",),
    )  # fmt: skip
    return _calls_of(
        lambda: select_candidates([essay], items, set(), feeds, SelectionLimits(), DAY)
    )


def _calls_of(work: Callable[[], object]) -> int:
    profile = cProfile.Profile()
    profile.enable()
    work()
    profile.disable()
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


def test_grouping_one_item_more_takes_the_same_work_once_words_are_shared() -> None:
    """Among a few hundred items hardly any share rare words, so from there on it is a little more for each."""
    calls = {
        count: _calls_of(partial(story_clusters.cluster_stories, _items(count)))
        for count in (2000, 6000)
    }
    assert calls[6000] / 6000 <= 1.1 * calls[2000] / 2000


def test_an_item_more_takes_the_same_work_however_many_there_are() -> None:
    """Some work is done once, whatever the number, and is left out by the differences."""
    _calls(6000)  # fills the caches of words, which whatever is counted next would profit from
    few, some, many = _calls(500), _calls(2000), _calls(6000)
    assert (many - some) / 4000 <= 1.1 * (some - few) / 1500
