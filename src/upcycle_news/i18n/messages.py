"""Texts for editors and operators in their publication's language, from message catalogues.

Code names a text by its key and gives the values in it. The catalogues lie beside this file:
``findings.de.toml`` (findings of `check`), ``lists.de.toml`` (subscribers' lists), ``operations.de.toml``
(what machine and servers refuse) and ``pages.de.toml`` (preview, approval request, report).
A language without a catalogue falls back to English. Texts for subscribers are not here but in
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
CATALOGUE_FILES = (
    "alarms",
    "commands",
    "doctor",
    "feeds",
    "figures",
    "findings",
    "forms",
    "lists",
    "operations",
    "pages",
    "providers",
    "reasons",
    "refusals",
    "runs",
    "sending",
    "settings",
    "subjects",
)
LANGUAGES = ("de", "en")
FALLBACK = "en"


@dataclass(frozen=True)
class LocalizedText:
    """A text that is formatted when its language is known: a catalogue key and its values.

    Values are strings, numbers, times, tuples of strings, or other localized texts. Control
    characters in strings are escaped, since strings may come from feeds and files.
    """

    key: str
    values: tuple[tuple[str, object], ...] = ()

    def in_language(self, language: str) -> str:
        """Return the text in `language` (``de``, ``de-AT``), or in English without a catalogue."""
        supported = supported_language(language)
        values = dict(self.values)
        entry = catalogue(supported)[self.key]
        if not isinstance(entry, str):
            entry = entry["one" if values["count"] == 1 else "other"]
        return _MessageFormatter(supported).vformat(entry, (), values)

    def __str__(self) -> str:
        return self.in_language(FALLBACK)


def localized(key: str, /, **values: object) -> LocalizedText:
    """Return the text with this key and these values."""
    return LocalizedText(key, tuple(values.items()))


def supported_language(language: str) -> str:
    """Return the base language (``de`` of ``de-AT``) if it has a catalogue, else English."""
    base = language.partition("-")[0].lower()
    return base if base in LANGUAGES else FALLBACK


@cache
def catalogue(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """Return all texts of one of the `LANGUAGES` by key; plural forms are ``one`` and ``other``."""
    import tomllib  # late: most commands need no catalogue

    texts: dict[str, Any] = {}
    for name in CATALOGUE_FILES:
        texts |= tomllib.loads((FOLDER / f"{name}.{language}.toml").read_text(encoding="utf-8"))
    return texts


class _MessageFormatter(Formatter):
    """Formats values by the rules of a language: ``80,000`` and ``80.000``."""

    def __init__(self, language: str) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, LocalizedText):
            return value.in_language(self.language)
        if isinstance(value, tuple):
            return ", ".join(self.format_field(item, "") for item in value)
        if isinstance(value, str):
            return escape_unprintable(value)
        formatted = str(super().format_field(value, format_spec))
        if isinstance(value, int | float) and self.language == "de":
            return formatted.translate(_GERMAN_NUMBER)
        return formatted


_GERMAN_NUMBER = str.maketrans(",.", ".,")


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Return ``1 feed`` or ``2 feeds``, for English sentences that are not localized."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def escape_unprintable(text: str) -> str:
    """Return `text` with unprintable characters as escapes, as `repr` writes them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
