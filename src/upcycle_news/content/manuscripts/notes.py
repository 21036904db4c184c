"""Finds the footnotes of an HTML tree: a link to a note, and the note with a link back to it.

Word, LibreOffice, pandoc, Markdown's converters and mammoth name them in their own ways; what they
have in common is that the two lead to one another.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from lxml import etree

# What leads back from a note that is referred to several times: an arrow for each place.
_BACK = re.compile("[\\s\\d]*[↩↑⏎⤴][\ufe0e\ufe0f\\s\\d]*")

_ITEMS = ("li", "div", "p", "dd", "aside", "td", "section")


def gather_notes(root: Any) -> None:
    """Put each footnote into an element ``note`` where it is referred to, and take it from its place."""
    places: dict[str, Any] = {}
    for element in root.iter():
        if isinstance(element.tag, str):
            for name in (element.get("id"), element.get("name")):
                if name:
                    places.setdefault(name, element)
    for link in list(root.iter("a")):
        target = places.get((link.get("href") or "").removeprefix("#"))
        if not (link.get("href") or "").startswith("#") or target is None:
            continue
        note = _enclosing_note(target, _own_names(link))
        if note is not None and link not in set(note.iter()):
            _replace(_outermost(link), _as_note(note, _own_names(link)))
    for note in root.xpath("//*[@upcycle-note]"):
        parent = note.getparent()
        remove(note)
        # The list or section of the notes, with the rule above them, is empty now.
        while parent is not None and parent.tag != "body" and not _holds_anything(parent):
            parent, empty = parent.getparent(), parent
            remove(empty)


def _holds_anything(element: Any) -> bool:
    pictures = any(below.tag in ("img", "table") for below in element.iter())
    return pictures or bool("".join(element.itertext()).strip())


def _own_names(link: Any) -> set[str]:
    """Return the names that lead to a link: its own, or those of an element around it or in it."""
    names = {link.get("id"), link.get("name")}
    around = link.getparent()
    if around is not None and around.tag in ("sup", "span"):
        names |= {around.get("id"), around.get("name")}
    names |= {below.get("id") for below in link.iter()}
    return {name for name in names if name}


def _enclosing_note(target: Any, names: set[str]) -> Any:
    """Return the block around a target that holds a link back to one of `names`, or None."""
    element = target
    while element is not None and element.tag not in ("body", "html"):
        back = any(
            (link.get("href") or "").removeprefix("#") in names
            for link in element.iter("a")
            if (link.get("href") or "").startswith("#")
        )
        if element.tag in _ITEMS and back:
            parent = element.getparent()
            # LibreOffice and Word: a paragraph in a div of its own.
            if parent is not None and parent.tag == "div" and len(parent) == 1 and parent.get("id"):
                return parent
            return element
        element = element.getparent()
    return None


def _as_note(note: Any, names: set[str]) -> Any:
    """Return a copy of a note as the element ``note``, without the link back and its number."""
    note.set("upcycle-note", "1")
    wrapped = etree.Element("note")
    inside = copy.deepcopy(note)
    for link in list(inside.iter("a")):
        target = link.get("href") or ""
        leads_back = target.startswith("#") and _BACK.fullmatch("".join(link.itertext()))
        if target.removeprefix("#") in names or leads_back:
            remove(_outermost(link))
    wrapped.text = inside.text
    wrapped.extend(list(inside))
    return wrapped


def _outermost(link: Any) -> Any:
    """Return the raised or spanned element that holds nothing but the link, or the link."""
    element = link
    while True:
        parent = element.getparent()
        alone = parent is not None and len(parent) == 1 and not (parent.text or "").strip()
        if not alone or parent.tag not in ("sup", "span") or (element.tail or "").strip():
            return element
        element = parent


def _replace(old: Any, new: Any) -> None:
    new.tail = old.tail
    old.getparent().replace(old, new)


def remove(element: Any) -> None:
    """Take an element out of the tree, not the text behind it."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + (element.tail or "")
    else:
        parent.text = (parent.text or "") + (element.tail or "")
    parent.remove(element)
