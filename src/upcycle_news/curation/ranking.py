"""Which stories belong to the essays, and the words that say why.

Two ways of reading are added up. By words: BM25 over stems and compound parts, titles counting
twice. By meaning, as far as the editors wrote it down: the concepts of content/vocabulary.toml that
the essay's topics and text touch, and the story touches too, in whatever words. A story about a
Wellerwand may share no word with an essay on building with clay, but both are about Lehmbau.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from upcycle_news.curation.bm25_index import Index
from upcycle_news.curation.compounds import Compounds
from upcycle_news.curation.concept_matcher import lexicon
from upcycle_news.curation.concept_score import Pool, Signals, Theme
from upcycle_news.curation.term_score import (
    FIELDS,
    Document,
    Query,
    echoes,
)
from upcycle_news.curation.vocabulary import Vocabulary
from upcycle_news.models import Essay, FeedItem, Story

FLOOR = 2.5
MAX_REASONS = 5
TOPIC_BONUS = 0.3

# What each signal counts: a logistic regression over eighteen essays of bench/related, once as they
# are and once, at a third of the weight, as if the vocabulary did not know their topics
# (bench/related_fit.py).
WORDS, TOPICS, CENTRAL, TEXT, VARIETY, FOCUS, OUTSIDE = 1.2, 0.65, 2.8, 3.15, 0.9, 2.65, -1.7
TITLE = 2.3
KINSHIP, ECHO = 1.0, 1.0  # what concepts and words count that the surest stories share
SURE = 0.5  # above even, for a story whose words are lent to others
EVEN = 5.75  # the sum where being related is as likely as not
MARGIN = 1.1  # what the floor asks on top: nine in ten related ones of the first six still pass
SINGLE = 1.0  # what it asks where one word alone speaks of the essay's topics: that may be chance
MOST_WORDS = 8.0  # more of them prove nothing more


@dataclass(frozen=True)
class Fit:
    """How well a story fits one essay. `words`: those of the story that say why, the best first.

    `evidence` is what the floor looks at: `score` without feeds' weights, freshness and kinship.
    """

    essay: str
    story: Story
    score: float
    evidence: float
    words: tuple[str, ...]


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
    vocabulary: Vocabulary | None = None,
) -> list[Fit]:
    """How well every story fits every essay; without essays, freshness and weight alone count."""
    weights = weights or {}
    nudges = [_nudge(story.lead, today, weights.get(story.lead.feed, 1.0)) for story in stories]
    if not essays:
        return [
            Fit("", story, nudge, nudge, ()) for story, nudge in zip(stories, nudges, strict=True)
        ]
    known = lexicon(vocabulary or Vocabulary())
    compounds = Compounds(_texts(essays, stories))
    documents = [Document(story.lead, compounds) for story in stories]
    pool = Pool(stories, known)
    found = []
    with Index([document.fields for document in documents], FIELDS) as index:
        for essay in essays:
            query = Query(essay, compounds)
            shared = index.scores(query.terms)
            theme = Theme(essay, known)
            bonuses = [_shared_topics(essay, story) for story in stories]
            if theme.topics or theme.text:
                words = [math.fsum(terms.values()) / query.chance for terms in shared]
                scores, evidence = _by_concepts(theme, pool, words, index, documents)
            else:
                scores = [math.fsum(terms.values()) for terms in shared]
                evidence = [
                    query.evidence(terms, document)
                    for terms, document in zip(shared, documents, strict=True)
                ]
            for number, story in enumerate(stories):
                bonus = TOPIC_BONUS if bonuses[number] else 0.0
                reasons = theme.reasons(number, pool, MAX_REASONS)
                same = documents[number].told(shared[number]) or bonuses[number]
                found.append(
                    Fit(
                        essay.slug,
                        story,
                        (scores[number] + bonus) * nudges[number],
                        evidence[number] + bonus,
                        _told(reasons, same),
                    )
                )
    return found


def weighed(words: float, signals: Signals) -> float:
    """Add up what speaks for and against a story; `EVEN` is as likely related as not."""
    return (
        WORDS * min(words, MOST_WORDS)
        + TOPICS * signals.topics
        + CENTRAL * signals.central
        + TEXT * signals.text
        + VARIETY * math.log1p(signals.words)
        + FOCUS * signals.focus
        + OUTSIDE * signals.outside
        + TITLE * signals.title
    )


def likely(value: float, even: float) -> float:
    """How likely a story with this sum belongs, 0 to 1."""
    return 1 / (1 + math.exp(even - value))


def _by_concepts(
    theme: Theme,
    pool: Pool,
    words: Sequence[float],
    index: Index,
    documents: Sequence[Document],
) -> tuple[list[float], list[float]]:
    """Scores and evidence, both in units of the floor."""
    signals = [theme.signals(number, pool) for number in range(len(words))]
    sums = [weighed(value, signal) for value, signal in zip(words, signals, strict=True)]
    kin = [s + KINSHIP * k for s, k in zip(sums, pool.kinship(sums, EVEN), strict=True)]
    echo = echoes(index, documents, [likely(one, EVEN + SURE) for one in kin])
    single = [SINGLE if theme.topics and signal.words < 2 else 0.0 for signal in signals]
    unit = FLOOR / (EVEN + MARGIN)
    return (
        [max(unit * (k + ECHO * e), 0.0) for k, e in zip(kin, echo, strict=True)],
        [unit * (one - less) for one, less in zip(sums, single, strict=True)],
    )


def _told(reasons: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """The concepts with their words, then the shared words that none of them names."""
    said = " ".join(reasons)
    return (*reasons, *(word for word in words if word not in said))[:MAX_REASONS]


def _texts(essays: Sequence[Essay], stories: Sequence[Story]) -> Iterable[tuple[str, str]]:
    for essay in essays:
        yield " . ".join((essay.title, *essay.topics, essay.summary, essay.body)), essay.language
    for story in stories:
        yield f"{story.lead.title}. {story.lead.summary}", story.lead.language


def _shared_topics(essay: Essay, story: Story) -> tuple[str, ...]:
    wanted = {topic.casefold() for topic in essay.topics}
    topics = (topic for item in story.items for topic in item.topics)
    return tuple(sorted({topic for topic in topics if topic.casefold() in wanted}))


def _nudge(item: FeedItem, today: date, weight: float) -> float:
    """Let the feed's weight and freshness count a little: 0.8 to 1.4, where 1.0 is an old item."""
    age = max((today - item.date.date()).days, 0)
    return (0.8 + 0.2 * min(weight, 2.0)) * (1.0 + 0.1 * math.exp(-age / 14))
