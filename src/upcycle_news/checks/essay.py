"""Checks an essay as its editor wrote it: every finding names the line in the Markdown file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from markdown_it.token import Token

from upcycle_news.checks.findings import error, is_vague_link_text, warning
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Essay, Finding
from upcycle_news.rendering.markdown import (
    image_path,
    is_mail_link,
    parse,
    references,
)
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


def check_essay(essay: Essay, images: Collection[str] | None = None) -> Iterator[Finding]:
    """What is wrong with an essay; `images` are the paths that exist below content/images.

    Without `images` nobody asks whether a picture's file is there: rendering would have failed.
    """
    yield from check_placeholder(essay)
    yield from _leftovers(essay)
    yield from _html(essay)
    yield from _references(essay, images)
    yield from _headings(essay)
    yield from _typography(essay)


def check_placeholder(essay: Essay) -> Iterator[Finding]:
    """The sentence with which `essay new` fills the place of the text, in an essay that is ready."""
    if essay.status != "ready":
        return
    begins = {localized("essay-begins").in_language(language) for language in LANGUAGES}
    for number, line in enumerate(essay.body.split("\n"), 1):
        if (text := line.strip()) in begins:
            yield error("placeholder", _at(essay, number), localized("placeholder", text=text))


def _at(essay: Essay, line: int) -> str:
    return f"{essay.source}:{essay.body_line + line - 1}"


def _references(essay: Essay, images: Collection[str] | None) -> Iterator[Finding]:
    for found in references(essay.body):
        where, target = _at(essay, found.line), found.target
        if found.kind == "image":
            path = image_path(target)
            if path is None:
                yield error("image-foreign", where, localized("image-foreign", image=target[:80]))
            elif images is not None and path not in images:
                yield error("image-missing", where, localized("image-missing", image=path))
            if not found.text.strip():
                yield error("image-alt-missing", where, localized("image-alt-missing"))
            continue
        if target.startswith("#"):
            yield error("anchor-dead", where, localized("anchor-dead", link=target[:80]))
        elif not is_mail_link(target):
            yield error("link-relative", where, localized("link-relative", link=target[:80]))
        elif target.startswith("http://"):
            yield warning("link-insecure", where, localized("link-insecure", link=target[:80]))
        if not found.text.strip():
            yield error("link-empty", where, localized("link-empty", link=target[:80]))
        elif is_vague_link_text(found.text):
            yield warning("link-text-vague", where, localized("link-text-vague", text=found.text))


def _leftovers(essay: Essay) -> Iterator[Finding]:
    for number, line in enumerate(essay.body.split("\n"), 1):
        for mark in ("{{", "{%"):
            if mark in line:
                yield error("leftover", _at(essay, number), localized("leftover", mark=mark))


def _html(essay: Essay) -> Iterator[Finding]:
    for line, text in _lines(essay):
        if found := _TAG.search(text):
            yield error("html", _at(essay, line), localized("html", tag=found[0][:40]))


def _headings(essay: Essay) -> Iterator[Finding]:
    previous = 0
    for token in _written(essay):
        if token.type == "heading_open":
            level = int(token.tag[1])
            if previous and level > previous + 1:
                yield warning(
                    "heading-order",
                    _at(essay, token.map[0] + 1 if token.map else 1),
                    localized(
                        "heading-order",
                        level=level,
                        previous=previous,
                        better="#" * (previous + 1),
                        written="#" * level,
                    ),
                )
            previous = level


def _written(essay: Essay) -> Sequence[Token]:
    """The essay's blocks with the levels its editor gave them."""
    return parse(essay.body, language=essay.language, below=None)


def _typography(essay: Essay) -> Iterator[Finding]:
    german = base_language(essay.language) == "de"
    texts = [
        ("title", f"{essay.source}:1", essay.title),
        ("summary", f"{essay.source}:1", essay.summary),
    ]
    lines = [(where, text) for _, where, text in texts if text]
    open_quote = ""
    for where, text in (*lines, *((_at(essay, line), text) for line, text in _lines(essay))):
        if found := _SPACES.search(text):
            yield warning(
                "typography-spaces",
                where,
                localized("typography-spaces", around=_around(text, found.start(1))),
            )
        if not german:
            continue
        if found := _HYPHEN.search(text):
            yield warning(
                "typography-dash",
                where,
                localized("typography-dash", around=_around(text, found.start())),
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
    """The words of an essay line by line, without code and addresses."""
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
