"""The colours of texts and of the grounds below them, as a finished mail or page shows them.

Light and dark are computed as a browser does it: the style sheet of the page is written into its elements (with
what it says for the dark, for the dark), and each text has the colour and the ground nearest above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from css_inline import CSSInliner

_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DARK = re.compile(r"@media[^{]*prefers-color-scheme:\s*dark[^{]*\{")
_AT_BLOCK = re.compile(r"@[\w-]+[^{};]*\{")
_VARIABLE = re.compile(r"(--[\w-]+)\s*:\s*([^;{}]+)")
_USE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,[^()]*)?\)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?!url\b)[a-z]+\([^)]*\)|\b[a-z]+\b", re.IGNORECASE)
_NO_GROUND = frozenset({"transparent", "none", "inherit", "initial", "unset", "currentcolor"})
_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
_SILENT = frozenset({"style", "title", "script", "template"})


@dataclass(frozen=True)
class ColourPair:
    """A text's colour and that of the ground below it, and the piece (class or tag) where they meet."""

    text: str
    ground: str
    piece: str


def colour_pairs(html: str, style: str, *, dark: bool) -> Iterator[ColourPair]:
    """Yield the pairs of a page with the style sheet that it loads, in the light or in the dark."""
    sheet = computed_sheet("\n".join((style, *_STYLE.findall(html))), dark=dark)
    reader = _Reader(dark=dark)
    reader.feed(_inliner(sheet).inline(html))
    reader.close()
    yield from dict.fromkeys(reader.pairs)


def computed_sheet(css: str, *, dark: bool) -> str:
    """Return the rules that hold on a wide screen, without those for the dark unless it is, and no ``var()``."""
    css = _COMMENT.sub("", css)
    in_the_dark = [body for head, body in _at_blocks(css) if _DARK.match(head)] if dark else []
    for head, body in _at_blocks(css):
        css = css.replace(f"{head}{body}}}", "", 1)
    css = "\n".join((css, *in_the_dark))
    variables = dict(_VARIABLE.findall(css))
    return _USE.sub(lambda use: variables.get(use[1], "inherit").strip(), css)


def _at_blocks(css: str) -> list[tuple[str, str]]:
    """Return head (with its brace) and contents of the outermost ``@media`` and the like."""
    blocks: list[tuple[str, str]] = []
    position = 0
    while match := _AT_BLOCK.search(css, position):
        depth, end = 1, match.end()
        while depth and end < len(css):
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        blocks.append((match[0], css[match.end() : end - 1]))
        position = end
    return blocks


@lru_cache(maxsize=8)  # the pages of an archive share a style sheet
def _inliner(css: str) -> CSSInliner:
    from css_inline import CSSInliner

    return CSSInliner(
        inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False, extra_css=css
    )


@dataclass(frozen=True)
class _Element:
    tag: str
    text: str
    ground: str
    piece: str
    hidden: bool


class _Reader(HTMLParser):
    """Reads pairs from HTML whose styles all stand in attributes; what nobody sees has none."""

    def __init__(self, *, dark: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: list[ColourPair] = []
        # Where a page says nothing it is black on white; in the dark each program has colours of its own.
        text, ground = ("", "") if dark else ("#000000", "#ffffff")
        self._open = [_Element("", text, ground, "page", False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._element(tag, {name: value or "" for name, value in attrs})
        if tag == "input" and not element.hidden:
            self._add(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        for position in range(len(self._open) - 1, 0, -1):
            if self._open[position].tag == tag:
                del self._open[position:]
                return

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._open[-1].hidden:
            self._add(self._open[-1])

    def _add(self, element: _Element) -> None:
        if element.text and element.ground:
            self.pairs.append(ColourPair(element.text, element.ground, element.piece))

    def _element(self, tag: str, attributes: dict[str, str]) -> _Element:
        around, style = self._open[-1], _declarations(attributes.get("style", ""))
        text = _first_colour(style.get("color", "")) or around.text
        ground = _first_colour(style.get("background", "")) or attributes.get("bgcolor", "")
        hidden = (
            around.hidden
            or tag in _SILENT
            or style.get("display", "").startswith("none")
            or "hidden" in attributes
            or (tag == "input" and attributes.get("type") in ("hidden", "checkbox", "radio"))
        )
        piece = attributes.get("class", "").split(" ")[0] or (
            tag if tag not in ("div", "span", "tbody", "tr", "strong", "em") else around.piece
        )
        return _Element(tag, text, ground or around.ground, piece, hidden)


def _declarations(style: str) -> dict[str, str]:
    """Return the declarations of a style attribute, ``background-color`` as the shorthand that sets it, too.

    A later one overrules an earlier one, but none that is !important.
    """
    found: dict[str, str] = {}
    for part in style.split(";"):
        written, _, value = part.partition(":")
        name = written.strip().lower().replace("background-color", "background")
        if "!important" in value or "!important" not in found.get(name, ""):
            found[name] = value.strip()
    return found


def _first_colour(value: str) -> str:
    """Return the colour that a value begins with or holds; empty for none and for what lets the ground through."""
    match = _COLOUR.search(value.replace("!important", ""))
    return match[0].lower() if match and match[0].lower() not in _NO_GROUND else ""
