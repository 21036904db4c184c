"""Fenced blocks: ``::: kasten Gut zu wissen`` … ``:::`` is a box; an event, a button, a quotation likewise.

A line of three colons or more with words behind them opens a block, one without closes the innermost that
is open, as in Pandoc; so a button may stand in a box. (The container plugin of mdit-py-plugins closes the
outer one there.) A block that nothing closes is none: its lines stay text, and a check tells it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

Kind = Literal["box", "event", "button", "quote", "unknown"]

KINDS: Mapping[str, Kind] = {
    "kasten": "box", "box": "box",
    "termin": "event", "event": "event",
    "knopf": "button", "button": "button",
    "zitat": "quote", "quote": "quote",
}  # fmt: skip
"""What the word behind the colons means, in German and in English."""

FIELDS: Mapping[Kind, Mapping[str, str]] = {
    "event": {
        "datum": "date", "wann": "date", "date": "date", "when": "date",
        "zeit": "time", "uhrzeit": "time", "time": "time",
        "ende": "end", "bis": "end", "end": "end", "until": "end",
        "ort": "place", "wo": "place", "place": "place", "where": "place",
        "link": "link", "url": "link",
    },
    "button": {"link": "link", "url": "link"},
    "quote": {"von": "by", "by": "by"},
}  # fmt: skip
"""The fields of a kind, ``datum: 12.12.2026`` in lines of their own at its beginning; of a quotation also its end."""

OPENING = re.compile(r":{3,}[ \t]*([^\s:].*?)[ \t]*:*[ \t]*")
_CLOSING = re.compile(r":{3,}[ \t]*")
_FIELD = re.compile(r"[ \t]*([^\W\d_]+)[ \t]*:(?!:)[ \t]*(.*?)[ \t]*")
_CODE_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})")
_LINK = re.compile(r"\[([^\[\]]+)\]\(<?([^()\s<>]+)>?\)|<?([^\s<>]+)>?")
_END_IN_QUOTATION = re.compile(r"[ \t>]*:{3,}[ \t]*")
_ENDS = "block_ends"  # in the environment of a parse
_NONE = frozenset({"-", "–", "—", "keiner", "keine", "none"})


@dataclass(frozen=True)
class Field:
    """A field of a block as written, and its 0-based line."""

    value: str
    line: int


@dataclass(frozen=True)
class FencedBlock:
    """A block by its tokens: `title` is inline, or None; `line` is 0-based.

    `number` counts the events of an essay from 1. `repeated` are fields that were given once before.
    """

    kind: Kind
    word: str
    title: Token | None
    fields: Mapping[str, Field]
    repeated: tuple[Field, ...]
    body: Sequence[Token]
    line: int
    number: int

    def field(self, name: str) -> str:
        """Return a field's text, empty where it is not given."""
        return self.fields[name].value if name in self.fields else ""

    @property
    def link(self) -> tuple[str, str]:
        """Words and address of the field ``link``, each empty where it is not given."""
        written = self.field("link")
        match = _LINK.fullmatch(written)
        if written.lower() in _NONE:
            return "", ""
        return (match[1] or "", match[2] or match[3]) if match else ("", written)

    @property
    def has_no_page(self) -> bool:
        """Whether the author says that there is no link: ``link: -``."""
        return self.field("link").lower() in _NONE

    def button_link(self) -> tuple[Sequence[Token], str] | None:
        """Return words and address of a button; None unless it has exactly one of each.

        The address is the field ``link`` or the only link of the body; the words are the title, the text
        of that link, or the body.
        """
        paragraphs = [token for token in self.body if token.type == "inline"]
        if len(paragraphs) != (len(self.body) > 0) or len(self.body) not in (0, 3):
            return None
        inline = list(paragraphs[0].children or ()) if paragraphs else []
        opened = [position for position, token in enumerate(inline) if token.type == "link_open"]
        words, address = self.link
        shown: list[Sequence[Token]] = [
            [Token("text", "", 0, content=words)] if words else [],
            (self.title.children or []) if self.title else [],
        ]
        if opened:
            # Nothing but the link stands there.
            if address or opened != [0] or inline[-1].type != "link_close":
                return None
            address = str(inline[0].attrs.get("href", ""))
            bare = inline[0].info == "auto" and self.title is not None
            shown.append([] if bare else inline[1:-1])
        else:
            shown.append(inline)
        given = [tokens for tokens in shown if tokens]
        return (given[0], address) if len(given) == 1 and address else None


def fenced_blocks(tokens: Sequence[Token]) -> Iterator[FencedBlock]:
    """Yield all blocks of an essay in their order, outer ones before inner ones."""
    for position, token in enumerate(tokens):
        if token.type == "fenced_block_open":
            yield read_block(tokens, position)


def read_block(tokens: Sequence[Token], position: int) -> FencedBlock:
    """Return the block that opens at a position of the tokens."""
    opening = tokens[position]
    body = tokens[position + 1 : end_of_block(tokens, position)]
    title = None
    if body and body[0].type == "fenced_title_open":
        title, body = body[1], body[3:]
    meta: dict[str, Any] = opening.meta
    return FencedBlock(
        meta["kind"], opening.info, title, meta["fields"], meta["repeated"], body,
        opening.map[0] if opening.map else 0, meta["number"],
    )  # fmt: skip


def end_of_block(tokens: Sequence[Token], position: int) -> int:
    """Return the position of the token that closes the block which opens at `position`."""
    depth = 0
    for end in range(position, len(tokens)):
        depth += tokens[end].nesting if tokens[end].type.startswith("fenced_block_") else 0
        if not depth:
            return end
    return len(tokens)


def intended_kind(word: str) -> str:
    """Return the word that a misspelt one behind the colons stands for, or an empty string."""
    close = get_close_matches(word.casefold(), KINDS, n=1, cutoff=0.7)
    return close[0] if close else ""


def fenced_blocks_plugin(parser: MarkdownIt) -> None:
    """Read fenced blocks as tokens `fenced_block_open` … `fenced_block_close`, a title within."""
    parser.block.ruler.before(
        "fence",
        "fenced_block",
        _fenced_block,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )


def _fenced_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start) or not (match := OPENING.fullmatch(_text(state, start))):
        return False
    closing = _closing_line(state, start, end)
    if closing is None:
        return False
    if silent:
        return True
    word, _, title = match[1].partition(" ")
    kind = KINDS.get(word.casefold(), "unknown")
    opening = state.push("fenced_block_open", "div", 1)
    opening.map, opening.info, opening.markup = [start, closing + 1], word, ":::"
    events = state.env["events"] = state.env.get("events", 0) + (kind == "event")
    fields, repeated, first = _fields(state, kind, start + 1, closing)
    behind = closing
    if kind == "quote" and not fields:
        behind = _fields_at_end(state, kind, first, closing, fields)
    opening.meta = {"kind": kind, "fields": fields, "repeated": repeated, "number": events}
    # What nobody knows loses no word: the whole line is the title.
    if title := (match[1] if kind == "unknown" else title).strip():
        _push_title(state, title, start)
    _tokenize(state, first, behind)
    state.push("fenced_block_close", "div", -1)
    state.line = closing + 1
    return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closing_line(state: StateBlock, start: int, end: int) -> int | None:
    """Return the line that closes the block which opens at `start`; code has no such lines."""
    ends = _possible_ends(state)
    depth, fence = 1, ""
    for line in range(start + 1, end):
        # With fewer ends than open blocks this one has none: so many beginnings cost no time.
        if depth > len(ends) - bisect_left(ends, line):
            return None
        text = _text(state, line)
        if text and state.sCount[line] < state.blkIndent:
            return None  # outside the list item or quotation
        code = _CODE_FENCE.match(text)
        if code and not fence:
            fence = code[1]
        elif code and code[1].startswith(fence) and not text[code.end() :].strip():
            fence = ""
        elif not fence and OPENING.fullmatch(text):
            depth += 1
        elif not fence and _CLOSING.fullmatch(text):
            depth -= 1
            if not depth:
                return line
    return None


def _possible_ends(state: StateBlock) -> list[int]:
    """Return the lines that may close a block, in quotations, too; found once for each text."""
    if _ENDS not in state.env:
        lines = enumerate(state.src.split("\n"))
        state.env[_ENDS] = [number for number, line in lines if _END_IN_QUOTATION.fullmatch(line)]
    ends: list[int] = state.env[_ENDS]
    return ends


def _fields(
    state: StateBlock, kind: Kind, line: int, end: int
) -> tuple[dict[str, Field], tuple[Field, ...], int]:
    """Return the fields at the beginning of a block, repeated ones, and the line behind them."""
    known = FIELDS.get(kind, {})
    fields: dict[str, Field] = {}
    repeated: list[Field] = []
    while line < end:
        match = _FIELD.fullmatch(_text(state, line))
        name = known.get(match[1].casefold()) if match else None
        if match and name in fields:
            repeated.append(Field(match[0].strip(), line))
        elif match and name:
            fields[name] = Field(match[2], line)
        elif _text(state, line) or fields or repeated:
            break
        line += 1
    return fields, tuple(repeated), line


def _fields_at_end(
    state: StateBlock, kind: Kind, start: int, end: int, fields: dict[str, Field]
) -> int:
    """Take in who is quoted where it stands below the words, and return the line at which these end."""
    last = next((line for line in range(end - 1, start, -1) if not state.isEmpty(line)), start)
    match = _FIELD.fullmatch(_text(state, last)) if last > start else None
    if match is None or match[1].casefold() not in FIELDS[kind]:
        return end
    fields[FIELDS[kind][match[1].casefold()]] = Field(match[2], last)
    return last


def _push_title(state: StateBlock, title: str, line: int) -> None:
    opening = state.push("fenced_title_open", "p", 1)
    inline = state.push("inline", "", 0)
    state.push("fenced_title_close", "p", -1)
    inline.content, inline.children = title, []
    opening.map = inline.map = [line, line + 1]


def _tokenize(state: StateBlock, start: int, end: int) -> None:
    """Parse the lines within a block."""
    parent, last = state.parentType, state.lineMax
    state.parentType, state.lineMax = cast(Any, "container"), end
    state.md.block.tokenize(state, start, end)
    state.parentType, state.lineMax = parent, last
