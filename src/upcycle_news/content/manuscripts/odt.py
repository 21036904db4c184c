"""Reads OpenDocument texts (ODF 1.3, part 3): .odt packages and the flat .fodt.

odfpy and odfdo build a class for each element and leave lists, notes, changes and styles to their
callers; what is needed here is a walk over the tree, so it is our own.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from lxml import etree

from upcycle_news.content.manuscripts.document import Document, Losses, TextFormat
from upcycle_news.content.manuscripts.odt_styles import OdtStyles
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.text.safe_xml import UnsafeXmlError, parse_xml
from upcycle_news.text.sanitize import normalise_whitespace

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
_META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_DC = "{http://purl.org/dc/elements/1.1/}"

MAX_REPEATED = 200
"""Columns and rows that a table may repeat: spreadsheets repeat empty ones a million times."""


def read_odt(package: Package) -> Document:
    """Return an .odt package as a document; raises `ContentError` for a damaged one."""
    content = package.xml("content.xml")
    if content is None:
        raise ContentError(package.where, None, localized("manuscript-damaged"))
    reader = _Reader(content, [package.xml("styles.xml"), content], package)
    return reader.document(package.xml("meta.xml"))


def read_fodt(data: bytes, where: str) -> Document:
    """Return a flat OpenDocument text as a document; raises `ContentError` for a damaged one."""
    try:
        root = parse_xml(data)
    except UnsafeXmlError:
        raise ContentError(where, None, localized("manuscript-xml")) from None
    return _Reader(root, [root], None).document(root)


class _Reader:
    """Walks the content and builds HTML's elements from it."""

    def __init__(self, content: Any, styled: list[Any], package: Package | None) -> None:
        self.content = content
        self.package = package
        self.losses = Losses()
        self.styles = OdtStyles(styled)
        self.pictures: dict[str, bytes] = {}
        self.numbers: dict[str, int] = {}  # the last number of a list, by its id and its style

    def document(self, meta: Any) -> Document:
        text = self.content.find(f".//{_OFFICE}body/{_OFFICE}text")
        body = etree.Element("body")
        if text is not None:
            self._count_changes(text)
            self._children(text, body)
        document = Document(body, self.losses, pictures=self.pictures)
        document.language = self.styles.language
        if meta is not None:
            document.title = normalise_whitespace(meta.findtext(f".//{_DC}title") or "")
            author = meta.findtext(f".//{_META}initial-creator") or meta.findtext(
                f".//{_DC}creator"
            )
            document.author = normalise_whitespace(author or "")
            document.language = meta.findtext(f".//{_DC}language") or document.language
        return document

    def _count_changes(self, text: Any) -> None:
        self.losses.count("changes", sum(1 for _ in text.iter(f"{_TEXT}changed-region")))

    def _children(self, element: Any, into: Any) -> None:
        """Append what the children of an element that holds blocks become."""
        for child in element:
            if isinstance(child.tag, str):
                self._block(child, into)

    def _block(self, element: Any, into: Any) -> None:
        tag = element.tag
        if tag == f"{_TEXT}p":
            self._paragraph(element, into)
        elif tag == f"{_TEXT}h":
            level = min(max(_whole(element.get(f"{_TEXT}outline-level"), 1), 1), 6)
            self._inline(element, etree.SubElement(into, f"h{level}"))
        elif tag == f"{_TEXT}list":
            self._list(element, into, 1, None)
        elif tag == f"{_TABLE}table":
            self._table(element, into)
        elif tag in (f"{_TEXT}table-of-content", f"{_TEXT}alphabetical-index", f"{_TEXT}illustration-index"):  # fmt: skip
            self.losses.count("contents")
        elif tag == f"{_TEXT}section":
            if (
                element.get(f"{_TEXT}display") == "none"
                or element.get(f"{_TEXT}is-hidden") == "true"
            ):
                self.losses.count("hidden")
            else:
                self._children(element, into)
        elif tag in (f"{_TEXT}tracked-changes", f"{_TEXT}sequence-decls", f"{_OFFICE}forms"):
            return
        elif tag.startswith(_DRAW):
            self._drawing(element, etree.SubElement(into, "p"))
        elif tag in (f"{_TEXT}soft-page-break",) or tag.endswith(("-decls", "}change", "}change-start", "}change-end")):  # fmt: skip
            return
        else:
            self._children(element, into)

    def _paragraph(self, element: Any, into: Any) -> None:
        name = element.get(f"{_TEXT}style-name", "")
        hidden = [
            each.get(f"{_TEXT}is-hidden") for each in element.iter(f"{_TEXT}hidden-paragraph")
        ]
        if self.styles.hides(name) or "true" in hidden:
            self.losses.count("hidden", int(bool("".join(element.itertext()).strip())))
            return
        role = self.styles.role(name)
        if role == "quote":
            into = etree.SubElement(into, "blockquote")
        level = role.removeprefix("heading-") if role.startswith("heading-") else ""
        paragraph = etree.SubElement(into, f"h{level}" if level else "p")
        if role in ("title", "caption"):
            paragraph.set("class", role)
        inside = (
            paragraph if role else self._styled(paragraph, self.styles.format_of_paragraph(name))
        )
        self._inline(element, inside)
        if (
            role == "quote"
            and (before := into.getprevious()) is not None
            and before.tag == into.tag
        ):
            before.append(paragraph)
            into.getparent().remove(into)

    def _inline(self, element: Any, into: Any) -> None:
        """Append text and inline elements; a blank of ODF is a single space (6.1.2)."""
        _append_text(into, element.text)
        for child in element:
            if isinstance(child.tag, str):
                self._inline_element(child, into)
            _append_text(into, child.tail)

    def _inline_element(self, element: Any, into: Any) -> None:
        tag = element.tag
        name = tag.rpartition("}")[2]
        if (name == "s" and tag.startswith(_TEXT)) or tag == f"{_TEXT}tab":
            _append_text(into, " ")
        elif tag == f"{_TEXT}line-break":
            etree.SubElement(into, "br")
        elif tag == f"{_TEXT}span":
            self._span(element, into)
        elif tag in (f"{_TEXT}a", f"{_DRAW}a"):
            link = etree.SubElement(into, "a", href=element.get(f"{_XLINK}href") or "")
            self._inline(element, link)
        elif tag == f"{_TEXT}note":
            for body in element.findall(f"{_TEXT}note-body"):
                self._children(body, etree.SubElement(into, "note"))
        elif tag in (f"{_OFFICE}annotation", f"{_OFFICE}annotation-end"):
            self.losses.count("comments", int(name == "annotation"))
        elif tag.startswith(_DRAW):
            self._drawing(element, into)
        elif tag in (f"{_TEXT}hidden-text", f"{_TEXT}hidden-paragraph", f"{_TEXT}script"):
            self.losses.count("hidden", int(bool("".join(element.itertext()).strip())))
        elif tag in (f"{_TEXT}ruby-text", f"{_TEXT}tracked-changes"):
            return
        else:  # fields and marks: what they show is their text
            self._inline(element, into)

    def _span(self, element: Any, into: Any) -> None:
        shown = self.styles.format_of_span(element.get(f"{_TEXT}style-name", ""))
        if shown.hidden:
            self.losses.count("hidden")
            return
        if "".join(element.itertext()).strip():
            self.losses.count("underlined", int(shown.underlined))
            self.losses.count("highlighted", int(shown.highlighted))
        self._inline(element, self._styled(into, shown))

    def _styled(self, into: Any, shown: TextFormat) -> Any:
        """Return the element for a text of a format, within another one."""
        elements = {
            "b": shown.bold,
            "i": shown.italic,
            "s": shown.struck,
            "sup": shown.height == "superscript",
            "sub": shown.height == "subscript",
        }
        for name, wanted in elements.items():
            if wanted:
                into = etree.SubElement(into, name)
        return into

    def _drawing(self, element: Any, into: Any) -> None:
        """Append the picture or the text of a frame, which have their description beside them."""
        described = element.findtext(f"{_SVG}desc") or element.findtext(f"{_SVG}title") or ""
        alt = normalise_whitespace(described)
        shown = False
        for child in element:
            if child.tag == f"{_DRAW}image":
                shown = shown or self._picture(child, alt, into)
            elif child.tag == f"{_DRAW}text-box":
                box = etree.SubElement(into, "div")
                self._children(child, box)
                shown = True
            elif child.tag in (
                f"{_DRAW}object",
                f"{_DRAW}object-ole",
                f"{_DRAW}plugin",
                f"{_DRAW}applet",
            ):
                kind = "formula" if self._is_formula(child) else "object"
                self.losses.at(kind, alt or _text_around(element))
                shown = True
                break  # the picture beside an object is its preview
            elif child.tag in (f"{_TEXT}p", f"{_TEXT}list"):
                self._block(child, etree.SubElement(into, "div"))
                shown = True
            elif isinstance(child.tag, str) and child.tag.startswith(_DRAW):
                self._drawing(child, into)
                shown = True
        if not shown and element.tag != f"{_DRAW}g":
            self.losses.at("object", alt or _text_around(element))

    def _is_formula(self, element: Any) -> bool:
        if element.find("{http://www.w3.org/1998/Math/MathML}math") is not None:
            return True
        name = (element.get(f"{_XLINK}href") or "").removeprefix("./")
        part = self.package.read(f"{name}/content.xml") if self.package and name else None
        return part is not None and b"1998/Math/MathML" in part[:2000]

    def _picture(self, image: Any, alt: str, into: Any) -> bool:
        data = self._picture_data(image)
        if data is None:
            self.losses.at("remote", alt or _text_around(image))
            return True
        frame = image.getparent()
        self.losses.count("cropped", int(self.styles.crops(frame.get(f"{_DRAW}style-name", ""))))
        key = f"picture-{len(self.pictures) + 1}"
        self.pictures[key] = data
        etree.SubElement(into, "img", src=key, alt=alt)
        return True

    def _picture_data(self, image: Any) -> bytes | None:
        """Return the bytes of a picture inside the document; none is loaded from elsewhere."""
        inside = image.findtext(f"{_OFFICE}binary-data")
        if inside:
            try:
                return base64.b64decode("".join(inside.split()))
            except (ValueError, binascii.Error):
                return None
        name = (image.get(f"{_XLINK}href") or "").removeprefix("./")
        return self.package.read(name) if self.package else None

    def _list(self, element: Any, into: Any, level: int, style: str | None) -> None:
        style = element.get(f"{_TEXT}style-name") or style
        ordered, start, is_decimal = self.styles.list_level(style or "", level)
        items = [
            child for child in element if child.tag in (f"{_TEXT}list-item", f"{_TEXT}list-header")
        ]
        headings = [item.find(f"{_TEXT}h") for item in items]
        if any(heading is not None for heading in headings):  # numbered headings are no list
            for item in items:
                self._children(item, into)
            return
        if ordered and not is_decimal:
            self.losses.count("labels")
        number = self._first_number(element, style or "", level, start)
        target = etree.SubElement(into, "ol" if ordered else "ul")
        for item in items:
            entry = etree.SubElement(target, "li")
            if item.tag == f"{_TEXT}list-item":
                number = _whole(item.get(f"{_TEXT}start-value"), number)
                entry.set("value", str(number))
                number += 1
            for child in item:
                if child.tag == f"{_TEXT}list":
                    self._list(child, entry, level + 1, style)
                elif isinstance(child.tag, str):
                    self._block(child, entry)
        for key in (element.get("{http://www.w3.org/XML/1998/namespace}id"), f"{style} {level}"):
            if key:
                self.numbers[key] = number

    def _first_number(self, element: Any, style: str, level: int, start: int) -> int:
        """Return the first number of a list: it may go on with another one (19.880 continue-list)."""
        continued = element.get(f"{_TEXT}continue-list")
        if continued in self.numbers:
            return self.numbers[continued]
        if element.get(f"{_TEXT}continue-numbering") == "true":
            return self.numbers.get(f"{style} {level}", start)
        return start

    def _table(self, element: Any, into: Any) -> None:
        table = etree.SubElement(into, "table")
        for row in element.iter(f"{_TABLE}table-row"):
            if _table_around(row) is not element:
                continue
            cells = [cell for cell in row if cell.tag == f"{_TABLE}table-cell"]
            line = etree.SubElement(table, "tr")
            for cell in cells:
                entry = etree.SubElement(line, "td")
                for name, source in (
                    ("colspan", "number-columns-spanned"),
                    ("rowspan", "number-rows-spanned"),
                ):
                    entry.set(
                        name, str(min(_whole(cell.get(f"{_TABLE}{source}"), 1), MAX_REPEATED))
                    )
                self._children(cell, entry)
                repeated = min(
                    _whole(cell.get(f"{_TABLE}number-columns-repeated"), 1), MAX_REPEATED
                )
                for _ in range(repeated - 1):
                    line.append(_copy(entry))


def _copy(element: Any) -> Any:
    return etree.fromstring(etree.tostring(element))


def _table_around(row: Any) -> Any:
    element = row.getparent()
    while element is not None and element.tag != f"{_TABLE}table":
        element = element.getparent()
    return element


def _append_text(into: Any, text: str | None) -> None:
    if not text:
        return
    last = into[-1] if len(into) else None
    if last is None:
        into.text = (into.text or "") + text
    else:
        last.tail = (last.tail or "") + text


def _text_around(element: Any) -> str:
    parent = element.getparent()
    while parent is not None and parent.tag not in (f"{_TEXT}p", f"{_TEXT}h"):
        parent = parent.getparent()
    return "" if parent is None else "".join(parent.itertext())


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else default
