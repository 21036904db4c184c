"""Ranking of stories by relevance to the essays, with the words that give the reason.

Relevance is lexical and semantic. Lexical: BM25 over stems and compound parts, titles counting twice
(`term_score`). Semantic, as far as the editors wrote it down: concepts of content/vocabulary.toml
that the essay and the story both mention, in whatever words (`concept_score`). A story about a
Wellerwand may share no word with an essay on building with clay, but both are about Lehmbau.

For one essay:

1. `combined_score`: BM25 and the concept signals, weighted by a logistic regression. At
   `DECISION_BOUNDARY` a story is as likely related as not.
2. Neighbour boost: stories whose concepts resemble the highest-scored ones gain.
3. Relevance feedback: stories that share terms with the most likely ones gain.
4. The sum orders the stories (after a prior for freshness and the feed's weight). Only step 1 decides
   who passes `FLOOR`, so that a story never gets in because of its neighbours.

Where the vocabulary knows nothing of the essay, BM25 alone is the score. Where essay and story are one
in German and one in English, concepts alone decide (`MISSING_WORDS`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from upcycle_news.curation.bm25_index import BM25Index
from upcycle_news.curation.compounds import CompoundSplitter, stems_of
from upcycle_news.curation.concept_matcher import matcher_for
from upcycle_news.curation.concept_score import EssayConcepts, Signals, StoryPool
from upcycle_news.curation.kept import NOTHING_KEPT, ItemResults
from upcycle_news.curation.term_score import (
    FIELDS,
    Document,
    Query,
    relevance_feedback,
)
from upcycle_news.curation.vocabulary import Vocabulary
from upcycle_news.models import Essay, FeedItem, Story

FLOOR = 2.5  # the evidence a story needs to be related
MAX_REASONS = 5
TOPIC_BONUS = 0.3  # for a topic that feed and essay have in common

# Weights of the features: a logistic regression over eighteen essays of bench/related, once as they
# are and once, at a third of the weight, as if the vocabulary did not know their topics
# (bench/related_fit.py).
WORDS, TOPICS, CENTRAL, TEXT, VARIETY, FOCUS, OUTSIDE = 1.2, 0.65, 2.8, 3.15, 0.9, 2.65, -1.7
TITLE = 2.3
NEIGHBOUR_WEIGHT, FEEDBACK_WEIGHT = 1.0, 1.0
FEEDBACK_MARGIN = 0.5  # raises the boundary when likelihoods for relevance feedback are computed
DECISION_BOUNDARY = 5.75  # the sum where being related is as likely as not
# What the floor asks above the boundary: nine in ten related stories of the first six still pass.
FLOOR_MARGIN = 1.1
# What it asks more where a single word matches the essay's topics: that may be chance.
SINGLE_WORD_PENALTY = 1.0
MAX_WORD_SCORE = 8.0  # a higher BM25 score proves nothing more
# Where essay and story are in two languages that the vocabulary translates, words cannot match. At most
# this much stands in for them: what words give a related story of the eighteen essays on average (a
# BM25 of 2.5). Concepts alone with it pass as many unrelated ones as concepts and words do.
MISSING_WORDS = 3.0


@dataclass(frozen=True)
class StoryScore:
    """The relevance of a story to one essay; `words` are those of the story that say why, best first.

    `score` orders stories. `evidence` is compared with `FLOOR`: relevance without the prior, the
    neighbour boost and the feedback.
    """

    essay: str
    story: Story
    score: float
    evidence: float
    words: tuple[str, ...]


def sort_key(scored: StoryScore) -> tuple[object, ...]:
    """Sort the best first; of equals the newest, then by name."""
    lead = scored.story.lead
    return (-round(scored.score, 4), -lead.date.timestamp(), lead.feed, lead.key, scored.essay)


def score_stories(
    essays: Sequence[Essay],
    stories: Sequence[Story],
    *,
    today: date,
    weights: Mapping[str, float] | None = None,
    vocabulary: Vocabulary | None = None,
    results: ItemResults = NOTHING_KEPT,
) -> list[StoryScore]:
    """Score every story for every essay; without essays by the prior (freshness, feed weight) alone.

    `weights` maps names of feeds to their weight. The concepts of each story may be kept in `results`.
    """
    if not stories:
        return []  # without compiling the vocabulary
    weights = weights or {}
    priors = [_prior(story.lead, today, weights.get(story.lead.feed, 1.0)) for story in stories]
    if not essays:
        return [
            StoryScore("", story, prior, prior, ())
            for story, prior in zip(stories, priors, strict=True)
        ]
    matcher = matcher_for(vocabulary or Vocabulary())
    compounds = CompoundSplitter(stems_of(_texts(essays, stories)))
    documents = [Document(story.lead, compounds) for story in stories]
    pool = StoryPool(stories, matcher, results)
    scored: list[StoryScore] = []
    with BM25Index([document.fields for document in documents], FIELDS) as index:
        for essay in essays:
            query = Query(essay, compounds)
            term_scores = index.scores(query.terms)
            concepts = EssayConcepts(essay, matcher)
            common_topics = [_shared_topics(essay, story) for story in stories]
            if concepts.topics or concepts.text:
                bm25 = [math.fsum(terms.values()) / query.chance for terms in term_scores]
                translated = [
                    matcher.translates(essay.language, story.lead.language) for story in stories
                ]
                scores, evidence = _score_by_concepts(
                    concepts, pool, bm25, translated, index, documents
                )
            else:
                scores = [math.fsum(terms.values()) for terms in term_scores]
                evidence = [
                    query.evidence(terms, document)
                    for terms, document in zip(term_scores, documents, strict=True)
                ]
            for number, story in enumerate(stories):
                bonus = TOPIC_BONUS if common_topics[number] else 0.0
                reasons = concepts.reasons(number, pool, MAX_REASONS)
                words_or_topics = (
                    documents[number].top_words(term_scores[number]) or common_topics[number]
                )
                scored.append(
                    StoryScore(
                        essay.slug,
                        story,
                        (scores[number] + bonus) * priors[number],
                        evidence[number] + bonus,
                        _with_words(reasons, words_or_topics),
                    )
                )
    return scored


def combined_score(bm25: float, signals: Signals) -> float:
    """Return the weighted sum of a story's features; at `DECISION_BOUNDARY` p(related) is 0.5."""
    return (
        WORDS * min(bm25, MAX_WORD_SCORE)
        + TOPICS * signals.topics
        + CENTRAL * signals.central
        + TEXT * signals.text
        + VARIETY * math.log1p(signals.words)
        + FOCUS * signals.focus
        + OUTSIDE * signals.outside
        + TITLE * signals.title
    )


def probability(score: float, decision_boundary: float) -> float:
    """Return the logistic probability, 0 to 1, that a story with this score is related."""
    return 1 / (1 + math.exp(decision_boundary - score))


def _score_by_concepts(
    concepts: EssayConcepts,
    pool: StoryPool,
    bm25: Sequence[float],
    translated: Sequence[bool],
    index: BM25Index,
    documents: Sequence[Document],
) -> tuple[list[float], list[float]]:
    """Return scores and evidence of all stories, scaled so that the floor is `FLOOR`.

    `translated` says which stories are in another language than the essay.
    """
    signals = [concepts.signals(number, pool) for number in range(len(bm25))]
    sums = [combined_score(value, signal) for value, signal in zip(bm25, signals, strict=True)]
    sums = [
        total + min(max(total, 0.0), MISSING_WORDS) if in_other_language else total
        for total, in_other_language in zip(sums, translated, strict=True)
    ]
    boosts = pool.neighbour_boost(sums, DECISION_BOUNDARY)
    boosted = [total + NEIGHBOUR_WEIGHT * boost for total, boost in zip(sums, boosts, strict=True)]
    likelihoods = [probability(total, DECISION_BOUNDARY + FEEDBACK_MARGIN) for total in boosted]
    feedback = relevance_feedback(index, documents, likelihoods)
    penalties = [
        SINGLE_WORD_PENALTY if concepts.topics and signal.words < 2 else 0.0 for signal in signals
    ]
    unit = FLOOR / (DECISION_BOUNDARY + FLOOR_MARGIN)
    return (
        [
            max(unit * (total + FEEDBACK_WEIGHT * gain), 0.0)
            for total, gain in zip(boosted, feedback, strict=True)
        ],
        [unit * (total - penalty) for total, penalty in zip(sums, penalties, strict=True)],
    )


def _with_words(reasons: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Append to the concepts the shared words that none of them names."""
    named = " ".join(reasons)
    return (*reasons, *(word for word in words if word not in named))[:MAX_REASONS]


def _texts(essays: Sequence[Essay], stories: Sequence[Story]) -> Iterable[tuple[str, str]]:
    for essay in essays:
        yield " . ".join((essay.title, *essay.topics, essay.summary, essay.body)), essay.language
    for story in stories:
        yield f"{story.lead.title}. {story.lead.summary}", story.lead.language


def _shared_topics(essay: Essay, story: Story) -> tuple[str, ...]:
    wanted = {topic.casefold() for topic in essay.topics}
    topics = (topic for item in story.items for topic in item.topics)
    return tuple(sorted({topic for topic in topics if topic.casefold() in wanted}))


def _prior(item: FeedItem, today: date, weight: float) -> float:
    """Return the factor of the feed's weight and of freshness: 0.8 to 1.32, 1.0 for an old item."""
    age = max((today - item.date.date()).days, 0)
    return (0.8 + 0.2 * min(weight, 2.0)) * (1.0 + 0.1 * math.exp(-age / 14))
