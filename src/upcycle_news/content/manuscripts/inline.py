"""Writes the text of one paragraph as a line of Markdown, with its emphasis, links and line ends."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote

from upcycle_news.content.manuscripts.document import Losses
from upcycle_news.content.plaintext_import import escape_line
from upcycle_news.text.markdown.plain_line import plain_line
from upcycle_news.text.smart_quotes import typeset


@dataclass(frozen=True)
class Piece:
    """A run of text with its styles (bold, italic, strike, mark, sup, sub, code) and its link.

    `raw` and `picture` hold Markdown that stays as it is; `break` is the end of a line.
    """

    text: str
    styles: frozenset[str] = frozenset()
    href: str | None = None
    kind: Literal["text", "break", "raw", "picture"] = "text"


class TooManyPiecesError(ValueError):
    """A paragraph has thousands of changes of its look: no author wrote it."""


_ORDER = ("bold", "italic", "strike", "mark")
_MARKUPS = (
    {"bold": "**", "italic": "*", "strike": "~~", "mark": "=="},
    {"bold": "**", "italic": "_", "strike": "~~", "mark": "=="},
)
# Place holders for markup, while quotation marks are set and signs escaped. They are no characters
# of any text: those of the manuscript's own have been replaced.
_FIRST, _LAST = 0xE000, 0xF8FF
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_SPACE = re.compile("[ \t\r\n\x85\u2028\u2029]+")
_SUPERSCRIPTS = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")


def write_line(pieces: Sequence[Piece], language: str, losses: Losses) -> tuple[str, str]:
    """Return a paragraph as Markdown, and its plain text with quotation marks set.

    Markdown cannot emphasise every piece of a word. What the result would show is compared with what
    it should: if emphasis would show its marks, it is written another way, or left out and counted.
    """
    clean = list(_merged(_tidy(pieces, losses)))
    words = [piece for piece in clean if piece.kind in ("text", "break")]
    if not any(piece.styles.intersection(_ORDER) for piece in words):
        return _write(clean, language, _MARKUPS[0])
    for without in ((), ("italic",), ("bold",), _ORDER):
        if without:
            clean, words = _without(clean, without), _without(words, without)
        for markup in _MARKUPS:
            markdown, plain = _write(words, language, markup)
            shown = plain_line(markdown.replace("\\\n", " "), language)
            if _squeezed(shown) == _squeezed(plain) or without == _ORDER:
                losses.count("emphasis", int(bool(without)))
                return _write(clean, language, markup)
    raise AssertionError("without emphasis there is nothing to compare")


def _without(pieces: Sequence[Piece], styles: Sequence[str]) -> list[Piece]:
    return list(_merged([replace(piece, styles=piece.styles - set(styles)) for piece in pieces]))


def _tidy(pieces: Sequence[Piece], losses: Losses) -> Iterator[Piece]:
    """Yield pieces with single spaces, without control characters, and raised digits as such."""
    ends_with_space = True
    for piece in pieces:
        if piece.kind != "text":
            ends_with_space = piece.kind == "break"
            yield piece
            continue
        text = unicodedata.normalize("NFC", _CONTROLS.sub("", piece.text))
        text = _SPACE.sub(" ", _PRIVATE.sub(_bullet, text))
        if ends_with_space:
            text = text.lstrip(" ")
        if not text:
            continue
        ends_with_space = text.endswith(" ")
        yield from _raised(replace(piece, text=text), losses)


def _bullet(match: re.Match[str]) -> str:
    """Return what stands for a character of the private use area: Word's bullets, else nothing."""
    return "•" if match[0] in "\uf0b7\uf0a7\uf0d8\uf076\uf0a8\uf0fc" else ""


def _raised(piece: Piece, losses: Losses) -> Iterator[Piece]:
    """Yield a piece that is raised or lowered as the characters that are, where there are any."""
    for style, table in (("sup", _SUPERSCRIPTS), ("sub", _SUBSCRIPTS)):
        if style in piece.styles:
            if all(ord(character) in table for character in piece.text.strip()):
                piece = replace(piece, text=piece.text.translate(table))
            else:
                losses.count("raised")
    yield replace(piece, styles=piece.styles - {"sup", "sub"})


def _merged(pieces: Iterator[Piece] | Sequence[Piece]) -> Iterator[Piece]:
    """Yield pieces so that neighbours differ, and no emphasis begins or ends with a space."""
    parts: list[Piece] = []
    for piece in pieces:
        if piece.kind != "text":
            parts.append(piece)
            continue
        core = piece.text.strip(" \xa0")
        if not core:
            parts.append(replace(piece, styles=frozenset(), href=None))
            continue
        start = piece.text.index(core)
        if start:
            parts.append(Piece(piece.text[:start]))
        parts.append(replace(piece, text=core))
        if rest := piece.text[start + len(core) :]:
            parts.append(Piece(rest))
    joined: list[Piece] = []
    for position, piece in enumerate(parts):
        if piece.kind == "text" and not piece.text.strip(" \xa0") and joined:
            # A space between two pieces of one look belongs to both.
            before, after = joined[-1], next(iter(parts[position + 1 :]), None)
            if after and after.kind == before.kind == "text" and after.text.strip(" \xa0"):
                alike = (before.styles, before.href) == (after.styles, after.href)
                shared = before.styles & after.styles
                piece = replace(
                    piece,
                    styles=shared if alike else shared - {"code"},
                    href=before.href if before.href == after.href else None,
                )
        same = joined and piece.kind == joined[-1].kind == "text"
        if same and (piece.styles, piece.href) == (joined[-1].styles, joined[-1].href):
            joined[-1] = replace(joined[-1], text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    yield from joined


def _write(pieces: Sequence[Piece], language: str, markup: dict[str, str]) -> tuple[str, str]:
    """Return Markdown and plain text of tidy pieces."""
    tokens: list[str] = []
    raw: list[str] = []
    stack: list[tuple[str, str]] = []

    def token(text: str) -> None:
        if len(tokens) > _LAST - _FIRST:
            raise TooManyPiecesError
        raw.append(chr(_FIRST + len(tokens)))
        tokens.append(text)

    def close_to(wanted: list[tuple[str, str]]) -> None:
        while stack and stack != wanted[: len(stack)]:
            kind, value = stack.pop()
            token(f"]({_destination(value)})" if kind == "link" else markup[value])

    for piece in pieces:
        wanted = [("link", piece.href)] if piece.href else []
        wanted += [("style", name) for name in _ORDER if name in piece.styles]
        if piece.kind != "text":
            wanted = wanted[:1] if piece.href and piece.kind == "picture" else []
        if piece.kind == "break":
            wanted = list(stack)
        close_to(wanted)
        for kind, value in wanted[len(stack) :]:
            token("[" if kind == "link" else markup[value])
            stack.append((kind, value))
        if piece.kind == "break":
            raw.append("\n")
        elif piece.kind != "text":
            token(piece.text)
        elif "code" in piece.styles and not piece.href and not _is_inside_word(raw):
            token(_code(piece.text))
        elif piece.href and piece.text.strip() in (piece.href, piece.href.removeprefix("mailto:")):
            token(piece.text.replace("]", "\\]"))
        else:
            raw.append(piece.text)
    close_to([])
    return _finish("".join(raw), tokens, language)


def _finish(raw: str, tokens: Sequence[str], language: str) -> tuple[str, str]:
    set_text = typeset(raw.strip(" \xa0\n"), language)
    lines = [line.strip(" \xa0") for line in set_text.split("\n")]
    escaped = "\\\n".join(_escaped(line) for line in lines if line or len(lines) == 1)
    plain = "\n".join(
        _PRIVATE.sub(lambda match: _visible(tokens, match[0]), line) for line in lines
    )
    markdown = _PRIVATE.sub(lambda match: tokens[ord(match[0]) - _FIRST], escaped)
    return markdown, plain.strip()


# Signs that the essays' own rules read beyond CommonMark: marks, notes and tags.
_OWN_SIGNS = re.compile(
    r"(\\.)|==|~|[=!^](?=[\ue000-\uf8ff])|(?<=[\ue000-\uf8ff])=|%%|\$|(?<!\w)\^(?=\w)|:::|\{(?=[#.%{])|<!--"
)


def _escaped(line: str) -> str:
    escaped = escape_line(line)
    return _OWN_SIGNS.sub(
        lambda match: match[1] or "".join(f"\\{sign}" for sign in match[0]), escaped
    )


def _visible(tokens: Sequence[str], holder: str) -> str:
    """Return the text that a piece of markup shows: the code in backticks, the address of a link."""
    text = tokens[ord(holder) - _FIRST]
    if text.startswith("`"):
        return text.strip("`").strip()
    return text if re.match(r"https?://|[^\s\[\]()<>*_~=!]+@", text) else ""


def _is_inside_word(raw: Sequence[str]) -> bool:
    """Return whether what follows touches a letter: a backtick behind one is an apostrophe."""
    before = _PRIVATE.sub("", "".join(raw[-8:]))
    return before[-1:].isalnum()


def _code(text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _destination(href: str) -> str:
    return quote(href, safe="%/:=&?~#+!$,;'@*-._[]") if re.search(r"[\s()<>\\]", href) else href


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)
