"""Semantic relevance: essays and stories as weighted concepts of the editors' vocabulary.

`ConceptMatcher` turns a text into activations, concept → 0…1. On these

- `StoryPool` holds the vectors of all stories, weighted by an IDF over the pool (`rarity`), gives
  their cosine similarity, and with it a neighbour boost: stories like the highest-scored ones gain,
  relevance feedback in concepts instead of terms;
- `EssayConcepts` holds the concepts an essay's topics name and those its text mentions, and computes
  for each story the `Signals`: the features of the logistic model in `ranking`, which weights them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from upcycle_news.curation.concept_matcher import ConceptMatcher
from upcycle_news.curation.kept import NOTHING_KEPT, ItemResults
from upcycle_news.models import Essay, Story
from upcycle_news.text.typography import base_language

MIN_POOL_SIZE = 300  # in a pool of three document frequencies are chance
MIN_TOPIC_WEIGHT = 0.5  # from here on a concept is what a topic of the essay means
SEED_STORIES = 8  # the highest-scored stories that others are compared with
# Added to vector lengths: a story of one weak concept is no strong neighbour.
LENGTH_SMOOTHING = 0.3
MIN_REASON_WEIGHT, MAX_REASON_WORDS = 0.1, 3


@dataclass(frozen=True)
class Signals:
    """The features of one story for one essay; `ranking.combined_score` weights and adds them.

    - `topics`, `text`: activation of concepts that are topics of the essay, or only in its text
    - `central`: activation of topics that the essay's text mentions as well
    - `title`: activation of concepts in the story's title that are in the essay's text
    - `words`: how many distinct words of the story matched topics
    - `focus`: the share of the story's concepts that the essay has, too
    - `outside`: activation of sections the publication does not write about
    """

    topics: float = 0.0
    central: float = 0.0
    text: float = 0.0
    words: int = 0
    focus: float = 0.0
    outside: float = 0.0
    title: float = 0.0


class StoryPool:
    """The stories as concept vectors; `rarity` is the IDF of each concept in the pool, 0 to 1."""

    def __init__(
        self,
        stories: Sequence[Story],
        matcher: ConceptMatcher,
        results: ItemResults = NOTHING_KEPT,
    ) -> None:
        """Match the stories with the vocabulary; what is found in each may be kept in `results`."""
        texts = [
            [story.lead.title, story.lead.summary, base_language(story.lead.language)]
            for story in stories
        ]
        found = results.each(
            "concepts", repr(matcher.vocabulary), texts, lambda text: _found(matcher, *text)
        )
        self.activations: list[dict[str, float]] = [one["text"] for one in found]
        self.title_activations: list[dict[str, float]] = [one["title"] for one in found]
        #: the matched words of each story by concept, as written and the best first, and their stems
        self.surfaces: list[dict[str, list[str]]] = [one["surfaces"] for one in found]
        self.stems: list[dict[str, list[str]]] = [one["stems"] for one in found]
        document_frequency: dict[str, float] = defaultdict(float)
        for activations in self.activations:
            for concept, activation in activations.items():
                document_frequency[concept] += activation
        count = max(len(stories), MIN_POOL_SIZE) + 1
        self.rarity = {
            concept: math.log(count / (document_frequency[concept] + 1)) / math.log(count)
            for concept in matcher.names
        }
        self.vectors = [
            {concept: value * self.rarity[concept] for concept, value in activations.items()}
            for activations in self.activations
        ]
        self._lengths = [math.hypot(*vector.values()) + LENGTH_SMOOTHING for vector in self.vectors]

    def similarity(self, story: int, other: int) -> float:
        """Return the cosine similarity (smoothed) of two stories, 0 to 1, by their numbers."""
        first, second = self.vectors[story], self.vectors[other]
        shared = math.fsum(
            value * second[concept] for concept, value in first.items() if concept in second
        )
        return shared / (self._lengths[story] * self._lengths[other])

    def neighbour_boost(self, scores: Sequence[float], decision_boundary: float) -> list[float]:
        """Return each story's similarity to the highest-scored ones, weighted by their likelihood.

        A score at `decision_boundary` means: as likely related as not.
        """
        ranked = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
        seeds = ranked[:SEED_STORIES]
        likelihood = {seed: 1 / (1 + math.exp(decision_boundary - scores[seed])) for seed in seeds}
        return [
            math.fsum(
                likelihood[seed] * self.similarity(number, seed) for seed in seeds if seed != number
            )
            for number in range(len(scores))
        ]


class EssayConcepts:
    """An essay as weighted concepts: `topics`, which its topics name, and `text`, which it mentions."""

    def __init__(self, essay: Essay, matcher: ConceptMatcher) -> None:
        named: dict[str, float] = {}
        for topic in essay.topics:
            # Editors write topics in small letters too; nouns of the vocabulary ask for capitals.
            capital = " ".join(word[0].upper() + word[1:] for word in topic.split())
            # An English essay shares its topics with the German ones, so they may be German.
            matches = matcher.match("", capital, essay.language) or matcher.match("", capital)
            whole_words = {
                word
                for evidence in matches.values()
                if evidence.strong >= 1
                for word in evidence.surfaces
            }
            for concept, evidence in matches.items():
                # Kreislaufwirtschaft is a concept of its own: no Wirtschaft with something before it.
                if evidence.strong < 1 and whole_words.issuperset(evidence.surfaces):
                    continue
                certainty = 1.0 if matcher.is_named(concept, topic) else 0.8
                weight = certainty * min(1.0, evidence.strong) + 0.3 * min(1.0, evidence.weak)
                named[concept] = max(named.get(concept, 0.0), weight)
        mentioned = matcher.match(
            "", f"{essay.title}. {essay.summary} {essay.body}", essay.language
        )
        self.text = {
            concept: value
            for concept, evidence in mentioned.items()
            if concept not in matcher.outside
            and (value := 1 - math.exp(-(evidence.strong + evidence.weak - 1) / 2)) > 0
        }
        self.topics = {
            concept: weight
            for concept, weight in named.items()
            if weight >= MIN_TOPIC_WEIGHT and concept not in matcher.outside
        }
        self._outside = matcher.outside - named.keys()

    def signals(self, number: int, pool: StoryPool) -> Signals:
        """Return the features of the story with this number in the pool."""
        activations, rarity, stems = pool.activations[number], pool.rarity, pool.stems[number]
        value = pool.vectors[number]
        wanted = {
            concept: self.topics.get(concept, 0.0) + 0.7 * self.text.get(concept, 0.0)
            for concept in value
        }
        words = {word for concept in self.topics.keys() & stems.keys() for word in stems[concept]}
        return Signals(
            topics=math.fsum(w * value.get(c, 0.0) for c, w in self.topics.items()),
            central=math.fsum(
                w * self.text.get(c, 0.0) * value.get(c, 0.0) for c, w in self.topics.items()
            ),
            text=math.fsum(
                w * value.get(c, 0.0) for c, w in self.text.items() if c not in self.topics
            ),
            words=len(words),
            focus=math.fsum(min(1.0, wanted[c]) * v for c, v in value.items())
            / (math.fsum(value.values()) + 0.5),
            outside=max((activations.get(c, 0.0) for c in self._outside), default=0.0),
            title=math.fsum(
                self.text.get(c, 0.0) * activation * rarity[c]
                for c, activation in pool.title_activations[number].items()
            ),
        )

    def reasons(self, number: int, pool: StoryPool, most: int) -> tuple[str, ...]:
        """Name the concepts that count most, each with the story's matched words: "Leerstand (Laden)"."""
        surfaces = pool.surfaces[number]
        value = {
            concept: (self.topics.get(concept, 0.0) + self.text.get(concept, 0.0))
            * pool.activations[number][concept]
            * pool.rarity[concept]
            for concept in surfaces
        }
        best = sorted(value, key=lambda concept: (-value[concept], concept))[:most]
        return tuple(
            _reason(concept, surfaces[concept])
            for concept in best
            if value[concept] >= MIN_REASON_WEIGHT
        )


def _found(
    matcher: ConceptMatcher, title: str, summary: str, language: str
) -> dict[str, dict[str, Any]]:
    """Return, by concept, its activation in a text and in its title, and the matched words: as JSON."""
    evidence = matcher.match(title, summary, language)
    return {
        "text": {concept: match.activation for concept, match in evidence.items()},
        "title": matcher.activations(title, language),
        "surfaces": {concept: match.surfaces for concept, match in evidence.items()},
        "stems": {concept: sorted(match.stems) for concept, match in evidence.items()},
    }


def _reason(concept: str, surfaces: Sequence[str]) -> str:
    words = [
        word
        for word in surfaces
        if word.casefold() != concept.casefold()
        and not any(
            f" {word.casefold()} " in f" {other.casefold()} " for other in surfaces if other != word
        )
    ]
    return f"{concept} ({', '.join(words[:MAX_REASON_WORDS])})" if words else concept
