"""Essays' Markdown as tokens for a mail or a page, and the HTML fragments of these tokens.

`text.markdown` parses; `plaintext` writes the text part from the same tokens, so both parts have the same
words and links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict, OptionsType

from upcycle_news.models import Essay
from upcycle_news.rendering.images import DisplayedImage
from upcycle_news.text.image_paths import image_path
from upcycle_news.text.markdown.fenced_blocks import FencedBlock, end_of_block, read_block
from upcycle_news.text.markdown.parser import markdown_parser, parse_body


class FootnoteRules:
    """Renderer rules for footnotes; `note_labels` in the environment turns them into links.

    In a mail a footnote's number is no link: anchors do not work in most mail programs.
    """

    def footnote_ref(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        number, again = tokens[idx].meta["id"] + 1, tokens[idx].meta.get("subId", 0)
        if not env["note_labels"]:
            return f"<sup>{number}</sup>"
        name = escape(f"{env['note_labels'][0]} {number}")
        anchor = f' id="zu-{number}"' if not again else ""
        return f'<sup{anchor}><a href="#note-{number}" aria-label="{name}">{number}</a></sup>'

    def footnote_block_open(self, *_: Any) -> str:
        return '<ol class="notes">\n'

    def footnote_block_close(self, *_: Any) -> str:
        return "</ol>\n"

    def footnote_open(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        return f'<li id="note-{tokens[idx].meta["id"] + 1}">' if env["note_labels"] else "<li>"

    def footnote_close(self, *_: Any) -> str:
        return "</li>\n"

    def footnote_anchor(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        if not env["note_labels"] or tokens[idx].meta.get("subId", 0):
            return ""
        number, name = tokens[idx].meta["id"] + 1, escape(env["note_labels"][1])
        return f' <a class="back" href="#zu-{number}" aria-label="{name} {number}">↑</a>'


@dataclass(frozen=True)
class Reference:
    """A link or an image of an essay as written, with its 1-based line within the body.

    `text` is the text of a link, or the alt text of an image.
    """

    kind: Literal["link", "image"]
    target: str
    line: int
    text: str = ""


def parse_essay(essay: Essay, marks: str = "") -> list[Token]:
    """Return the tokens of an essay as it is shown below its title; see `parse`."""
    return parse(
        essay.body, language=essay.language, title=essay.title, author=essay.author, marks=marks
    )


def parse(
    body: str,
    *,
    language: str,
    below: int | None = 1,
    title: str = "",
    author: str = "",
    marks: str = "",
) -> list[Token]:
    """Parse Markdown into tokens: typography applied, dead links dropped, headings demoted.

    `below` is the level of the heading above the essay: its first level becomes
    `below` + 1, and no level is skipped on the way down. With None they stay as written.
    A first line that repeats `title` or `author` is left out.
    """
    tokens = parse_body(body, language=language, title=title, author=author, marks=marks)
    if below is not None:
        _demote(tokens, below)
    for token in tokens:
        if token.type == "inline" and token.children is not None:
            token.children = _drop_dead_links(token.children)
    return tokens


WriteBlock = Callable[[FencedBlock, Callable[[Sequence[Token]], str], str], str]
"""Returns a fenced block as HTML: of the block, a writer of inline tokens, and the HTML of its body."""


def to_html(
    tokens: Sequence[Token],
    images: Mapping[str, DisplayedImage],
    language: str,
    *,
    write_block: WriteBlock = lambda block, inline, body: body,
    note_labels: tuple[str, str] | None = None,
) -> str:
    """Return tokens as a well-formed HTML fragment; `images` by their path in content/images.

    `write_block` writes fenced blocks; without it only their text is shown. With `note_labels`, the accessible names of links to a footnote and back, footnotes are linked
    and elements are HTML's rather than XML's: for a web page.
    """
    given = markdown_parser(language).options
    xhtml = note_labels is None
    options = OptionsDict(cast(OptionsType, {**given, "xhtmlOut": xhtml}))
    env = {"images": images, "note_labels": note_labels, "write_block": write_block}
    html: str = _RENDERER.render(tokens, options, env)
    return html


def opening_blocks(tokens: Sequence[Token], words: int) -> list[Token]:
    """Return the first blocks of an essay with their footnotes: at least one block.

    They end at the first heading, or after the block in which the number of `words` is reached.
    """
    blocks: list[Token] = []
    count = depth = 0
    for position, token in enumerate(tokens):
        if depth == 0 and blocks and (count >= words or token.type == "heading_open"):
            return blocks + _notes_of(blocks, tokens[position:])
        depth += token.nesting
        count += len(token.content.split()) if token.type == "inline" else 0
        blocks.append(token)
    return blocks


OPENING = 120
"""Words after which the opening of an essay ends, at the end of a paragraph."""

LONG_OPENING = 5 * OPENING
"""Words of an opening above which it is no longer one."""


def long_opening(essay: Essay) -> tuple[int, int] | None:
    """Return the words of an essay's opening and its 1-based line in the file, where it is too long.

    An opening ends with a block: one that goes on and on is shown as a whole.
    """
    opening = opening_blocks(parse_essay(essay), OPENING)
    texts = [token for token in opening if token.type == "inline"]
    count = sum(len(token.content.split()) for token in texts)
    if count <= LONG_OPENING:
        return None
    longest = max(texts, key=lambda token: len(token.content))
    return count, essay.body_line + (longest.map[0] if longest.map else 0)


def _notes_of(blocks: Sequence[Token], rest: Sequence[Token]) -> list[Token]:
    """Return the footnotes of `blocks`, which are the first ones: numbers follow their order."""
    wanted = {
        child.meta["id"]
        for token in blocks
        for child in token.children or ()
        if child.type == "footnote_ref"
    }
    notes: list[Token] = []
    inside = False
    for token in rest:
        if token.type == "footnote_open":
            inside = token.meta["id"] in wanted
        if inside:
            notes.append(token)
        if token.type == "footnote_close":
            inside = False
    if not notes:
        return []
    return [
        Token("footnote_block_open", "", 1),
        *notes,
        Token("footnote_block_close", "", -1),
    ]


def references(body: str) -> tuple[Reference, ...]:
    """Return all links and images of an essay as written, valid or not."""
    return tuple(_references(parse_body(body, language="de")))


def is_mail_link(target: str) -> bool:
    """Return whether a link can be followed from a mail: http, https or mailto."""
    parts = urlsplit(target)
    return (parts.scheme in ("http", "https") and bool(parts.netloc)) or (
        parts.scheme == "mailto" and bool(parts.path)
    )


class _Renderer(FootnoteRules, RendererHTML):
    """Writes HTML for mails: only the issue's images, tables that scroll on phones and by key."""

    def render(
        self, tokens: Sequence[Token], options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        shown: list[Token] = []
        position = 0
        while position < len(tokens):
            if tokens[position].type == "fenced_block_open":
                shown.append(self.block(read_block(tokens, position), options, env))
                position = end_of_block(tokens, position)
            else:
                shown.append(tokens[position])
            position += 1
        return str(super().render(shown, options, env))

    def block(
        self, block: FencedBlock, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> Token:
        """Return a fenced block as one token of finished HTML."""

        def inline(tokens: Sequence[Token]) -> str:
            return self.renderInline(tokens, options, env)

        body = self.render(block.body, options, env).strip()
        return Token("html_block", "", 0, content=env["write_block"](block, inline, body) + "\n")

    def image(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children or [], options, env)
        path = image_path(str(token.attrs.get("src", "")))
        image: DisplayedImage | None = env["images"].get(path)
        shown = escape(alt) if image is None else image.tag(alt)
        caption = escape(str(token.attrs.get("title", "")))
        if not caption:
            return shown
        line_break = self.hardbreak(tokens, idx, options, env).rstrip()
        more = line_break if idx + 1 < len(tokens) else ""
        return f'{shown}{line_break}<span class="caption soft">{caption}</span>{more}'

    def blockquote_open(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        opened = self.renderToken(tokens, idx, options, env)
        return opened + _QUOTED if _in_table(tokens[idx], env) else opened

    def blockquote_close(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        return ("</td></tr></table>" if _in_table(tokens[idx], env) else "") + "</blockquote>\n"

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll"><div tabindex="0"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div></div>\n"

    def th_open(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        tokens[idx].attrSet("scope", "col")
        return self.renderToken(tokens, idx, options, env)


_QUOTED = (
    '<table class="quotation" role="presentation" cellpadding="0" cellspacing="0">'
    '<tr><td class="quoted">\n'
)
_DEEPEST_TABLE = 3
"""Levels of quotations and lists above a quotation that still gets its table: MJML limits nesting."""


def _in_table(token: Token, env: Mapping[str, Any]) -> bool:
    """Return whether a quotation stands in a cell, as Outlook for Windows needs it; a web page does not."""
    return not env["note_labels"] and token.level <= _DEEPEST_TABLE


_RENDERER = _Renderer()


def _demote(tokens: list[Token], below: int) -> None:
    openings = [token for token in tokens if token.type == "heading_open"]
    ranks = sorted({token.tag for token in openings})
    previous = below
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            # Also an essay that begins with ### and goes on with ## stays in order.
            level = min(below + 1 + ranks.index(token.tag), previous + 1, 6)
            previous = level
            token.tag = f"h{level}"
            tokens[position + 2].tag = token.tag


def _drop_dead_links(children: list[Token]) -> list[Token]:
    tokens: list[Token] = []
    dead = False
    for token in children:
        if token.type == "link_open" and not is_mail_link(str(token.attrs.get("href", ""))):
            dead = True
        elif token.type == "link_close" and dead:
            dead = False
        else:
            tokens.append(token)
    return tokens


def _references(tokens: Sequence[Token]) -> Iterator[Reference]:
    for block in tokens:
        line = block.map[0] + 1 if block.map else 1
        children = block.children or ()
        for position, token in enumerate(children):
            if token.type == "link_open":
                target = str(token.attrs.get("href", ""))
                yield Reference("link", target, line, _link_text(children[position + 1 :]))
            elif token.type == "image":
                yield Reference("image", str(token.attrs.get("src", "")), line, token.content)
            elif token.type in ("softbreak", "hardbreak"):
                line += 1


def _link_text(tokens: Sequence[Token]) -> str:
    """Return the text up to the end of the link that has just begun."""
    text = ""
    for token in tokens:
        if token.type == "link_close":
            break
        text += " " if token.type == "softbreak" else token.content
    return text
