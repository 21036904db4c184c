"""The index that searching the archive needs, as static files: no server, and a query loads few of them.

    index.json    number of documents, documents a block, and the keys of the files of terms
    w-KEY.json    the terms that begin with KEY and with no longer key: ``{"term": [posting, …]}``
    d-N.json      a block of documents: what a list of results shows of each; null for withdrawn ones

A term is the German stem of a word, without accents, whatever the language: who asks does not say in
which. So words of other languages have their own stem and the terms of all their forms in the archive as
well, and a German compound has the terms of its parts. A posting is ``10 * distance + score``: how far the document's number is
behind the one before, and 1 to 9 for how much it is about the term. Numbers stay when issues are added or
withdrawn, and a file of terms is split when it grows, by the next letter: what has not changed keeps its
bytes. `search/engine.js` reads all this; both make the same terms of a word (a test compares them).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from upcycle_news.archive_site.view_models import EssayView, IssueEntry
from upcycle_news.curation.compounds import (
    LINKING_ELEMENTS,
    MIN_PART_LENGTH,
    possible_parts,
    stems_of,
)
from upcycle_news.models.archive_paths import SEARCH
from upcycle_news.rendering.view_models import StoryView
from upcycle_news.text.html_text import html_to_text
from upcycle_news.text.sanitize import truncate
from upcycle_news.text.stemming import has_stemmer, stem
from upcycle_news.text.typography import base_language

BLOCK = 8
"""Documents a block."""

MAX_BYTES = 12_000
"""A file of terms that is larger is split, as far as its terms differ."""

TITLE, SUMMARY, TEXT = 8, 3, 1
"""How much a word counts in the title, in what describes the text, and in the text itself."""

MIN_COMPOUND = 7
"""Letters of a word that is split, such as Haustür: who searches takes a wrong one less amiss than none."""

_PART_OF_WORD = 0.5  # how much a word counts for its parts
_USUAL_WORDS = 600  # a text of this length is neither short nor long
_WORD = re.compile(r"[^\W_]+")
_SCRIPTS = Path(__file__).with_name("search")


@dataclass(frozen=True)
class SearchDocument:
    """A page that can be found: what results show of it, and its words in lower case with their weight.

    `path` is relative to the archive, `day` for machines and `date` for readers; `lang` and `dir` are
    those of the page's language, empty for the publication's own. `stems` are those of German content
    words, which may be parts of compounds.
    """

    title: str
    path: str
    day: str
    date: str
    byline: str
    summary: str
    lang: str
    dir: str
    language: str
    words: Mapping[str, int]
    stems: frozenset[str]

    @classmethod
    def of(
        cls, shown: Sequence[str], language: str, texts: Sequence[tuple[str, int]]
    ) -> SearchDocument:
        """Return the document with the words of its texts, each with its weight; `shown` is as below."""
        counts: Counter[str] = Counter()
        for text, weight in texts:
            for word in words(text):
                counts[word] += weight
        title, path, day, date, byline, summary, lang, dir_ = shown
        stems = stems_of((text, language) for text, _ in texts)
        return cls(
            title, path, day, date, byline, summary, lang, dir_, language, dict(counts), stems
        )

    @property
    def shown(self) -> list[str]:
        """What a result shows, in the order that `search/form.js` expects."""
        shown = (self.title, self.path, self.day, self.date, self.byline, self.summary)
        return [*shown, self.lang, self.dir]


def essay_document(
    listed: EssayView, html: str, topics: Sequence[str], language: str
) -> SearchDocument:
    """Return an essay as a document: as the archive lists it, and its text as its page shows it."""
    description = " ".join((listed.summary, listed.byline, *topics))
    return SearchDocument.of(
        (listed.title, listed.url, listed.day, listed.date, listed.byline, listed.summary,
         listed.lang, listed.dir),
        language,
        ((listed.title, TITLE), (description, SUMMARY), (html_to_text(html), TEXT)),
    )  # fmt: skip


def issue_document(
    listed: IssueEntry, name: str, stories: Sequence[StoryView], language: str
) -> SearchDocument | None:
    """Return an issue as a document with its related items, None without any: essays have their own.

    `name` says that it is an issue, and which: its subject is often that of its first essay.
    """
    if not stories:
        return None
    titles = " · ".join(story.title for story in stories)
    excerpts = " ".join(f"{story.excerpt} {story.source}" for story in stories)
    return SearchDocument.of(
        (listed.subject, listed.url, listed.day, name, "", truncate(titles, 240),
         listed.lang, listed.dir),
        language,
        ((titles, SUMMARY), (excerpts, TEXT)),
    )  # fmt: skip


def search_scripts() -> dict[str, bytes]:
    """Return the scripts that search, by path."""
    return {f"{SEARCH}{path.name}": path.read_bytes() for path in sorted(_SCRIPTS.glob("*.js"))}


def search_files(
    documents: Sequence[SearchDocument | None], german_words: str = ""
) -> dict[str, bytes]:
    """Return the files of the index by path; None keeps the number of what was withdrawn.

    `german_words` are known as parts of compounds beside those that stand alone in the documents.
    """
    index = SearchIndex.of(german_words)
    index.add(documents, lambda number: documents[number])
    return index.files()


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, as `words` of `search/engine.js` does."""
    return _WORD.findall(unicodedata.normalize("NFC", text).replace("\u00ad", "").lower())


@cache
def term_of(word: str) -> str:
    """Return the term of a word in lower case: its German stem without accents."""
    return fold(stem(word, "de"))


def fold(text: str) -> str:
    """Return a text without accents and other marks."""
    letters = unicodedata.normalize("NFD", text)
    bare = "".join(one for one in letters if not unicodedata.category(one).startswith("M"))
    return unicodedata.normalize("NFC", bare)


@dataclass
class SearchIndex:
    """An index to which documents are added; it then is what it were if all had been there from the beginning.

    `shown` are the documents by number, None for what was withdrawn. A new document may tell that older
    words are compounds, for `stems` are those of all words that may be parts; `parts` are the stems that
    each word begins or ends with, known or not. `forms` are the terms of all forms of a word that is not
    German, by language and stem. They only grow, so that a document's score for a term only changes.
    """

    shown: list[list[str] | None] = field(default_factory=list)
    postings: dict[str, list[int]] = field(default_factory=dict)
    stems: set[str] = field(default_factory=set)
    parts: dict[str, list[str]] = field(default_factory=dict)
    forms: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, german_words: str) -> SearchIndex:
        """Return an index without documents that knows these words as parts of compounds."""
        return cls(stems=set(stems_of([(german_words, "de")])))

    def add(
        self,
        documents: Sequence[SearchDocument | None],
        document: Callable[[int], SearchDocument | None],
    ) -> None:
        """Add documents, which get the next numbers; `document` returns one by its number, older ones too."""
        first = len(self.shown)
        self.shown += [None if one is None else one.shown for one in documents]
        found = [one for one in documents if one is not None]
        numbers = {number for number in range(first, len(self.shown)) if self.shown[number]}
        if first:
            numbers |= self._changed_by(found)
        self._learn(found)
        terms = _TermsOfWords(self)
        scores: dict[str, dict[int, int]] = defaultdict(dict)
        for number in sorted(numbers):
            if (one := document(number)) is not None:
                for term, score in _scores(one.words, terms.in_language(one.language)):
                    scores[term][number] = score
        for term, new in scores.items():
            known = self.postings.get(term)
            everywhere = {**dict(_decoded(known)), **new} if known else new
            self.postings[term] = _encoded(everywhere)

    def files(self) -> dict[str, bytes]:
        """Return the files of the index by path."""
        files: dict[str, bytes] = {}
        for start in range(0, len(self.shown), BLOCK):
            files[f"{SEARCH}d-{start // BLOCK}.json"] = _json(self.shown[start : start + BLOCK])
        texts = {term: _json({term: ones}) for term, ones in self.postings.items()}
        sizes = {term: len(text) for term, text in texts.items()}
        keys = dict(_split("", sorted(texts), sizes))
        for key, terms in sorted(keys.items()):
            # Each is an object of its own: what is between its braces.
            inside = b",".join(texts[term][1:-2] for term in sorted(terms))
            files[f"{SEARCH}{_file_name(key)}"] = b"{" + inside + b"}\n"
        index = {"documents": len(self.shown), "block": BLOCK, "keys": sorted(keys)}
        return files | {f"{SEARCH}index.json": _json(index)}

    def _changed_by(self, found: Iterable[SearchDocument]) -> set[int]:
        """Return the numbers of documents with a word that has other terms once these are there."""
        stems: set[str] = set().union(*(one.stems for one in found)) - self.stems
        changed = {
            term_of(word) for word, parts in self.parts.items() if not stems.isdisjoint(parts)
        }
        for language, groups in _forms(found).items():
            known = self.forms.get(language, {})
            changed |= {
                fold(own)
                for own, terms in groups.items()
                if own in known and not terms <= set(known[own])
            }
        return {number for term in changed for number, _ in _decoded(self.postings.get(term, ()))}

    def _learn(self, found: Iterable[SearchDocument]) -> None:
        """Take in the words of documents: as parts of others, as compounds, and as forms."""
        for one in found:
            self.stems |= one.stems
            if base_language(one.language) == "de":
                for word in one.words:
                    if len(word) >= MIN_COMPOUND and word not in self.parts:
                        self.parts[word] = sorted(possible_parts(word))
        for language, groups in _forms(found).items():
            known = self.forms.setdefault(language, {})
            for own, terms in groups.items():
                known[own] = sorted(terms.union(known.get(own, ())))


def _forms(found: Iterable[SearchDocument]) -> dict[str, dict[str, set[str]]]:
    """Return the terms of the words of documents that are not German, by language and stem."""
    forms: dict[str, dict[str, set[str]]] = {}
    for one in found:
        if _is_foreign(one.language):
            groups = forms.setdefault(base_language(one.language), defaultdict(set))
            for word in one.words:
                groups[stem(word, one.language)].add(term_of(word))
    return forms


def _decoded(postings: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the numbers and scores of postings."""
    number = 0
    for posting in postings:
        distance, score = divmod(posting, 10)
        number += distance
        yield number, score


def _encoded(scores: Mapping[int, int]) -> list[int]:
    last, postings = 0, []
    for number in sorted(scores):
        postings.append(10 * (number - last) + scores[number])
        last = number
    return postings


def _scores(counts: Mapping[str, int], terms: _Terms) -> Iterator[tuple[str, int]]:
    """Yield the terms of a document, each with a score of 1 to 9 that grows ever less with each word."""
    weights: dict[str, float] = defaultdict(float)
    for word, count in counts.items():
        for term, share in terms[word]:
            weights[term] += share * count
    half = 1 + 3 * sum(counts.values()) / _USUAL_WORDS
    for term, sum_ in weights.items():
        yield term, round(9 * sum_ / (sum_ + half)) or 1


class _Terms(dict[str, tuple[tuple[str, float], ...]]):
    """The terms of words in one language, each with its share; looked up a million times in a large archive."""

    def __init__(self, of: Callable[[str], Mapping[str, float]]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, word: str) -> tuple[tuple[str, float], ...]:
        terms = self[word] = tuple(self._of(word).items())
        return terms


class _TermsOfWords:
    """The terms of a word, with the share that it counts for each: itself, its forms, its parts."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._terms: dict[str, _Terms] = {}

    def in_language(self, language: str) -> _Terms:
        """Return the terms of the words of a language; regions make no difference."""
        base = base_language(language)
        if base not in self._terms:
            self._terms[base] = _Terms(partial(self._of, language=base))
        return self._terms[base]

    def _of(self, word: str, language: str) -> Mapping[str, float]:
        terms = {}
        if language == "de" and len(word) >= MIN_COMPOUND:
            parts = set(map(fold, self._index.stems.intersection(self._index.parts[word])))
            terms = {part: _PART_OF_WORD for part in parts if _is_part(part, term_of(word), parts)}
        if _is_foreign(language):
            own = stem(word, language)
            terms |= dict.fromkeys((fold(own), *self._index.forms[language][own]), 1.0)
        return {**terms, term_of(word): 1.0}


def _is_foreign(language: str) -> bool:
    """Tell whether words of a language have stems of their own beside the German ones."""
    return base_language(language) != "de" and has_stemmer(language)


def _is_part(part: str, whole: str, parts: Set[str]) -> bool:
    """Tell whether a part of a compound is none by chance: Turmzimmer does not begin with Tür.

    The splitter asks whether words begin or end with a known one. At the beginning a short one is a part
    only if another part is behind it, but for a linking element.
    """
    if len(part) > MIN_PART_LENGTH or whole.endswith(part):
        return True
    rest = whole[len(part) :]
    return any(
        rest.endswith(other) and rest.removesuffix(other) in LINKING_ELEMENTS
        for other in parts - {part}
    )


def _split(
    key: str, terms: Sequence[str], sizes: Mapping[str, int]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of the files of terms, each with its terms.

    Where a file is too large, the most frequent next letters get files of their own.
    """
    begins: dict[str, list[str]] = defaultdict(list)
    for term in terms:
        begins[term[: len(key) + 1]].append(term)
    bytes_of = {start: sum(sizes[term] for term in ones) for start, ones in begins.items()}
    left = sum(bytes_of.values())
    for start in sorted(begins, key=lambda one: (-bytes_of[one], one)):
        if left <= MAX_BYTES or start == key:
            continue
        left -= bytes_of[start]
        yield from _split(start, begins.pop(start), sizes)
    if begins:
        yield key, [term for ones in begins.values() for term in ones]


def _file_name(key: str) -> str:
    plain = re.fullmatch("[a-z0-9]*", key)
    return f"w-{key if plain else ''.join(f'-{ord(letter):x}' for letter in key)}.json"


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
