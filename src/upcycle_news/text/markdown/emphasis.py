"""Inline marks: the star within German words, ``==marks==``, and backticks that open no code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline import backtick as commonmark_backtick
from markdown_it.rules_inline import emphasis as commonmark_emphasis
from markdown_it.rules_inline.state_inline import Delimiter

_STAR, _EQUALS = ord("*"), ord("=")
_OPENING, _CLOSING_BRACKETS = ("(", "["), (")", "]")

# What stands behind a gender star: Händler*innen, Lehrer*innenzimmer, jede*r, ein*e, keine*s, der*die.
_GENDER_ENDING = re.compile(
    r"innen|(?:in|[rnesm]|e[rnsm]|de[rnms]|die|das|sie|ihre?[rnms]?|ihm)(?!\w)", re.IGNORECASE
)


def german_star_plugin(parser: MarkdownIt) -> None:
    """Leave a single ``*`` between letters or digits alone: Nachbar*innen, 4*2*1.

    It opens or closes emphasis only together with a star that stands at the edge of a word, as in
    ``*Un*sinn``. A gender star never does, nor one between digits: in ``*Alle Händler*innen kommen*``
    it is text.
    """
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler2.before("balance_pairs", "german_star", _settle_stars)


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Tokenise as CommonMark does, and note which single stars stand within a word."""
    start, known = state.pos, len(state.delimiters)
    if not commonmark_emphasis.tokenize(state, silent):
        return False
    if len(state.delimiters) == known + 1 and state.src[start] == "*":
        before, after = state.src[max(start - 1, 0) : start], state.src[start + 1 : start + 8]
        if before.isalnum() and after[:1].isalnum():
            never = _GENDER_ENDING.match(after) or (before.isdigit() and after[0].isdigit())
            kind = "text" if never else "within"
            state.tokens[state.delimiters[known].token].meta["star"] = kind
        elif before in _OPENING or after[:1] in _CLOSING_BRACKETS:
            # (*1931), (* 1931), (*): no emphasis ends behind an opening bracket, or begins before a closing one.
            star = state.delimiters[known]
            star.open = star.open and after[:1] not in _CLOSING_BRACKETS
            star.close = star.close and before not in _OPENING
    return True


def _settle_stars(state: StateInline) -> None:
    for delimiters in _delimiter_lists(state):
        _settle(state, [one for one in delimiters if one.marker == _STAR and one.length == 1])


def _delimiter_lists(state: StateInline) -> list[list[Delimiter]]:
    nested = (meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta)
    return [state.delimiters, *nested]


def _settle(state: StateInline, stars: Sequence[Delimiter]) -> None:
    """Let a star within a word open or close only with an edge star that has no partner."""
    kinds = [state.tokens[star.token].meta.get("star", "") for star in stars]
    if not any(kinds):
        return
    spans, single = _pairs_of_edges(stars, kinds)
    for index, star in enumerate(stars):
        if not kinds[index]:
            continue
        star.open = star.close = False
        if kinds[index] == "text" or any(start < index < end for start, end in spans):
            continue
        before = [place for place in single if place < index and stars[place].open]
        behind = [place for place in single if place > index and stars[place].close]
        if before:
            star.close = True
            single.remove(before[-1])
        elif behind:
            star.open = True
            single.remove(behind[0])


def _pairs_of_edges(
    stars: Sequence[Delimiter], kinds: Sequence[str]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the pairs that stars at the edges of words make, and those without a partner."""
    spans: list[tuple[int, int]] = []
    single: list[int] = []
    for index, star in enumerate(stars):
        if kinds[index]:
            continue
        opening = [place for place in single if stars[place].open]
        if star.close and opening:
            spans.append((opening[-1], index))
            single.remove(opening[-1])
        else:
            single.append(index)
    return spans, single


def mark_plugin(parser: MarkdownIt) -> None:
    """Read ``==words==`` as `mark_open` and `mark_close`; never within a word, as in ``a==b``."""
    parser.inline.ruler.before("emphasis", "mark", _mark)
    parser.inline.ruler2.after("balance_pairs", "mark", _close_marks)


def _mark(state: StateInline, silent: bool) -> bool:
    if silent or state.src[state.pos] != "=":
        return False
    start = state.pos
    scanned = state.scanDelims(start, True)
    before, after = state.src[max(start - 1, 0) : start], state.src[start + scanned.length :][:1]
    within_word = before.isalnum() and after.isalnum()
    token = state.push("text", "", 0)
    token.content = "=" * scanned.length
    state.pos += scanned.length
    if scanned.length == 2 and not within_word:
        state.delimiters.append(
            Delimiter(
                marker=_EQUALS,
                length=0,
                token=len(state.tokens) - 1,
                end=-1,
                open=scanned.can_open,
                close=scanned.can_close,
            )
        )
    return True


def _close_marks(state: StateInline) -> None:
    for delimiters in _delimiter_lists(state):
        for opening in delimiters:
            if opening.marker == _EQUALS and opening.end >= 0:
                for delimiter, nesting in ((opening, 1), (delimiters[opening.end], -1)):
                    token = state.tokens[delimiter.token]
                    token.type = "mark_open" if nesting == 1 else "mark_close"
                    token.tag, token.markup, token.content = "mark", "==", ""
                    token.nesting = nesting  # type: ignore[assignment]


def typed_backticks_plugin(parser: MarkdownIt) -> None:
    """Leave backticks alone that stand for other signs: ````…''`` and geht`s; code stays code."""
    parser.inline.ruler.at("backticks", _backticks)


_CLOSING = re.compile(r"(?<=\S)''(?!\w)")
_OPENING_BEHIND = re.compile(r"(?:^|(?<=[\s(\[„–—-]))``(?=[^\s`])")


def _backticks(state: StateInline, silent: bool) -> bool:
    """Read a span of code, unless the backtick is an apostrophe, or two open a quotation that '' closes."""
    start = state.pos
    before, after = state.src[max(start - 1, 0) : start], state.src[start + 1 : start + 2]
    if state.src[start] == "`" and before.isalnum() and after.isalnum():
        if not silent:
            state.append_pending("`")
        state.pos += 1
        return True
    if state.src.startswith("``", start) and not state.src.startswith("```", start):
        end = state.src.find("``", start + 2)
        closing = _CLOSING.search(state.src, start + 2)
        # Where the next two backticks open as well, they are the next quotation, not the end of code.
        if closing and end >= 0 and closing.start() < end and _OPENING_BEHIND.match(state.src, end):
            if not silent:
                state.append_pending("``")
            state.pos += 2
            return True
    return bool(commonmark_backtick(state, silent))
