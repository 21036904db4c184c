"""Texts as terms: stems and compound parts of a feed item, and of the essay that asks for items."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from upcycle_news.curation.bm25_index import Index
from upcycle_news.curation.compounds import Compounds
from upcycle_news.models import Essay, FeedItem
from upcycle_news.text.stemming import stem, words

MAX_WORDS = 5
# Fields: title, summary, and the parts of compounds in each.
FIELDS = (2.0, 1.0, 1.0, 0.6)
TITLE, TOPICS, TEXT = 1.0, 1.5, 1.0
PART = 0.5  # a part of the essay's compound, against the whole word
# In German nouns say what a text is about, and capitals say which words are nouns.
NO_NOUN = 0.7
# Words that the surest documents have in common lend themselves to the others: so many words, from so
# many documents at most and at least, each more likely right than not by some way.
LENT, MOST_TEACHERS, LEAST_TEACHERS, TRUSTED = 15, 8, 3, 0.3
LONG_QUERY = 150  # terms; an essay of 250 words has about as many


class Document:
    """A feed item as terms, and the words as they stand in it."""

    def __init__(self, item: FeedItem, compounds: Compounds) -> None:
        self.surface: dict[str, str] = {}
        self.nouns: set[str] = set()
        title, title_parts = self._terms(item.title, item.language, compounds)
        summary, summary_parts = self._terms(item.summary, item.language, compounds)
        self.fields = (title, summary, title_parts, summary_parts)
        self.terms = frozenset(term for field in self.fields for term in field)

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
        return tuple(dict.fromkeys(self.surface[term] for term in best))[:MAX_WORDS]


class Query:
    """An essay as weighted terms: a set, for in a long essay repeated words would drown the others."""

    def __init__(self, essay: Essay, compounds: Compounds) -> None:
        terms: dict[str, float] = defaultdict(float)
        topics = " . ".join(essay.topics)
        for weight, text in (
            (TITLE, essay.title), (TOPICS, topics), (TEXT, essay.summary), (TEXT, essay.body),
        ):  # fmt: skip
            for word in words(text):
                noun = word[0].isupper() or not essay.language.startswith("de")
                own = weight * (1.0 if noun else NO_NOUN)
                term = stem(word, essay.language)
                terms[term] = max(terms[term], own)
                for part in compounds.parts(word, essay.language):
                    terms[part] = max(terms[part], own * PART)
        self.terms: Mapping[str, float] = terms
        self._heading = frozenset(
            stem(word, essay.language)
            for word in words(" . ".join((essay.title, *essay.topics)))
            if word[0].isupper()
        )
        #: 0.25 to 1: a long essay has more words that an item can meet by chance.
        self.chance = 0.25 + 0.75 * min(len(terms) / LONG_QUERY, 1.0)

    def evidence(self, terms: Mapping[str, float], document: Document) -> float:
        """What the shared terms prove: half as much where a single noun carries them all.

        That may be chance; not so where the noun stands in both headings as a word of its own.
        """
        score = math.fsum(terms.values()) / self.chance
        nouns = {document.surface[term] for term in terms if term in document.nouns}
        if len(nouns) >= 2 or not self._heading.isdisjoint(document.fields[0]):
            return score
        return score / 2


def echoes(index: Index, documents: Sequence[Document], trust: Sequence[float]) -> list[float]:
    """How much each document speaks in the words that those have in common that can be trusted.

    `trust` is how likely each is to belong, 0 to 1; without three likely ones nothing is lent.
    """
    best = sorted(range(len(trust)), key=lambda number: (-trust[number], number))[:MOST_TEACHERS]
    teachers = [number for number in best if trust[number] > TRUSTED]
    if len(teachers) < LEAST_TEACHERS:
        return [0.0] * len(documents)
    everywhere = Counter(term for document in documents for term in document.terms)
    shared = Counter(term for number in teachers for term in documents[number].terms)
    value = {
        term: math.log(len(documents) / everywhere[term])
        * math.fsum(trust[number] for number in teachers if term in documents[number].terms)
        for term, count in shared.items()
        if count >= 2
    }
    lent = sorted(value, key=lambda term: (-value[term], term))[:LENT]
    most = max((value[term] for term in lent), default=0.0) or 1.0
    found = index.scores({term: value[term] / most for term in lent})
    return [math.fsum(terms.values()) for terms in found]
