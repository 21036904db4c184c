"""What is a list in German text: bullets of word processors are, dates and birth signs are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import list_block as commonmark_list
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_MONTH = (
    r"(?:Jan(?:uar|\.)|Jänner|Feb(?:ruar|\.)|Feber|März|Mrz\.|Apr(?:il|\.)|Mai|Jun(?:i|\.)|Jul(?:i|\.)"
    r"|Aug(?:ust|\.)|Sept?(?:ember|\.)|Okt(?:ober|\.)|Nov(?:ember|\.)|Dez(?:ember|\.)"
    r"|(?:Jan|Feb|Mrz|Apr|Jun|Jul|Aug|Sept?|Okt|Nov|Dez) \d{4})(?!\w)"
)
# A number with a full stop that is none of a list: 7. März, 24. 12. 1990, 1848. Das Jahr, 19. Jahrhundert.
_ORDINAL = re.compile(
    rf"\d{{4,}}\. |\d{{1,2}}\. +(?:{_MONTH}|\d{{1,2}}\.(?: \d{{2,4}}(?!\w)| ?[:,–]|$)"
    r"|Jahrhunderts?(?!\w)|Jh\.|Jahrtausend|(?:und|bis|oder|–|-|/) ?\d{1,2}\.)"
)
_NUMBERED = re.compile(r"[\s>]*(\d{1,9})[.)]\s")
_ENGLISH_ORDINAL = re.compile(r"\d{4,}\. ")
# Behind a birth sign: a date, a year, "um 1900", "in Halle, 1931", or a death sign further on.
_BIRTH = re.compile(
    rf"\d{{1,2}}\. ?(?:{_MONTH}|\d)|[12]\d{{3}}(?!\w)"
    rf"|(?:am|um|ca\.|vor|nach|in|im|wohl|{_MONTH}) .*\b[12]\d{{3}}\b|.*†",
    re.DOTALL,
)

# • · ▪ ● and their like, those of Word's symbol fonts (private use), and of its outline: o and §, which
# need a tab behind them.
BULLET = re.compile(
    "(?:[•·▪▫●○■□◦‣⁃∙∗►▸➢➤❖✓✔\uf000-\uf0ff](?=[ \t\u00a0\u2002-\u200a\u202f])|[o§](?=\t))"
)
"""A bullet as word processors write it, at the start of a line."""

_DASH = re.compile("[‒–—―](?=[ \t\u00a0\u2002-\u200a\u202f])")
_BULLET_ABOVE = "bullet_above"  # in the environment of a parse: the last bullet that was replaced
_DIALOGUE_END = (
    "dialogue_end"  # in the environment of a parse: the line behind the last one looked at
)
_NOTE_STAR = re.compile(r"(?<=\w)\*(?![\w*])")
_SENTENCE_END = re.compile(r"[.!?…][\"'“”‘’»«)]*\s*$")


def german_lists_plugin(parser: MarkdownIt, *, german: bool) -> None:
    """Add the rules; `german`: also those that months and other German words decide."""
    ordinal = _ORDINAL if german else _ENGLISH_ORDINAL

    def list_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        if ordinal.match(_line(state, start)):
            # Below a numbered item, and not indented as its text is, it ends that item's paragraph.
            outside = silent and state.sCount[start] < state.blkIndent
            if not outside or _number_above(state, start) is None:
                return False
        return bool(commonmark_list(state, start, end, silent))

    def ordinal_ends_list(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        text = _line(state, start)
        if not silent or not ordinal.match(text):
            return False
        above = _number_above(state, start)
        # Where it counts on it is the next item, whatever it speaks of.
        return above is None or above + 1 != int(text.partition(".")[0])

    parser.block.ruler.at("list", list_block, {"alt": ["paragraph", "reference", "blockquote"]})
    parser.block.ruler.before("list", "ordinal", ordinal_ends_list, {"alt": ["list"]})
    parser.block.ruler.before(
        "table",
        "bullet",
        _replace_bullet,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    parser.core.ruler.after("block", "list_items", _settle_lists)


def _line(state: StateBlock, line: int) -> str:
    """Return a line of the current block without its indentation, empty where it is code."""
    if line >= state.lineMax or state.sCount[line] - state.blkIndent >= 4:
        return ""
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _number_above(state: StateBlock, line: int) -> int | None:
    """Return the number that the written line above begins with."""
    above = _NUMBERED.match(state.src[: state.bMarks[line]].rstrip().rpartition("\n")[2])
    return int(above[1]) if above else None


def _replace_bullet(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Put a ``-`` where a word processor put its bullet; the rule of lists then reads the line.

    Another bullet behind an empty line ends the list above it.
    """
    text = _line(state, start)
    lines = [start] if BULLET.match(text) else []
    if _DASH.match(text):
        lines = [*_dash_list(state, start)]
    if not lines:
        return False
    for line in lines:
        _write_bullet(state, line)
    above = state.env.get(_BULLET_ABOVE, text[0])
    state.env[_BULLET_ABOVE] = text[0]
    return silent and start > 0 and state.isEmpty(start - 1) and bool(above != text[0])


def _write_bullet(state: StateBlock, line: int) -> None:
    place = state.bMarks[line] + state.tShift[line]
    state.src = f"{state.src[:place]}- {state.src[place + 2 :]}"


def _dash_list(state: StateBlock, start: int) -> Sequence[int]:
    """Return the lines of a list that begins here: at least two with dashes, and no dialogue."""
    if start < state.env.get(_DIALOGUE_END, 0):
        return ()
    end = start
    while _DASH.match(_line(state, end)):
        end += 1
    lines = range(start, end)
    spoken = sum(bool(_SENTENCE_END.search(_line(state, line))) for line in lines)
    if len(lines) > 1 and 2 * spoken <= len(lines):
        return lines
    state.env[_DIALOGUE_END] = end
    return ()


def _settle_lists(state: StateCore) -> None:
    """Turn lists that are none into text, and give items the numbers that were typed."""
    tokens = state.tokens
    position = 0
    last_numbers: dict[int, int] = {}  # of the ordered list before, by level
    has_note_star = False  # a word above has a star, as 12 Uhr*: a single * line is the note to it
    while position < len(tokens):
        opening = tokens[position]
        if opening.type == "inline" and opening.content.count("*") % 2:
            has_note_star = has_note_star or bool(_NOTE_STAR.search(opening.content))
        if opening.type in ("ordered_list_open", "bullet_list_open"):
            closing = _closing(tokens, position)
            items = _items(tokens, position, closing)
            is_note = has_note_star and opening.markup == "*" and len(items) == 1
            is_text = _is_text(tokens, opening, items) or is_note
            if is_text and not _goes_on(
                tokens, items, last_numbers.get(opening.level, 0), _next_number(tokens, closing)
            ):
                tokens[position : closing + 1] = _as_text(tokens, items, opening.level)
                continue
            if opening.type == "ordered_list_open":
                last_numbers[opening.level] = _set_numbers(tokens, items)
            _write_task_boxes(tokens, opening, items)
        position += 1


def _write_task_boxes(
    tokens: Sequence[Token], opening: Token, items: Sequence[tuple[int, int]]
) -> None:
    """Write ``[ ]`` and ``[x]`` as ☐ and ☑: forms do not work in a mail."""
    boxes = 0
    for start, _ in items:
        item, inline = tokens[start], tokens[start + 2]
        if "checked" in item.meta and inline.type == "inline":
            boxes += 1
            inline.content = f"{'☑' if item.meta['checked'] else '☐'}\u00a0{inline.content}"
        item.meta.pop("checked", None)
        item.attrs.pop("class", None)
    opening.attrs.pop("class", None)
    if boxes == len(items):
        opening.attrSet("class", "tasks")


def _closing(tokens: Sequence[Token], position: int) -> int:
    """Return where the block that opens at `position` closes."""
    depth = 0
    for place in range(position, len(tokens)):
        depth += tokens[place].nesting
        if not depth:
            return place
    raise AssertionError("an opening token without its closing one")


def _items(tokens: Sequence[Token], start: int, end: int) -> list[tuple[int, int]]:
    """Return the places of the items of a list: of their opening and closing tokens."""
    items: list[tuple[int, int]] = []
    place = start + 1
    while place < end:
        closing = _closing(tokens, place)
        items.append((place, closing))
        place = closing + 1
    return items


def _next_number(tokens: Sequence[Token], position: int) -> int:
    """Return the first number of the next ordered list on the same level, 0 where there is none."""
    level = tokens[position].level
    for token in tokens[position + 1 :]:
        if token.level < level:
            return 0
        if token.level == level and token.type == "ordered_list_open":
            return int(token.attrs.get("start", 1))
    return 0


def _is_text(tokens: Sequence[Token], opening: Token, items: Sequence[tuple[int, int]]) -> bool:
    """Decide whether a list may be none: one line with a number, a birth sign, a plus, 3) … 8)."""
    first = _first_text(tokens, *items[0])
    if not first:
        return False
    if opening.type == "ordered_list_open" and len(items) > 1:
        numbers = [int(tokens[start].info) for start, _ in items]
        counts = all(second == number + 1 for number, second in pairwise(numbers))
        # HTML writes its own full stop behind a number, so 3) and 8) are those of a text.
        return opening.markup == ")" and not counts and not set(numbers) <= {1}
    if len(items) > 1:
        return False
    if opening.type == "ordered_list_open":
        start, end = items[0]
        return end - start == 4  # nothing but a paragraph
    return opening.markup == "+" or (opening.markup == "*" and bool(_BIRTH.match(first)))


def _goes_on(
    tokens: Sequence[Token], items: Sequence[tuple[int, int]], last_number: int, next_number: int
) -> bool:
    """Return whether a single item continues the numbers above it, or begins those below."""
    number = tokens[items[0][0]].info
    if len(items) > 1 or not number:
        return False
    return int(number) == last_number + 1 > 1 or (int(number) == 1 and next_number == 2)


def _first_text(tokens: Sequence[Token], start: int, end: int) -> str:
    """Return the text of an item that begins with a paragraph, else nothing."""
    if end - start > 3 and tokens[start + 1].type == "paragraph_open":
        return tokens[start + 2].content
    return ""


def _as_text(tokens: Sequence[Token], items: Sequence[tuple[int, int]], level: int) -> list[Token]:
    """Return the blocks of a list's items as paragraphs that begin with the typed number or sign."""
    blocks: list[Token] = []
    for start, end in items:
        inner = list(tokens[start + 1 : end])
        sign = f"{tokens[start].info}{tokens[start].markup}"
        if inner and inner[0].type == "paragraph_open":
            # What CommonMark would read as a mark is text: the sign is one that was typed.
            inner[1].content = f"{_escaped(sign)} {inner[1].content}"
        else:
            inner[:0] = _paragraph(_escaped(sign), tokens[start].map)
        for token in inner:
            token.level -= tokens[start].level + 1 - level
            if token.level == level:
                token.hidden = False
        blocks += inner
    return blocks


def _escaped(sign: str) -> str:
    return "\\*" if sign == "*" else sign


def _paragraph(content: str, lines: list[int] | None) -> list[Token]:
    opening, inline = Token("paragraph_open", "p", 1), Token("inline", "", 0)
    opening.map = inline.map = lines
    opening.block = inline.block = True
    inline.content, inline.children = content, []
    closing = Token("paragraph_close", "p", -1)
    closing.block = True
    return [opening, inline, closing]


def _set_numbers(tokens: Sequence[Token], items: Sequence[tuple[int, int]]) -> int:
    """Give items a `value` where the numbers as typed do not count on; return the last number."""
    numbers = [int(tokens[start].info) for start, _ in items]
    first = numbers[0]
    if set(numbers) <= {0} or set(numbers) <= {1}:  # 1. 1. 1. counts on (CommonMark 5.3)
        return first + len(numbers) - 1
    expected = first
    for (start, _), number in zip(items, numbers, strict=True):
        if number != expected:
            tokens[start].attrSet("value", number)
        expected = number + 1
    return numbers[-1]
