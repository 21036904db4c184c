"""Splitting German compounds into parts learnt from the texts at hand: no dictionary, no package.

Kleinstadt, Stadtentwicklung and Stadt must match each other. A stem that occurs as a word of its own
somewhere in the corpus is a part of every longer word that begins or ends with it; between two parts
there may be a linking element (Arbeit-s-zimmer). Suffixes and frequent components (-schaft, -werk)
are no parts: they would connect everything with everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import cache

from upcycle_news.text.sanitize import word_set
from upcycle_news.text.stemming import content_words, stem
from upcycle_news.text.typography import base_language

MIN_COMPOUND_LENGTH = 8
MIN_PART_LENGTH = 3
LINKING_ELEMENTS = ("", "s", "es", "n", "en", "e", "er")
_EXCLUDED_PARTS = word_set(
    """
    schaft heit keit werk haft lich isch ung ungen bar sam los reich voll frei haus heim stell
    stand teil stück weis zeit tag jahr mann leut platz land gross klein neu alt über unter nach
    auch einer eine ander haupt zeug arbeit gut
    """
)


def stems_of(texts: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the stems of the German content words in (text, language) pairs, which may be parts."""
    return frozenset(
        stem(word, language)
        for text, language in texts
        if base_language(language) == "de"
        for word in content_words(text)
    )


class CompoundSplitter:
    """Splits words into parts that are among known stems. German only: other words stay whole."""

    def __init__(self, known: Set[str], *, min_length: int = MIN_COMPOUND_LENGTH) -> None:
        """Words of fewer than `min_length` letters stay whole."""
        self._min_length = min_length
        self._known = known
        self._parts: dict[str, tuple[str, ...]] = {}

    def parts(self, word: str, language: str) -> tuple[str, ...]:
        """Return the known stems that `word` begins or ends with, sorted."""
        if len(word) < self._min_length or base_language(language) != "de":
            return ()
        found = self._parts.get(word)
        if found is None:
            found = tuple(sorted(possible_parts(word.lower()) & self._known))
            self._parts[word] = found
        return found


@cache
def possible_parts(word: str) -> frozenset[str]:
    """Return the stems that a word in lower case begins or ends with, known or not."""
    own = stem(word, "de")
    parts = set()
    for length in range(MIN_PART_LENGTH, len(word) - 3):
        parts.add(stem(word[-length:], "de"))
        head = word[:length]
        for element in LINKING_ELEMENTS:
            if head.endswith(element):
                start = head[: length - len(element)]
                if len(start) >= MIN_PART_LENGTH:
                    parts.add(stem(start, "de"))
    return (
        frozenset(part for part in parts if len(part) >= MIN_PART_LENGTH) - _EXCLUDED_PARTS - {own}
    )
