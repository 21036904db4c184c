"""Typographic quotation marks, apostrophes and dashes, German or English, from any kind of input.

Manuscripts have every kind of quotation mark: ``"…"``, ``,,…''``, ``‚‚…”``, »…«, ``…''``. Whether a
mark opens, closes or is an apostrophe is decided by its context and the open marks, the glyph is only
a hint; so all of these become „…“ and inner ones ‚…‘.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_DOUBLE = '"“”„‟«»〝〞＂'
_SINGLE = "'‘’‚‛`´‹›"
_PAIRED = "'‘’‚`´"  # two of these make a double mark
_NEVER_APOSTROPHE = "‚‹›"
_TOKEN = re.compile(rf",,(?=[^\s\W])|,,(?=[{_SINGLE}])|[{_DOUBLE}]|([{_SINGLE}])\1*")
_OPENERS = "([{–—-/<|"
_SYMBOLS = {"de": ("„", "“", "‚", "‘"), "en": ("“", "”", "‘", "’")}
_APOSTROPHE = "’"


@dataclass
class _Mark:
    """One quotation mark in a paragraph, with the characters around its whole cluster."""

    start: int
    end: int
    kind: Literal["double", "single"]
    glyph: str
    before: str = ""
    after: str = ""
    alone: bool = True
    tail: str = ""
    result: str = ""

    @property
    def can_open(self) -> bool:
        return (not self.before or self.before.isspace() or self.before in _OPENERS) and bool(
            self.after.strip()
        )

    @property
    def can_close(self) -> bool:
        return bool(self.before.strip()) and not self.after.isalnum()

    @property
    def opens(self) -> bool | None:
        """True: opening, False: closing, None: depends on the open marks."""
        if self.glyph[0] in "„‚" or self.glyph == ",,":
            return True
        if self.can_open == self.can_close:
            return None
        return self.can_open


def typeset(text: str, language: str = "de") -> str:
    """Set quotation marks, apostrophes and dashes; lines are paragraphs, no word changes."""
    return "\n".join(_dashes(_quotes(line, language)) for line in text.split("\n"))


def _dashes(line: str) -> str:
    return re.sub(r"(?<=\S) --?(?= |$)", " –", line)


def _quotes(line: str, language: str) -> str:
    marks = _find(line)
    if not marks:
        return line
    symbols = _SYMBOLS["de" if language.startswith("de") else "en"]
    open_marks: list[_Mark] = []
    for index, mark in enumerate(marks):
        if mark.kind == "double":
            _set_double(mark, open_marks, symbols)
        else:
            _set_single(mark, marks[index + 1 :], open_marks, symbols)
    pieces, position = [], 0
    for mark in marks:
        pieces += [line[position : mark.start], mark.result]
        position = mark.end
    return "".join(pieces) + line[position:]


def _find(line: str) -> list[_Mark]:
    marks: list[_Mark] = []
    for match in _TOKEN.finditer(line):
        run, start = match[0], match.start()
        if run[0] in _PAIRED and len(run) > 1:
            marks += _run(line, run, start)
        elif run == ",," or run in _DOUBLE:
            marks.append(_Mark(start, match.end(), "double", run))
        else:
            marks += [
                _Mark(start + i, start + i + 1, "single", glyph) for i, glyph in enumerate(run)
            ]
    # Adjacent marks share their context: in «"'so'"» the outer neighbours are the space and the s.
    for first, mark in enumerate(marks):
        left = first
        while left and marks[left - 1].end == marks[left].start:
            left -= 1
        right = first
        while right + 1 < len(marks) and marks[right + 1].start == marks[right].end:
            right += 1
        mark.before = line[marks[left].start - 1 : marks[left].start] if marks[left].start else ""
        mark.after = line[marks[right].end : marks[right].end + 1]
        mark.alone = left == right
        mark.tail = line[marks[right].end : marks[right].end + 4]
    return marks


def _run(line: str, run: str, start: int) -> list[_Mark]:
    """Split ``''`` into one double mark and ``'''`` as a single and a double one, in nesting order."""
    kinds: list[Literal["double", "single"]] = ["double"] * (len(run) // 2)
    if len(run) % 2:
        opening = start == 0 or line[start - 1].isspace() or line[start - 1] in _OPENERS
        kinds.insert(len(kinds) if opening else 0, "single")
    marks = []
    for kind in kinds:
        width = 2 if kind == "double" else 1
        marks.append(_Mark(start, start + width, kind, run[:width]))
        start += width
    return marks


def _set_double(mark: _Mark, open_marks: list[_Mark], symbols: tuple[str, ...]) -> None:
    outer = [other for other in open_marks if other.kind == "double"]
    opens = mark.opens
    if opens is None:
        opens = not outer
    if opens:
        # A quotation inside a quotation takes the inner marks, whatever was typed.
        mark.result = symbols[2 if len(outer) % 2 else 0]
        open_marks.append(mark)
    elif outer:
        mark.result = symbols[3 if outer[-1].result == symbols[2] else 1]
        del open_marks[open_marks.index(outer[-1]) :]
    elif mark.glyph in ('"', "''") and mark.before.isdigit():
        mark.result = mark.glyph  # inches and seconds are not quotations
    else:
        mark.result = symbols[1]


def _set_single(
    mark: _Mark, later: list[_Mark], open_marks: list[_Mark], symbols: tuple[str, ...]
) -> None:
    inner = [other for other in open_marks if other.kind == "single"]
    opens = mark.opens
    if opens is None:
        opens = not inner
    if mark.glyph not in _NEVER_APOSTROPHE and _is_apostrophe(mark, opens, later, bool(inner)):
        unmatched_foot = mark.before.isdigit() and not mark.after.isalnum() and mark.glyph == "'"
        mark.result = "'" if unmatched_foot else _APOSTROPHE
    elif opens:
        mark.result = symbols[2]
        open_marks.append(mark)
    else:
        mark.result = symbols[3]
        if inner:
            del open_marks[open_marks.index(inner[-1]) :]


def _is_apostrophe(mark: _Mark, opens: bool, later: list[_Mark], inside: bool) -> bool:
    if mark.alone and mark.before.isalnum() and mark.after.isalnum():
        return True
    singles = [other for other in later if other.kind == "single"]
    closers = [other for other in singles if other.opens is False]
    if opens and mark.alone and re.fullmatch(r"\d0er|n?e[nmrs]?\b.*|s .*", mark.tail):
        return True  # ’90er, ’ne, ’nen, ’s: letters are missing in front
    if opens:
        return not closers and mark.glyph in "'’´`"
    if not inside:
        return True
    # ‚Hans’ Auto’: behind an s-sound, and another mark that can only close comes before one opens.
    return (
        mark.alone and mark.before.lower() in "sßxz" and bool(singles) and singles[0].opens is False
    )
