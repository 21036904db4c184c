"""What the styles of a .docx make of paragraphs and runs, along the styles they are based on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from upcycle_news.content.manuscripts.document import TextFormat

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_QUOTES = re.compile(
    r"(?:intense )?quote|block text|block ?quot(?:e|ation)s?|quotations?|zitat|intensives zitat|blockzitat"
)
_HEADING = re.compile(r"(?:heading|überschrift) ?([1-9])")
_CONTENTS = re.compile(r"toc \d|toc heading|table of (?:figures|authorities)|index \d|contents \d")
_CAPTIONS = ("caption", "beschriftung", "bildunterschrift", "illustration", "abbildung")


class Styles:
    """The styles of a document by their id."""

    def __init__(self, root: Any) -> None:
        """Read ``styles.xml``; None has no styles."""
        self._styles: dict[str, Any] = {}
        self.default_paragraph = ""
        for style in root.iter(f"{W}style") if root is not None else ():
            style_id = style.get(f"{W}styleId", "")
            self._styles[style_id] = style
            if style.get(f"{W}type") == "paragraph" and _is_on(style.get(f"{W}default", "0")):
                self.default_paragraph = style_id
        self.language = ""
        if root is not None:
            language = root.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr/{W}lang")
            self.language = language.get(f"{W}val", "") if language is not None else ""

    def chain(self, style_id: str) -> Iterator[Any]:
        """Yield a style and those it is based on; a circle ends where it closes."""
        seen: set[str] = set()
        while style_id in self._styles and style_id not in seen:
            seen.add(style_id)
            style = self._styles[style_id]
            yield style
            base = style.find(f"{W}basedOn")
            style_id = base.get(f"{W}val", "") if base is not None else ""

    def role(self, style_id: str, properties: Any) -> str:
        """Return what a paragraph is: ``title``, ``heading-2``, ``quote``, ``caption``, ``contents``, or ""."""
        styles = [*self.chain(style_id)]
        names = [_name(style) for style in styles] or [style_id.lower()]
        for name in names:
            if name in ("title", "titel"):
                return "title"
            if match := _HEADING.fullmatch(name):
                return f"heading-{min(int(match[1]), 6)}"
            if _CONTENTS.fullmatch(name):
                return "contents"
            if _QUOTES.fullmatch(name):
                return "quote"
            if name in _CAPTIONS:
                return "caption"
        for element in (properties, *(style.find(f"{W}pPr") for style in styles)):
            level = element.find(f"{W}outlineLvl") if element is not None else None
            if level is not None and (value := level.get(f"{W}val", "9")).isdecimal():
                return f"heading-{min(int(value) + 1, 6)}" if int(value) < 9 else ""
        return ""

    def numbering(self, style_id: str) -> Any:
        """Return the ``numPr`` that a paragraph has through its style, or None."""
        for style in self.chain(style_id):
            found = style.find(f"{W}pPr/{W}numPr")
            if found is not None:
                return found
        return None

    def hides(self, style_id: str) -> bool:
        """Return whether a paragraph style hides its text."""
        for style in self.chain(style_id):
            vanish = style.find(f"{W}rPr/{W}vanish")
            if vanish is not None:
                return _is_on(vanish.get(f"{W}val", "1"))
        return False

    def format_of_run(self, properties: Any) -> TextFormat:
        """Return the format of a run by its own properties and those of its character style."""
        style = properties.find(f"{W}rStyle")
        styles = [*self.chain(style.get(f"{W}val", ""))] if style is not None else []
        sources = [properties, *(each.find(f"{W}rPr") for each in styles)]
        names = {_name(each) for each in styles}

        def value(name: str, without: str) -> str:
            """Return the value of the first property of a name, and `without` for one without a value."""
            for source in sources:
                element = source.find(f"{W}{name}") if source is not None else None
                if element is not None:
                    return str(element.get(f"{W}val", without))
            return ""

        def has(name: str) -> bool:
            return _is_on(value(name, "1"))

        # Half points above or below the line: LibreOffice writes these where .doc files had them.
        moved = re.fullmatch(r"(-?)0*[1-9]\d*(?:\.\d+)?(?:pt)?", value("position", ""))
        height = value("vertAlign", "")
        if moved and height not in ("superscript", "subscript"):
            height = "subscript" if moved[1] else "superscript"
        return TextFormat(
            height=height if height in ("superscript", "subscript") else "",
            bold=has("b") or bool(names & {"strong", "fett"}),
            italic=has("i") or bool(names & {"emphasis", "hervorhebung"}),
            struck=has("strike") or has("dstrike"),
            hidden=has("vanish"),
            underlined=has("u"),
            highlighted=has("highlight"),
            is_link=bool(names & {"hyperlink", "followedhyperlink", "internet link"}),
        )


def _name(style: Any) -> str:
    name = style.find(f"{W}name")
    return name.get(f"{W}val", "").lower() if name is not None else ""


def _is_on(value: str) -> bool:
    """Return a property of type ST_OnOff, or whether one of a choice is another than none."""
    return value.lower() not in ("0", "false", "off", "none", "")
