"""Word writes the lists of its HTML as paragraphs that begin with a sign or a number: lists again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

_LEVEL = re.compile(r"mso-list:\s*l\d+\s+level(\d)")
_SIGN = re.compile(r"[\s\xa0]*(?:(\d{1,4})[.)]|[·•▪§o–-]|[a-zA-Z][.)])[\s\xa0]+")


@dataclass(frozen=True)
class _Item:
    level: int
    number: str | None


def restore_word_lists(root: Any) -> None:
    """Turn runs of Word's list paragraphs into ``ul`` and ``ol``; their signs are no text."""
    for paragraph in list(root.iter("p")):
        if paragraph.getparent().tag != "li" and (item := _item(paragraph)) is not None:
            _move(paragraph, item)


def _item(paragraph: Any) -> _Item | None:
    """Return level and number of a paragraph that Word shows in a list, None for any other."""
    is_listed = _LEVEL.search(paragraph.get("style") or "")
    if not is_listed and not (paragraph.get("class") or "").startswith("MsoListParagraph"):
        return None
    match = _SIGN.match("".join(paragraph.itertext()))
    if match is None:
        return None
    return _Item(int(is_listed[1]) if is_listed else 1, match[1])


def _move(paragraph: Any, item: _Item) -> None:
    """Move a paragraph into the list right above it, or into a new one in its place."""
    _cut(paragraph, _SIGN.match("".join(paragraph.itertext())).end())  # type: ignore[union-attr]
    tag = "ol" if item.number else "ul"
    above = paragraph.getprevious()
    entry = etree.Element("li")
    if item.number:
        entry.set("value", item.number)
    holder = above if above is not None and above.get("word-list") else None
    if holder is None:
        holder = etree.Element(tag)
        holder.set("word-list", "1")
        paragraph.addprevious(holder)
    for _ in range(item.level - 1):
        last = holder[-1] if len(holder) else etree.SubElement(holder, "li")
        inner = last[-1] if len(last) and last[-1].tag in ("ul", "ol") else None
        holder = inner if inner is not None else etree.SubElement(last, tag)
    holder.append(entry)
    paragraph.tail = None
    entry.append(paragraph)


def _cut(element: Any, count: int) -> int:
    """Remove the first characters of an element's text; returns how many are left to remove."""
    text = element.text or ""
    element.text, count = text[count:], max(count - len(text), 0)
    for child in element:
        if not count:
            break
        count = _cut(child, count)
        tail = child.tail or ""
        child.tail, count = tail[count:], max(count - len(tail), 0)
    return count
