"""The numbers of a .docx document's lists: they stand nowhere in it and are counted by Word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upcycle_news.content.manuscripts.docx_styles import Styles

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class ListNumber:
    """The place of a paragraph in a list: its level from 0, and its number unless it has a bullet."""

    list_id: str
    level: int
    value: int | None
    is_decimal: bool = True

    @property
    def label(self) -> bool:
        """Whether Word shows a number."""
        return self.value is not None


class Numbering:
    """Counts the numbered paragraphs of a document in their order (ECMA-376, part 1, 17.9)."""

    def __init__(self, root: Any, styles: Styles) -> None:
        """Read ``numbering.xml``; None has no lists."""
        self._styles = styles
        self._abstract: dict[str, Any] = {}
        self._nums: dict[str, Any] = {}
        if root is not None:
            for element in root.iter(f"{W}abstractNum"):
                self._abstract[element.get(f"{W}abstractNumId", "")] = element
            for element in root.iter(f"{W}num"):
                self._nums[element.get(f"{W}numId", "")] = element
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()

    def advance(self, properties: Any, style_id: str) -> ListNumber | None:
        """Return the number of the next paragraph, None where it is in no list."""
        own = properties.find(f"{W}numPr")
        by_style = self._styles.numbering(style_id)
        list_id = _value(own, "numId") or _value(by_style, "numId")
        if not list_id or list_id == "0" or list_id not in self._nums:
            return None
        level = _whole(_value(own, "ilvl") or _value(by_style, "ilvl"), 0)
        abstract_id = self._abstract_of(list_id)
        definition = self._level(list_id, abstract_id, level)
        kind = _value(definition, "numFmt") or "decimal"
        if kind == "none":
            return None
        counts = self._counts.setdefault(abstract_id, {})
        self._restart(list_id, counts)
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]
        start = _whole(_value(definition, "start"), 1)
        counts[level] = counts[level] + 1 if level in counts else start
        if kind == "bullet":
            return ListNumber(list_id, level, None)
        return ListNumber(list_id, level, counts[level], kind in ("decimal", "decimalZero"))

    def _restart(self, list_id: str, counts: dict[int, int]) -> None:
        """Begin anew where a list overrides the start of its levels, when it is first used."""
        if list_id in self._begun:
            return
        self._begun.add(list_id)
        for override in self._nums[list_id].iter(f"{W}lvlOverride"):
            start = _value(override, "startOverride")
            if start:
                level = _whole(override.get(f"{W}ilvl", ""), 0)
                counts[level] = _whole(start, 1) - 1

    def _abstract_of(self, list_id: str) -> str:
        abstract_id = _value(self._nums[list_id], "abstractNumId")
        definition = self._abstract.get(abstract_id)
        # A list style: its definition stands with the list that the style names.
        if definition is not None and (style := _value(definition, "numStyleLink")):
            other = _value(self._styles.numbering(style), "numId")
            if other in self._nums:
                return _value(self._nums[other], "abstractNumId")
        return abstract_id

    def _level(self, list_id: str, abstract_id: str, level: int) -> Any:
        for holder in (self._nums[list_id], self._abstract.get(abstract_id)):
            for element in holder.iter(f"{W}lvl") if holder is not None else ():
                if element.get(f"{W}ilvl") == str(level):
                    return element
        return None


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else default


def _value(parent: Any, name: str) -> str:
    element = parent.find(f"{W}{name}") if parent is not None else None
    return str(element.get(f"{W}val", "")) if element is not None else ""
