"""Which stories belong to the essays, and the words that say why.

A simple measure: the stems an item shares with the essays, rare ones counting more, those of its
title twice. The door (`rank`) is meant to stay when the inside learns compounds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from upcycle_news.editorial.words import stems
from upcycle_news.model import Essay, FeedItem, Related, Story

FLOOR = 1.0
TITLE_WEIGHT = 2.0
TOPIC_BONUS = 0.3
MAX_REASONS = 5


def rank(
    essays: Sequence[Essay],
    stories: Sequence[Story],
    *,
    today: date,
    weights: Mapping[str, float] | None = None,
    floor: float = FLOOR,
) -> tuple[Related, ...]:
    """Rank stories by how well they fit the essays, best first; what scores below `floor` is out.

    `weights` maps names of feeds to their weight (1.0 where missing). A score of 1 is about
    two rare words shared, or one that is in the title and much of it.
    """
    wanted = _essay_stems(essays)
    topics = {topic.casefold() for essay in essays for topic in essay.topics}
    words = [(stems(story.lead.title, story.lead.language), _all_stems(story)) for story in stories]
    frequency = Counter(stem for _, everything in words for stem in everything)
    ranked = []
    for story, (title, everything) in zip(stories, words, strict=True):
        matched = {
            stem: _rarity(frequency[stem], len(stories))
            * wanted[stem]
            * (TITLE_WEIGHT if stem in title else 1.0)
            * _telling(word, story.lead.language)
            for stem, word in everything.items()
            if stem in wanted
        }
        nouns = sum(_telling(everything[stem], story.lead.language) == 1.0 for stem in matched)
        shared = sorted(
            {topic for item in story.items for topic in item.topics if topic.casefold() in topics}
        )
        score = _score(matched, nouns, len(everything), bool(shared))
        score *= _nudge(story.lead, today, (weights or {}).get(story.lead.feed, 1.0))
        if score >= floor:
            best = sorted(matched, key=lambda stem: (-matched[stem], stem))[:MAX_REASONS]
            reasons = tuple(everything[stem] for stem in best) or tuple(shared)
            ranked.append(Related(story, round(score, 4), reasons))
    return tuple(sorted(ranked, key=_order))


def _order(related: Related) -> tuple[object, ...]:
    lead = related.story.lead
    return (-related.score, -lead.date.timestamp(), lead.feed, lead.key)


def _essay_stems(essays: Sequence[Essay]) -> dict[str, float]:
    """Weigh the stems of the essays: what is in a title or a topic is what it is about.

    A set, not counts: in a long essay repeated words would drown the others.
    """
    wanted: dict[str, float] = {}
    for essay in essays:
        heading = " ".join((essay.title, *essay.topics))
        for weight, text in ((2.0, heading), (1.4, essay.summary), (1.0, essay.body)):
            for stem in stems(text, essay.language):
                wanted[stem] = max(weight, wanted.get(stem, 0.0))
    return wanted


def _all_stems(story: Story) -> dict[str, str]:
    return stems(f"{story.lead.title}. {story.lead.summary}", story.lead.language)


def _rarity(count: int, total: int) -> float:
    """Inverse document frequency, scaled so that a word of one story in many counts about 1.

    Below some twenty stories frequencies say little: the pool is taken for at least that large.
    """
    size = max(total, 20)
    return math.log(1 + size / count) / math.log(1 + size)


def _telling(word: str, language: str) -> float:
    """In German nouns say what a text is about, and capitals say which words are nouns."""
    return 0.4 if language.startswith("de") and word.islower() else 1.0


def _score(matched: Mapping[str, float], nouns: int, size: int, topical: bool) -> float:
    strength = math.fsum(matched.values()) / math.sqrt(max(size, 8) / 8)
    if nouns < 2:
        strength *= 0.5  # a single shared word may be chance
    return strength + (TOPIC_BONUS if topical else 0.0)


def _nudge(item: FeedItem, today: date, weight: float) -> float:
    """Let the feed's weight and freshness count a little: 0.8 to 1.4, where 1.0 is an old item."""
    age = max((today - item.date.date()).days, 0)
    return (0.8 + 0.2 * min(weight, 2.0)) * (1.0 + 0.1 * math.exp(-age / 14))
