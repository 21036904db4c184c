r"""Notes in an essay that are not for readers: Obsidian's ``%%…%%`` and HTML's ``<!-- … -->``.

They may stand in a line or reach over many, and are taken out before anything reads the text. Code in
backticks and in fences is no note, nor is an escaped ``\%%``. A note without an end is none, and
swallows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PrivateNote:
    """A note, or a mark that opens none (`closed` is False): its range in the text, its 1-based line."""

    mark: Literal["%%", "<!--"]
    start: int
    end: int
    line: int
    closed: bool


_END = {"%%": "%%", "<!--": "-->"}
_FENCE = re.compile(r" {0,3}(?:> ?)*(?:[-*+] +|\d+[.)] +)?(`{3,}(?!.*`)|~{3,})")
_MARK = re.compile(r"\\.|`+|%%+|<!--", re.DOTALL)
_TICKS = re.compile(r"`+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def private_notes(text: str) -> Iterator[PrivateNote]:
    """Yield the notes of a Markdown text, and the marks that open a note without an end."""
    position = counted = 0
    line = 1
    while position < len(text):
        if _at_line_start(text, position) and (fence := _FENCE.match(text, position)):
            position = _end_of_fence(text, fence)
            continue
        stop = text.find("\n", position) + 1 or len(text)
        match = _MARK.search(text, position, stop)
        if match is None:
            position = stop
        elif match[0].startswith("\\"):
            position = min(match.end(), stop)
        elif match[0].startswith("`"):
            position = _end_of_code(text, match)
        elif len(match[0]) > 2 and match[0].startswith("%"):
            position = match.end()  # %%% is a rule or a joke, no note
        else:
            line += text.count("\n", counted, match.start())
            counted = match.start()
            note = _note(text, match, line)
            yield note
            position = note.end


def without_private_notes(text: str) -> str:
    """Return a Markdown text without its private notes; every line keeps its number."""
    parts: list[str] = []
    position = 0
    for note in private_notes(text):
        if note.closed:
            before = text[position : note.start]
            # Of the blanks on both sides of a note in a line one remains.
            if note.end == len(text) or text[note.end] in " \t\n":
                before = before.rstrip(" \t")
            parts += [before, "\n" * text.count("\n", note.start, note.end)]
            position = note.end
    return "".join([*parts, text[position:]])


def _at_line_start(text: str, position: int) -> bool:
    """Return whether a line begins at `position`."""
    return position == 0 or text[position - 1] == "\n"


def _note(text: str, match: re.Match[str], line: int) -> PrivateNote:
    mark: Literal["%%", "<!--"] = "%%" if match[0].startswith("%") else "<!--"
    end = _end_of_note(text, match.end()) if mark == "%%" else text.find("-->", match.end())
    if end < 0:
        return PrivateNote(mark, match.start(), match.end(), line, closed=False)
    return PrivateNote(mark, match.start(), end + len(_END[mark]), line, closed=True)


def _end_of_note(text: str, position: int) -> int:
    """Return where the next ``%%`` stands, or -1; code that shows whole notes ends none."""
    while (end := text.find("%%", position)) >= 0:
        ticks = next(
            (
                match
                for match in _TICKS.finditer(text, position, end)
                if (marks := text.count("%%", end, _end_of_code(text, match))) and not marks % 2
            ),
            None,
        )
        if ticks is None:
            return end
        position = _end_of_code(text, ticks)
    return -1


def _end_of_fence(text: str, fence: re.Match[str]) -> int:
    """Return where a fenced block ends: at its closing fence, or else with the text (CommonMark 4.5)."""
    mark = fence[1]
    closing = re.compile(rf"^[ \t>]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
    first_line_end = text.find("\n", fence.end())
    if first_line_end < 0:
        return len(text)
    end = closing.search(text, first_line_end + 1)
    return end.end() if end else len(text)


def _end_of_code(text: str, ticks: re.Match[str]) -> int:
    """Return where a code span ends; backticks that nothing closes in their paragraph are text (6.1)."""
    blank = _BLANK_LINE.search(text, ticks.end())
    limit = blank.start() if blank else len(text)
    closing = re.compile(rf"(?<!`){ticks[0]}(?!`)").search(text, ticks.end(), limit)
    return closing.end() if closing else ticks.end()
