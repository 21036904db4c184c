"""The text behind an English sentence of a catalogue: the store and JSON keep sentences, people read theirs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from string import Formatter

from upcycle_news.i18n.messages import FALLBACK, FOLDER, LocalizedText, localized


def recognise(sentence: str, file: str) -> LocalizedText:
    """Return the text of a catalogue file that reads `sentence` in English, with its values.

    A value that is such a sentence itself is recognised, too; times are in UTC. What no text of the file
    reads like stays as it is.
    """
    for entry in _entries(file):
        if match := entry.pattern.fullmatch(sentence):
            values = entry.constants | match.groupdict()
            try:
                return LocalizedText(
                    entry.key, tuple((name, entry.value(name, values[name])) for name in values)
                )
            except ValueError:  # a time that is none
                continue
    return localized("untranslated", text=sentence)


@dataclass(frozen=True)
class _Entry:
    """A text of a catalogue file, in one of its forms: what it reads like, and its times' formats."""

    file: str
    key: str
    pattern: re.Pattern[str]
    formats: dict[str, str]
    constants: dict[str, str]

    def value(self, name: str, written: str) -> object:
        if name in self.formats:
            return datetime.strptime(written, self.formats[name]).replace(tzinfo=UTC)
        if name == "count":
            return int(written)  # it chooses the form
        text = recognise(written, self.file) if written else localized("untranslated", text="")
        return written if text.key == "untranslated" else text


@cache
def _entries(file: str) -> tuple[_Entry, ...]:
    """Return the texts of a file, those with the most words of their own first."""
    texts = tomllib.loads((FOLDER / f"{file}.{FALLBACK}.toml").read_text(encoding="utf-8"))
    forms = [
        (key, form, isinstance(text, str))
        for key, text in texts.items()
        for form in ([text] if isinstance(text, str) else text.values())
    ]
    forms.sort(key=lambda form: -len(_own_words(form[1])))
    return tuple(
        _entry(file, key, form, is_text=is_text) for key, form, is_text in forms if _own_words(form)
    )


def _parts(form: str) -> Iterator[tuple[str, str | None, str]]:
    for literal, name, spec, _ in Formatter().parse(form):
        yield literal, name, spec or ""


def _own_words(form: str) -> str:
    return "".join(literal for literal, _, _ in _parts(form)).strip(" :")


def _entry(file: str, key: str, form: str, *, is_text: bool) -> _Entry:
    pattern, formats = "", {}
    for literal, name, spec in _parts(form):
        pattern += re.escape(literal)
        if name is not None:
            known = f"(?P<{name}>" in pattern
            value = r"\d+" if name == "count" else ".*?"
            pattern += f"(?P={name})" if known else f"(?P<{name}>{value})"
            if "%" in spec:
                formats[name] = spec
    constants = {} if is_text or "(?P<count>" in pattern else {"count": "1"}
    return _Entry(file, key, re.compile(pattern, re.DOTALL), formats, constants)
