"""The parts of German compounds, learnt from the texts at hand: no dictionary, no package.

Kleinstadt, Stadtentwicklung and Stadt must meet. A stem that stands as a word of its own somewhere
in the corpus is a part where a longer word begins or ends with it; between two parts there may be
a linking sound (Arbeit-s-zimmer). What makes words of everything (-schaft, -werk) is no part.
"""

from __future__ import annotations

from collections.abc import Iterable

from upcycle_news.text.sanitize import word_set
from upcycle_news.text.stemming import stem, words

SHORTEST_WORD = 8
SHORTEST_PART = 3
_LINKS = ("", "s", "es", "n", "en", "e", "er")
_NO_PARTS = word_set(
    """
    schaft heit keit werk haft lich isch ung ungen bar sam los reich voll frei haus heim stell
    stand teil stück weis zeit tag jahr mann leut platz land gross klein neu alt über unter nach
    auch einer eine ander haupt zeug arbeit gut
    """
)


class Compounds:
    """Cuts words into parts that are known from `texts`. German only: other words stay whole."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """Learn from (text, language) pairs."""
        self._known = frozenset(
            stem(word, language)
            for text, language in texts
            if language.startswith("de")
            for word in words(text)
        )
        self._parts: dict[str, frozenset[str]] = {}

    def parts(self, word: str, language: str) -> frozenset[str]:
        """Return the stems of the known words that `word` begins or ends with."""
        if not language.startswith("de") or len(word) < SHORTEST_WORD:
            return frozenset()
        word = word.lower()
        if word not in self._parts:
            self._parts[word] = self._cut(word)
        return self._parts[word]

    def _cut(self, word: str) -> frozenset[str]:
        own = stem(word, "de")
        found = set()
        for length in range(SHORTEST_PART, len(word) - 3):
            found.add(stem(word[-length:], "de"))
            head = word[:length]
            for link in _LINKS:
                if head.endswith(link):
                    start = head[: length - len(link)]
                    if len(start) >= SHORTEST_PART:
                        found.add(stem(start, "de"))
        found = {part for part in found if len(part) >= SHORTEST_PART and part in self._known}
        return frozenset(found - _NO_PARTS - {own})
