"""Leaving out or banning an item takes away that item and nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from upcycle_news.curation.selection import Candidate, SelectionLimits, select_candidates
from upcycle_news.models import Essay, Feed, FeedItem

from .test_compose_issue import essay as an_essay
from .test_compose_issue import item as an_item

DAY = date(2026, 11, 26)
TEXT = (
    "Der Regen läuft vom Dach in einen Tank. Im Sommer trinken die Ulmen am Hafen daraus. Wer den "
    "Asphalt öffnet, spart das Rohr; der Speicher bleibt trocken, der Hof kühl."
)
NEWS = (
    ("Asphalt kommt weg", "Der Regen bleibt am Hafen."),
    ("Hafen öffnet früher", "Ulmen kühlen die Stadt."),
    ("Ein Hof im Schatten", "Ein Abend für alle."),
    ("Speicher nach Sturm voll", "Das Rohr ist alt."),
    ("Der Tank am Dach", "Regen im Sommer."),
)


TITLES = [title for title, _ in NEWS] + [
    "Speicher am Kanal", "Der Platz wird kühl", "Ulmen gepflanzt", "Dach und Speicher", "Der Asphalt ist weg",
]  # fmt: skip
SUMMARIES = [summary for _, summary in NEWS] + [
    "Im Sommer bleibt es kühl.", "Das Dach ist trocken.", "Die Ulmen trinken.", "Der Hof am Hafen.",
]  # fmt: skip


def news(*, feeds: int = 1, texts: Sequence[tuple[str, str]] = NEWS) -> tuple[FeedItem, ...]:
    return tuple(
        an_item(
            title=title,
            summary=summary,
            link=f"https://blatt.example/{number}",
            canonical=f"https://blatt.example/{number}",
            key=f"g{number}",
            feed=f"Blatt {number % feeds}",
            date=datetime(2026, 11, 25, tzinfo=UTC) - timedelta(days=number),
        )
        for number, (title, summary) in enumerate(texts)
    )


def rain(**more: object) -> Essay:
    return replace(
        an_essay(
            slug="regen",
            title="Wasser für die Ulmen",
            body=TEXT,
            summary="Worum es geht, steht in diesem Satz.",
            topics=(),
        ),
        **more,
    )


def select(
    essay: Essay,
    *,
    excluded: frozenset[str] = frozenset(),
    feeds: int = 1,
    texts: Sequence[tuple[str, str]] = NEWS,
    **limits: int,
) -> tuple[Candidate, ...]:
    listed = [Feed(f"Blatt {number}", "https://blatt.example/feed.xml") for number in range(feeds)]
    given = SelectionLimits(**{"per_feed": 8, "items": 8, **limits})
    return select_candidates(
        [essay], news(feeds=feeds, texts=texts), (), listed, given, DAY, excluded=excluded
    )


def chosen(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.story.lead.key for candidate in candidates if candidate.chosen]


def reason(candidates: tuple[Candidate, ...], key: str) -> str:
    return next(str(c.why_not or "") for c in candidates if c.story.lead.key == key)


@pytest.mark.parametrize("number", range(len(NEWS)))
def test_what_was_shown_and_not_left_out_stays(number: int) -> None:
    shown = chosen(select(rain()))
    assert len(shown) >= 4
    out = frozenset({f"g{number}", f"https://blatt.example/{number}"})
    left = select(rain(), excluded=out)
    assert chosen(left) == [key for key in shown if key != f"g{number}"]
    assert reason(left, f"g{number}") == "an editor left it out of this issue"
    banned = select(rain(ban=(f"https://blatt.example/{number}",)))
    assert chosen(banned) == [key for key in shown if key != f"g{number}"]
    assert reason(banned, f"g{number}") == "an essay bans it"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_news_leaving_one_out_changes_nothing_else(seed: int) -> None:
    """Words are rare or common among all the news: fewer of them would make others weigh less."""
    draw = random.Random(seed)
    texts = list(zip(draw.sample(TITLES, 6), draw.sample(SUMMARIES, 6), strict=True))
    shown = chosen(select(rain(), texts=texts))
    assert shown
    for out in shown:
        left = chosen(select(rain(), texts=texts, excluded=frozenset({out})))
        assert left == [key for key in shown if key != out]


def test_all_but_one_can_be_left_out() -> None:
    for kept in chosen(select(rain())):
        others = frozenset(f"g{number}" for number in range(len(NEWS))) - {kept}
        assert chosen(select(rain(), excluded=others)) == [kept]


def test_a_free_place_is_filled_and_what_was_chosen_keeps_its_order() -> None:
    every = chosen(select(rain(), feeds=2))
    shown = chosen(select(rain(), feeds=2, items=3, per_feed=2))
    left = chosen(select(rain(), feeds=2, items=3, per_feed=2, excluded=frozenset({shown[0]})))
    assert set(shown[1:]) < set(left)
    assert len(left) == 3
    assert left == [key for key in every if key in left]


def test_a_story_stays_with_its_other_source_when_one_is_banned() -> None:
    lead = news()[0]
    twin = replace(
        lead,
        feed="Blatt 1",
        key="t",
        link="https://anzeiger.example/0",
        canonical="https://anzeiger.example/0",
    )
    listed = [
        Feed("Blatt 0", "https://blatt.example/f"),
        Feed("Blatt 1", "https://anzeiger.example/f"),
    ]
    decided = select_candidates(
        [rain(ban=(lead.link,))], (*news(), twin), (), listed, SelectionLimits(8, 8), DAY
    )
    assert "t" in chosen(decided)
    assert all(lead not in c.story.items for c in decided if c.chosen)
