"""What LibreOffice writes beside plain paragraphs: changes, comments, hidden text, lists, frames."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

import pytest

from upcycle_news.content.manuscripts.odt import read_fodt
from upcycle_news.content.manuscripts.to_markdown import join_blocks, write_document

from .test_same_text import composed, parts
from .writers import Block, edited, p, write_odt

TITLE = p("Die Werkstatt", kind="title")
MARK = "Hier ist die Stelle."
SPACES = {
    prefix: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
    for prefix, name in [
        ("office", "office"), ("text", "text"), ("style", "style"), ("fo", "xsl-fo-compatible"),
        ("table", "table"), ("draw", "drawing"),
    ]
} | {"xlink": "http://www.w3.org/1999/xlink"}  # fmt: skip


def body_of(xml: str, styles: str = "") -> tuple[str, list[str]]:
    """The essay of a document in which the paragraph `MARK` is replaced by XML."""
    data = write_odt([TITLE, p("Am Anfang steht ein Satz."), p(MARK), p("Am Ende noch einer.")])
    data = edited(data, {"content.xml": (f"<text:p>{MARK}</text:p>", xml)})
    styled = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
    data = edited(data, {"content.xml": ("<office:body>", styled)})
    with ZipFile(BytesIO(data)) as package:
        content = package.read("content.xml").decode()
    missing = [name for name in SPACES if f"xmlns:{name}=" not in content]
    spaces = " ".join(f'xmlns:{name}="{SPACES[name]}"' for name in missing)
    root = "<office:document-content"
    data = edited(data, {"content.xml": (root, f"{root} {spaces}")})
    essay = composed("odt", data)
    return parts(essay)[1], [note.in_language("de") for note in essay.notes]


def test_deleted_text_and_comments_never_show() -> None:
    xml = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Gestrichen</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        '<text:p>Das Tor ist <text:change-start text:change-id="a"/>offen<text:change-end text:change-id="a"/>'
        "<office:annotation><text:p>Geheim</text:p></office:annotation>.</text:p>"
    )
    body, notes = body_of(xml)
    assert "Das Tor ist offen." in body
    assert "Gestrichen" not in body and "Geheim" not in body
    assert notes == ["eine nachverfolgte Änderung ist angenommen", "ein Kommentar ist weggelassen"]


def test_hidden_sections_and_spans_never_show() -> None:
    style = '<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>'
    xml = (
        '<text:section text:display="none" text:name="S"><text:p>Geheim</text:p></text:section>'
        '<text:p>Offen.<text:span text:style-name="H">Verborgen</text:span></text:p>'
    )
    body, notes = body_of(xml, style)
    assert "Offen." in body
    assert "Geheim" not in body and "Verborgen" not in body
    assert notes == ["2 verborgene Stellen sind weggelassen"]


def test_spaces_tabs_line_ends_and_fields_are_read() -> None:
    xml = (
        '<text:p>Eins<text:s text:c="3"/>zwei<text:tab/>drei<text:line-break/>vier '
        '<text:page-number>7</text:page-number><text:soft-page-break/><text:bookmark text:name="x"/>fünf</text:p>'
    )
    body, _ = body_of(xml)
    assert "Eins zwei drei\\\nvier 7fünf" in body


def test_lists_nest_and_go_on_and_numbered_headings_are_no_lists() -> None:
    style = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"/>'
        '<text:list-level-style-bullet text:level="2" text:bullet-char="•"/></text:list-style>'
    )
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = f"<text:list>{item.format('innen', '')}</text:list>"
    xml = (
        f'<text:list text:style-name="L">{item.format("eins", "")}{item.format("zwei", inner)}</text:list>'
        "<text:p>Dazwischen.</text:p>"
        f'<text:list text:style-name="L" text:continue-numbering="true">{item.format("drei", "")}</text:list>'
        '<text:list><text:list-item><text:h text:outline-level="1">Kapitel</text:h></text:list-item></text:list>'
    )
    body, _ = body_of(xml, style)
    assert "1. eins\n2. zwei\n   - innen\n\nDazwischen.\n\n3. drei\n\n## Kapitel\n" in body


def test_merged_cells_and_repeated_ones_keep_their_columns() -> None:
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    xml = (
        "<table:table><table:table-row>"
        + cell.format(' table:number-columns-spanned="2"', "beide")
        + "<table:covered-table-cell/></table:table-row><table:table-row>"
        + cell.format(' table:number-columns-repeated="1000000"', "").replace("1000000", "2")
        + "</table:table-row><table:table-row>"
        + cell.format("", "a") + cell.format("", "b")
        + "</table:table-row></table:table>"
    )  # fmt: skip
    body, notes = body_of(xml)
    assert "| beide |  |\n| --- | --- |\n|  |  |\n| a | b |" in body
    assert notes == ["eine Tabelle hatte verbundene Zellen; ihr Text steht in der ersten davon"]


@pytest.mark.parametrize("repeated", ["1000000", "99999999999", "-1", "x"])
def test_a_table_that_repeats_a_cell_a_million_times_is_bounded(repeated: str) -> None:
    xml = (
        "<table:table><table:table-row><table:table-cell table:number-columns-repeated="
        f'"{repeated}"><text:p>x</text:p></table:table-cell></table:table-row></table:table>'
    )
    body, _ = body_of(xml)
    assert len(body) < 10_000


def test_formulas_charts_and_pictures_elsewhere_are_told() -> None:
    frame = '<text:p>Siehe <draw:frame><draw:{} xlink:href="{}"/></draw:frame>hier.</text:p>'
    body, notes = body_of(
        frame.format("image", "https://example.org/x.png") + frame.format("object", "./Object 1")
    )
    assert "Siehe hier." in body
    assert [note.split(",")[0] for note in notes] == [
        "nicht übernommen: ein Bild",
        "nicht übernommen: ein eingebettetes Objekt (Diagramm",
    ]


def test_styles_of_ones_own_descend_from_the_known_ones() -> None:
    style = (
        '<style:style style:name="P9" style:family="paragraph" style:parent-style-name="Quotations"/>'
        '<style:style style:name="T1" style:family="text" style:parent-style-name="T0"/>'
        '<style:style style:name="T0" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>'
        '<style:style style:name="K" style:family="text" style:parent-style-name="K"/>'
    )
    xml = (
        '<text:p text:style-name="P9">Zitiert.</text:p><text:p text:style-name="P9">Weiter.</text:p>'
        '<text:p>Das ist <text:span text:style-name="T1">laut</text:span>'
        '<text:span text:style-name="K"> im Kreis</text:span>.</text:p>'
    )
    body, _ = body_of(xml, style)
    assert "> Zitiert.\n>\n> Weiter.\n\nDas ist **laut** im Kreis." in body


def test_a_flat_document_is_read_as_well() -> None:
    names = ["office:1.0", "text:1.0", "drawing:1.0"]
    spaces = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}"'
        for prefix, name in zip(("office", "text", "draw"), names, strict=True)
    )
    data = (
        f"<?xml version='1.0'?><office:document {spaces}><office:body><office:text>"
        "<text:h text:outline-level='1'>Eins</text:h><text:p>Text.</text:p>"
        "</office:text></office:body></office:document>"
    )
    document = read_fodt(data.encode(), "x.fodt")
    written = write_document(document, "de", lambda key: key)
    assert join_blocks(written.blocks, written.notes) == "## Eins\n\nText."


def test_a_note_without_a_body_is_none() -> None:
    body, _ = body_of(
        "<text:p>Eins<text:note><text:note-citation>1</text:note-citation></text:note>.</text:p>"
    )
    assert "Eins." in body


def test_the_description_of_a_picture_stays() -> None:
    essay = composed("odt", write_odt([TITLE, p("Davor."), Block("img", alt='Das "Tor" [rot]')]))
    assert "![Das „Tor“ \\[rot\\]](" in essay.text


def test_a_note_in_raised_text_leaves_its_sentence_whole() -> None:
    style = '<style:style style:name="U" style:family="text"><style:text-properties style:text-position="super 58%"/></style:style>'
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>Im Grundbuch.</text:p></text:note-body></text:note>"
    )
    xml = f'<text:p>Es gehört<text:span text:style-name="U">{note}</text:span> allen.</text:p>'
    body, notes = body_of(xml, style)
    assert "\nEs gehört[^1] allen.\n" in body
    assert "[^1]: Im Grundbuch." in body
    assert notes == []


def test_hidden_paragraphs_and_sections_never_show() -> None:
    style = '<style:style style:name="V" style:family="paragraph"><style:text-properties text:display="none"/></style:style>'
    child = '<style:style style:name="W" style:family="paragraph" style:parent-style-name="V"/>'
    xml = (
        "<text:p>Offen.</text:p>"
        '<text:p><text:hidden-paragraph text:condition="" text:is-hidden="true"/>Verborgen eins</text:p>'
        '<text:p text:style-name="V">Verborgen zwei</text:p><text:p text:style-name="W">Verborgen drei</text:p>'
        '<text:section text:name="S" text:display="condition" text:is-hidden="true"><text:p>Verborgen vier</text:p>'
        '</text:section><text:p><text:hidden-paragraph text:is-hidden="false"/>Auch offen.</text:p>'
    )
    body, notes = body_of(xml, style + child)
    assert "Offen.\n\nAuch offen." in body
    assert "Verborgen" not in body
    assert notes == ["4 verborgene Stellen sind weggelassen"]


def test_the_look_of_a_whole_paragraph_stands_in_its_own_style() -> None:
    styles = "".join(
        f'<style:style style:name="{name}" style:family="paragraph"><style:text-properties {look}/></style:style>'
        for name, look in [("B", 'fo:font-weight="bold"'), ("I", 'fo:font-style="italic"')]
    )
    xml = '<text:p text:style-name="B">Ganz fett</text:p><text:p text:style-name="I">Ganz schräg</text:p>'
    heading = '<text:h text:outline-level="1" text:style-name="B">Eine Überschrift</text:h>'
    body, _ = body_of(xml + heading, styles)
    assert "\n**Ganz fett**\n\n*Ganz schräg*\n\n## Eine Überschrift\n" in body
