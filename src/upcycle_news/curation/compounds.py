"""Splitting German compounds into parts learnt from the texts at hand: no dictionary, no package.

Kleinstadt, Stadtentwicklung and Stadt must match each other. A stem that occurs as a word of its own
somewhere in the corpus is a part of every longer word that begins or ends with it; between two parts
there may be a linking element (Arbeit-s-zimmer). Suffixes and frequent components (-schaft, -werk)
are no parts: they would connect everything with everything.
"""

from __future__ import annotations

from collections.abc import Iterable

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


class CompoundSplitter:
    """Splits words into parts that occur in `texts`. German only: other words stay whole."""

    def __init__(
        self, texts: Iterable[tuple[str, str]], *, min_length: int = MIN_COMPOUND_LENGTH
    ) -> None:
        """Learn from (text, language) pairs; words of fewer than `min_length` letters stay whole."""
        self._min_length = min_length
        self._known = frozenset(
            stem(word, language)
            for text, language in texts
            if base_language(language) == "de"
            for word in content_words(text)
        )
        self._parts: dict[str, frozenset[str]] = {}

    def parts(self, word: str, language: str) -> frozenset[str]:
        """Return the stems of the corpus words that `word` begins or ends with."""
        if base_language(language) != "de" or len(word) < self._min_length:
            return frozenset()
        word = word.lower()
        if word not in self._parts:
            self._parts[word] = self._split(word)
        return self._parts[word]

    def _split(self, word: str) -> frozenset[str]:
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
        parts = {part for part in parts if len(part) >= MIN_PART_LENGTH and part in self._known}
        return frozenset(parts - _EXCLUDED_PARTS - {own})
