"""Which stories belong to the essays, and the words that say why.

BM25 over stems and compound parts, titles counting twice, asked with the essay's title, topics and
text as a set: in a long essay repeated words would drown the others. The best matches then lend
the query their own words, a little (pseudo relevance feedback): an item about a Wellerwand may
share no word with an essay on building with clay, but shares some with the items that do.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from upcycle_news.editorial.compounds import Compounds
from upcycle_news.editorial.search import Index
from upcycle_news.editorial.words import stem, words
from upcycle_news.model import Essay, FeedItem, Related, Story

FLOOR = 2.5
MAX_REASONS = 5
TOPIC_BONUS = 0.3
# Fields: title, summary, and the parts of compounds in each.
FIELDS = (2.0, 1.0, 1.0, 0.6)
TITLE, TOPICS, TEXT = 1.0, 1.5, 1.0
PART = 0.5  # a part of the essay's compound, against the whole word
# In German nouns say what a text is about, and capitals say which words are nouns.
NO_NOUN = 0.7
# Feedback: from so many stories, so many terms, so much of the query's weight.
TEACHERS, TAUGHT, TRUST = 8, 15, 0.4
LEAST_TEACHER = 1.0
LONG_QUERY = 150  # terms; an essay of 250 words has about as many


@dataclass(frozen=True)
class Fit:
    """How well a story fits one essay. `words`: those of the story that say why, the best first.

    `lexical` is the score by the essay's own words alone, which the floor looks at.
    """

    essay: str
    story: Story
    score: float
    lexical: float
    words: tuple[str, ...]


def rank(
    essays: Sequence[Essay],
    stories: Sequence[Story],
    *,
    today: date,
    weights: Mapping[str, float] | None = None,
    floor: float = FLOOR,
) -> tuple[Related, ...]:
    """Rank stories by how well they fit the essays, best first; what fits below `floor` is out.

    `weights` maps names of feeds to their weight (1.0 where missing). A score of 1 is about one
    rare word shared that stands in the item's title, or two that stand in its text; the floor
    asks for two to three of these, and for less when the essay is short.
    """
    best: dict[int, Fit] = {}
    for fit in fits(essays, stories, today=today, weights=weights):
        known = best.get(id(fit.story))
        if known is None or fit.score > known.score:
            best[id(fit.story)] = fit
    return tuple(
        Related(fit.story, round(fit.score, 4), fit.words, fit.essay)
        for fit in sorted(best.values(), key=order)
        if fit.lexical >= floor
    )


def order(fit: Fit) -> tuple[object, ...]:
    """The best first; of equals the newest, then by name."""
    lead = fit.story.lead
    return (-round(fit.score, 4), -lead.date.timestamp(), lead.feed, lead.key, fit.essay)


def fits(
    essays: Sequence[Essay],
    stories: Sequence[Story],
    *,
    today: date,
    weights: Mapping[str, float] | None = None,
) -> list[Fit]:
    """How well every story fits every essay; without essays, freshness and weight alone count."""
    weights = weights or {}
    nudges = [_nudge(story.lead, today, weights.get(story.lead.feed, 1.0)) for story in stories]
    if not essays:
        return [
            Fit("", story, nudge, nudge, ()) for story, nudge in zip(stories, nudges, strict=True)
        ]
    compounds = Compounds(_texts(essays, stories))
    documents = [_Document(story.lead, compounds) for story in stories]
    found = []
    with Index([document.fields for document in documents], FIELDS) as index:
        for essay in essays:
            query = _query(essay, compounds)
            # A long essay has more words that an item can meet by chance.
            heading = frozenset(
                stem(word, essay.language)
                for word in words(" . ".join((essay.title, *essay.topics)))
                if word[0].isupper()
            )
            chance = 0.25 + 0.75 * min(len(query) / LONG_QUERY, 1.0)
            own = index.scores(query)
            lexical = [math.fsum(terms.values()) for terms in own]
            taught = index.scores(_feedback(query, lexical, documents))
            for number, story in enumerate(stories):
                bonus = TOPIC_BONUS if _shared_topics(essay, story) else 0.0
                score = lexical[number] + math.fsum(taught[number].values())
                found.append(
                    Fit(
                        essay.slug,
                        story,
                        (score + bonus) * nudges[number],
                        _minimum(own[number], documents[number], heading) / chance + bonus,
                        documents[number].told(own[number]) or _shared_topics(essay, story),
                    )
                )
    return found


def _texts(essays: Sequence[Essay], stories: Sequence[Story]) -> Iterable[tuple[str, str]]:
    for essay in essays:
        yield " . ".join((essay.title, *essay.topics, essay.summary, essay.body)), essay.language
    for story in stories:
        yield f"{story.lead.title}. {story.lead.summary}", story.lead.language


class _Document:
    """A feed item as terms, and the words as they stand in it."""

    def __init__(self, item: FeedItem, compounds: Compounds) -> None:
        self.surface: dict[str, str] = {}
        self.nouns: set[str] = set()
        title, title_parts = self._terms(item.title, item.language, compounds)
        summary, summary_parts = self._terms(item.summary, item.language, compounds)
        self.fields = (title, summary, title_parts, summary_parts)

    def _terms(self, text: str, language: str, compounds: Compounds) -> tuple[list[str], list[str]]:
        whole: list[str] = []
        parts: list[str] = []
        for word in words(text):
            for place, term in [
                (whole, stem(word, language)),
                *((parts, part) for part in sorted(compounds.parts(word, language))),
            ]:
                place.append(term)
                self.surface.setdefault(term, word)
                if word[0].isupper() or not language.startswith("de"):
                    self.nouns.add(term)
        return whole, parts

    def told(self, terms: Mapping[str, float]) -> tuple[str, ...]:
        """The words behind the terms that count most."""
        best = sorted(terms, key=lambda term: (term not in self.nouns, -terms[term], term))
        return tuple(dict.fromkeys(self.surface[term] for term in best))[:MAX_REASONS]


def _query(essay: Essay, compounds: Compounds) -> dict[str, float]:
    """The essay as weighted terms."""
    query: dict[str, float] = defaultdict(float)
    topics = " . ".join(essay.topics)
    for weight, text in (
        (TITLE, essay.title), (TOPICS, topics), (TEXT, essay.summary), (TEXT, essay.body),
    ):  # fmt: skip
        for word in words(text):
            noun = word[0].isupper() or not essay.language.startswith("de")
            own = weight * (1.0 if noun else NO_NOUN)
            term = stem(word, essay.language)
            query[term] = max(query[term], own)
            for part in compounds.parts(word, essay.language):
                query[part] = max(query[part], own * PART)
    return query


def _feedback(
    query: Mapping[str, float], scores: Sequence[float], documents: Sequence[_Document]
) -> dict[str, float]:
    """The terms that the best stories have in common and the other ones lack."""
    best = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    teachers = [number for number in best[:TEACHERS] if scores[number] >= LEAST_TEACHER]
    if len(teachers) < 3:
        return {}
    sets = [
        frozenset(term for field in document.fields for term in field) for document in documents
    ]
    everywhere = Counter(term for terms in sets for term in terms)
    shared = Counter(term for number in teachers for term in sets[number])
    total = math.fsum(scores[number] for number in teachers)
    value = {
        term: math.log(len(documents) / everywhere[term])
        * math.fsum(scores[number] for number in teachers if term in sets[number])
        / total
        for term, count in shared.items()
        if count >= 2
    }
    taught = sorted(value, key=lambda term: (-value[term], term))[:TAUGHT]
    if not taught or not (most := value[taught[0]]):
        return {}
    strongest = max(query.values())
    return {term: TRUST * strongest * value[term] / most for term in taught}


def _minimum(terms: Mapping[str, float], document: _Document, heading: frozenset[str]) -> float:
    """The lexical score, halved where a single noun carries it: that may be chance.

    It is none where that noun stands in both headings as a word of its own.
    """
    score = math.fsum(terms.values())
    nouns = {document.surface[term] for term in terms if term in document.nouns}
    if len(nouns) >= 2 or not heading.isdisjoint(document.fields[0]):
        return score
    return score / 2


def _shared_topics(essay: Essay, story: Story) -> tuple[str, ...]:
    wanted = {topic.casefold() for topic in essay.topics}
    topics = (topic for item in story.items for topic in item.topics)
    return tuple(sorted({topic for topic in topics if topic.casefold() in wanted}))


def _nudge(item: FeedItem, today: date, weight: float) -> float:
    """Let the feed's weight and freshness count a little: 0.8 to 1.4, where 1.0 is an old item."""
    age = max((today - item.date.date()).days, 0)
    return (0.8 + 0.2 * min(weight, 2.0)) * (1.0 + 0.1 * math.exp(-age / 14))
