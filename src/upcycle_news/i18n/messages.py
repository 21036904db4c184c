"""Texts for editors and operators in their publication's language, from message catalogues.

Code names a text by its key and gives the values in it. The catalogues lie beside this file:
``findings.de.toml`` (findings of `check`), ``lists.de.toml`` (subscribers' lists), ``operations.de.toml``
(what machine and servers refuse) and ``pages.de.toml`` (preview, approval request, report).
A language without a catalogue falls back to English. Texts for subscribers are not here but in
templates/texts.*.toml, where a publication changes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
_VALUE = re.compile(r'"""\n.*?\n"""|[^\n]*', re.DOTALL)
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


class _Catalogue(Mapping[str, str | Mapping[str, str]]):
    """The texts of a language, each read when it is asked for: a command says a few of a thousand.

    An entry stands on a line of its own, or is a text of several lines between three quotation marks.
    """

    def __init__(self, language: str) -> None:
        files = (FOLDER / f"{name}.{language}.toml" for name in CATALOGUE_FILES)
        self._lines = "\n" + "".join(file.read_text(encoding="utf-8") for file in files)
        self._read: dict[str, str | Mapping[str, str]] = {}

    def __getitem__(self, key: str) -> str | Mapping[str, str]:
        if key not in self._read:
            start = self._lines.find(f"\n{key} = ")
            if start < 0:
                raise KeyError(key)
            value = _VALUE.match(self._lines, start + len(f"\n{key} = "))
            self._read |= _parsed(f"{key} = {value and value[0]}")
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_parsed(self._lines))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _parsed(entries: str) -> dict[str, Any]:
    import tomllib  # late: --help needs no catalogue

    return tomllib.loads(entries)


@cache
def catalogue(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """Return all texts of one of the `LANGUAGES` by key; plural forms are ``one`` and ``other``."""
    return _Catalogue(language)


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
