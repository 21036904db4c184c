"""Typography of inline tokens: across marks and links, never in code and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from upcycle_news.text.smart_quotes import replacements
from upcycle_news.text.typography import (
    dashes,
    has_right_to_left,
    insert_no_break_spaces,
    remove_stray_invisibles,
    typeset,
)

MARKS = "quotation_marks"
"""Name in the environment of a parse: a publication's own quotation marks."""

# What Word's symbol fonts leave, whose private-use characters other fonts show as empty boxes.
_SYMBOL_FONTS = str.maketrans(
    {0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0FC: "✓", 0xF0E0: "→", 0xF0E8: "➔", 0xF04A: "☺", 0xF04C: "☹"}
)  # fmt: skip


def typography_plugin(parser: MarkdownIt, *, language: str) -> None:
    """Set every inline text in `language`."""

    def set_marks(state: StateCore) -> None:
        for token in state.tokens:
            if token.type == "inline" and token.children:
                _set_marks(token.children, language, str(state.env.get(MARKS, "")))

    def set_spaces(state: StateCore) -> None:
        for token in state.tokens:
            if token.type == "inline" and token.children:
                _set_spaces(token.children, language)

    # Escaped characters are tokens of their own only before `text_join`.
    parser.core.ruler.before("text_join", "marks", set_marks)
    parser.core.ruler.after("text_join", "spaces", set_spaces)


def _set_marks(children: Sequence[Token], language: str, marks: str) -> None:
    """Remove stray invisible characters, and set the quotation marks of one block."""
    for token in children:
        if token.type == "text_special" and token.info == "entity":
            token.type = "text"  # a quotation mark as &quot; is one, too
        if token.type == "image":
            _set_marks(token.children or (), language, marks)
            if caption := token.attrGet("title"):
                token.attrSet("title", typeset(str(caption), language, marks))
    right_to_left = any(has_right_to_left(token.content) for token in _prose(children))
    for token in _prose(children):
        text = remove_stray_invisibles(token.content, right_to_left=right_to_left)
        token.content = text.translate(_SYMBOL_FONTS)
    _set_quotes(children, language, marks)


def _prose(children: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens that are text of the author: no addresses, nothing that was escaped."""
    address = False
    for token in children:
        if token.type in ("link_open", "link_close"):
            address = token.type == "link_open" and token.info == "auto"
        elif token.type == "text" and not address:
            yield token


def _set_quotes(children: Sequence[Token], language: str, marks: str) -> None:
    """Set quotation marks by the context of the whole block, whatever marks stand between them."""
    prose = {id(token) for token in _prose(children)}
    shown = [_as_context(token, id(token) in prose) for token in children]
    characters = list("".join(shown))
    changes = replacements("".join(shown), language, marks)
    if not changes:
        return
    is_prose = [
        id(token) in prose for token, text in zip(children, shown, strict=True) for _ in text
    ]
    for start, end, mark in changes:
        if all(is_prose[start:end]):
            characters[start:end] = [mark, *[""] * (end - start - 1)]
    position = 0
    for token, text in zip(children, shown, strict=True):
        if id(token) in prose:
            token.content = "".join(characters[position : position + len(text)])
        position += len(text)


def _as_context(token: Token, is_prose: bool) -> str:
    """Return what a token is to the quotation marks beside it: code and addresses are words."""
    if is_prose:
        return token.content
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "text_special" and not token.content.isalnum():
        return "-" if token.content in "([{<-" else "x"
    return "x" * len(token.content) if token.type != "image" else "x"


def _set_spaces(children: Sequence[Token], language: str) -> None:
    for token in children:
        if token.type == "image":
            _set_spaces(token.children or (), language)
    for token in _prose(children):
        token.content = insert_no_break_spaces(dashes(token.content), language)
