"""content/vocabulary.toml: the concepts of the field and their words, as the editors keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upcycle_news.editorial.plaintext import tidy
from upcycle_news.editorial.suggest import did_you_mean
from upcycle_news.editorial.textfiles import parse_toml, read_text, shown
from upcycle_news.errors import ContentError

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
    where = shown(path, root)
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
        raise ContentError(
            where, None,
            f"there are more than {MOST_CONCEPTS} concepts or {MOST_WORDS} words (keep those that tell)",
        )  # fmt: skip
    return vocabulary


class _Page:
    """The text of the file, to say in which line a mistake stands; tomllib does not tell."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        self.lines = text.split("\n")

    def concept(self, name: str, table: Any) -> Concept:
        if not isinstance(table, dict):
            raise self.error(
                name, "", f'{name[:40]!r} is no concept (write ["{name[:40]}"] and words below it)'
            )
        if not tidy(name) or len(name) > LONGEST:
            raise self.error(name, "", "a concept's name is empty or too long (name it in a word)")
        for key in table:
            if key not in KEYS:
                raise self.error(
                    name, key, f"{key[:40]!r} is unknown in a concept" + did_you_mean(key, KEYS)
                )
        outside = table.get("outside", False)
        if not isinstance(outside, bool):
            raise self.error(name, "outside", "'outside' is not true or false")
        if "words" not in table:
            raise self.error(name, "", f'{name[:40]!r} has no words (write words = "Laden, Markt")')
        return Concept(
            tidy(name),
            self.listed(name, "words", table["words"]),
            self.listed(name, "hints", table.get("hints", "")),
            outside,
        )

    def listed(self, name: str, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise self.error(name, key, f'{key!r} is not a text (write {key} = "Laden, Markt")')
        entries = [tidy(entry) for entry in value.split(",")]
        for entry in entries:
            if entry and (len(entry) > LONGEST or not re.search(r"[^\W_]", entry)):
                raise self.error(
                    name, key, f"{entry[:40]!r} is no word (write words with commas between them)"
                )
        return tuple(dict.fromkeys(entry for entry in entries if entry))

    def error(self, name: str, key: str, message: str) -> ContentError:
        return ContentError(self.where, self._line(name, key), message)

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
