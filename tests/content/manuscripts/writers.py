"""Manuscripts for tests, written by the programs' own libraries from one description of their content.

A manuscript is a list of blocks; a text is a list of runs. So each of them is the same in every format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import docx
from docx.enum.text import WD_BREAK
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from odf import draw, opendocument, style, table, text
from PIL import Image


@dataclass(frozen=True)
class Run:
    """A piece of text: bold, italic, a link, with a footnote behind it, or behind a line end."""

    text: str
    bold: bool = False
    italic: bool = False
    href: str = ""
    note: str = ""
    after_break: bool = False


Text = list[Run]


@dataclass(frozen=True)
class Block:
    """``h1``, ``h2``, ``title``, ``p``, ``quote``, ``ul``, ``ol``, ``table`` or ``img``.

    Lists have a text for each item, a table for each cell. `start` is the first number of a list.
    """

    kind: str
    texts: list[Text] = field(default_factory=list)
    rows: list[list[Text]] = field(default_factory=list)
    start: int = 1
    alt: str = ""


def t(*pieces: str | Run) -> Text:
    return [Run(piece) if isinstance(piece, str) else piece for piece in pieces]


def p(*pieces: str | Run, kind: str = "p") -> Block:
    return Block(kind, [t(*pieces)])


def items(kind: str, *texts: str | Run, start: int = 1) -> Block:
    return Block(kind, [t(each) for each in texts], start=start)


def rows(*lines: list[str]) -> Block:
    return Block("table", rows=[[t(cell) for cell in line] for line in lines])


def png(colour: str = "#7a5230") -> bytes:
    out = BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "PNG")
    return out.getvalue()


def words(text_: str) -> list[str]:
    """The words of a text, as they follow one another."""
    return re.findall(r"[^\W_]+", text_)


def words_of(blocks: list[Block]) -> list[str]:
    """All words of a manuscript: those of its notes at the end."""
    runs = [run for block in blocks for each in _texts(block) for run in [*each, Run(" ")]]
    body = "".join((" " if run.after_break else "") + run.text for run in runs)
    return words(body) + [word for run in runs for word in words(run.note)]


def _texts(block: Block) -> Iterator[Text]:
    yield from block.texts
    for row in block.rows:
        yield from row


# --- .docx, by python-docx


def write_docx(blocks: list[Block], **properties: str) -> bytes:
    document = docx.Document()
    for unused in document.styles.element.xpath("w:style[@w:type='table'][not(@w:default)]"):
        # A hundred looks of tables that no manuscript has: reading them would take most of the time.
        unused.getparent().remove(unused)
    document.core_properties.author = properties.get("author", "")
    document.core_properties.title = properties.get("title", "")
    notes: list[str] = []
    for block in blocks:
        if block.kind == "table":
            grid = document.add_table(len(block.rows), len(block.rows[0]))
            for row, cells in enumerate(block.rows):
                for column, cell in enumerate(cells):
                    _docx_runs(grid.cell(row, column).paragraphs[0], cell, notes)
        elif block.kind == "img":
            document.add_picture(BytesIO(png()))
            document.element.body.xpath(".//wp:docPr")[-1].set("descr", block.alt)
        else:
            styles = {"title": "Title", "h1": "Heading 1", "h2": "Heading 2", "quote": "Quote",
                      "ul": "List Bullet", "ol": "List Number"}  # fmt: skip
            number = _docx_list(document, block) if block.kind == "ol" else None
            for each in block.texts:
                paragraph = document.add_paragraph(style=styles.get(block.kind))
                if number is not None:
                    properties_ = paragraph._p.get_or_add_pPr().get_or_add_numPr()
                    properties_.get_or_add_ilvl().val = 0
                    properties_.get_or_add_numId().val = number
                _docx_runs(paragraph, each, notes)
    out = BytesIO()
    document.save(out)
    return _with_footnotes(out.getvalue(), notes) if notes else out.getvalue()


def _docx_list(document: Any, block: Block) -> int:
    """A list of its own that begins with a number, as Word makes one."""
    numbering = document.part.numbering_part.numbering_definitions._numbering
    abstract = next(
        element.get(qn("w:abstractNumId"))
        for element in numbering.iter(qn("w:abstractNum"))
        if element.find(f"{qn('w:lvl')}/{qn('w:numFmt')}").get(qn("w:val")) == "decimal"
    )
    num = numbering.add_num(int(abstract))
    num.add_lvlOverride(ilvl=0).add_startOverride(block.start)
    return int(num.numId)


def _docx_runs(paragraph: Any, runs: Text, notes: list[str]) -> None:
    for each in runs:
        run = paragraph.add_run()
        if each.after_break:
            run.add_break(WD_BREAK.LINE)
        run.add_text(each.text)
        run.bold, run.italic = each.bold or None, each.italic or None
        if each.href:
            link = OxmlElement("w:hyperlink")
            link.set(
                qn("r:id"), paragraph.part.relate_to(each.href, RELATIONSHIP_TYPE.HYPERLINK, True)
            )
            run._r.addprevious(link)
            link.append(run._r)
        if each.note:
            notes.append(each.note)
            reference = OxmlElement("w:footnoteReference")
            reference.set(qn("w:id"), str(len(notes) + 1))
            paragraph.add_run()._r.append(reference)


def _with_footnotes(data: bytes, notes: list[str]) -> bytes:
    """Add the part of footnotes, which python-docx does not write."""
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    inside = "".join(
        f'<w:footnote w:id="{number}"><w:p><w:r><w:footnoteRef/></w:r><w:r>'
        f'<w:t xml:space="preserve"> {escape(note)}</w:t></w:r></w:p></w:footnote>'
        for number, note in enumerate(notes, 2)
    )
    return edited(
        data,
        {
            "[Content_Types].xml": (
                "</Types>",
                '<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-'
                'officedocument.wordprocessingml.footnotes+xml"/></Types>',
            ),
            "word/_rels/document.xml.rels": (
                "</Relationships>",
                '<Relationship Id="rIdNotes" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
                'relationships/footnotes" Target="footnotes.xml"/></Relationships>',
            ),
        },
        {"word/footnotes.xml": f'<w:footnotes xmlns:w="{w}">{inside}</w:footnotes>'},
    )


def edited(
    data: bytes, changes: dict[str, tuple[str, str]], more: dict[str, str | bytes] | None = None
) -> bytes:
    """A package with pieces of its parts replaced, and more parts."""
    out = BytesIO()
    with ZipFile(BytesIO(data)) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name in changes:
                before, after = changes[name]
                assert before.encode() in content, (name, before)
                content = content.replace(before.encode(), after.encode())
            new.writestr(name, content)
        for name, part in (more or {}).items():
            new.writestr(name, part)
    return out.getvalue()


# --- .odt, by odfpy


def write_odt(blocks: list[Block], **properties: str) -> bytes:
    document = opendocument.OpenDocumentText()
    document.meta.addElement(odf_meta("title", properties.get("title", "")))
    for name, attributes in (("Bold", {"fontweight": "bold"}), ("Italic", {"fontstyle": "italic"}),
                             ("BoldItalic", {"fontweight": "bold", "fontstyle": "italic"})):  # fmt: skip
        look = style.Style(name=name, family="text")
        look.addElement(style.TextProperties(attributes=attributes))
        document.automaticstyles.addElement(look)
    for name in ("Title", "Quotations"):
        document.styles.addElement(style.Style(name=name, family="paragraph"))
    notes = [0]
    for number, block in enumerate(blocks):
        for element in _odt_block(document, block, number, notes):
            document.text.addElement(element)
    out = BytesIO()
    document.write(out)
    return out.getvalue()


def odf_meta(name: str, value: str) -> Any:
    from odf import dc

    return {"title": dc.Title}[name](text=value)


def _odt_block(document: Any, block: Block, number: int, notes: list[int]) -> Iterator[Any]:
    if block.kind in ("h1", "h2"):
        for each in block.texts:
            yield _odt_runs(text.H(outlinelevel=int(block.kind[1])), each, notes)
    elif block.kind in ("ul", "ol"):
        name = f"L{number}"
        looks = text.ListStyle(name=name)
        if block.kind == "ol":
            looks.addElement(
                text.ListLevelStyleNumber(level=1, numformat="1", startvalue=block.start)
            )
        else:
            looks.addElement(text.ListLevelStyleBullet(level=1, bulletchar="•"))
        document.automaticstyles.addElement(looks)
        listed = text.List(stylename=name)
        for each in block.texts:
            item = text.ListItem()
            item.addElement(_odt_runs(text.P(), each, notes))
            listed.addElement(item)
        yield listed
    elif block.kind == "table":
        grid = table.Table(name=f"T{number}")
        grid.addElement(table.TableColumn(numbercolumnsrepeated=len(block.rows[0])))
        for cells in block.rows:
            line = table.TableRow()
            for each in cells:
                cell = table.TableCell()
                cell.addElement(_odt_runs(text.P(), each, notes))
                line.addElement(cell)
            grid.addElement(line)
        yield grid
    elif block.kind == "img":
        frame = draw.Frame(width="6cm", height="4cm", anchortype="as-char")
        frame.addElement(draw.Image(href=document.addPictureFromString(png(), "image/png")))
        from odf import svg

        frame.addElement(svg.Desc(text=block.alt))
        paragraph = text.P()
        paragraph.addElement(frame)
        yield paragraph
    else:
        names = {"title": "Title", "quote": "Quotations"}
        for each in block.texts:
            name = names.get(block.kind)
            yield _odt_runs(text.P(stylename=name) if name else text.P(), each, notes)


def _odt_runs(element: Any, runs: Text, notes: list[int]) -> Any:
    for each in runs:
        if each.after_break:
            element.addElement(text.LineBreak())
        name = ("Bold" if each.bold else "") + ("Italic" if each.italic else "")
        if each.href:
            element.addElement(text.A(href=each.href, text=each.text))
        elif name:
            element.addElement(text.Span(stylename=name, text=each.text))
        else:
            element.addText(each.text)
        if each.note:
            notes[0] += 1
            note = text.Note(noteclass="footnote", id=f"ftn{notes[0]}")
            note.addElement(text.NoteCitation(text=str(notes[0])))
            body = text.NoteBody()
            body.addElement(text.P(text=each.note))
            note.addElement(body)
            element.addElement(note)
    return element


# --- .html, as pandoc and browsers write it


def write_html(blocks: list[Block], **properties: str) -> bytes:
    notes: list[str] = []
    body = "".join(_html_block(block, notes) for block in blocks)
    if notes:
        listed = "".join(
            f'<li id="fn{number}"><p>{escape(note)}<a href="#fnref{number}" role="doc-backlink">↩︎</a></p></li>'
            for number, note in enumerate(notes, 1)
        )
        body += f'<section class="footnotes"><hr /><ol>{listed}</ol></section>'
    title = escape(properties.get("title", ""))
    return (
        f'<!DOCTYPE html><html lang="de"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body>{body}</body></html>"
    ).encode()


def _html_block(block: Block, notes: list[str]) -> str:
    if block.kind in ("ul", "ol"):
        start = f' start="{block.start}"' if block.start != 1 else ""
        inside = "".join(f"<li>{_html_runs(each, notes)}</li>" for each in block.texts)
        return f"<{block.kind}{start}>{inside}</{block.kind}>"
    if block.kind == "table":
        lines = "".join(
            f"<tr>{''.join(f'<td>{_html_runs(cell, notes)}</td>' for cell in row)}</tr>"
            for row in block.rows
        )
        return f"<table>{lines}</table>"
    if block.kind == "img":
        import base64

        data = base64.b64encode(png()).decode()
        return f'<p><img alt="{escape(block.alt)}" src="data:image/png;base64,{data}"></p>'
    tag = {"title": "h1", "h1": "h2", "h2": "h3", "quote": "blockquote"}.get(block.kind, "p")
    return "".join(f"<{tag}>{_html_runs(each, notes)}</{tag}>\n" for each in block.texts)


def _html_runs(runs: Text, notes: list[str]) -> str:
    parts = []
    for each in runs:
        inside = escape(each.text, quote=False)
        inside = f"<b>{inside}</b>" if each.bold else inside
        inside = f"<em>{inside}</em>" if each.italic else inside
        inside = f'<a href="{escape(each.href)}">{inside}</a>' if each.href else inside
        parts.append(("<br>" if each.after_break else "") + inside)
        if each.note:
            notes.append(each.note)
            n = len(notes)
            parts.append(f'<a href="#fn{n}" id="fnref{n}" role="doc-noteref"><sup>{n}</sup></a>')
    return "".join(parts)
