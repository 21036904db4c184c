"""content/vocabulary.toml: the concepts of the field and their words, as the editors keep them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upcycle_news.errors import ContentError
from upcycle_news.fileio import (
    did_you_mean,
    display_path,
    exists,
    parse_toml,
    read_text,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.sanitize import normalise_whitespace

KEYS = ("words", "hints", "outside", "english", "english_hints")
EVERYDAY = "everyday"
MAX_CONCEPTS, MAX_WORDS, MAX_LENGTH = 2000, 50_000, 80
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Concept:
    """A subject of the field. `words` name it alone, `hints` only count beside others.

    A concept that is `outside` belongs to a section the publication does not write about.
    `english` and `english_hints` are the same for English texts; the first of `english` is the
    concept's name there. Without both, English texts are searched for the German words.
    """

    name: str
    words: tuple[str, ...]
    hints: tuple[str, ...] = ()
    outside: bool = False
    english: tuple[str, ...] = ()
    english_hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The concepts, and everyday words that are no evidence alone."""

    concepts: tuple[Concept, ...] = ()
    everyday: tuple[str, ...] = ()


# Vocabularies as they were read in this process: issues are composed again and again, and the words are thousands.
_known: dict[tuple[str, str], Vocabulary] = {}
_MAX_KNOWN = 4

Kept = Callable[[str, Callable[[], Any]], Any]
"""Returns the JSON that a function returns, or returned before for the same text."""


def load_vocabulary(path: Path, root: Path, kept: Kept = lambda _, make: make()) -> Vocabulary:
    """Read the file, if it is there; raises `ContentError` with the line of the first mistake.

    A text whose record is `kept` is not parsed.
    """
    where = display_path(path, root)
    if not exists(path):
        return Vocabulary()
    text = read_text(path, where)
    if (text, where) not in _known:
        if len(_known) == _MAX_KNOWN:
            _known.clear()
        record = kept(text, lambda: asdict(_parse(text, where)))
        concepts = (Concept(**_with_tuples(concept)) for concept in record["concepts"])
        _known[text, where] = Vocabulary(tuple(concepts), tuple(record["everyday"]))
    return _known[text, where]


def _with_tuples(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }


def _parse(text: str, where: str) -> Vocabulary:
    data = parse_toml(text, where, localized("vocabulary-example"))
    file = _VocabularyFile(where, text)
    everyday = file.entries("", EVERYDAY, data.pop(EVERYDAY, ""))
    vocabulary = Vocabulary(
        tuple(file.concept(name, table) for name, table in data.items()), everyday
    )
    count = len(everyday) + sum(
        len(concept.words) + len(concept.hints) + len(concept.english) + len(concept.english_hints)
        for concept in vocabulary.concepts
    )
    if len(vocabulary.concepts) > MAX_CONCEPTS or count > MAX_WORDS:
        message = localized("vocabulary-too-large", concepts=MAX_CONCEPTS, words=MAX_WORDS)
        raise ContentError(where, None, message)
    return vocabulary


class _VocabularyFile:
    """The text of the file, to find the line of a mistake, which tomllib does not report."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        self.lines = text.split("\n")

    def concept(self, name: str, table: Any) -> Concept:
        if not isinstance(table, dict):
            raise self.error(name, "", localized("concept-no-table", name=name[:40]))
        if not normalise_whitespace(name) or len(name) > MAX_LENGTH:
            raise self.error(name, "", localized("concept-name"))
        for key in table:
            if key not in KEYS:
                hint = did_you_mean(key, KEYS)
                raise self.error(name, key, localized("concept-key", key=key[:40], hint=hint))
        outside = table.get("outside", False)
        if not isinstance(outside, bool):
            raise self.error(name, "outside", localized("concept-outside"))
        if "words" not in table:
            raise self.error(name, "", localized("concept-empty", name=name[:40]))
        return Concept(
            normalise_whitespace(name),
            self.entries(name, "words", table["words"]),
            self.entries(name, "hints", table.get("hints", "")),
            outside,
            self.entries(name, "english", table.get("english", "")),
            self.entries(name, "english_hints", table.get("english_hints", "")),
        )

    def entries(self, name: str, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise self.error(name, key, localized("concept-no-text", key=key))
        # As a whole: a comma keeps its neighbours apart as the end of a text would, and words are thousands.
        entries = [entry.strip() for entry in normalise_whitespace(value).split(",")]
        for entry in entries:
            if entry and (len(entry) > MAX_LENGTH or not _LETTER_OR_DIGIT.search(entry)):
                raise self.error(name, key, localized("concept-no-word", entry=entry[:40]))
        return tuple(dict.fromkeys(entry for entry in entries if entry))

    def error(self, name: str, key: str, message: LocalizedText) -> ContentError:
        return ContentError(self.where, self._line(name, key), message)

    def _line(self, name: str, key: str) -> int | None:
        begin = 0
        if name:
            head = rf"\s*\[?\s*[\"']?{re.escape(name)}[\"']?\s*(?:\]|=|\.)"
            matches = (number for number, line in enumerate(self.lines) if re.match(head, line))
            begin = next(matches, -1)
            if begin < 0:
                return None
        for number, line in enumerate(self.lines[begin:], start=begin + 1):
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return begin + 1 if name else None
