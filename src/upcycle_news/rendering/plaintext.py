"""Writes the text part of a mail from Markdown tokens, never from HTML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markdown_it.common.normalize_url import normalizeLinkText
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from upcycle_news.text.markdown.fenced_blocks import FencedBlock, read_block

WIDTH = 72

WordsOf = Callable[[FencedBlock], tuple[str, Sequence[str], Sequence[str]]]
"""Returns what a fenced block says: a label before its title, lines below the title, and below the text."""

_BLOCK_MARKS = {"box": "| ", "event": "| ", "quote": "> "}


@dataclass
class NumberedLinks:
    """The numbered links of a text: the same URL keeps its number."""

    urls: list[str] = field(default_factory=list)

    def number(self, url: str) -> int:
        """Return the number of a URL, a new one for a new URL."""
        if url not in self.urls:
            self.urls.append(url)
        return self.urls.index(url) + 1


def to_text(
    tokens: Sequence[Token],
    *,
    image_label: str,
    words_of: WordsOf = lambda block: ("", (), ()),
) -> tuple[str, tuple[str, ...]]:
    """Return tokens as wrapped plain text with links as ``[1]``, and the URLs of these links.

    `image_label` precedes the alt text of an image, as in ``[Bild: Der Marktplatz]``; `words_of` is
    asked for what fenced blocks say beside their title and text.
    """
    writer = _TextWriter(image_label, words_of)
    lines = writer.blocks(SyntaxTreeNode(tokens).children, WIDTH)
    return "\n".join(lines), tuple(writer.links.urls)


def wrap(text: str, width: int = WIDTH, first: str = "", rest: str | None = None) -> str:
    """Wrap a paragraph at `width` columns; URLs are never broken.

    `first` precedes the first line, `rest` (spaces of the same length unless given) the others.
    """
    rest = " " * len(first) if rest is None else rest
    paragraphs = [
        textwrap.wrap(
            line,
            width,
            initial_indent=first if number == 0 else rest,
            subsequent_indent=rest,
            expand_tabs=False,  # a tab is a blank, as in the HTML
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [(first if number == 0 else rest).rstrip()]
        for number, line in enumerate(text.split("\n"))
    ]
    return "\n".join(line for paragraph in paragraphs for line in paragraph)


def underline(text: str, character: str = "-", width: int = WIDTH) -> str:
    """Return a heading with a line of `character` below it, as long as its longest line."""
    wrapped = wrap(text, width)
    longest = max(len(line) for line in wrapped.split("\n"))
    return f"{wrapped}\n{character * min(longest, width)}"


def superscript(number: int) -> str:
    """Return a number in superscript digits: ``¹²``."""
    return str(number).translate(_SUPERSCRIPT_DIGITS)


_SUPERSCRIPT_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class _TextWriter:
    """Writes the nodes of an essay; every method returns lines that fit into the given width."""

    def __init__(self, image_label: str, words_of: WordsOf) -> None:
        self.links = NumberedLinks()
        self.image_label, self.words_of = image_label, words_of

    def blocks(self, nodes: Iterable[SyntaxTreeNode], width: int) -> list[str]:
        lines: list[str] = []
        for node in nodes:
            block_lines = self.block(node, width)
            if lines and block_lines:
                lines.append("")
            lines.extend(block_lines)
        return lines

    def block(self, node: SyntaxTreeNode, width: int) -> list[str]:
        writers: dict[str, Callable[[SyntaxTreeNode, int], list[str]]] = {
            "heading": self.heading,
            "blockquote": self.blockquote,
            "bullet_list": self.items,
            "ordered_list": self.items,
            "table": self.table,
            "fence": self.code,
            "code_block": self.code,
            "footnote_block": self.notes,
            "fenced_block": self.fenced_block,
            "hr": lambda _node, wide: ["* * *".center(wide).rstrip()],
        }
        return writers.get(node.type, self.paragraph)(node, width)

    def paragraph(self, node: SyntaxTreeNode, width: int) -> list[str]:
        return wrap(self.inline(node), width).split("\n")

    def heading(self, node: SyntaxTreeNode, width: int) -> list[str]:
        text = self.inline(node).replace("\n", " ")
        wrapped = underline(text, "-", width) if node.tag in ("h1", "h2") else wrap(text, width)
        return wrapped.split("\n")

    def blockquote(self, node: SyntaxTreeNode, width: int) -> list[str]:
        return [f"> {line}".rstrip() for line in self.blocks(node.children, max(width - 2, 20))]

    def fenced_block(self, node: SyntaxTreeNode, width: int) -> list[str]:
        """Write a box or an event behind a line at its left, a button with its address, a quotation."""
        block = read_block(node.to_tokens(), 0)
        if block.kind == "button" and (button := block.button_link()):
            text = self.inline(SyntaxTreeNode([Token("inline", "", 0, children=list(button[0]))]))
            return wrap(f"{text}: {_shown_address(button[1])}", width).split("\n")
        mark = _BLOCK_MARKS.get(block.kind, "")
        inner = max(width - len(mark), 20)
        label, below_title, below_text = self.words_of(block)
        titled = node.children and node.children[0].type == "fenced_title"
        title = self.inline(node.children[0].children[0]) if titled else ""
        if title and not label:
            title = f"*{title}*"
        head = [": ".join(filter(None, (label, title))), *below_title]
        parts = [
            [line for text in head if text for line in wrap(text, inner).split("\n")],
            self.blocks(node.children[1:] if titled else node.children, inner),
            [line for text in below_text for line in wrap(text, inner).split("\n")],
        ]
        lines: list[str] = []
        for part in filter(None, parts):
            lines += ["", *part] if lines else part
        return [f"{mark}{line}".rstrip() for line in lines]

    def items(self, node: SyntaxTreeNode, width: int) -> list[str]:
        number = int(node.attrs.get("start", 1)) - 1
        lines: list[str] = []
        loose = any(not child.hidden for item in node.children for child in item.children[:1])
        for item in node.children:
            number = int(item.attrs.get("value", number + 1))
            mark = f"{number}{item.markup} " if node.type == "ordered_list" else "- "
            inner = self.blocks(item.children, max(width - len(mark), 20)) or [""]
            if not loose:  # a nested list follows the line above it directly
                inner = _without_blank_lines(inner) or [""]
            if lines and loose:
                lines.append("")
            lines.append((mark + inner[0]).rstrip())
            lines.extend((" " * len(mark) + line).rstrip() for line in inner[1:])
        return lines

    def notes(self, node: SyntaxTreeNode, width: int) -> list[str]:
        lines = ["-" * 20]
        for number, note in enumerate(node.children, 1):
            mark = f"{superscript(number)} "
            inner = _without_blank_lines(
                self.blocks(note.children, max(width - len(mark), 20))
            ) or [""]
            lines.append((mark + inner[0]).rstrip())
            lines.extend((" " * len(mark) + line).rstrip() for line in inner[1:])
        return lines

    def code(self, node: SyntaxTreeNode, width: int) -> list[str]:
        del width  # code keeps its own lines
        return [f"    {line}".rstrip() for line in node.content.rstrip("\n").split("\n")]

    def table(self, node: SyntaxTreeNode, width: int) -> list[str]:
        rows = [
            [self.inline(cell).replace("\n", " ") for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 3 * (len(widths) - 1) > width:
            return self.stacked_table(rows, width)
        sides = [str(cell.attrs.get("class", "")) for cell in node.children[0].children[0].children]
        lines = [" | ".join(map(_aligned, row, widths, sides)).rstrip() for row in rows]
        return [lines[0], "-+-".join("-" * size for size in widths), *lines[1:]]

    def stacked_table(self, rows: Sequence[Sequence[str]], width: int) -> list[str]:
        """Write a table that is too wide: a paragraph for each row, cells with their column's name."""
        lines: list[str] = []
        for row in rows[1:]:
            if lines:
                lines.append("")
            for name, cell in zip(rows[0], row, strict=True):
                text = f"{name}: {cell}" if name else cell
                lines.extend(wrap(text, width, "", "  ").split("\n"))
        return lines

    def inline(self, node: SyntaxTreeNode) -> str:
        text = "".join(self.span(child) for child in node.children)
        return re.sub(r" *\n *", "\n", text)

    def span(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "image":
                return self.image(node)
            case "link":
                return self.link(node)
            case "footnote_ref":
                return superscript(node.meta["id"] + 1)
            case "footnote_anchor":
                return ""
            case "strong":
                return f"*{self.inline(node)}*"
            case "em":
                return f"_{self.inline(node)}_"
            case "s":
                return f"~~{self.inline(node)}~~"
            case _:
                return self.inline(node)

    def image(self, node: SyntaxTreeNode) -> str:
        """Write an image as its alt text, and its caption below it or, within a sentence, behind it."""
        text = f"[{self.image_label}: {self.inline(node)}]"
        caption = str(node.attrs.get("title", ""))
        between = "\n" if len(node.siblings) == 1 else " "
        return f"{text}{between}{caption}" if caption else text

    def link(self, node: SyntaxTreeNode) -> str:
        text, url = self.inline(node), str(node.attrs["href"])
        if url.startswith("mailto:") and "?" not in url:
            url = url.removeprefix("mailto:")
        if node.info == "auto" or text in (url, normalizeLinkText(url)):
            return text if "?" in text else text.removeprefix("mailto:")
        return f"{text} [{self.links.number(url)}]"


def _shown_address(url: str) -> str:
    """Return an address as it is typed; of a mail with a subject the receiver, who can be written to."""
    return url.removeprefix("mailto:").partition("?")[0] if url.startswith("mailto:") else url


def _aligned(cell: str, size: int, side: str) -> str:
    return {"right": cell.rjust, "center": cell.center}.get(side, cell.ljust)(size)


def _without_blank_lines(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line]
