"""What the styles of an OpenDocument text make of paragraphs, spans and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from upcycle_news.content.manuscripts.document import TextFormat

_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_FO = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"

_QUOTES = ("quotations", "quote", "block quotation", "zitat")
_CAPTIONS = ("illustration", "figure", "caption", "drawing", "abbildung", "beschriftung")


class OdtStyles:
    """The styles of a document by family and name, from ``styles.xml`` and ``content.xml``."""

    def __init__(self, roots: list[Any]) -> None:
        """Read the styles below these elements; later ones win."""
        self._styles: dict[tuple[str, str], Any] = {}
        self._lists: dict[str, Any] = {}
        self.language = ""
        for root in roots:
            for style in root.iter(f"{_STYLE}style") if root is not None else ():
                key = (style.get(f"{_STYLE}family", ""), style.get(f"{_STYLE}name", ""))
                self._styles[key] = style
            for style in root.iter(f"{_TEXT}list-style") if root is not None else ():
                self._lists[style.get(f"{_STYLE}name", "")] = style
            for style in root.iter(f"{_STYLE}default-style") if root is not None else ():
                self._read_language(style)

    def _read_language(self, style: Any) -> None:
        properties = style.find(f"{_STYLE}text-properties")
        if style.get(f"{_STYLE}family") == "paragraph" and properties is not None:
            language = properties.get(f"{_FO}language", "")
            self.language = "" if language in ("none", "zxx") else language

    def _chain(self, family: str, name: str) -> Iterator[Any]:
        seen: set[str] = set()
        while (family, name) in self._styles and name not in seen:
            seen.add(name)
            style = self._styles[family, name]
            yield style
            name = style.get(f"{_STYLE}parent-style-name", "")

    def role(self, name: str) -> str:
        """Return what a paragraph is: ``title``, ``heading-2``, ``quote``, ``caption`` or nothing of these."""
        names = [name] if ("paragraph", name) not in self._styles else []
        for style in self._chain("paragraph", name):
            shown = style.get(f"{_STYLE}display-name") or style.get(f"{_STYLE}name", "")
            names += [shown, style.get(f"{_STYLE}parent-style-name", "")]
        for written in names:
            known = re.sub(
                r"_([0-9a-f]{2})_", lambda match: chr(int(match[1], 16)), written
            ).lower()
            if known in ("title", "titel"):
                return "title"
            if match := re.fullmatch(r"(?:heading|überschrift) ?([1-6])", known):
                return f"heading-{match[1]}"
            if known in _QUOTES:
                return "quote"
            if known in _CAPTIONS:
                return "caption"
        return ""

    def hides(self, name: str) -> bool:
        """Return whether the style of a paragraph hides its text."""
        for style in self._chain("paragraph", name):
            properties = style.find(f"{_STYLE}text-properties")
            if properties is not None and (shown := properties.get(f"{_TEXT}display")):
                return bool(shown == "none")
        return False

    def format_of_paragraph(self, name: str) -> TextFormat:
        """Return the format that an author gave a whole paragraph, which its automatic style holds.

        What the named styles above it look like is no emphasis: a heading is bold, a caption slanted.
        """
        style = self._styles.get(("paragraph", name))
        parent = style.getparent() if style is not None else None
        if parent is None or not parent.tag.endswith("}automatic-styles"):
            return TextFormat()
        return self._format([style], set())

    def format_of_span(self, name: str) -> TextFormat:
        """Return the format of a span by its style and those it descends from."""
        styles = [*self._chain("text", name)]
        names = {
            (style.get(f"{_STYLE}display-name") or style.get(f"{_STYLE}name", "")).replace(
                "_20_", " "
            )
            for style in styles
        } | {name.replace("_20_", " ")}
        return self._format(styles, names)

    def _format(self, styles: list[Any], names: set[str]) -> TextFormat:
        def value(attribute: str) -> str:
            for style in styles:
                properties = style.find(f"{_STYLE}text-properties")
                if properties is not None and (found := properties.get(attribute)):
                    return str(found)
            return ""

        weight, position = value(f"{_FO}font-weight"), value(f"{_STYLE}text-position")
        line, under = (
            value(f"{_STYLE}text-line-through-style"),
            value(f"{_STYLE}text-underline-style"),
        )
        return TextFormat(
            bold=weight in ("bold", "600", "700", "800", "900") or "Strong Emphasis" in names,
            italic=value(f"{_FO}font-style") in ("italic", "oblique") or "Emphasis" in names,
            struck=line not in ("", "none"),
            height=_height(position),
            underlined=under not in ("", "none") and "Internet link" not in names,
            highlighted=value(f"{_FO}background-color") not in ("", "transparent", "#ffffff"),
            hidden=value(f"{_TEXT}display") == "none",
        )

    def crops(self, name: str) -> bool:
        """Return whether the style of a frame cuts something off its picture."""
        for style in self._chain("graphic", name):
            properties = style.find(f"{_STYLE}graphic-properties")
            if properties is not None and (clip := properties.get(f"{_FO}clip")):
                return bool(re.search(r"[1-9]", clip))
        return False

    def list_level(self, name: str, level: int) -> tuple[bool, int, bool]:
        """Return whether a level of a list is numbered, with which number it begins, and in decimals."""
        style = self._lists.get(name)
        for element in style if style is not None else ():
            if element.get(f"{_TEXT}level") == str(level):
                form = element.get(f"{_STYLE}num-format", "")
                numbered = element.tag == f"{_TEXT}list-level-style-number" and bool(form)
                start = element.get(f"{_TEXT}start-value", "1")
                return numbered, int(start) if start.isdecimal() else 1, form == "1"
        return False, 1, True


def _height(position: str) -> str:
    """Return what a ``text-position`` says: a word, or how far above or below the line in per cent."""
    if position.startswith("super") or re.match(r"[1-9]\d*%", position):
        return "superscript"
    return "subscript" if position.startswith(("sub", "-")) else ""
