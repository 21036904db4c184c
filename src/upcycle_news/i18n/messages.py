"""What our own people read, in their publication's language: sentences here, decisions in the code.

Code names a sentence by its key and gives the values in it; the sentences of each language lie
beside this file, ``findings.de.toml`` (what `check` tells) and ``pages.de.toml`` (preview, question,
report). A language without a catalogue gets English. What readers get has its own words, in
templates/texts.*.toml, where a publication changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

FOLDER = Path(__file__).parent
CATALOGUE_FILES = ("findings", "pages")
LANGUAGES = ("de", "en")
FALLBACK = "en"


@dataclass(frozen=True)
class LocalizedText:
    """A sentence that is not written yet: its key in the catalogues, and the values in it.

    Values are texts, numbers, times, tuples of texts, or other sayings. Texts of strangers cannot
    bring control characters into the sentence.
    """

    key: str
    values: tuple[tuple[str, object], ...] = ()

    def in_language(self, language: str) -> str:
        """The sentence in `language` (``de``, ``de-AT``), or in English."""
        known = supported_language(language)
        values = dict(self.values)
        entry = catalogue(known)[self.key]
        if not isinstance(entry, str):
            entry = entry["one" if values["count"] == 1 else "other"]
        return _MessageFormatter(known).vformat(entry, (), values)

    def __str__(self) -> str:
        return self.in_language(FALLBACK)


def localized(key: str, /, **values: object) -> LocalizedText:
    """The sentence with this key and these values in it."""
    return LocalizedText(key, tuple(values.items()))


def supported_language(language: str) -> str:
    """The language there is a catalogue for: this one, or English."""
    base = language.partition("-")[0].lower()
    return base if base in LANGUAGES else FALLBACK


@cache
def catalogue(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """All sentences of one of the `LANGUAGES` by key; one that counts has ``one`` and ``other``."""
    import tomllib  # most commands say nothing from here

    found: dict[str, Any] = {}
    for book in CATALOGUE_FILES:
        found |= tomllib.loads((FOLDER / f"{book}.{language}.toml").read_text(encoding="utf-8"))
    return found


class _MessageFormatter(Formatter):
    """Writes values as a language does: ``80,000`` and ``80.000``."""

    def __init__(self, language: str) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, LocalizedText):
            return value.in_language(self.language)
        if isinstance(value, tuple):
            return ", ".join(self.format_field(one, "") for one in value)
        if isinstance(value, str):
            return escape_unprintable(value)
        written = str(super().format_field(value, format_spec))
        if isinstance(value, int | float) and self.language == "de":
            return written.translate(_GERMAN_NUMBER)
        return written


_GERMAN_NUMBER = str.maketrans(",.", ".,")


def format_count(number: int, one: str, many: str = "") -> str:
    """``1 feed`` and ``2 feeds``, for sentences that have one language only."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def escape_unprintable(text: str) -> str:
    """`text` with what no line of text may hold written as escapes, as `repr` does."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
