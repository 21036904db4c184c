"""The rows of a list as spreadsheets save it, whatever its encoding, line ends and delimiter. Pure.

Nothing here knows what a column means. RFC 4180 is read leniently: quotation marks inside a field are
taken as they stand, and a mark that never closes costs its own line only.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

DELIMITERS = ",;\t|"
_LINE = re.compile(r"\r\n|\n|\r")
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?", re.IGNORECASE)
# What German and its neighbours write, as against the signs that another code page shows in its place.
_LETTERS = frozenset("äöüÄÖÜßéèêëáàâåæçíìîïñóòôøœúùûÉÈÁÀÂÅÆÇÑÓØ„“”’–")
_GUESSES = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman"}
_ADDRESS = re.compile(r'[\s"]*[^\s@",;|]+@[^\s@",;|]+\.[^\s@",;|]+[\s"]*')
_ROWS_COMPARED = 20


@dataclass(frozen=True)
class ListText:
    """The text of a list. `guessed` names the encoding that was taken without proof, else it is empty.

    `guessed_lines` are the numbers of those lines when only some of them were no UTF-8.
    """

    text: str
    guessed: str = ""
    guessed_lines: tuple[int, ...] = ()


class ListRow(NamedTuple):
    """The cells of a row and the line it begins on; `broken` if its quotation marks do not match."""

    line: int
    cells: tuple[str, ...]
    broken: bool = False


def is_workbook(data: bytes) -> bool:
    """Return True for a file of a spreadsheet program itself (.xlsx, .ods, .xls), which is no text."""
    return data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))


def decode_list(data: bytes) -> ListText:
    """Decode a list: by its byte order mark, as UTF-8, or else as what its bytes look like.

    A file that is UTF-8 but for some lines, as programs make it that append to one another's files,
    is decoded line by line.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ListText(data.decode("utf-16", errors="replace"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _decode_by_line(data)
    if codec := _utf16_without_mark(data):
        return ListText(data.decode(codec, errors="replace"), guessed="UTF-16")
    return ListText(text)


def _utf16_without_mark(data: bytes) -> str:
    """Return the codec of UTF-16 without a byte order mark: every second byte of its ASCII is zero."""
    head = data[:400]
    if len(head) < 4:
        return ""
    if head[1::2].count(0) > len(head) // 4 and head[0::2].count(0) == 0:
        return "utf-16-le"
    if head[0::2].count(0) > len(head) // 4 and head[1::2].count(0) == 0:
        return "utf-16-be"
    return ""


def _decode_by_line(data: bytes) -> ListText:
    if codec := _utf16_without_mark(data):
        return ListText(data.decode(codec, errors="replace"), guessed="UTF-16")
    pieces = re.split(rb"(\r\n|\n|\r)", data.removeprefix(b"\xef\xbb\xbf"))
    undecoded = [index for index in range(0, len(pieces), 2) if _utf8(pieces[index]) is None]
    encoding = _likeliest(b"\n".join(pieces[index] for index in undecoded))
    text = "".join(
        piece.decode(encoding, errors="replace") if decoded is None else decoded
        for piece, decoded in ((piece, _utf8(piece)) for piece in pieces)
    )
    has_utf8 = any(not piece.isascii() and _utf8(piece) is not None for piece in pieces)
    lines = tuple(index // 2 + 1 for index in undecoded) if has_utf8 else ()
    return ListText(text, guessed=_GUESSES[encoding], guessed_lines=lines)


def _utf8(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


def _likeliest(data: bytes) -> str:
    """Return the encoding that reads most of the bytes above ASCII as letters; cp1252 where two agree."""

    def letters(encoding: str) -> int:
        return sum(character in _LETTERS for character in data.decode(encoding, "replace"))

    return max(_GUESSES, key=letters)


class _Lines(Sequence[str]):
    """The lines of a text, cut when they are asked for: a million of them take 16 MB beside the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts, self._ends = array("Q", (0,)), array("Q")
        for match in _LINE.finditer(text):
            self._ends.append(match.start())
            self._starts.append(match.end())
        self._ends.append(len(text))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._text[self._starts[index] : self._ends[index]]


class ListRows:
    """The rows that hold something, cut anew whenever they are iterated: a long list is not held twice.

    A line ``sep=;`` before them names the delimiter. A quoted field may span lines. Where the line it
    begins on and a later one are whole rows, the mark was never closed, and the row is broken: it costs
    nobody else.
    """

    def __init__(self, text: str) -> None:
        """Take the text of a list."""
        self._lines = _Lines(text)
        self._begin, self._delimiter = 0, ""
        if named := _SEPARATOR_LINE.fullmatch(self._lines[0].strip(" ")):
            self._delimiter, self._begin = named[1], 1
        while self._begin < self.line_count and not self._lines[self._begin].strip(" \t,;|\ufeff"):
            self._begin += 1
        if self._begin < self.line_count and not self._delimiter:
            self._delimiter = _delimiter(self._lines, self._begin)

    @property
    def line_count(self) -> int:
        """How many lines there are, blank ones included."""
        return len(self._lines)

    def __iter__(self) -> Iterator[ListRow]:
        index, width, line_count = self._begin, 0, self.line_count
        while index < line_count:
            row, index = _read_row(self._lines, index, self._delimiter, width)
            width = width or len(row.cells)
            if any(map(str.strip, row.cells)):
                yield row


def _delimiter(lines: Sequence[str], index: int) -> str:
    """Return the delimiter by which the lines behind the first are rows like it, with an address in them.

    Where that decides nothing, the one that cuts the first row into the most cells.
    """

    def fits(delimiter: str) -> tuple[int, int]:
        row, after = _read_row(lines, index, delimiter, 0)
        width = len(row.cells)
        behind = lines[after : after + _ROWS_COMPARED]
        return sum(_is_row(line, delimiter, width) for line in behind), width

    return max(DELIMITERS, key=fits)


def _read_row(lines: Sequence[str], index: int, delimiter: str, width: int) -> tuple[ListRow, int]:
    """Return the row that begins at a line, and the index of the line behind it."""
    text, last = lines[index], index
    if '"' not in text:
        return ListRow(index + 1, tuple(text.split(delimiter))), index + 1
    is_whole = _is_row(text, delimiter, width)
    while (cells := _split_quoted(text, delimiter)) is None:
        # Up to the next line with a mark: no other can close the field.
        more: list[str] = []
        while last + 1 < len(lines) and not (more and '"' in more[-1]):
            last += 1
            more.append(lines[last])
        whole_rows = is_whole and any(_is_row(line, delimiter, width) for line in more)
        if whole_rows or not more or '"' not in more[-1]:
            cells = []
            break
        text = "\n".join([text, *more])
    if not cells:
        return ListRow(index + 1, tuple(lines[index].split(delimiter)), broken=True), index + 1
    return ListRow(index + 1, tuple(cells)), last + 1


def _is_row(line: str, delimiter: str, width: int) -> bool:
    """Return True if a line has as many cells as the list has columns, and an address in one."""
    cells = line.split(delimiter)
    return 1 < width == len(cells) and any(_ADDRESS.fullmatch(cell) for cell in cells)


def _split_quoted(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row with quotation marks; None while one of them is open, empty if broken.

    A field that goes on behind its closing mark (``"Bert" Klein``) keeps its marks, on one line.
    """
    cells, start = [], 0
    while True:
        end = start - 1
        if is_quoted := text.startswith('"', start):
            end = _closing_mark(text, start + 1)
            if end < 0:
                return None
        after = text.find(delimiter, end + 1)
        stop = after if after >= 0 else len(text)
        cell = text[start:stop]
        if is_quoted and not text[end + 1 : stop].strip():
            cell = text[start + 1 : end].replace('""', '"')
        elif is_quoted and "\n" in cell:
            return []
        cells.append(cell)
        if after < 0:
            return cells
        start = after + 1


def _closing_mark(text: str, start: int) -> int:
    """Return where the mark is that closes a field, or -1; two of them are one of its characters."""
    while (end := text.find('"', start)) >= 0 and text.startswith('""', end):
        start = end + 2
    return end
