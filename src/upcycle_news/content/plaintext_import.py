"""Converts plain text as editors hand it in to Markdown with front matter; no word changes."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from upcycle_news.content.essays import join_front_matter, yaml_quoted
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.text.bylines import byline_author, leading_byline_author
from upcycle_news.text.excerpts import summary_of_markdown
from upcycle_news.text.markdown.lists import BULLET
from upcycle_news.text.smart_quotes import typeset

LONG_LINE = 120
"""Characters; a longer line is not wrapped text but a paragraph of its own."""

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x85\u2028]")
_PAGE_ENDS = re.compile("[\x0c\u2029]")
# Replaced by a space, not removed: what they separated stays separated.
_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def import_text(
    text: str,
    *,
    title: str,
    day: date,
    author: str | None = None,
    language: str = "de",
    status: str = "ready",
) -> str:
    """Return Markdown with front matter for a plain text; raises `ContentError` for an empty one.

    The last paragraph, when it is a byline, gives the author and closes the essay in italics. A
    repeated title and a byline above the text are removed from it: the front matter holds them.
    Another title above a byline becomes a heading.
    """
    paragraphs = [typeset(paragraph, language) for paragraph in split_paragraphs(text)]
    if not paragraphs:
        raise ContentError("the text", None, localized("import-empty"))
    own_title = typeset(title, language)
    leading_author, heading, paragraphs = _without_heading(paragraphs, own_title)
    closing_author = byline_author(paragraphs[-1]) if len(paragraphs) > 1 else None
    prose = paragraphs[:-1] if closing_author else paragraphs
    blocks = [f"## {escape_line(heading)}"] if heading else []
    blocks += ["\n".join(_escaped_lines(paragraph.split("\n"))) for paragraph in prose]
    summary = summary_of_markdown("\n\n".join(blocks), language=language)
    if closing_author:
        blocks.append(f"*{escape_line(' '.join(paragraphs[-1].split()))}*")
    proposed_author = leading_author or closing_author or ""
    head = [
        ("title", yaml_quoted(own_title)),
        ("author", yaml_quoted(author if author is not None else proposed_author)),
        ("date", day.isoformat()),
        ("language", language),
        ("summary", yaml_quoted(summary)),
        ("topics", "[]"),
        ("status", status),
    ]
    return join_front_matter(head, "\n\n".join(blocks))


MAX_HEADING = 100
"""Characters of a line above a byline that is a title."""


def _without_heading(paragraphs: list[str], title: str) -> tuple[str | None, str, list[str]]:
    """Return the author named above the text, another title above it, and the text without them."""
    first, rest = _first_line(paragraphs)
    titled = bool(rest) and first.casefold() == title.casefold()
    body = rest if titled else paragraphs
    line, below = _first_line(body)
    # Without a title above it, the first line of a wrapped paragraph may end with any name.
    author = leading_byline_author(line) if below and (titled or line == body[0]) else None
    if author:
        return author, "", below
    if not titled and len(rest) > 1 and len(first) <= MAX_HEADING and first[-1] not in ".,;:":
        line, below = _first_line(rest)
        author = leading_byline_author(line) if line == rest[0] else None
        if author:
            return author, first, below
    return None, "", body


def _first_line(paragraphs: list[str]) -> tuple[str, list[str]]:
    """Return the first line, and the paragraphs that follow it."""
    line, _, rest = paragraphs[0].partition("\n")
    return line, [*([rest] if rest else []), *paragraphs[1:]]


def split_paragraphs(text: str) -> list[str]:
    """Split a text into paragraphs: at blank lines, and at line ends where lines are long."""
    text = _PAGE_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text.removeprefix("\ufeff")))
    text = unicodedata.normalize("NFC", _CONTROLS.sub(" ", text))
    lines = [line.strip() for line in text.strip().split("\n")]
    has_blank_lines = "" in lines
    paragraphs: list[str] = []
    for block in re.split(r"\n{2,}", "\n".join(lines)):
        rows = [row for row in block.split("\n") if row]
        if any(len(row) > LONG_LINE for row in rows):
            paragraphs += rows
        elif rows:
            paragraphs += ["\n".join(rows)] if has_blank_lines else _unwrap(rows)
    return paragraphs


def _unwrap(rows: list[str]) -> list[str]:
    """Split wrapped lines without blank ones: a short line that ends a sentence ends a paragraph."""
    width = max(map(len, rows))
    paragraphs: list[list[str]] = [[]]
    for row in rows:
        paragraphs[-1].append(row)
        if len(row) < 0.75 * width and re.search(r"[.!?…][\"'“”’‘»«)]*$", row):
            paragraphs.append([])
    *most, last = paragraphs
    if len(rows) > 1 and last and byline_author(last[-1]):
        most, last = [*most, last[:-1]], last[-1:]
    return ["\n".join(group) for group in (*most, last) if group]


_HYPHEN_ITEM = re.compile(r"[-*][ \t]+(?=\S)")


def _escaped_lines(lines: list[str]) -> list[str]:
    """Escape the lines of a paragraph; lists that they make stay lists.

    Those are lines with a word processor's bullet, two or more with ``-``, and numbers that count on.
    """
    numbers = [_NUMBERED.match(line) for line in lines]
    counted = [int(match[1]) for match in numbers if match]
    if len(counted) == len(lines) > 1 and counted == [*range(counted[0], counted[0] + len(lines))]:
        return [
            f"{match[0]} {escape_line(line[match.end() :])}"
            for match, line in zip(numbers, lines, strict=True)
            if match
        ]
    items = [bool(_HYPHEN_ITEM.match(line)) for line in lines]
    hyphens = sum(items) > 1 and (items[0] or lines[items.index(True) - 1].endswith(":"))
    return [
        f"- {escape_line(line[2:])}"
        if BULLET.match(line) or (hyphens and item)
        else escape_line(line)
        for line, item in zip(lines, items, strict=True)
    ]


# All that Markdown (with tables, strikethrough, typographic replacements) could read as markup.
_INLINE = re.compile(
    r"[\\`*\[\]|]|~~|==|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\((?=(?:c|r|p|tm)\))|\+(?=-)",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|~{3,}|=+\s*$|-+\s*$|:)")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")


def escape_line(line: str) -> str:
    """Escape one line of plain text so that Markdown shows it unchanged."""
    line = _INLINE.sub(r"\\\g<0>", line.strip())
    if match := _NUMBERED.match(line):
        return f"{match[1]}\\{line[match.start(2) :]}"
    return "\\" + line if _BLOCK.match(line) else line
