"""Choosing with what was kept of the items: the same decision, and nothing of a known item is found again."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from upcycle_news.curation.selection import SelectionLimits, select_candidates
from upcycle_news.curation.vocabulary import Concept, Vocabulary
from upcycle_news.models import Essay, Feed, FeedItem

DAY = date(2026, 11, 26)
VOCABULARY = Vocabulary(
    (
        Concept("Lehmbau", ("Lehm", "Stampflehm"), ("Wand",), english=("earth building", "clay")),
        Concept("Leerstand", ("Laden", "leer-"), ("Miete",), english=("vacancy",)),
        Concept("Sport", ("Handball",), outside=True),
    ),
    everyday=("Laden",),
)
TEXT = """
    Lehm Stampflehmwand Wand Laden Leerstand Miete Handball Derby leerstehend Stadt Haus Dach Regen clay
    vacancy wall Garten Schule Brücke 47 48 in Musterhausen und die der neu gebaut gemietet saniert
"""
WORDS = TEXT.split()


class JsonResults:
    """Keeps every result as JSON by what it was made of, and counts those that are made."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.made: Counter[str] = Counter()

    def whole(self, name: str, values: Sequence[Any], make: Callable[[], Any]) -> Any:
        return self._once(name, values, make)

    def each(
        self, name: str, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]
    ) -> list[Any]:
        return [
            self._once(name, [inputs, value], lambda value=value: make(value)) for value in values
        ]

    def _once(self, name: str, inputs: Any, make: Callable[[], Any]) -> Any:
        key = json.dumps([name, inputs])
        if key not in self.kept:
            self.made[name] += 1
            self.kept[key] = json.dumps(make())
        return json.loads(self.kept[key])


def pool(rng: random.Random) -> list[FeedItem]:
    """Return items of which many tell, almost in the same words, what another one tells."""
    texts: list[list[str]] = []
    for _ in range(rng.randrange(20, 60)):
        words = rng.choices(WORDS, k=30)
        if texts and rng.random() < 0.3:
            words = [*rng.choice(texts)[:-1], rng.choice(WORDS)]
        texts.append(words)
    return [
        FeedItem(
            key=f"k{number}", feed=f"Feed {rng.randrange(8)}",
            link=f"https://example.org/{number}", canonical=f"https://example.org/{number}",
            title=" ".join(words[:6]), summary=" ".join(words[6:]), language=rng.choice(["de", "de-AT", "en"]),
            date=datetime(2026, 11, 26, tzinfo=UTC) - timedelta(hours=rng.randrange(300)), date_source="feed",
        )
        for number, words in enumerate(texts)
    ]  # fmt: skip


def decision(items: Sequence[FeedItem], *results: JsonResults, words: str = "Lehm Laden") -> object:
    essay = Essay(
        slug="essay", source="", title=words, author="", date=DAY, language="de", summary="",
        body=f"{words} und eine Wand aus Stampflehm. Leerstand in der Stadt.", topics=("Lehmbau",),
    )  # fmt: skip
    feeds = [Feed(name=f"Feed {number}", url="https://example.org/") for number in range(8)]
    candidates = select_candidates(
        [essay], items, set(), feeds, SelectionLimits(), DAY, VOCABULARY, (), {}, (), *results
    )
    return [(repr(candidate), candidate.as_dict()) for candidate in candidates]


@pytest.mark.parametrize("seed", range(8), ids=str)
def test_what_was_kept_decides_as_what_is_found_anew(seed: int) -> None:
    rng, results = random.Random(seed), JsonResults()
    items = pool(rng)
    for _ in range(4):
        assert decision(items, results) == decision(items)
        place = rng.randrange(len(items))
        change = rng.choice(["title", "summary", "language", "feed", "date"])
        other = rng.choice(items)
        items[place] = replace(items[place], **{change: getattr(other, change)})
        items = items[rng.randrange(3) :]


def test_another_essay_finds_nothing_again_and_a_new_item_only_its_own() -> None:
    items, results = pool(random.Random(1)), JsonResults()
    decision(items, results)
    made = results.made.copy()
    assert made["similar"] == 1
    assert made["concepts"] > 10
    decision(items, results, words="Regen Garten")
    assert results.made == made
    new = replace(items[0], key="new", link="https://example.org/new", title="Lehm und Miete",
                  canonical="https://example.org/new", summary="Ganz anders.")  # fmt: skip
    decision([*items, new], results)
    assert results.made - made == {"similar": 1, "concepts": 1}
