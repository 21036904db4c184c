"""Quotation marks, apostrophes and dashes as German or English wants them, from any kind of input.

Manuscripts have every kind of quotation mark: ``"…"``, ``,,…''``, ``‚‚…”``, »…«, ``…''``. Whether a
mark opens, closes or is an apostrophe is decided by its context and the open marks, the glyph is only
a hint; so all of these become „…“ and inner ones ‚…‘. Every route uses this engine: Markdown, titles
and other lines, and the import of manuscripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

_DOUBLE = '"“”„‟«»〝〞＂'
_SINGLE = "'‘’‚‛`´‹›"
_PAIRED = "'‘’‚`´"  # two of these make a double mark
_GUILLEMETS = "«»‹›"
_TOKEN = re.compile(rf",,(?=[^\s\W])|,,(?=[{_SINGLE}])|[{_DOUBLE}]|([{_SINGLE}])\1*|>>|<<")
_STRAIGHT = re.compile("[\"']")
_OPENERS = "([{–—-/<|"
_SYMBOLS = {"de": "„“‚‘", "en": "“”‘’"}
_APOSTROPHE = "’"

# Letters or digits are missing in front: ’68er, ’89, ’ne, ’nen, ’n, ’s, ’rein, ’em, ’til.
_CLIPPED = re.compile(
    r"\d\d(?:er[ns]?|s)?(?!\w)|n?e[nmrs]?(?!\w)|[ns](?!\w)"
    r"|r(?:[aeu]in|auf|aus|an|ab|um|über|unter)(?!\w)|tschuldigung|(?:em|til|tis|twas|cause)(?!\w)"
)
# >>so<< and <<so>>, as keyboards without guillemets write them.
_TYPED_GUILLEMETS = re.compile(
    r"(?<![\w<>])(?:>>(?=\w)[^<>\n]*(?<=[\w.!?…,])<<|<<(?=\w)[^<>\n]*(?<=[\w.!?…,])>>)(?![\w<>])"
)
_N_BETWEEN_WORDS = re.compile(rf"(?<=\w )[{_SINGLE}]n[{_SINGLE}](?= \w)")


class Replacement(NamedTuple):
    """A quotation mark of a text: ``text[start:end]`` is to be `mark`."""

    start: int
    end: int
    mark: str


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
    inner: str = ""
    next_double: _Mark | None = None
    next_single: _Mark | None = None
    closer_follows: bool = False  # a single mark that can end a quotation

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
    """Set quotation marks, apostrophes and dashes of a manuscript; lines are paragraphs.

    No word changes. »…« becomes „…“ as well.
    """
    return "\n".join(
        _dashes(set_quotes(line, language, keep_guillemets=False)) for line in text.split("\n")
    )


def _dashes(line: str) -> str:
    return re.sub(r"(?<=\S) --?(?= |$)", " –", line)


def set_quotes(text: str, language: str, marks: str = "", *, keep_guillemets: bool = True) -> str:
    """Return a line with the quotation marks and apostrophes of its language, and nothing else changed.

    `marks` are a publication's own, the outer pair before the inner one, such as ``»«›‹``. Without
    them, or with those that are usual, guillemets stay as they are unless `keep_guillemets` is false:
    »…« is right, too.
    """
    pieces, position = [], 0
    for start, end, mark in replacements(text, language, marks, keep_guillemets=keep_guillemets):
        pieces += [text[position:start], mark]
        position = end
    return "".join(pieces) + text[position:]


def replacements(
    text: str, language: str, marks: str = "", *, keep_guillemets: bool = True
) -> list[Replacement]:
    """Return what `set_quotes` changes in a line, in the order of the line.

    In languages other than German and English only straight marks are set: theirs may be right.
    """
    base = language.replace("_", "-").partition("-")[0].lower()
    usual = _SYMBOLS.get(base, _SYMBOLS["en"])
    symbols = marks if len(marks) == 4 else usual
    found = _find(text, _TOKEN if base in _SYMBOLS else _STRAIGHT)
    keep = keep_guillemets and symbols == usual
    apostrophes = {
        place
        for match in _N_BETWEEN_WORDS.finditer(text)
        for place in (match.start(), match.end() - 1)
    }
    open_marks = _OpenMarks()
    for mark in found:
        if mark.start in apostrophes:
            mark.result = _APOSTROPHE  # Rock ’n’ Roll
        elif keep and mark.glyph in _GUILLEMETS:
            _keep_guillemet(mark, open_marks)
        elif mark.kind == "double":
            _set_double(mark, open_marks, symbols)
        else:
            _set_single(mark, open_marks, symbols)
    return [Replacement(mark.start, mark.end, mark.result) for mark in found]


def _find(line: str, pattern: re.Pattern[str]) -> list[_Mark]:
    marks: list[_Mark] = []
    typed = {
        place
        for pair in _TYPED_GUILLEMETS.finditer(line)
        for place in (pair.start(), pair.end() - 2)
    }
    for match in pattern.finditer(line):
        run, start = match[0], match.start()
        if run in (">>", "<<"):
            if start in typed:
                marks.append(_Mark(start, match.end(), "double", "»" if run == ">>" else "«"))
            continue
        if run[0] == "`" and len(run) > 2:
            continue  # a fence, or what is left of one
        if run[0] in _PAIRED and len(run) > 1:
            marks += _run(line, run, start)
        elif run == ",," or run in _DOUBLE:
            marks.append(_Mark(start, match.end(), "double", run))
        else:
            marks += [
                _Mark(start + i, start + i + 1, "single", glyph) for i, glyph in enumerate(run)
            ]
    _note_clusters(line, marks)
    _note_following(marks)
    return marks


def _note_clusters(line: str, marks: Sequence[_Mark]) -> None:
    """Give adjacent marks one context: in «"'so'"» the outer neighbours are the space and the s."""
    first = 0
    while first < len(marks):
        last = first
        while last + 1 < len(marks) and marks[last].end == marks[last + 1].start:
            last += 1
        start, end = marks[first].start, marks[last].end
        for mark in marks[first : last + 1]:
            mark.before, mark.after = line[start - 1] if start else "", line[end : end + 1]
            mark.alone = first == last
            mark.tail = line[end : end + 16]
        first = last + 1


def _note_following(marks: Sequence[_Mark]) -> None:
    double: _Mark | None = None
    single: _Mark | None = None
    closer = False
    for mark in reversed(marks):
        mark.next_double, mark.next_single, mark.closer_follows = double, single, closer
        if mark.kind == "double":
            double = mark
        else:
            single, closer = mark, closer or mark.opens is False


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


class _OpenMarks:
    """The marks whose quotation has not ended, by kind; the last one is the innermost."""

    def __init__(self) -> None:
        self._marks: list[_Mark] = []
        self._places: dict[str, list[int]] = {"double": [], "single": []}

    def open(self, mark: _Mark) -> None:
        self._places[mark.kind].append(len(self._marks))
        self._marks.append(mark)

    def depth(self, kind: str) -> int:
        return len(self._places[kind])

    def last(self, kind: str) -> _Mark | None:
        places = self._places[kind]
        return self._marks[places[-1]] if places else None

    def close_last(self, kind: str) -> None:
        """End the innermost quotation of a kind, and what was opened within it."""
        start = self._places[kind][-1]
        del self._marks[start:]
        for places in self._places.values():
            while places and places[-1] >= start:
                places.pop()


_PARTNER = dict(zip("«»‹›", "»«›‹", strict=True))
_INNER_OF = {"»": "›‹", "«": "‹›"}


def _keep_guillemet(mark: _Mark, open_marks: _OpenMarks) -> None:
    """Leave a guillemet as it is; what stands between a pair of double ones takes single ones."""
    mark.result = mark.glyph
    last = open_marks.last(mark.kind)
    if last is not None and last.glyph == _PARTNER[mark.glyph]:
        open_marks.close_last(mark.kind)
    elif mark.opens is not False:
        mark.inner = _INNER_OF.get(mark.glyph, "")
        open_marks.open(mark)


def _set_double(mark: _Mark, open_marks: _OpenMarks, symbols: str) -> None:
    outer, depth = open_marks.last("double"), open_marks.depth("double")
    opens = mark.opens
    if opens is None:
        opens = outer is None
    if opens:
        # A quotation inside a quotation takes the inner marks, whatever was typed.
        inner = outer.inner if outer else ""
        mark.result = inner[0] if inner else symbols[2 * (depth % 2)]
        open_marks.open(mark)
    elif _is_inch(mark, outer is not None):
        mark.result = mark.glyph
    elif outer is not None and outer.result not in "»«":
        closing = {symbols[0]: symbols[1], symbols[2]: symbols[3], "›": "‹", "‹": "›"}
        mark.result = closing.get(outer.result, symbols[1])
        open_marks.close_last("double")
    else:
        mark.result = symbols[1]
        if outer is not None and outer.result == symbols[0]:
            open_marks.close_last("double")


def _is_inch(mark: _Mark, inside: bool) -> bool:
    """Tell inches and seconds (24", 14'') from the end of a quotation."""
    if mark.glyph not in ('"', "''") or not mark.before.isdigit():
        return False
    following = mark.next_double
    # "Ein 5" Rohr": another mark closes before one opens.
    return not inside or (following is not None and following.opens is False and mark.alone)


def _set_single(mark: _Mark, open_marks: _OpenMarks, symbols: str) -> None:
    inside = open_marks.depth("single") > 0
    opens = mark.opens
    if opens is None:
        opens = not inside
    if mark.glyph not in "‹›" and _is_apostrophe(mark, opens, inside):
        is_foot = mark.before.isdigit() and not mark.after.isalnum() and mark.glyph == "'"
        mark.result = "'" if is_foot else _APOSTROPHE
        if mark.glyph == "`" and not (mark.before.isalnum() and mark.after.isalnum()):
            mark.result = "`"  # of code without an end
    elif opens:
        mark.result = symbols[2]
        open_marks.open(mark)
    else:
        mark.result = symbols[3]
        if inside:
            open_marks.close_last("single")


def _is_apostrophe(mark: _Mark, opens: bool, inside: bool) -> bool:
    if mark.alone and mark.before.isalnum() and mark.after.isalnum():
        return mark.glyph != "‚"
    clipped = _CLIPPED.match(mark.tail) if opens and mark.alone else None
    if clipped:
        # ’68er and ’ne, but ‚68er‘ and ‚ne‘ where the mark behind the word closes.
        end = mark.end + clipped.end()
        return mark.next_single is None or mark.next_single.start != end
    if opens:
        return not mark.closer_follows and mark.glyph in "'’´`"
    if not inside:
        return mark.glyph != "‚"
    # ‚Hans’ Auto’: behind an s-sound, and another mark that can only close comes before one opens.
    following = mark.next_single
    return (
        mark.alone
        and mark.before.lower() in "sßxz"
        and following is not None
        and following.opens is False
    )
