"""Prepares the parts of a .docx package (ECMA-376) for mammoth, which turns them into HTML.

Mammoth reads runs, tables, links, fields and notes. What it has no notion of is settled before: the
numbers of lists, what a paragraph style descends from, hidden text, the two versions that Word writes
of newer drawings, and everything that a package may hold against its reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from posixpath import basename, dirname, join, normpath
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from lxml import etree

from upcycle_news.content.manuscripts.document import Losses
from upcycle_news.content.manuscripts.docx_numbering import Numbering
from upcycle_news.content.manuscripts.docx_runs import unwrap_runs
from upcycle_news.content.manuscripts.docx_styles import Styles
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_PIC = "{http://schemas.openxmlformats.org/drawingml/2006/picture}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_V = "{urn:schemas-microsoft-com:vml}"
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

# ISO/IEC 29500 Strict has other namespaces for the same elements.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", W),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", _R),
    (b"http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing", _WP),
    (b"http://purl.oclc.org/ooxml/drawingml/main", _A),
    (b"http://purl.oclc.org/ooxml/drawingml/picture", _PIC),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", _M),
)

NUMBER = "list-number-"
"""Begins the name of the bookmark that carries the number of a list's item through mammoth."""

ROLE = "Role-"
"""Begins the style of a paragraph in what mammoth gets: ``Role-heading-2``, ``Role-quote``."""


class DocxParts:
    """The parts of a package that hold text, prepared; `losses` says what they leave out.

    `texts` are the pieces of text of the document in their order, once it was zipped.
    """

    def __init__(self, package: Package, losses: Losses) -> None:
        """Read styles and numbering; raises `ContentError` for a package without a document."""
        self.package = package
        self.losses = losses
        self.texts: list[str] = []
        self.main = self._main_part()
        folder = dirname(self.main)
        relations = self._relations(self.main)
        self.targets = {
            kind.rpartition("/")[2]: normpath(join(folder, target)).lstrip("/")
            for kind, target in relations
        }
        self.styles = Styles(self._xml(self._named("styles")))
        self.numbering = Numbering(self._xml(self._named("numbering")), self.styles)

    def _main_part(self) -> str:
        for kind, target in self._relations(""):
            if kind.endswith("/officeDocument"):
                name = target.lstrip("/")
                if name in self.package.names:
                    return name
        raise ContentError(self.package.where, None, localized("manuscript-damaged"))

    def _relations(self, part: str) -> list[tuple[str, str]]:
        """Return type and target of the relations of a part that stay inside the package."""
        name = join(dirname(part), "_rels", f"{basename(part)}.rels")
        root = self.package.xml(name)
        if root is None:
            return []
        return [
            (element.get("Type", ""), element.get("Target", ""))
            for element in root.iter(f"{_RELATIONS}Relationship")
            if element.get("TargetMode") != "External"
        ]

    def _named(self, kind: str) -> str:
        return self.targets.get(kind, f"word/{kind}.xml")

    def _xml(self, name: str) -> Any:
        data = self.package.read(name)
        if data is None:
            return None
        for strict, namespace in _STRICT:
            data = data.replace(b'"' + strict + b'"', b'"' + namespace[1:-1].encode() + b'"')
        return self.package.parse(data)

    def zipped(self) -> BytesIO:
        """Return a package for mammoth: the same parts without comments, and with safe XML only."""
        bodies = {self.main, self._named("footnotes"), self._named("endnotes")}
        comments = self._named("comments")
        self._count_comments(comments)
        self._note_headers()
        out = BytesIO()
        with ZipFile(out, "w", ZIP_STORED) as package:
            for name in sorted(self.package.names):
                if name == comments or name.endswith("/") or name.startswith("customXml/"):
                    continue
                if name in bodies:
                    root = self._xml(name)
                    self._prepare(root)
                    if name == self.main:
                        self.texts = [text.text or "" for text in root.iter(f"{W}t")]
                    package.writestr(name, etree.tostring(root))
                elif name.endswith((".xml", ".rels")) and not name.startswith("docProps/"):
                    root = self._xml(name)
                    package.writestr(name, b"" if root is None else etree.tostring(root))
                elif "/media/" in name or name.startswith("media/"):
                    package.writestr(name, self.package.read(name) or b"")
        out.seek(0)
        return out

    def _count_comments(self, name: str) -> None:
        root = self._xml(name)
        if root is not None:
            self.losses.count("comments", sum(1 for _ in root.iter(f"{W}comment")))

    def _note_headers(self) -> None:
        """Count headers and footers that say something; page numbers alone say nothing."""
        for name in self.package.names:
            if re.fullmatch(r"word/(?:header|footer)\d*\.xml", name):
                root = self._xml(name)
                text = "".join(element.text or "" for element in root.iter(f"{W}t"))
                self.losses.count("header", int(bool(re.search(r"[^\W\d_]{3}", text))))

    def _prepare(self, root: Any) -> None:
        _choose_alternatives(root)
        unwrap_runs(root)
        self._count_changes(root)
        self._drop_placeholders(root)
        self._drop_foreign(root)
        for paragraph in list(root.iter(f"{W}p")):
            self._prepare_paragraph(paragraph)
        for run in list(root.iter(f"{W}r")):
            self._prepare_run(run)

    def _count_changes(self, root: Any) -> None:
        changes = [
            element
            for name in ("ins", "del", "moveFrom", "moveTo")
            for element in root.iter(f"{W}{name}")
            if element.getparent().tag not in (f"{W}rPr", f"{W}trPr", f"{W}pPr")
        ]
        self.losses.count("changes", len(changes))
        for element in changes:
            if element.tag in (f"{W}del", f"{W}moveFrom") and element.getparent() is not None:
                element.getparent().remove(element)
        for cell in root.iter(f"{W}tc"):
            if cell.find(f"{W}tcPr/{W}cellDel") is not None:
                for paragraph in cell.findall(f"{W}p"):
                    cell.remove(paragraph)
        for row in list(root.iter(f"{W}tr")):  # a row that was deleted
            if row.find(f"{W}trPr/{W}del") is not None:
                row.getparent().remove(row)

    def _drop_placeholders(self, root: Any) -> None:
        """Take out what Word shows in a field of a form until somebody fills it in (17.5.2.39)."""
        for mark in list(root.iter(f"{W}showingPlcHdr")):
            content = mark.getparent().getparent().find(f"{W}sdtContent")
            for text in content.iter(f"{W}t") if content is not None else ():
                self.losses.count("hidden", int(bool((text.text or "").strip())))
                text.text = ""

    def _drop_foreign(self, root: Any) -> None:
        """Take out what is no text, and note beside which words it is missing."""
        for element in [*root.iter(f"{_M}oMathPara"), *root.iter(f"{_M}oMath")]:
            if element.getparent() is not None and not _is_inside(element, f"{_M}oMathPara"):
                self.losses.at("formula", _paragraph_text(element))
                element.getparent().remove(element)
        for element in list(root.iter(f"{W}object")):
            self.losses.at("object", _paragraph_text(element))
            element.getparent().remove(element)
        for element in root.iter(f"{W}altChunk"):  # another file within this one
            before = element.getprevious()
            self.losses.at("object", "" if before is None else "".join(before.itertext()))
        for data in root.iter(f"{_A}graphicData"):
            if not (data.get("uri") or "").endswith(("/picture", "Shape", "Group", "Canvas")):
                self.losses.at("object", _paragraph_text(data))
        for crop in root.iter(f"{_A}srcRect"):
            self.losses.count("cropped", int(any(crop.get(side, "0") != "0" for side in "ltrb")))
        for blip in list(root.iter(f"{_A}blip")):
            if blip.get(f"{_R}embed") is None:
                self.losses.at("remote", _paragraph_text(blip) or _alt_text(blip))
                blip.getparent().remove(blip)
        for image in list(root.iter(f"{_V}imagedata")):
            if image.get(f"{_R}id") is None:
                image.getparent().remove(image)

    def _prepare_paragraph(self, paragraph: Any) -> None:
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            properties = etree.Element(f"{W}pPr")
            paragraph.insert(0, properties)
        style = properties.find(f"{W}pStyle")
        style_id = style.get(f"{W}val", "") if style is not None else self.styles.default_paragraph
        if self.styles.hides(style_id):
            _hide_runs(paragraph)
        role = self.styles.role(style_id, properties)
        if role == "contents":
            if _paragraph_text(paragraph):
                self.losses.count("contents")
            paragraph.getparent().remove(paragraph)
            return
        if style is not None:
            properties.remove(style)
        number = self.numbering.advance(properties, style_id)
        for old in properties.findall(f"{W}numPr"):
            properties.remove(old)
        if role:
            etree.SubElement(properties, f"{W}pStyle", {f"{W}val": f"{ROLE}{role}"})
            if number and role.startswith("heading") and number.label:
                self.losses.count("labels")
        elif number:
            self._write_number(paragraph, properties, number)

    def _write_number(self, paragraph: Any, properties: Any, number: Any) -> None:
        """Write the properties that mammoth reads, and the number as the name of a bookmark."""
        numbering = etree.SubElement(properties, f"{W}numPr")
        etree.SubElement(numbering, f"{W}ilvl", {f"{W}val": str(number.level)})
        etree.SubElement(numbering, f"{W}numId", {f"{W}val": number.list_id})
        if number.value is not None:
            attributes = {f"{W}id": "0", f"{W}name": f"{NUMBER}{number.value}"}
            bookmark = etree.Element(f"{W}bookmarkStart", attributes)
            paragraph.insert(paragraph.index(properties) + 1, bookmark)
            if not number.is_decimal:
                self.losses.count("labels")

    def _prepare_run(self, run: Any) -> None:
        properties = run.find(f"{W}rPr")
        if properties is None:
            return
        shown = self.styles.format_of_run(properties)
        text = "".join(element.text or "" for element in run.iter(f"{W}t"))
        if shown.hidden and not list(run.iter(f"{_PIC}pic")):
            if text.strip():
                self.losses.count("hidden")
            run.getparent().remove(run)
            return
        for name, wanted in (("b", shown.bold), ("i", shown.italic), ("strike", shown.struck)):
            for old in properties.findall(f"{W}{name}"):
                properties.remove(old)
            if wanted:
                etree.SubElement(properties, f"{W}{name}")
        for old in properties.findall(f"{W}vertAlign"):
            properties.remove(old)
        if shown.height:
            etree.SubElement(properties, f"{W}vertAlign", {f"{W}val": shown.height})
        if text.strip():
            in_link = _is_inside(run, f"{W}hyperlink") or shown.is_link
            self.losses.count("underlined", int(shown.underlined and not in_link))
            self.losses.count("highlighted", int(shown.highlighted))


def _hide_runs(paragraph: Any) -> None:
    """Hide the runs of a paragraph as its style does, but for those that say otherwise."""
    for run in paragraph.iter(f"{W}r"):
        properties = run.find(f"{W}rPr")
        if properties is None:
            properties = etree.Element(f"{W}rPr")
            run.insert(0, properties)
        if properties.find(f"{W}vanish") is None:
            etree.SubElement(properties, f"{W}vanish")


def _choose_alternatives(root: Any) -> None:
    """Replace each ``mc:AlternateContent`` by the version that mammoth can read."""
    for element in list(root.iter(f"{_MC}AlternateContent")):
        parent = element.getparent()
        if parent is None:
            continue
        versions = [*element.findall(f"{_MC}Fallback"), *element.findall(f"{_MC}Choice")]
        chosen = next((version for version in versions if _says_something(version)), None)
        place = parent.index(element)
        for child in reversed(list(chosen) if chosen is not None else []):
            parent.insert(place, child)
        parent.remove(element)


def _says_something(element: Any) -> bool:
    names = (f"{W}t", f"{_A}blip", f"{_V}imagedata", f"{_M}oMath", f"{_A}graphicData")
    return any(True for name in names for _ in element.iter(name))


def _ancestors(element: Any) -> Iterator[Any]:
    while (element := element.getparent()) is not None:
        yield element


def _is_inside(element: Any, tag: str) -> bool:
    return any(ancestor.tag == tag for ancestor in _ancestors(element))


def _paragraph_text(element: Any) -> str:
    """Return the text of the paragraph around an element."""
    here = [element, *_ancestors(element)]
    paragraph = next((each for each in here if each.tag == f"{W}p"), None)
    if paragraph is None:
        return ""
    return "".join(text.text or "" for text in paragraph.iter(f"{W}t"))


def _alt_text(element: Any) -> str:
    for ancestor in _ancestors(element):
        for properties in ancestor.iter(f"{_WP}docPr"):
            return str(properties.get("descr") or properties.get("title") or "")
    return ""
