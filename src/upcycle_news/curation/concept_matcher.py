"""Which concepts of the vocabulary a text touches, how much, and by which of its words."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from upcycle_news.curation.vocabulary import Concept, Vocabulary
from upcycle_news.text.stemming import is_stop, stem

_TOKEN = re.compile(r"[^\W_]+")
# What a part of a compound tells against the word itself, and a hint against a word.
PART, HINT = 0.8, 0.35
EVERYDAY = 0.5  # a word of every day among the words of a concept; it is but a hint then
IN_TITLE = 0.3  # what a word tells more because it stands in the title
LONE_HINT = 0.15
SHORTEST_PART, SHORTEST_REST, SHORTEST_COMPOUND = 4, 3, 7


@dataclass(frozen=True)
class ConceptEvidence:
    """What a text says of a concept: by words, by mere hints, and the words as they stand there."""

    strong: float
    weak: float
    surfaces: tuple[str, ...]

    @property
    def activation(self) -> float:
        """How much a short text is about the concept, 0 to 1; a single hint says next to nothing."""
        if self.strong == 0 and self.weak < 2 * HINT:
            return LONE_HINT * self.weak
        return 1 - math.exp(-(self.strong + min(self.weak, 1.0)))


@dataclass(frozen=True)
class _Entry:
    concept: str
    text: str
    hint: bool
    noun: bool


class Lexicon:
    """A vocabulary made ready for looking up. Words are compared by German stems."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.names = tuple(concept.name for concept in vocabulary.concepts)
        self.outside = frozenset(one.name for one in vocabulary.concepts if one.outside)
        self.everyday = frozenset(
            form for word in vocabulary.everyday for form in (word.lower(), stem(word, "de"))
        )
        self._whole: dict[str, list[_Entry]] = defaultdict(list)
        self._parts: dict[str, list[_Entry]] = defaultdict(list)
        self._begins: dict[str, list[_Entry]] = defaultdict(list)
        self._ends: dict[str, list[_Entry]] = defaultdict(list)
        self._phrases: dict[str, list[tuple[tuple[str, ...], _Entry]]] = defaultdict(list)
        self._not_meant: set[str] = set()
        for concept in vocabulary.concepts:
            self._learn(concept)
        self._longest = max((len(key) for key in (*self._begins, *self._ends)), default=0)

    def _learn(self, concept: Concept) -> None:
        listed = [(word, False) for word in dict.fromkeys((concept.name, *concept.words))]
        listed += [(word, True) for word in concept.hints]
        for text, hint in listed:
            tokens = _TOKEN.findall(text)
            if not tokens:
                continue
            entry = _Entry(concept.name, text, hint, text[0].isupper())
            first = stem(tokens[0], "de")
            if text[0] == "!":
                self._not_meant.add(tokens[0].lower())
            elif len(tokens) > 1:
                self._phrases[first].append((tuple(stem(one, "de") for one in tokens), entry))
            elif text[-1] == "-":
                self._begins[tokens[0].lower()].append(entry)
            elif text[0] == "-":
                self._ends[tokens[0].lower()].append(entry)
            else:
                self._whole[first].append(entry)
                if entry.noun and len(first) >= SHORTEST_PART:
                    self._parts[first].append(entry)

    def told(self, title: str, text: str = "") -> dict[str, ConceptEvidence]:
        """Return what a title and a text say of each concept they touch."""
        entitled, written = self._hits(title), self._hits(text)
        found = {}
        for concept in {**entitled, **written}:
            both = {**written.get(concept, {}), **entitled.get(concept, {})}
            strong, weak = self._strength(both)
            extra, _ = self._strength(entitled.get(concept, {}))
            surfaces = sorted(both.items(), key=lambda one: (one[0].hint, -one[1][0]))
            found[concept] = ConceptEvidence(
                strong + IN_TITLE * extra,
                weak,
                tuple(dict.fromkeys(surface for _, (_, surface) in surfaces)),
            )
        return found

    def _strength(self, hits: Mapping[_Entry, tuple[float, str]]) -> tuple[float, float]:
        """Add up what was hit: a word of the text counts once, by the best that it hits."""
        best: dict[str, tuple[float, bool]] = {}
        for entry, (weight, surface) in hits.items():
            common = (
                surface.lower() in self.everyday
                or stem(entry.text.strip("-"), "de") in self.everyday
            )
            value = weight * (HINT if entry.hint else EVERYDAY if common else 1.0)
            key = stem(surface, "de")
            if value > best.get(key, (0.0, False))[0]:
                best[key] = value, not entry.hint and not common
        strong = math.fsum(value for value, sure in best.values() if sure)
        return strong, math.fsum(value for value, sure in best.values() if not sure)

    def _hits(self, text: str) -> dict[str, dict[_Entry, tuple[float, str]]]:
        tokens = _TOKEN.findall(text)
        stems = [stem(token, "de") for token in tokens]
        found: dict[str, dict[_Entry, tuple[float, str]]] = defaultdict(dict)
        for place, (token, root) in enumerate(zip(tokens, stems, strict=True)):
            for entry, weight, length in self._at(place, token, root, stems):
                known = found[entry.concept].get(entry)
                if known is None or known[0] < weight:
                    surface = " ".join(tokens[place : place + length])
                    found[entry.concept][entry] = weight, surface
        return found

    def _at(
        self, place: int, token: str, root: str, stems: list[str]
    ) -> Iterator[tuple[_Entry, float, int]]:
        lower, noun = token.lower(), token[0].isupper()
        if any(lower.startswith(other) for other in self._not_meant):
            return
        for phrase, entry in self._phrases.get(root, ()):
            if tuple(stems[place : place + len(phrase)]) == phrase:
                yield entry, 1.0, len(phrase)
        if is_stop(lower):
            return
        for entry in self._whole.get(root, ()):
            if noun or not entry.noun:
                yield entry, 1.0, 1
        for length in range(2, min(len(lower), self._longest) + 1):
            for entry in (
                *self._begins.get(lower[:length], ()),
                *self._ends.get(lower[-length:], ()),
            ):
                yield entry, 1.0, 1
        if noun and len(lower) >= SHORTEST_COMPOUND:
            for length in range(SHORTEST_PART, len(lower) - SHORTEST_REST + 1):
                for entry in self._parts.get(lower[:length], ()):
                    yield entry, PART, 1
            for length in range(SHORTEST_PART, len(root) - SHORTEST_REST + 1):
                for entry in self._parts.get(root[-length:], ()):
                    yield entry, PART, 1


@lru_cache(maxsize=4)
def lexicon(vocabulary: Vocabulary) -> Lexicon:
    """Return the lexicon of a vocabulary; making one costs most of a second."""
    return Lexicon(vocabulary)
