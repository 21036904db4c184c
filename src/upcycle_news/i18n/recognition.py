"""The text behind an English sentence of a catalogue: the store and JSON keep sentences, people read theirs."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from string import Formatter

from upcycle_news.i18n.messages import FALLBACK, FOLDER, LocalizedText, localized


def recognise(sentence: str, file: str) -> LocalizedText:
    """Return the text of a catalogue file that reads `sentence` in English, with its values.

    A value that is such a sentence itself is recognised, too. What no text of the file reads like stays
    as it is; texts with a plural are not kept.
    """
    for pattern, key in _patterns(file):
        if match := pattern.fullmatch(sentence):
            values = {name: _value(value, file) for name, value in match.groupdict().items()}
            return LocalizedText(key, tuple(values.items()))
    return localized("untranslated", text=sentence)


def _value(value: str, file: str) -> str | LocalizedText:
    text = recognise(value, file)
    return value if text.key == "untranslated" else text


@cache
def _patterns(file: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return a pattern for each text of a file, those with the most words of their own first."""
    texts = tomllib.loads((FOLDER / f"{file}.{FALLBACK}.toml").read_text(encoding="utf-8"))
    single = [(key, text) for key, text in texts.items() if isinstance(text, str)]
    own_words = sorted(single, key=lambda entry: -len(_literal(entry[1])))
    return tuple((_pattern(text), key) for key, text in own_words if _literal(text))


def _literal(text: str) -> str:
    return "".join(literal for literal, *_ in Formatter().parse(text)).strip(" :")


def _pattern(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for literal, name, _, _ in Formatter().parse(text):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
            seen.add(name)
    return re.compile("".join(parts), re.DOTALL)
