"""Puts what mammoth passes over in a .docx into what it reads: fields, wrappers, breaks, initials."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CHECKBOX = "{http://schemas.microsoft.com/office/word/2010/wordml}checkbox"


def unwrap_runs(root: Any) -> None:
    """Change a body, or a part of notes, so that every run of its text is shown, in its order."""
    for name in ("dir", "bdo"):  # the direction of letters is in the letters themselves
        for element in list(root.iter(f"{W}{name}")):
            _replace(element, list(element))
    for field in list(root.iter(f"{W}fldSimple")):
        instruction, shown = field.get(f"{W}instr", ""), list(field)
        is_link = instruction.split()[:1] == ["HYPERLINK"]
        _replace(field, _as_complex_field(instruction, shown) if is_link else shown)
    for ruby in list(root.iter(f"{W}ruby")):
        base = etree.Element(f"{W}t")
        base.text = "".join(text.text or "" for text in ruby.iterfind(f"{W}rubyBase//{W}t"))
        _replace(ruby, [base])
    for checkbox in list(root.iter(_CHECKBOX)):  # its sign is its text
        checkbox.getparent().remove(checkbox)
    _write_breaks(root)
    _write_link_fields(root)
    _join_initials(root)


def _replace(element: Any, others: list[Any]) -> None:
    parent, place = element.getparent(), element.getparent().index(element)
    for other in reversed(others):
        parent.insert(place, other)
    parent.remove(element)


def _as_complex_field(instruction: str, shown: list[Any]) -> list[Any]:
    """Return the runs of a field with its instruction in a run (ECMA-376, part 1, 17.16.18)."""

    def mark(kind: str) -> Any:
        run = etree.Element(f"{W}r")
        etree.SubElement(run, f"{W}fldChar", {f"{W}fldCharType": kind})
        return run

    written = etree.Element(f"{W}r")
    etree.SubElement(written, f"{W}instrText").text = instruction
    return [mark("begin"), written, mark("separate"), *shown, mark("end")]


def _write_breaks(root: Any) -> None:
    """Turn carriage returns into line ends, ends of pages into those of paragraphs, stops into tabs."""
    for element in list(root.iter(f"{W}cr")):
        element.tag = f"{W}br"
    for element in list(root.iter(f"{W}ptab")):
        element.tag = f"{W}tab"
    for element in list(root.iter(f"{W}br")):
        if element.get(f"{W}type") in ("page", "column"):
            _replace(element, [etree.Element(f"{W}br"), etree.Element(f"{W}br")])


# A name in quotation marks or without, and switches with or without one (17.16.5.25).
_LINK = re.compile(r'\s*HYPERLINK\s+(?:"([^"]*)"|([^\s"\\]\S*))?(.*)', re.DOTALL)
_PLACE = re.compile(r'\\l\s+"?([^"\s]+)')


def _write_link_fields(root: Any) -> None:
    """Write the instructions of links as their address only: their switches are no part of it."""
    pending: list[Any] = []
    for element in list(root.iter(f"{W}fldChar", f"{W}instrText")):
        if element.tag == f"{W}instrText":
            pending.append(element)
            continue
        match = _LINK.fullmatch("".join(each.text or "" for each in pending))
        if match and (address := match[1] or match[2]):
            place = _PLACE.search(match[3])
            target = f"{address}#{place[1]}" if place and "#" not in address else address
            for each in pending:
                each.text = ""
            pending[0].text = f' HYPERLINK "{target}" '
        pending = []


def _join_initials(root: Any) -> None:
    """Put a large first letter, a paragraph of its own in a frame, before the words it belongs to."""
    for frame in list(root.iter(f"{W}framePr")):
        if frame.get(f"{W}dropCap", "none") == "none":
            continue
        paragraph = frame.getparent().getparent()
        following = paragraph.getnext()
        if following is None or following.tag != f"{W}p":
            continue
        properties = following.find(f"{W}pPr")
        place = 0 if properties is None else following.index(properties) + 1
        runs = [child for child in paragraph if child.tag != f"{W}pPr"]
        for run in reversed(runs):
            following.insert(place, run)
            for lowered in list(run.iter(f"{W}position")):
                lowered.getparent().remove(lowered)
        paragraph.getparent().remove(paragraph)
