"""Dictionary matching: which concepts of the editors' vocabulary a text mentions, and how surely.

The vocabulary (content/vocabulary.toml) is a thesaurus: each concept lists words that name it alone
and hints that count only beside others. `ConceptMatcher` compiles it into hash tables from stems to
entries (`_EntryTable`, one for each language) and scans a text token by token for

- whole words and phrases, by stem;
- prefixes (``versicker-``) and suffixes (``-dach``), as written;
- in German, compounds that begin or end with a word of the vocabulary (Stampflehm: Lehm), at
  `PART_WEIGHT`.

``!Lehmann`` excludes what begins so. A German noun matches only capitalised tokens; in English
capitals say nothing. Texts in other languages than English are searched for the German words. For each
concept the result is a `ConceptEvidence`: weights of distinct matched words added up, apart for
words and for hints, and the matched words themselves to show as reasons. `ConceptEvidence.activation`
maps them to 0…1 by 1 − e^(−x), so that the first word counts most.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from upcycle_news.curation.vocabulary import Concept, Vocabulary
from upcycle_news.text.stemming import is_stop_word, stem
from upcycle_news.text.typography import base_language

_TOKEN = re.compile(r"[^\W_]+")
# Weights of a match, where a word of the concept counts 1.
PART_WEIGHT = 0.8  # the word is only a part of a compound
HINT_WEIGHT = 0.35
EVERYDAY_WEIGHT = 0.5  # a word of the concept that is listed as everyday; counts as a hint then
TITLE_BONUS = 0.3  # added for a word in the title
LONE_HINT_FACTOR = 0.15  # activation of a single hint, per weight
_MAX_KNOWN_TOKENS = 200_000
MIN_PART_LENGTH, MIN_REST_LENGTH, MIN_COMPOUND_LENGTH = 4, 3, 7  # characters


@dataclass(frozen=True)
class ConceptEvidence:
    """The matches of one concept in a text.

    `strong` and `weak` are the summed weights of words and of hints, `surfaces` the matched words as
    written, the best first, `stems` their stems.
    """

    strong: float
    weak: float
    surfaces: tuple[str, ...]
    stems: frozenset[str]

    @property
    def activation(self) -> float:
        """How much a short text is about the concept, 0 to 1; a single hint gives next to nothing."""
        return _activation(self.strong, self.weak)


def _activation(strong: float, weak: float) -> float:
    if strong == 0 and weak < 2 * HINT_WEIGHT:
        return LONE_HINT_FACTOR * weak
    return 1 - math.exp(-(strong + min(weak, 1.0)))


@dataclass(frozen=True, eq=False)
class _Entry:
    """One word, phrase or affix of the vocabulary; a `noun` matches only capitalised tokens.

    `everyday`: it is listed as such. Each is one object, compared as that.
    """

    concept: str
    text: str
    hint: bool
    noun: bool
    language: str
    everyday: bool


@dataclass(frozen=True)
class _KnownToken:
    """What a token matches wherever it stands: its stem, entries with weights, and phrases it may begin."""

    root: str
    entries: tuple[tuple[_Entry, float], ...] = ()
    phrases: tuple[tuple[tuple[str, ...], _Entry], ...] = ()


class ConceptMatcher:
    """A vocabulary compiled into lookup tables. Words are compared by stems of the text's language."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary, concepts = vocabulary, vocabulary.concepts
        self.names = tuple(concept.name for concept in concepts)
        self.outside = frozenset(concept.name for concept in concepts if concept.outside)
        self._english_names = {
            concept.name: concept.english[0] for concept in concepts if concept.english
        }
        self._everyday = frozenset(
            form for word in vocabulary.everyday for form in (word.lower(), stem(word, "de"))
        )
        german = _EntryTable("de", map(_german_words, concepts), self._everyday)
        english = _EntryTable("en", map(_english_words, concepts), self._everyday)
        untranslated = [
            concept for concept in concepts if not concept.english and not concept.english_hints
        ]
        self._tables: tuple[_EntryTable, ...] = (german,)
        self._english_tables: tuple[_EntryTable, ...] = (
            self._tables
            if len(untranslated) == len(concepts)
            else (_EntryTable("de", map(_german_words, untranslated), self._everyday), english)
        )

    def is_named(self, concept: str, topic: str) -> bool:
        """Tell whether a topic is the name of a concept, in German or in English."""
        english = self._english_names.get(concept, concept)
        return stem(concept, "de") == stem(topic, "de") or stem(english, "en") == stem(topic, "en")

    def translates(self, language: str, other: str) -> bool:
        """Tell whether one language is German, the other English, and concepts have English words."""
        pair = {base_language(language), base_language(other)}
        return pair == {"de", "en"} and self._english_tables is not self._tables

    def match(self, title: str, text: str = "", language: str = "de") -> dict[str, ConceptEvidence]:
        """Return the evidence for each concept that a title or a text in `language` mentions."""
        title_hits, text_hits = self._hits(title, language), self._hits(text, language)
        evidence = {}
        for concept in {**title_hits, **text_hits}:
            in_title = title_hits.get(concept)
            hits = text_hits.get(concept) or {}
            if in_title:
                hits = {**hits, **in_title}
            strong, weak = self._strength(hits)
            strong_in_title = self._strength(in_title)[0] if in_title else 0.0
            ranked = list(hits.items())
            if len(ranked) > 1:
                ranked.sort(key=lambda hit: (hit[0].hint, -hit[1][0]))
            evidence[concept] = ConceptEvidence(
                strong + TITLE_BONUS * strong_in_title,
                weak,
                tuple(dict.fromkeys([surface for _, (_, surface) in ranked])),
                frozenset([stem(surface, entry.language) for entry, (_, surface) in ranked]),
            )
        return evidence

    def activations(self, text: str, language: str) -> dict[str, float]:
        """Return how much a text is about each concept that it mentions, as `match` finds them in a text."""
        return {
            concept: _activation(*self._strength(hits))
            for concept, hits in self._hits(text, language).items()
        }

    def _strength(self, hits: Mapping[_Entry, tuple[float, str]]) -> tuple[float, float]:
        """Sum the weights of words and of hints; a word of the text counts once, by its best match."""
        best: dict[str, tuple[float, bool]] = {}
        for entry, (weight, surface) in hits.items():
            common = entry.everyday or surface.lower() in self._everyday
            value = weight * (HINT_WEIGHT if entry.hint else EVERYDAY_WEIGHT if common else 1.0)
            key = stem(surface, entry.language)
            if value > best.get(key, (0.0, False))[0]:
                best[key] = value, not entry.hint and not common
        if len(best) == 1:
            ((value, sure),) = best.values()
            return (value, 0.0) if sure else (0.0, value)
        strong = math.fsum([value for value, sure in best.values() if sure])
        return strong, math.fsum([value for value, sure in best.values() if not sure])

    def _hits(self, text: str, language: str) -> dict[str, dict[_Entry, tuple[float, str]]]:
        """Return, by concept, the matched entries with weight and matched words."""
        tokens = _TOKEN.findall(text)
        hits: dict[str, dict[_Entry, tuple[float, str]]] = defaultdict(dict)
        for table in self._english_tables if base_language(language) == "en" else self._tables:
            for entry, weight, surface in table.matches(tokens):
                known = hits[entry.concept].get(entry)
                if known is None or known[0] < weight:
                    hits[entry.concept][entry] = weight, surface
        return hits


class _EntryTable:
    """The entries of concepts in one language, found by stem and by affix."""

    def __init__(
        self, language: str, concepts: Iterable[_ConceptWords], everyday: frozenset[str]
    ) -> None:
        """Compile `concepts`; `language` is a primary subtag, and German has nouns and compounds."""
        self._language, self._everyday = language, everyday
        self._known: dict[str, _KnownToken] = {}
        self._whole: dict[str, list[_Entry]] = defaultdict(list)
        self._parts: dict[str, list[_Entry]] = defaultdict(list)
        self._prefixes: dict[str, list[_Entry]] = defaultdict(list)
        self._suffixes: dict[str, list[_Entry]] = defaultdict(list)
        self._phrases: dict[str, list[tuple[tuple[str, ...], _Entry]]] = defaultdict(list)
        excluded: set[str] = set()
        for name, words, hints in concepts:
            for text in dict.fromkeys(words):
                self._add(name, text, excluded, hint=False)
            for text in hints:
                self._add(name, text, excluded, hint=True)
        self._excluded = tuple(excluded)
        self._longest_affix = max(
            (len(key) for key in (*self._prefixes, *self._suffixes)), default=0
        )

    def _add(self, name: str, text: str, excluded: set[str], *, hint: bool) -> None:
        tokens = _TOKEN.findall(text)
        if not tokens:
            return
        noun = self._language == "de" and text[0].isupper()
        is_everyday = stem(text.strip("-"), self._language) in self._everyday
        entry = _Entry(name, text, hint, noun, self._language, is_everyday)
        first = stem(tokens[0], self._language)
        if text[0] == "!":
            excluded.add(tokens[0].lower())
        elif len(tokens) > 1:
            phrase = tuple(stem(token, self._language) for token in tokens)
            self._phrases[first].append((phrase, entry))
        elif text[-1] == "-":
            self._prefixes[tokens[0].lower()].append(entry)
        elif text[0] == "-":
            self._suffixes[tokens[0].lower()].append(entry)
        else:
            self._whole[first].append(entry)
            if entry.noun and len(first) >= MIN_PART_LENGTH:
                self._parts[first].append(entry)

    def matches(self, tokens: list[str]) -> Iterator[tuple[_Entry, float, str]]:
        """Yield (entry, weight, matched words as written) for each match in a text."""
        known = [self._known.get(token) or self._look_up(token) for token in tokens]
        for place, (token, found) in enumerate(zip(tokens, known, strict=True)):
            for phrase, entry in found.phrases:
                length = len(phrase)
                if tuple(one.root for one in known[place : place + length]) == phrase:
                    yield entry, 1.0, " ".join(tokens[place : place + length])
            for entry, weight in found.entries:
                yield entry, weight, token

    def _look_up(self, token: str) -> _KnownToken:
        """Return what a token matches, and remember it: thousands of items share most of their words."""
        if len(self._known) >= _MAX_KNOWN_TOKENS:
            self._known.clear()
        root, lower = stem(token, self._language), token.lower()
        found = _KnownToken(root)
        if not lower.startswith(self._excluded):
            entries = () if is_stop_word(lower) else tuple(self._entries(token, lower, root))
            found = _KnownToken(root, entries, tuple(self._phrases.get(root, ())))
        self._known[token] = found
        return found

    def _entries(self, token: str, lower: str, root: str) -> Iterator[tuple[_Entry, float]]:
        """Yield the entries that a token matches alone, with weights."""
        noun = token[0].isupper()
        for entry in self._whole.get(root, ()):
            if noun or not entry.noun:
                yield entry, 1.0
        for length in range(2, min(len(lower), self._longest_affix) + 1):
            for entry in (
                *self._prefixes.get(lower[:length], ()),
                *self._suffixes.get(lower[-length:], ()),
            ):
                yield entry, 1.0
        if noun and len(lower) >= MIN_COMPOUND_LENGTH:
            for length in range(MIN_PART_LENGTH, len(lower) - MIN_REST_LENGTH + 1):
                for entry in self._parts.get(lower[:length], ()):
                    yield entry, PART_WEIGHT
            for length in range(MIN_PART_LENGTH, len(root) - MIN_REST_LENGTH + 1):
                for entry in self._parts.get(root[-length:], ()):
                    yield entry, PART_WEIGHT


_ConceptWords = tuple[str, tuple[str, ...], tuple[str, ...]]  # name, words, hints


def _german_words(concept: Concept) -> _ConceptWords:
    return concept.name, (concept.name, *concept.words), concept.hints


def _english_words(concept: Concept) -> _ConceptWords:
    return concept.name, concept.english, concept.english_hints


@lru_cache(maxsize=4)
def matcher_for(vocabulary: Vocabulary) -> ConceptMatcher:
    """Return the matcher of a vocabulary; compiling one costs most of a second, so they are cached."""
    return ConceptMatcher(vocabulary)
