"""Checks essays: every finding names a line of the Markdown file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from upcycle_news.checks.findings import error, is_vague_link_text, warning
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Essay, Finding
from upcycle_news.rendering.markdown import (
    is_mail_link,
    parse,
    references,
)
from upcycle_news.text.image_paths import image_path
from upcycle_news.text.typography import base_language

_SPACES = re.compile(r"\S(  +)\S")
# A hyphen between two spaces; not a list's, not in 3 - 2, which is a sum.
_HYPHEN = re.compile(r"(?<=[^\s\d]) - (?=\S)|(?<=\d) - (?=[^\s\d])")

# Tags as word processors and web editors leave them: <p class="…">, </b>, <o:p>, <br/>, <!-- -->.
_TAG = re.compile(
    r"</?(?:[ovwm]:\w+|[abipu]|div|span|font|em|strong|br|hr|h[1-6]|[uo]l|li|img|table|t[rdh]|tbody|"
    r"blockquote|figure|figcaption|iframe|script|style|center|su[bp])(?:\s[^<>]*)?/?>|<!--",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class EssayInput:
    """What a check examines: an essay, and the paths that exist below content/images.

    Without `images` the presence of files is not checked: rendering would have failed without one.
    """

    essay: Essay
    images: Collection[str] | None = None

    def at(self, line: int) -> str:
        """Return ``file:line`` for a line of the essay's body, counted from 1."""
        return f"{self.essay.source}:{self.essay.body_line + line - 1}"


EssayCheck = Callable[[EssayInput], Iterator[Finding]]
ESSAY_CHECKS: list[EssayCheck] = []
"""All checks of an essay, in the order in which their findings are shown."""


def essay_check(function: EssayCheck) -> EssayCheck:
    """Add a check of an essay to `ESSAY_CHECKS`; used as a decorator."""
    ESSAY_CHECKS.append(function)
    return function


def check_essay(essay: Essay, images: Collection[str] | None = None) -> Iterator[Finding]:
    """Yield the findings about an essay; `images` are the paths that exist below content/images."""
    check_input = EssayInput(essay, images)
    for run_check in ESSAY_CHECKS:
        yield from run_check(check_input)


@essay_check
def _placeholder(check_input: EssayInput) -> Iterator[Finding]:
    yield from check_placeholder(check_input.essay)


def check_placeholder(essay: Essay) -> Iterator[Finding]:
    """Yield an error when a ready essay still holds the placeholder text of `essay new`."""
    if essay.status != "ready":
        return
    placeholders = {localized("essay-begins").in_language(language) for language in LANGUAGES}
    for number, line in enumerate(essay.body.split("\n"), 1):
        if (text := line.strip()) in placeholders:
            where = EssayInput(essay).at(number)
            yield error("placeholder", where, localized("placeholder", text=text))


@essay_check
def _leftovers(check_input: EssayInput) -> Iterator[Finding]:
    for number, line in enumerate(check_input.essay.body.split("\n"), 1):
        for mark in ("{{", "{%"):
            if mark in line:
                yield error("leftover", check_input.at(number), localized("leftover", mark=mark))


@essay_check
def _html(check_input: EssayInput) -> Iterator[Finding]:
    for line, text in _lines(check_input.essay):
        if match := _TAG.search(text):
            yield error("html", check_input.at(line), localized("html", tag=match[0][:40]))


@essay_check
def _references(check_input: EssayInput) -> Iterator[Finding]:
    for reference in references(check_input.essay.body):
        where, target = check_input.at(reference.line), reference.target
        if reference.kind == "image":
            path = image_path(target)
            if path is None:
                yield error("image-foreign", where, localized("image-foreign", image=target[:80]))
            elif check_input.images is not None and path not in check_input.images:
                yield error("image-missing", where, localized("image-missing", image=path))
            if not reference.text.strip():
                yield error("image-alt-missing", where, localized("image-alt-missing"))
            continue
        if target.startswith("#"):
            yield error("anchor-dead", where, localized("anchor-dead", link=target[:80]))
        elif not is_mail_link(target):
            yield error("link-relative", where, localized("link-relative", link=target[:80]))
        elif target.startswith("http://"):
            yield warning("link-insecure", where, localized("link-insecure", link=target[:80]))
        if not reference.text.strip():
            yield error("link-empty", where, localized("link-empty", link=target[:80]))
        elif is_vague_link_text(reference.text):
            yield warning(
                "link-text-vague", where, localized("link-text-vague", text=reference.text)
            )


@essay_check
def _headings(check_input: EssayInput) -> Iterator[Finding]:
    previous = 0
    for token in _undemoted_blocks(check_input.essay):
        if token.type == "heading_open":
            level = int(token.tag[1])
            if previous and level > previous + 1:
                yield warning(
                    "heading-order",
                    check_input.at(token.map[0] + 1 if token.map else 1),
                    localized(
                        "heading-order",
                        level=level,
                        previous=previous,
                        better="#" * (previous + 1),
                        written="#" * level,
                    ),
                )
            previous = level


def _undemoted_blocks(essay: Essay) -> Sequence[Token]:
    """Return the essay's blocks with heading levels as written."""
    return parse(essay.body, language=essay.language, below=None)


@essay_check
def _typography(check_input: EssayInput) -> Iterator[Finding]:
    essay = check_input.essay
    german = base_language(essay.language) == "de"
    texts = [
        ("title", f"{essay.source}:1", essay.title),
        ("summary", f"{essay.source}:1", essay.summary),
    ]
    lines = [(where, text) for _, where, text in texts if text]
    open_quote = ""
    body = ((check_input.at(line), text) for line, text in _lines(essay))
    for where, text in (*lines, *body):
        if match := _SPACES.search(text):
            yield warning(
                "typography-spaces",
                where,
                localized("typography-spaces", around=_around(text, match.start(1))),
            )
        if not german:
            continue
        if match := _HYPHEN.search(text):
            yield warning(
                "typography-dash",
                where,
                localized("typography-dash", around=_around(text, match.start())),
            )
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


def _unclosed(where: str) -> Finding:
    return warning("typography-quotes", where, localized("typography-quotes-close"))


def _lines(essay: Essay) -> Iterator[tuple[int, str]]:
    """Yield 1-based line and text of an essay's lines, without code and link targets."""
    for block in parse(essay.body, language=essay.language):
        line = block.map[0] + 1 if block.map else 1
        text = ""
        for token in block.children or ():
            if token.type in ("softbreak", "hardbreak"):
                yield line, text
                line, text = line + 1, ""
            elif token.type == "text":
                text += token.content
            elif token.type == "code_inline":
                text += "`"
        if text:
            yield line, text


def _around(text: str, position: int) -> str:
    return text[max(0, position - 15) : position + 15].strip()
