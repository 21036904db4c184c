"""The lines of a body before they are parsed; their number never changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from upcycle_news.text.markdown.lists import BULLET
from upcycle_news.text.markdown.paragraphs import looks_like_program
from upcycle_news.text.private_notes import without_private_notes
from upcycle_news.text.typography import normalise_text

_FENCE = re.compile(r"[ >]*(`{3,}|~{3,})")
_INVISIBLE_START = re.compile("^([ \t>]*)[\u00ad\u200b\u2060]+")
_RULE_OF_SIGNS = re.compile(r"[ \t]*(?:[•·∗–—―][ \t]*){3,}$")  # between paragraphs, as *** is
_DEEP = re.compile(r"(?: {4,}| {0,3}\t)[ \t]*\S")
_MARK_WITHOUT_BLANK = re.compile("^([ \t>]*[•●▪■◦‣►➢\uf0a7\uf0b7\uf0d8])(?=\\w)")
_ITEM_MARK = re.compile(r"[ \t]*\S+[ \t\u00a0]")
_ITEM = re.compile(r"[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]|\[\^[^\]\s]+\]:")


def prepare(body: str) -> str:
    """Return a body in normal form for the parser, line for line, without private notes.

    Characters that cannot be seen do not hide the mark at the start of a line, and lists that a
    word processor indented begin at the margin. Code in fences is left alone.
    """
    lines = without_private_notes(normalise_text(body)).split("\n")
    inside = _in_fences(lines)
    for number, line in enumerate(lines):
        if not inside[number]:
            line = _INVISIBLE_START.sub(r"\1", line)
            lines[number] = _MARK_WITHOUT_BLANK.sub(r"\1 ", line)
            if _RULE_OF_SIGNS.match(line):
                lines[number] = "***"
    for start, end in _deep_lists(lines, inside):
        margin = min(_columns(line) for line in lines[start:end])
        for number in range(start, end):
            line = lines[number]
            lines[number] = " " * (_columns(line) - margin) + line.lstrip(" \t")
    return "\n".join(lines)


def _in_fences(lines: Sequence[str]) -> list[bool]:
    """Return for each line whether it is code in a fence (CommonMark 4.5)."""
    inside: list[bool] = []
    fence = ""
    for line in lines:
        match = _FENCE.match(line)
        inside.append(bool(fence))
        if not fence and match and not (match[1][0] == "`" and "`" in line[match.end() :]):
            fence = match[1]
            inside[-1] = True
        elif fence and match and match[1].startswith(fence) and not line[match.end() :].strip():
            fence = ""
    return inside


def _columns(line: str) -> int:
    """Return how far a line is indented, with tabs to every fourth column."""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return len(indent.expandtabs(4))


def _deep_lists(lines: Sequence[str], inside: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield the runs of lines that are a list or a quotation, although CommonMark takes them for code."""
    number = 0
    while number < len(lines):
        start = number
        while number < len(lines) and not inside[number] and _DEEP.match(lines[number]):
            number += 1
        run = lines[start:number]
        texts = [_ITEM_MARK.sub("", line, count=1) for line in run]
        if run and all(map(_is_deep_item, run)) and not looks_like_program(texts):
            above = next((line for line in reversed(lines[:start]) if line[:1].strip()), "")
            if not _ITEM.match(above):  # of which it is a part, as of a footnote
                yield start, number
        number = max(number, start + 1)


def _is_deep_item(line: str) -> bool:
    start = len(line) - len(line.lstrip(" \t"))
    return bool(
        BULLET.match(line, start) or _ITEM.match(line, start) or line.startswith("> ", start)
    )
