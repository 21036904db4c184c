"""Writes the tree of a manuscript as Markdown: no word changes, and what Markdown lacks is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from upcycle_news.content.manuscripts.css_styles import css_styles
from upcycle_news.content.manuscripts.document import Document
from upcycle_news.content.manuscripts.inline import Piece, write_line
from upcycle_news.text.smart_quotes import typeset

BlockKind = Literal["heading", "paragraph", "picture", "other"]

_SKIPPED = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "title",
        "link",
        "meta",
        "base",
        "nav",
        "input",
        "select",
        "textarea",
        "button",
    ]
)
_FOREIGN = frozenset(
    ["iframe", "object", "embed", "video", "audio", "svg", "math", "canvas", "map", "applet"]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_STYLES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "cite": "italic", "dfn": "italic",
    "var": "italic", "s": "strike", "strike": "strike", "mark": "mark", "sup": "sup", "sub": "sub",
    "code": "code", "kbd": "code", "samp": "code", "tt": "code",
}  # fmt: skip
_RULE = "* * *"
_HEADING = re.compile(r"h([1-6])")


@dataclass(frozen=True)
class Block:
    """A block of Markdown; `plain` is its text without marks, `level` that of a heading or title (0)."""

    kind: BlockKind
    markdown: str
    plain: str = ""
    level: int = 0


@dataclass(frozen=True)
class Written:
    """The blocks of a manuscript in their order, and its footnotes as definitions."""

    blocks: tuple[Block, ...]
    notes: tuple[str, ...]


def write_document(
    document: Document, language: str, picture_name: Callable[[str], str]
) -> Written:
    """Return the blocks of a document; `picture_name` gives the name of a picture's file by its key."""
    writer = _Writer(document, language, picture_name)
    blocks = list(attach_captions(list(writer.container(document.body, frozenset(), None))))
    while blocks and blocks[-1].markdown == _RULE:  # above footnotes, which stand elsewhere now
        blocks.pop()
    return Written(tuple(blocks), tuple(writer.notes))


def join_blocks(blocks: tuple[Block, ...], notes: tuple[str, ...]) -> str:
    """Return blocks as a Markdown text; the highest of their headings becomes ``##``."""
    levels = [block.level for block in blocks if block.kind == "heading"]
    highest = min(levels, default=2)
    lines = []
    for block in blocks:
        text = block.markdown
        if block.kind == "heading":
            text = f"{'#' * min(block.level - highest + 2, 6)} {text}"
        lines.append(text)
    return "\n\n".join([*lines, *notes])


class _Writer:
    """Walks the tree; inline content is collected as pieces, and written a paragraph at a time."""

    def __init__(
        self, document: Document, language: str, picture_name: Callable[[str], str]
    ) -> None:
        self.document = document
        self.losses = document.losses
        self.language = language
        self.picture_name = picture_name
        self.notes: list[str] = []

    def container(self, element: Any, styles: frozenset[str], href: str | None) -> Iterator[Block]:
        """Yield the blocks of an element that may hold blocks, text or both."""
        pieces: list[Piece] = [Piece(element.text or "", styles, href)]
        for child in element:
            if isinstance(child.tag, str) and self._is_block(child):
                yield from self._paragraphs(pieces)
                pieces = []
                yield from self._block(child, styles, href)
            else:
                self._inline(child, styles, href, pieces)
            pieces.append(Piece(child.tail or "", styles, href))
        yield from self._paragraphs(pieces)

    def _is_block(self, element: Any) -> bool:
        if element.tag in _SKIPPED or element.tag in _FOREIGN:
            return False
        if element.tag == "note":  # its paragraphs stand elsewhere
            return False
        return element.tag in _BLOCKS or any(
            isinstance(child.tag, str) and self._is_block(child) for child in element
        )

    def _block(self, element: Any, styles: frozenset[str], href: str | None) -> Iterator[Block]:
        if self._is_hidden(element):
            return
        tag = element.tag
        own = self._own_styles(element, styles)
        if match := _HEADING.fullmatch(tag):
            yield from self._heading(element, int(match[1]))
        elif tag == "p" and element.get("class") == "title":
            yield from self._heading(element, 0)
        elif tag == "p" and element.get("class") == "caption":
            yield from self._caption(element)
        elif tag in ("ul", "ol"):
            yield from self._list(element)
        elif tag == "blockquote":
            inside = "\n\n".join(block.markdown for block in self._flat(element, own, href))
            if inside:
                lines = inside.split("\n")
                yield Block("other", "\n".join(f"> {line}".rstrip() for line in lines))
        elif tag == "table":
            yield from self._table(element)
        elif tag == "pre":
            yield self._code(element)
        elif tag == "hr":
            yield Block("other", _RULE)
        elif tag == "figure":
            yield from self._figure(element)
        elif tag == "dt":
            yield from self.container(element, own | {"bold"}, href)
        elif tag == "a":
            yield from self.container(element, own, self._target(element))
        else:
            yield from self.container(element, own, href)

    def _flat(self, element: Any, styles: frozenset[str], href: str | None) -> Iterator[Block]:
        """Yield blocks whose headings are bold paragraphs: within lists, quotes and notes."""
        for block in self.container(element, styles, href):
            if block.kind == "heading":
                yield Block("paragraph", f"**{block.markdown}**", block.plain)
            else:
                yield block

    def _heading(self, element: Any, level: int) -> Iterator[Block]:
        pieces: list[Piece] = []
        self._children(element, frozenset(), None, pieces)
        # A heading is bold by itself; its lines are one.
        pieces = [
            replace(piece, styles=piece.styles - {"bold"}, text=" " if piece.kind == "break" else piece.text,
                    kind="text" if piece.kind == "break" else piece.kind)
            for piece in pieces
        ]  # fmt: skip
        markdown, plain = write_line(pieces, self.language, self.losses)
        if markdown:
            yield Block("heading", markdown, plain, level)

    def _paragraphs(self, pieces: list[Piece]) -> Iterator[Block]:
        """Yield the paragraphs of inline content: two line ends in a row part them."""
        paragraph: list[Piece] = []
        for position, piece in enumerate(pieces):
            following = next((p for p in pieces[position + 1 :] if p.kind != "text" or p.text.strip()), None)  # fmt: skip
            if piece.kind == "break" and (following is None or following.kind == "break"):
                yield from self._paragraph(paragraph)
                paragraph = []
            else:
                paragraph.append(piece)
        yield from self._paragraph(paragraph)

    def _paragraph(self, pieces: list[Piece]) -> Iterator[Block]:
        markdown, plain = write_line(pieces, self.language, self.losses)
        if not markdown:
            return
        words = [piece for piece in pieces if piece.kind != "text" or piece.text.strip()]
        only_pictures = all(piece.kind == "picture" for piece in words)
        yield Block("picture" if only_pictures else "paragraph", markdown, plain)

    def _children(
        self, element: Any, styles: frozenset[str], href: str | None, pieces: list[Piece]
    ) -> None:
        pieces.append(Piece(element.text or "", styles, href))
        for child in element:
            self._inline(child, styles, href, pieces)
            pieces.append(Piece(child.tail or "", styles, href))

    def _inline(
        self, element: Any, styles: frozenset[str], href: str | None, pieces: list[Piece]
    ) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED or self._is_hidden(element):
            if tag == "nav":
                self.losses.count("navigation")
            return
        own = self._own_styles(element, styles)
        if tag == "br":
            pieces.append(Piece("", styles, href, "break"))
        elif tag == "img":
            self._picture(element, href, pieces)
        elif tag == "note":
            pieces.append(Piece(f"[^{self._note(element)}]", frozenset(), None, "raw"))
        elif tag in _FOREIGN:
            kind = "formula" if tag == "math" else "object"
            self.losses.at(kind, "".join(piece.text for piece in pieces) or self._around(element))
        elif tag == "del":
            self.losses.count("changes")
        elif tag == "a":
            self._children(element, own, self._target(element) or href, pieces)
        elif tag == "q":  # browsers write its marks
            pieces.append(Piece('"', own, href))
            self._children(element, own, href, pieces)
            pieces.append(Piece('"', own, href))
        elif tag == "u":
            self.losses.count("underlined")
            self._children(element, own, href, pieces)
        else:
            if tag in _BLOCKS:
                pieces.append(Piece(" ", styles, href))
            self._children(element, own, href, pieces)

    def _own_styles(self, element: Any, styles: frozenset[str]) -> frozenset[str]:
        if element.tag in _STYLES:
            styles = styles | {_STYLES[element.tag]}
        return css_styles(element, styles)

    def _is_hidden(self, element: Any) -> bool:
        style = (element.get("style") or "").replace(" ", "").lower()
        hidden = element.get("hidden") is not None or re.search(
            r"display:none|visibility:hidden|mso-hide:all|(?<![\w-])(?:opacity|font-size|max-height):0(?![.\d])",
            style,
        )
        if hidden and "".join(element.itertext()).strip():
            self.losses.count("hidden")
        return bool(hidden)

    def _around(self, element: Any) -> str:
        parent = element.getparent()
        return "" if parent is None else "".join(parent.itertext())

    def _target(self, element: Any) -> str | None:
        """Return where a link leads, None where no mail can follow it."""
        target = (element.get("href") or "").strip()
        parts = urlsplit(target) if not re.search(r"[\x00-\x1f]", target) else urlsplit("")
        if parts.netloc.endswith("google.com") and parts.path == "/url":
            target = parse_qs(parts.query).get("q", [target])[0]
            parts = urlsplit(target)
        if (parts.scheme in ("http", "https") and parts.netloc) or parts.scheme == "mailto":
            return target
        if target and not target.startswith("#"):
            self.losses.count("links")
        return None

    def _picture(self, element: Any, href: str | None, pieces: list[Piece]) -> None:
        source = element.get("src") or ""
        if source not in self.document.pictures:
            return
        alt = " ".join((element.get("alt") or "").split())
        self.losses.count("undescribed", int(not alt))
        title = " ".join((element.get("title") or "").split())
        alt, title = typeset(alt, self.language), typeset(title, self.language)
        markdown = f"![{_bracketed(alt)}]({self.picture_name(source)}{_quoted(title)})"
        pieces.append(Piece(markdown, frozenset(), href, "picture"))

    def _note(self, element: Any) -> int:
        """Write a footnote, and return its number."""
        self.notes.append("")
        number = len(self.notes)
        blocks = [block.markdown for block in self._flat(element, frozenset(), None)]
        text = "\n\n".join(blocks).replace("\n", "\n    ")
        self.notes[number - 1] = f"[^{number}]: {text}"
        return number

    def _figure(self, element: Any) -> Iterator[Block]:
        captions = [child for child in element if child.tag == "figcaption"]
        for caption in captions:
            element.remove(caption)
        blocks = list(self.container(element, frozenset(), None))
        for caption in captions:
            blocks = list(self._with_caption(blocks, caption))
        yield from blocks

    def _caption(self, element: Any) -> Iterator[Block]:
        """Yield a caption as a paragraph; `attach_captions` moves it into the picture above it."""
        for block in self.container(element, frozenset(), None):
            yield replace(block, level=-1) if block.kind == "paragraph" else block

    def _with_caption(self, blocks: list[Block], caption: Any) -> Iterator[Block]:
        yield from attach_captions([*blocks, *self._caption(caption)])

    def _code(self, element: Any) -> Block:
        text = "".join(element.itertext()).strip("\n")
        longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
        fence = "`" * max(3, longest + 1)
        return Block("other", f"{fence}\n{text}\n{fence}")

    def _list(self, element: Any) -> Iterator[Block]:
        ordered, odd = element.tag == "ol", _follows_its_like(element)
        is_plain = (element.get("type") or "1") == "1" and element.get("reversed") is None
        if ordered and not is_plain:
            self.losses.count("labels")
        number = _whole(element.get("start"), 1)
        items: list[tuple[str, list[str]]] = []
        for child in element:
            if not isinstance(child.tag, str) or (child.tag != "li" and not len(child)):
                continue
            number = _whole(child.get("value"), number)
            mark = f"{number}{')' if odd else '.'}" if ordered else ("*" if odd else "-")
            blocks = [block.markdown for block in self._flat(child, frozenset(), None)]
            if not blocks:
                continue
            if child.tag != "li" and items:  # a list directly in a list belongs to the item above
                items[-1][1].extend(blocks)
            else:
                items.append((mark, blocks))
                number += 1
        if items:
            yield Block("other", _write_items(items))

    def _table(self, element: Any) -> Iterator[Block]:
        rows = list(_rows(element))
        if not rows:
            return
        width = max(sum(_span(cell, "colspan") for cell in row) for row in rows)
        nested = any(below.tag in ("table", "ul", "ol", "h1", "h2", "h3", "img", "blockquote")
                     for row in rows for cell in row for below in cell.iter())  # fmt: skip
        if width == 1 or (nested and len(rows) == 1):
            for row in rows:
                for cell in row:
                    yield from self.container(cell, frozenset(), None)
            return
        grid = self._grid(rows, width)
        if not any(cell for line in grid for cell in line):
            return
        lines = [f"| {' | '.join(line)} |" for line in grid]
        rule = f"|{' --- |' * width}"
        yield Block("other", "\n".join([lines[0], rule, *lines[1:]]))

    def _grid(self, rows: list[list[Any]], width: int) -> list[list[str]]:
        """Return the cells of a table as Markdown, an empty text where one spans several."""
        taken: dict[tuple[int, int], str] = {}
        merged = False
        for number, row in enumerate(rows):
            column = 0
            for cell in row:
                while (number, column) in taken:
                    column += 1
                across, down = _span(cell, "colspan"), _span(cell, "rowspan")
                merged = merged or across > 1 or down > 1
                for below in range(min(down, len(rows) - number)):
                    for beside in range(across):
                        taken[number + below, column + beside] = ""
                taken[number, column] = self._cell(cell)
                column += across
        if merged:
            self.losses.count("tables")
        return [
            [taken.get((number, column), "") for column in range(width)]
            for number in range(len(rows))
        ]

    def _cell(self, cell: Any) -> str:
        """Return the content of a cell on one line."""
        pieces: list[Piece] = []
        self._children(cell, frozenset(), None, pieces)
        pieces = [Piece(" ", p.styles, p.href) if p.kind == "break" else p for p in pieces]
        if cell.tag == "th":
            pieces = [replace(piece, styles=piece.styles - {"bold"}) for piece in pieces]
        return write_line(pieces, self.language, self.losses)[0]


def _follows_its_like(element: Any) -> bool:
    """Return whether a list has to differ from the one right above it, lest they become one."""
    odd = False
    while (before := element.getprevious()) is not None and before.tag == element.tag:
        if (before.tail or "").strip():
            break
        element, odd = before, not odd
    return odd


def attach_captions(blocks: list[Block]) -> Iterator[Block]:
    """Yield blocks; a plain caption below a picture without one becomes the title of the picture."""
    held: Block | None = None
    for block in blocks:
        caption = block.kind == "paragraph" and block.level == -1
        if caption and held and held.markdown.endswith(")") and not held.markdown.endswith('")'):
            yield replace(held, markdown=f"{held.markdown[:-1]}{_quoted(block.plain)})")
            held = None
            continue
        if held:
            yield held
        held = block if block.kind == "picture" else None
        if held is None:
            yield replace(block, level=0) if caption else block
    if held:
        yield held


def _bracketed(text: str) -> str:
    return re.sub(r"[\\\[\]*_`]", r"\\\g<0>", text)


def _quoted(title: str) -> str:
    if not title:
        return ""
    return ' "' + title.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,8}", text) else default


def _span(cell: Any, name: str) -> int:
    return min(max(_whole(cell.get(name), 1), 1), 50)


def _rows(table: Any) -> Iterator[list[Any]]:
    """Yield the rows of a table as their cells, not those of tables within."""
    for child in table:
        if child.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(child)
        elif child.tag == "tr":
            cells = [cell for cell in child if cell.tag in ("td", "th")]
            if cells:
                yield cells


def _write_items(items: list[tuple[str, list[str]]]) -> str:
    """Return the items of a list; a blank line parts them where one has several paragraphs."""
    loose = any(
        len(blocks) > 1 and not re.match(r"(?:[-*]|\d+[.)]) ", blocks[1]) for _, blocks in items
    )
    lines = []
    for mark, blocks in items:
        indent = " " * (len(mark) + 1)
        text = ("\n\n" if loose else "\n").join(blocks).replace("\n", f"\n{indent}")
        lines.append(f"{mark} {text}")
    text = ("\n\n" if loose else "\n").join(lines)
    return re.sub(r"[ \t]+\n", "\n", text)
