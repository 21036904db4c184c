r"""An essay's text as its checks look at it: the tokens that rendering makes, with what was typed.

The parser is the one of rendering, so a finding and the mail cannot disagree about what is markup. Only
escaped signs are kept apart from others, since ``\[[`` is meant as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from upcycle_news.models import Essay
from upcycle_news.text.markdown.parser import build_parser
from upcycle_news.text.markdown.source import prepare
from upcycle_news.text.markdown.title import AUTHOR, TITLE

OPAQUE = "\ufffc"
"""Stands for what is no prose: a picture, code, an escaped sign."""

_ADDRESS_SIGNS = str.maketrans(dict.fromkeys("*_~^=$[]{}", OPAQUE))


@dataclass(frozen=True)
class Block:
    """The prose of a paragraph, a heading or a cell, its lines parted by newlines.

    `text` is what readers see; in `typed`, of the same length, signs that were escaped are `OPAQUE`, as
    code and pictures are in both. `kind` is the type of the token around it without ``_open``.
    """

    kind: str
    line: int
    text: str
    typed: str

    def lines(self) -> Iterator[tuple[int, str, str]]:
        """Yield the 1-based number, `text` and `typed` of each line."""
        pairs = zip(self.text.split("\n"), self.typed.split("\n"), strict=True)
        for number, (text, typed) in enumerate(pairs, self.line):
            yield number, text, typed

    def line_at(self, position: int) -> int:
        """Return the number of the line that a position in `text` belongs to."""
        return self.line + self.text.count("\n", 0, position)


@dataclass(frozen=True)
class Definition:
    """The definition of a footnote or of a link's address, with its 1-based line."""

    label: str
    line: int


@dataclass
class ParsedEssay:
    """Blocks of prose and all tokens of an essay; the footnotes and addresses that it defines.

    `lines` are those of the body that the parser got; `notes` has every footnote in its order,
    `unused_notes` those that nothing refers to; `unused_links` are addresses that no link takes,
    `repeated_links` those that an earlier one of the same name hides.
    """

    lines: list[str]
    tokens: Sequence[Token]
    blocks: tuple[Block, ...]
    notes: tuple[Definition, ...] = ()
    unused_notes: tuple[Definition, ...] = ()
    unused_links: tuple[Definition, ...] = ()
    repeated_links: tuple[Definition, ...] = ()


def parse_essay(essay: Essay) -> ParsedEssay:
    """Parse an essay with the parser of rendering; lines are those of its body as written."""
    source = prepare(essay.body)
    env: dict[str, Any] = {TITLE: essay.title, AUTHOR: essay.author}
    tokens = _parser(essay.language).parse(source, env)
    refs = env.get("footnotes", {}).get("refs", {})
    notes = tuple(Definition(label, line + 1) for label, line in env.get("note_lines", ()))
    return ParsedEssay(
        lines=source.split("\n"),
        tokens=tokens,
        blocks=tuple(_blocks(tokens)),
        notes=notes,
        unused_notes=tuple(note for note in notes if refs.get(f":{note.label}", 0) < 0),
        unused_links=tuple(_unused_links(env, tokens)),
        repeated_links=tuple(
            Definition(entry["label"], entry["map"][0] + 1)
            for entry in env.get("duplicate_refs", ())
        ),
    )


@lru_cache(maxsize=4)
def _parser(language: str) -> MarkdownIt:
    parser = build_parser(language)  # one of our own, to change it
    parser.options["store_labels"] = True  # by which links tell the definition they took
    parser.core.ruler.before("footnote_tail", "note_lines", _keep_note_lines)
    parser.disable("text_join")  # it would make text of escaped signs
    return parser


def _keep_note_lines(state: StateCore) -> None:
    """Keep label and line of each footnote before those that nothing refers to are dropped."""
    state.env["note_lines"] = [
        (token.meta["label"], token.map[0])
        for token in state.tokens
        if token.type == "footnote_reference_open" and token.map
    ]


def _unused_links(env: dict[str, Any], tokens: Sequence[Token]) -> Iterator[Definition]:
    used = {
        child.meta["label"]
        for token in tokens
        for child in _all(token.children)
        if "label" in child.meta
    }
    for label, entry in env.get("references", {}).items():
        # [//]: # (…) is how Markdown without comments has comments.
        if label not in used and entry["href"] not in ("", "#"):
            yield Definition(label, entry["map"][0] + 1)


def _all(tokens: Sequence[Token] | None) -> Iterator[Token]:
    for token in tokens or ():
        yield token
        yield from _all(token.children)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    for position, token in enumerate(tokens):
        if token.type != "inline":
            continue
        text = typed = ""
        in_address = False
        for child in token.children or ():
            shown, meant = _prose(child, in_address)
            text, typed = text + shown, typed + meant
            if child.type in ("link_open", "link_close"):
                in_address = child.nesting == 1 and child.markup in ("autolink", "linkify")
        if text:
            kind = tokens[position - 1].type.removesuffix("_open") if position else ""
            yield Block(kind, token.map[0] + 1 if token.map else 1, text, typed)


def _prose(token: Token, in_address: bool) -> tuple[str, str]:
    """Return what a token shows and what of it was typed as it stands."""
    if token.type in ("softbreak", "hardbreak"):
        return "\n", "\n"
    if token.type in ("code_inline", "image"):
        return OPAQUE, OPAQUE
    if token.type not in ("text", "text_special"):
        return "", ""
    if token.info in ("escape", "entity") and token.content != token.markup:
        return token.content, OPAQUE * len(token.content)  # \* and &ast;, but not the \t of C:\temp
    if in_address:
        return token.content, token.content.translate(_ADDRESS_SIGNS)
    return token.content, token.content
