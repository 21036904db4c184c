"""Quotation marks, dashes and spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import warning
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.text.typography import base_language

_SPACES = re.compile(r"\S(  +)\S")
# A hyphen between two spaces; not a list's, not in 3 - 2, which is a sum.
_HYPHEN = re.compile(r"(?<=[^\s\d]) - (?=\S)|(?<=\d) - (?=[^\s\d])")


@essay_check
def _typography(check_input: EssayInput) -> Iterator[Finding]:
    german = base_language(check_input.essay.language) == "de"
    open_quote = ""
    for where, text in _texts(check_input):
        if match := _SPACES.search(text):
            around = _around(text, match.start(1))
            yield warning("typography-spaces", where, localized("typography-spaces", around=around))
        if not german:
            continue
        if match := _HYPHEN.search(text):
            around = _around(text, match.start())
            yield warning("typography-dash", where, localized("typography-dash", around=around))
        for mark in re.findall("[„“]", text):
            if mark == "„":
                if open_quote:
                    yield _unclosed(open_quote)
                open_quote = where
            elif open_quote:
                open_quote = ""
            else:
                yield warning("typography-quotes", where, localized("typography-quotes-open"))
    if open_quote:
        yield _unclosed(open_quote)


def _texts(check_input: EssayInput) -> Iterator[tuple[str, str]]:
    """Yield place and text of title, summary and each line of prose."""
    essay = check_input.essay
    for key, text in (("title", essay.title), ("summary", essay.summary)):
        if text:
            yield check_input.at_key(key), text
    for block in check_input.parsed.blocks:
        for number, text, _ in block.lines():
            yield check_input.at(number), text


def _unclosed(where: str) -> Finding:
    return warning("typography-quotes", where, localized("typography-quotes-close"))


def _around(text: str, position: int) -> str:
    return text[max(0, position - 15) : position + 15].strip()
