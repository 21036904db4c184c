"""What an essay is about in concepts of the vocabulary, and how well a text fits that."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from upcycle_news.curation.concept_matcher import ConceptEvidence, Lexicon
from upcycle_news.models import Essay, Story
from upcycle_news.text.stemming import stem

LEAST_TEXTS = 300  # in a pool of three every concept is rare or common by chance
TOPIC = 0.5  # from here on a concept is what a topic of the essay means
# Concepts of the best stories lend themselves to the others: from so many, so much.
TEACHERS, STEADY = 8, 0.3
LEAST_REASON, MAX_WORDS = 0.1, 3


@dataclass(frozen=True)
class Signals:
    """What speaks for and against a story, as numbers that the weights of `related` add up.

    `topics` and `text`: its concepts that are the essay's topics, or only in its text; `central`:
    topics that the essay's text speaks of as well; `title`: concepts of its title that are in the
    essay's text; `words`: how many of its words speak of topics; `focus`: the share of its concepts that the essay knows; `outside`: how much it belongs to a
    section the publication does not write about.
    """

    topics: float = 0.0
    central: float = 0.0
    text: float = 0.0
    words: int = 0
    focus: float = 0.0
    outside: float = 0.0
    title: float = 0.0


class Pool:
    """The stories in concepts, and how rare each concept is among them."""

    def __init__(self, stories: Sequence[Story], lexicon: Lexicon) -> None:
        self.told = [lexicon.told(story.lead.title, story.lead.summary) for story in stories]
        self.active = [
            {concept: told.activation for concept, told in one.items()} for one in self.told
        ]
        self.titles = [
            {concept: told.activation for concept, told in lexicon.told("", title).items()}
            for title in (story.lead.title for story in stories)
        ]
        spread: dict[str, float] = defaultdict(float)
        for one in self.active:
            for concept, activation in one.items():
                spread[concept] += activation
        count = max(len(stories), LEAST_TEXTS) + 1
        self.rarity = {
            concept: math.log(count / (spread[concept] + 1)) / math.log(count)
            for concept in lexicon.names
        }
        self._weighed = [
            {concept: value * self.rarity[concept] for concept, value in one.items()}
            for one in self.active
        ]
        self._lengths = [math.hypot(*one.values()) + STEADY for one in self._weighed]

    def alike(self, one: int, other: int) -> float:
        """How much two stories have the same concepts, 0 to 1."""
        first, second = self._weighed[one], self._weighed[other]
        shared = math.fsum(
            value * second[concept] for concept, value in first.items() if concept in second
        )
        return shared / (self._lengths[one] * self._lengths[other])

    def kinship(self, scores: Sequence[float], sure: float) -> list[float]:
        """How much each story resembles the best ones, each as good a teacher as it is sure."""
        best = sorted(range(len(scores)), key=lambda number: (-scores[number], number))[:TEACHERS]
        trust = {number: 1 / (1 + math.exp(sure - scores[number])) for number in best}
        return [
            math.fsum(
                trust[teacher] * self.alike(number, teacher)
                for teacher in best
                if teacher != number
            )
            for number in range(len(scores))
        ]


class Theme:
    """An essay in concepts: those its topics name, and those its text speaks of."""

    def __init__(self, essay: Essay, lexicon: Lexicon) -> None:
        named: dict[str, float] = {}
        for topic in essay.topics:
            # Editors write topics in small letters too; nouns of the vocabulary ask for capitals.
            capital = " ".join(word[0].upper() + word[1:] for word in topic.split())
            found = lexicon.told("", capital)
            clear = {word for told in found.values() if told.strong >= 1 for word in told.surfaces}
            for concept, told in found.items():
                # Kreislaufwirtschaft is a concept of its own: no Wirtschaft with something before it.
                if told.strong < 1 and clear.issuperset(told.surfaces):
                    continue
                sure = 1.0 if stem(concept, "de") == stem(topic, "de") else 0.8
                weight = sure * min(1.0, told.strong) + 0.3 * min(1.0, told.weak)
                named[concept] = max(named.get(concept, 0.0), weight)
        text = lexicon.told("", f"{essay.title}. {essay.summary} {essay.body}")
        self.text = {
            concept: value
            for concept, told in text.items()
            if concept not in lexicon.outside
            and (value := 1 - math.exp(-(told.strong + told.weak - 1) / 2)) > 0
        }
        self.topics = {
            concept: weight
            for concept, weight in named.items()
            if weight >= TOPIC and concept not in lexicon.outside
        }
        self._against = lexicon.outside - named.keys()

    def signals(self, number: int, pool: Pool) -> Signals:
        """What speaks for and against a story of the pool."""
        active, rarity, told = pool.active[number], pool.rarity, pool.told[number]
        value = {concept: activation * rarity[concept] for concept, activation in active.items()}
        wanted = {
            concept: self.topics.get(concept, 0.0) + 0.7 * self.text.get(concept, 0.0)
            for concept in value
        }
        words = {
            stem(surface, "de")
            for concept in self.topics.keys() & told.keys()
            for surface in told[concept].surfaces
        }
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
            outside=max((active.get(c, 0.0) for c in self._against), default=0.0),
            title=math.fsum(
                self.text.get(c, 0.0) * activation * rarity[c]
                for c, activation in pool.titles[number].items()
            ),
        )

    def reasons(self, number: int, pool: Pool, most: int) -> tuple[str, ...]:
        """Name the concepts that count most, each with the story's words: "Leerstand (Laden)"."""
        told: Mapping[str, ConceptEvidence] = pool.told[number]
        value = {
            concept: (self.topics.get(concept, 0.0) + self.text.get(concept, 0.0))
            * pool.active[number][concept]
            * pool.rarity[concept]
            for concept in told
        }
        best = sorted(value, key=lambda concept: (-value[concept], concept))[:most]
        return tuple(
            _named(concept, told[concept]) for concept in best if value[concept] >= LEAST_REASON
        )


def _named(concept: str, told: ConceptEvidence) -> str:
    words = [word for word in told.surfaces if word.casefold() != concept.casefold()]
    return f"{concept} ({', '.join(words[:MAX_WORDS])})" if words else concept
