"""Lexical relevance: feed items as documents, an essay as the query, both as stems and compound parts.

- `Document`: the fields of a feed item for `BM25Index`, weighted by `FIELDS`.
- `Query`: the essay's terms as a weighted set (each term once, at the highest weight of the place it
  occurs in). Long essays match more terms by chance, so scores are divided by `Query.chance`.
- `relevance_feedback`: pseudo-relevance feedback in the manner of Rocchio. The documents most likely
  relevant (`SEED_STORIES` at most) give expansion terms, weighted by IDF times the summed likelihood
  of the seed documents that hold them; every document is then scored by the `EXPANSION_TERMS` best.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from upcycle_news.curation.bm25_index import BM25Index
from upcycle_news.curation.compounds import CompoundSplitter
from upcycle_news.models import Essay, FeedItem
from upcycle_news.text.stemming import content_words, stem
from upcycle_news.text.typography import base_language

MAX_WORDS = 5
# BM25 weights of a document's fields: title, summary, and the compound parts of each.
FIELDS = (2.0, 1.0, 1.0, 0.6)
# Weights of query terms by where they occur in the essay.
TITLE_WEIGHT, TOPICS_WEIGHT, TEXT_WEIGHT = 1.0, 1.5, 1.0
PART_WEIGHT = 0.5  # a part of a compound, against the whole word
# In German nouns say what a text is about, and capitals say which words are nouns.
NON_NOUN_WEIGHT = 0.7
# Relevance feedback: seed documents at most and at least, and how likely relevant each must be.
SEED_STORIES, MIN_SEED_STORIES, MIN_SEED_LIKELIHOOD = 8, 3, 0.3
EXPANSION_TERMS = 15
LONG_QUERY = 150  # terms; an essay of 250 words has about as many


class Document:
    """A feed item as terms; `surface` maps each term to the word as written, `nouns` are terms."""

    def __init__(self, item: FeedItem, compounds: CompoundSplitter) -> None:
        self.surface: dict[str, str] = {}
        self.nouns: set[str] = set()
        title, title_parts = self._terms(item.title, item.language, compounds)
        summary, summary_parts = self._terms(item.summary, item.language, compounds)
        self.fields = (title, summary, title_parts, summary_parts)
        self.terms = frozenset(term for field in self.fields for term in field)

    def _terms(
        self, text: str, language: str, compounds: CompoundSplitter
    ) -> tuple[list[str], list[str]]:
        german = base_language(language) == "de"
        whole: list[str] = []
        parts: list[str] = []
        for word in content_words(text):
            root, found = stem(word, language), compounds.parts(word, language)
            whole.append(root)
            parts += found
            for term in (root, *found):
                self.surface.setdefault(term, word)
                if word[0].isupper() or not german:
                    self.nouns.add(term)
        return whole, parts

    def top_words(self, terms: Mapping[str, float]) -> tuple[str, ...]:
        """Return the words behind the best of the scored `terms`, nouns first, at most `MAX_WORDS`."""
        best = sorted(terms, key=lambda term: (term not in self.nouns, -terms[term], term))
        return tuple(dict.fromkeys(self.surface[term] for term in best))[:MAX_WORDS]


class Query:
    """An essay as weighted terms: a set, because in a long essay repeated words would dominate."""

    def __init__(self, essay: Essay, compounds: CompoundSplitter) -> None:
        terms: dict[str, float] = defaultdict(float)
        german = base_language(essay.language) == "de"
        topics = " . ".join(essay.topics)
        for weight, text in (
            (TITLE_WEIGHT, essay.title), (TOPICS_WEIGHT, topics),
            (TEXT_WEIGHT, essay.summary), (TEXT_WEIGHT, essay.body),
        ):  # fmt: skip
            for word in content_words(text):
                noun = word[0].isupper() or not german
                word_weight = weight * (1.0 if noun else NON_NOUN_WEIGHT)
                term = stem(word, essay.language)
                terms[term] = max(terms[term], word_weight)
                for part in compounds.parts(word, essay.language):
                    terms[part] = max(terms[part], word_weight * PART_WEIGHT)
        self.terms: Mapping[str, float] = terms
        self._heading = frozenset(
            stem(word, essay.language)
            for word in content_words(" . ".join((essay.title, *essay.topics)))
            if word[0].isupper()
        )
        #: 0.25 to 1: a long essay has more words that an item can meet by chance.
        self.chance = 0.25 + 0.75 * min(len(terms) / LONG_QUERY, 1.0)

    def evidence(self, terms: Mapping[str, float], document: Document) -> float:
        """Return the score of the shared terms, halved where a single noun gives all of them.

        That may be chance; not so where the noun is a word of both headings.
        """
        score = math.fsum(terms.values()) / self.chance
        nouns = {document.surface[term] for term in terms if term in document.nouns}
        if len(nouns) >= 2 or not self._heading.isdisjoint(document.fields[0]):
            return score
        return score / 2


def relevance_feedback(
    index: BM25Index, documents: Sequence[Document], likelihoods: Sequence[float]
) -> list[float]:
    """Score each document by the terms that the documents most likely relevant have in common.

    `likelihoods` says how likely each document is relevant, 0 to 1. All scores are 0 with fewer than
    `MIN_SEED_STORIES` seed documents.
    """
    ranked = sorted(range(len(likelihoods)), key=lambda number: (-likelihoods[number], number))
    seeds = [
        number for number in ranked[:SEED_STORIES] if likelihoods[number] > MIN_SEED_LIKELIHOOD
    ]
    if len(seeds) < MIN_SEED_STORIES:
        return [0.0] * len(documents)
    seed_frequency = Counter(term for number in seeds for term in documents[number].terms)
    common = frozenset(term for term, count in seed_frequency.items() if count >= 2)
    document_frequency: Counter[str] = Counter()
    for document in documents:
        document_frequency.update(common & document.terms)
    value = {
        term: math.log(len(documents) / document_frequency[term])
        * math.fsum(likelihoods[number] for number in seeds if term in documents[number].terms)
        for term in seed_frequency
        if term in common
    }
    expansion = sorted(value, key=lambda term: (-value[term], term))[:EXPANSION_TERMS]
    highest = max((value[term] for term in expansion), default=0.0) or 1.0
    scored = index.scores({term: value[term] / highest for term in expansion})
    return [math.fsum(terms.values()) for terms in scored]
