"""Checks an essay as its editor wrote it: every finding names the line in the Markdown file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from markdown_it.token import Token

from upcycle_news.model import Essay, Finding
from upcycle_news.press.findings import error, is_vague, warning
from upcycle_news.press.markdown import image_path, is_mail_link, parse, references
from upcycle_news.press.typography import base_language

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
    yield from _leftovers(essay)
    yield from _html(essay)
    yield from _references(essay, images)
    yield from _headings(essay)
    yield from _typography(essay)


def _at(essay: Essay, line: int) -> str:
    return f"{essay.source}:{essay.body_line + line - 1}"


def _references(essay: Essay, images: Collection[str] | None) -> Iterator[Finding]:
    for found in references(essay.body):
        where, target = _at(essay, found.line), found.target
        if found.kind == "image":
            path = image_path(target)
            if path is None:
                cure = "put it into content/images"
                yield error(
                    "image-foreign", where, f"the image {target[:80]!r} is not ours: {cure}"
                )
            elif images is not None and path not in images:
                cure = "add it or correct the name"
                yield error(
                    "image-missing", where, f"the image {path!r} is not in content/images: {cure}"
                )
            if not found.text.strip():
                cure = "write what it shows between the brackets"
                yield error("image-alt-missing", where, f"an image without a text: {cure}")
            continue
        if target.startswith("#"):
            cure = "anchors lead nowhere in a mail; take the link out"
            yield error("anchor-dead", where, f"the link {target[:80]!r}: {cure}")
        elif not is_mail_link(target):
            cure = "begin it with https://"
            yield error(
                "link-relative",
                where,
                f"the link {target[:80]!r} leads nowhere out of a mail: {cure}",
            )
        elif target.startswith("http://"):
            cure = "write https:// if the page answers there"
            yield warning("link-insecure", where, f"the link {target[:80]!r} is not safe: {cure}")
        if not found.text.strip():
            yield error("link-empty", where, f"the link {target[:80]!r} has no text: write one")
        elif is_vague(found.text):
            yield warning(
                "link-text-vague",
                where,
                f"the link {found.text!r} says nothing on its own: name what it leads to",
            )


def _leftovers(essay: Essay) -> Iterator[Finding]:
    for number, line in enumerate(essay.body.split("\n"), 1):
        for mark in ("{{", "{%"):
            if mark in line:
                cure = "write a space between the two characters"
                yield error("leftover", _at(essay, number), f"{mark} looks like a template: {cure}")


def _html(essay: Essay) -> Iterator[Finding]:
    for line, text in _lines(essay):
        if found := _TAG.search(text):
            cure = "write Markdown, such as **bold**, or put it in `…` if it is meant"
            yield error(
                "html",
                _at(essay, line),
                f"readers would see {found[0][:40]!r} as it stands: {cure}",
            )


def _headings(essay: Essay) -> Iterator[Finding]:
    previous = 0
    for token in _written(essay):
        if token.type == "heading_open":
            level = int(token.tag[1])
            if previous and level > previous + 1:
                yield warning(
                    "heading-order",
                    _at(essay, token.map[0] + 1 if token.map else 1),
                    f"a heading of level {level} below one of level {previous}: "
                    f"write {'#' * (previous + 1)} instead of {'#' * level}",
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
                f"two spaces in {_around(text, found.start(1))!r}: write one",
            )
        if not german:
            continue
        if found := _HYPHEN.search(text):
            yield warning(
                "typography-dash",
                where,
                f"a hyphen for a dash in {_around(text, found.start())!r}: write – or --",
            )
        for mark in re.findall("[„“]", text):
            if mark == "„":
                if open_quote:
                    yield _unclosed(open_quote)
                open_quote = where
            elif open_quote:
                open_quote = ""
            else:
                cure = "write „ before it"
                yield warning("typography-quotes", where, f"a “ that closes nothing: {cure}")
    if open_quote:
        yield _unclosed(open_quote)


def _unclosed(where: str) -> Finding:
    return warning("typography-quotes", where, "a „ that no “ closes: write “ at its end")


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
