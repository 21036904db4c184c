"""content/vocabulary.toml: the concepts of the field and their words, as the editors keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upcycle_news.errors import ContentError
from upcycle_news.fileio import (
    did_you_mean,
    display_path,
    parse_toml,
    read_text,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.sanitize import normalise_whitespace

KEYS = ("words", "hints", "outside")
EVERYDAY = "everyday"
MOST_CONCEPTS, MOST_WORDS, LONGEST = 2000, 50_000, 80


@dataclass(frozen=True)
class Concept:
    """Something texts are about. `words` say so alone, `hints` only beside others.

    One that is `outside` belongs to a section the publication does not write about.
    """

    name: str
    words: tuple[str, ...]
    hints: tuple[str, ...] = ()
    outside: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """The concepts, and the words of every day that tell nothing alone."""

    concepts: tuple[Concept, ...] = ()
    everyday: tuple[str, ...] = ()


def load_vocabulary(path: Path, root: Path) -> Vocabulary:
    """Read the file, if it is there; raises `ContentError` with the line of the first mistake."""
    where = display_path(path, root)
    if not path.exists():
        return Vocabulary()
    text = read_text(path, where)
    data = parse_toml(text, where, '["Leerstand"] and below it words = "…"')
    page = _Page(where, text)
    everyday = page.listed("", EVERYDAY, data.pop(EVERYDAY, ""))
    vocabulary = Vocabulary(
        tuple(page.concept(name, table) for name, table in data.items()), everyday
    )
    count = sum(len(one.words) + len(one.hints) for one in vocabulary.concepts) + len(everyday)
    if len(vocabulary.concepts) > MOST_CONCEPTS or count > MOST_WORDS:
        said = localized("vocabulary-too-large", concepts=MOST_CONCEPTS, words=MOST_WORDS)
        raise ContentError(where, None, said)
    return vocabulary


class _Page:
    """The text of the file, to say in which line a mistake stands; tomllib does not tell."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        self.lines = text.split("\n")

    def concept(self, name: str, table: Any) -> Concept:
        if not isinstance(table, dict):
            raise self.error(name, "", localized("concept-no-table", name=name[:40]))
        if not normalise_whitespace(name) or len(name) > LONGEST:
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
            self.listed(name, "words", table["words"]),
            self.listed(name, "hints", table.get("hints", "")),
            outside,
        )

    def listed(self, name: str, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise self.error(name, key, localized("concept-no-text", key=key))
        entries = [normalise_whitespace(entry) for entry in value.split(",")]
        for entry in entries:
            if entry and (len(entry) > LONGEST or not re.search(r"[^\W_]", entry)):
                raise self.error(name, key, localized("concept-no-word", entry=entry[:40]))
        return tuple(dict.fromkeys(entry for entry in entries if entry))

    def error(self, name: str, key: str, said: LocalizedText) -> ContentError:
        return ContentError(self.where, self._line(name, key), said)

    def _line(self, name: str, key: str) -> int | None:
        begin = 0
        if name:
            head = rf"\s*\[?\s*[\"']?{re.escape(name)}[\"']?\s*(?:\]|=|\.)"
            found = (n for n, line in enumerate(self.lines) if re.match(head, line))
            begin = next(found, -1)
            if begin < 0:
                return None
        for number, line in enumerate(self.lines[begin:], start=begin + 1):
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return begin + 1 if name else None
