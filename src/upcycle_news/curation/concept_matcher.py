"""Dictionary matching: which concepts of the editors' vocabulary a text mentions, and how surely.

The vocabulary (content/vocabulary.toml) is a thesaurus: each concept lists words that name it alone
and hints that count only beside others. `ConceptMatcher` compiles it into hash tables from German
stems to entries and scans a text token by token for

- whole words and phrases, by stem;
- prefixes (``versicker-``) and suffixes (``-dach``), as written;
- compounds that begin or end with a word of the vocabulary (Stampflehm: Lehm), at `PART_WEIGHT`.

A noun of the vocabulary matches only capitalised tokens, ``!Lehmann`` excludes what begins so. For
each concept the result is a `ConceptEvidence`: weights of distinct matched words added up, apart for
words and for hints, and the matched words themselves to show as reasons. `ConceptEvidence.activation`
maps them to 0…1 by 1 − e^(−x), so that the first word counts most.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from upcycle_news.curation.vocabulary import Concept, Vocabulary
from upcycle_news.text.stemming import is_stop_word, stem

_TOKEN = re.compile(r"[^\W_]+")
# Weights of a match, where a word of the concept counts 1.
PART_WEIGHT = 0.8  # the word is only a part of a compound
HINT_WEIGHT = 0.35
EVERYDAY_WEIGHT = 0.5  # a word of the concept that is listed as everyday; counts as a hint then
TITLE_BONUS = 0.3  # added for a word in the title
LONE_HINT_FACTOR = 0.15  # activation of a single hint, per weight
MIN_PART_LENGTH, MIN_REST_LENGTH, MIN_COMPOUND_LENGTH = 4, 3, 7  # characters


@dataclass(frozen=True)
class ConceptEvidence:
    """The matches of one concept in a text.

    `strong` and `weak` are the summed weights of words and of hints, `surfaces` the matched words as
    written, the best first.
    """

    strong: float
    weak: float
    surfaces: tuple[str, ...]

    @property
    def activation(self) -> float:
        """How much a short text is about the concept, 0 to 1; a single hint gives next to nothing."""
        if self.strong == 0 and self.weak < 2 * HINT_WEIGHT:
            return LONE_HINT_FACTOR * self.weak
        return 1 - math.exp(-(self.strong + min(self.weak, 1.0)))


@dataclass(frozen=True)
class _Entry:
    """One word, phrase or affix of the vocabulary; a `noun` matches only capitalised tokens."""

    concept: str
    text: str
    hint: bool
    noun: bool


class ConceptMatcher:
    """A vocabulary compiled into lookup tables. Words are compared by German stems."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.names = tuple(concept.name for concept in vocabulary.concepts)
        self.outside = frozenset(concept.name for concept in vocabulary.concepts if concept.outside)
        self.everyday = frozenset(
            form for word in vocabulary.everyday for form in (word.lower(), stem(word, "de"))
        )
        self._whole: dict[str, list[_Entry]] = defaultdict(list)
        self._parts: dict[str, list[_Entry]] = defaultdict(list)
        self._prefixes: dict[str, list[_Entry]] = defaultdict(list)
        self._suffixes: dict[str, list[_Entry]] = defaultdict(list)
        self._phrases: dict[str, list[tuple[tuple[str, ...], _Entry]]] = defaultdict(list)
        self._excluded: set[str] = set()
        for concept in vocabulary.concepts:
            self._add(concept)
        self._longest_affix = max(
            (len(key) for key in (*self._prefixes, *self._suffixes)), default=0
        )

    def _add(self, concept: Concept) -> None:
        listed = [(word, False) for word in dict.fromkeys((concept.name, *concept.words))]
        listed += [(word, True) for word in concept.hints]
        for text, hint in listed:
            tokens = _TOKEN.findall(text)
            if not tokens:
                continue
            entry = _Entry(concept.name, text, hint, text[0].isupper())
            first = stem(tokens[0], "de")
            if text[0] == "!":
                self._excluded.add(tokens[0].lower())
            elif len(tokens) > 1:
                self._phrases[first].append((tuple(stem(token, "de") for token in tokens), entry))
            elif text[-1] == "-":
                self._prefixes[tokens[0].lower()].append(entry)
            elif text[0] == "-":
                self._suffixes[tokens[0].lower()].append(entry)
            else:
                self._whole[first].append(entry)
                if entry.noun and len(first) >= MIN_PART_LENGTH:
                    self._parts[first].append(entry)

    def match(self, title: str, text: str = "") -> dict[str, ConceptEvidence]:
        """Return the evidence for each concept that a title or a text mentions."""
        title_hits, text_hits = self._hits(title), self._hits(text)
        evidence = {}
        for concept in {**title_hits, **text_hits}:
            hits = {**text_hits.get(concept, {}), **title_hits.get(concept, {})}
            strong, weak = self._strength(hits)
            strong_in_title, _ = self._strength(title_hits.get(concept, {}))
            ranked = sorted(hits.items(), key=lambda hit: (hit[0].hint, -hit[1][0]))
            evidence[concept] = ConceptEvidence(
                strong + TITLE_BONUS * strong_in_title,
                weak,
                tuple(dict.fromkeys(surface for _, (_, surface) in ranked)),
            )
        return evidence

    def _strength(self, hits: Mapping[_Entry, tuple[float, str]]) -> tuple[float, float]:
        """Sum the weights of words and of hints; a word of the text counts once, by its best match."""
        best: dict[str, tuple[float, bool]] = {}
        for entry, (weight, surface) in hits.items():
            common = (
                surface.lower() in self.everyday
                or stem(entry.text.strip("-"), "de") in self.everyday
            )
            value = weight * (HINT_WEIGHT if entry.hint else EVERYDAY_WEIGHT if common else 1.0)
            key = stem(surface, "de")
            if value > best.get(key, (0.0, False))[0]:
                best[key] = value, not entry.hint and not common
        strong = math.fsum(value for value, sure in best.values() if sure)
        return strong, math.fsum(value for value, sure in best.values() if not sure)

    def _hits(self, text: str) -> dict[str, dict[_Entry, tuple[float, str]]]:
        """Return, by concept, the matched entries with weight and matched words."""
        tokens = _TOKEN.findall(text)
        stems = [stem(token, "de") for token in tokens]
        hits: dict[str, dict[_Entry, tuple[float, str]]] = defaultdict(dict)
        for place, (token, root) in enumerate(zip(tokens, stems, strict=True)):
            for entry, weight, length in self._matches_at(place, token, root, stems):
                known = hits[entry.concept].get(entry)
                if known is None or known[0] < weight:
                    surface = " ".join(tokens[place : place + length])
                    hits[entry.concept][entry] = weight, surface
        return hits

    def _matches_at(
        self, place: int, token: str, root: str, stems: list[str]
    ) -> Iterator[tuple[_Entry, float, int]]:
        """Yield (entry, weight, number of tokens) for each match that begins at `place`."""
        lower, noun = token.lower(), token[0].isupper()
        if any(lower.startswith(prefix) for prefix in self._excluded):
            return
        for phrase, entry in self._phrases.get(root, ()):
            if tuple(stems[place : place + len(phrase)]) == phrase:
                yield entry, 1.0, len(phrase)
        if is_stop_word(lower):
            return
        for entry in self._whole.get(root, ()):
            if noun or not entry.noun:
                yield entry, 1.0, 1
        for length in range(2, min(len(lower), self._longest_affix) + 1):
            for entry in (
                *self._prefixes.get(lower[:length], ()),
                *self._suffixes.get(lower[-length:], ()),
            ):
                yield entry, 1.0, 1
        if noun and len(lower) >= MIN_COMPOUND_LENGTH:
            for length in range(MIN_PART_LENGTH, len(lower) - MIN_REST_LENGTH + 1):
                for entry in self._parts.get(lower[:length], ()):
                    yield entry, PART_WEIGHT, 1
            for length in range(MIN_PART_LENGTH, len(root) - MIN_REST_LENGTH + 1):
                for entry in self._parts.get(root[-length:], ()):
                    yield entry, PART_WEIGHT, 1


@lru_cache(maxsize=4)
def matcher_for(vocabulary: Vocabulary) -> ConceptMatcher:
    """Return the matcher of a vocabulary; compiling one costs most of a second, so they are cached."""
    return ConceptMatcher(vocabulary)
