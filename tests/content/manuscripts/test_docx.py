"""What Word writes beside plain paragraphs: changes, comments, hidden text, lists, drawings, formulas."""

from __future__ import annotations

import re
from io import BytesIO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile

import pytest

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized

from .test_same_text import composed, parts, shown_words
from .writers import Block, Run, edited, p, png, write_docx

TITLE = p("Die Werkstatt", kind="title")
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MARK = "Hier ist die Stelle."
LOUD = '<w:rStyle w:val="Laut"/>'


def with_xml(
    xml: str, more: dict[str, str | bytes] | None = None, **changes: tuple[str, str]
) -> bytes:
    """A document in which the paragraph `MARK` is replaced by XML."""
    data = write_docx([TITLE, p("Am Anfang steht ein Satz."), p(MARK), p("Am Ende noch einer.")])
    paragraph = paragraph_with(data, MARK)
    parts_ = {"word/document.xml": (paragraph, xml)}
    parts_ |= {name.replace("__", "/") + ".xml": change for name, change in changes.items()}
    return edited(data, parts_, more)


def paragraph_with(data: bytes, text: str) -> str:
    with ZipFile(BytesIO(data)) as package:
        xml = package.read("word/document.xml").decode()
    return next(each for each in re.findall(r"<w:p>.*?</w:p>", xml, re.DOTALL) if text in each)


def run(text: str, look: str = "") -> str:
    properties = f"<w:rPr>{look}</w:rPr>" if look else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


def body_of(data: bytes) -> tuple[str, list[str]]:
    essay = composed("docx", data)
    return parts(essay)[1], [note.in_language("de") for note in essay.notes]


def test_changes_are_accepted_and_comments_are_left_out_and_counted() -> None:
    xml = (
        f"<w:p>{run('Das Tor ist ')}"
        f'<w:del w:id="1"><w:r><w:delText xml:space="preserve">leider </w:delText></w:r></w:del>'
        f'<w:ins w:id="2">{run("endlich ")}</w:ins>'
        f'<w:moveFrom w:id="3">{run("weg ")}</w:moveFrom><w:moveTo w:id="4">{run("offen")}</w:moveTo>'
        f"{run('.')}</w:p>"
        f'<w:p><w:pPr><w:rPr><w:del w:id="5"/></w:rPr></w:pPr>'
        f'<w:del w:id="6"><w:r><w:delText>Ein ganzer Absatz</w:delText></w:r></w:del></w:p>'
    )
    comments = (
        f"<w:comments {W}><w:comment w:id='0'><w:p>{run('Geheim')}</w:p></w:comment></w:comments>"
    )
    body, notes = body_of(with_xml(xml, {"word/comments.xml": comments}))
    assert "Das Tor ist endlich offen." in body
    assert not re.search("leider|weg|Absatz|Geheim", body)
    assert str(localized("import-comments", count=1).in_language("de")) in notes
    assert any("Änderungen sind angenommen" in note for note in notes)


def test_hidden_text_is_never_shown() -> None:
    body, notes = body_of(with_xml(f"<w:p>{run('Offen. ')}{run('Geheim.', '<w:vanish/>')}</w:p>"))
    assert "Offen." in body
    assert "Geheim" not in body
    assert notes == ["eine verborgene Stelle ist weggelassen"]


def test_lists_go_on_where_word_counts_on_and_nest() -> None:
    listed = "".join(
        f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="99"/></w:numPr></w:pPr>'
        f"{run(text)}</w:p>"
        if level is not None
        else f"<w:p>{run(text)}</w:p>"
        for level, text in [
            (0, "eins"),
            (0, "zwei"),
            (1, "innen"),
            (None, "Dazwischen."),
            (0, "drei"),
        ]
    )
    levels = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/></w:lvl>'
        for level, kind in ((0, "decimal"), (1, "bullet"))
    )
    numbering = (
        f'<w:abstractNum w:abstractNumId="98">{levels}</w:abstractNum>'
        '<w:num w:numId="99"><w:abstractNumId w:val="98"/></w:num></w:numbering>'
    )
    body, notes = body_of(with_xml(listed, word__numbering=("</w:numbering>", numbering)))
    assert "1. eins\n2. zwei\n   - innen\n\nDazwischen.\n\n3. drei\n" in body
    assert notes == []


def test_a_style_of_ones_own_is_a_heading_if_it_descends_from_one() -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/>'
        '<w:basedOn w:val="Heading2"/></w:style>'
        '<w:style w:type="character" w:styleId="Laut"><w:name w:val="Laut"/><w:rPr><w:b/></w:rPr></w:style>'
        "</w:styles>"
    )
    xml = (
        f'<w:p><w:pPr><w:pStyle w:val="Kapitel"/></w:pPr>{run("Eins")}</w:p>'
        f'<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>{run("Zwei")}</w:p>'
        f"<w:p>{run('laut', LOUD)}{run(' und leise')}</w:p>"
    )
    body, _ = body_of(with_xml(xml, word__styles=("</w:styles>", styles)))
    assert "## Eins\n\n### Zwei\n\n**laut** und leise" in body


def test_what_word_writes_twice_for_old_programs_is_read_once() -> None:
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    box = f"<w:txbxContent><w:p>{run('Im Kasten.')}</w:p></w:txbxContent>"
    both = (
        f"<w:p><w:r><mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    body, _ = body_of(with_xml(both))
    assert body.count("Im Kasten.") == 1
    one = both.replace(f"<mc:Fallback>{box}</mc:Fallback>", "")
    assert body_of(with_xml(one))[0].count("Im Kasten.") == 1


def test_what_is_no_text_is_told_beside_the_words_where_it_is_missing() -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    formula = (
        f"<w:p>{run('Es gilt ')}<m:oMath {m}><m:r><m:t>a</m:t></m:r></m:oMath>{run('.')}</w:p>"
    )
    _, notes = body_of(with_xml(formula))
    assert notes == ["nicht übernommen: eine Formel, bei „Es gilt .“"]
    drawing = (
        f"<w:p>{run('Siehe Diagramm.')}<w:r><w:drawing><a:graphic "
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData '
        'uri="http://schemas.openxmlformats.org/drawingml/2006/chart"/></a:graphic></w:drawing></w:r></w:p>'
    )
    _, notes = body_of(with_xml(drawing))
    assert notes == [
        "nicht übernommen: ein eingebettetes Objekt (Diagramm, Zeichnung, Film), bei „Siehe Diagramm.“"
    ]
    coloured = run("rot", '<w:highlight w:val="yellow"/>') + run("unter", '<w:u w:val="single"/>')
    marked = f"<w:p>{coloured}</w:p>"
    body, notes = body_of(with_xml(marked))
    assert "rotunter" in body
    assert len(notes) == 2


def test_fields_and_ruby_show_their_text_and_no_piece_of_text_is_lost_silently() -> None:
    xml = (
        f'<w:p>{run("Seite ")}<w:fldSimple w:instr="PAGE">{run("sieben")}</w:fldSimple>{run(" und ")}'
        f"<w:r><w:ruby><w:rt>{run('Lesung')}</w:rt><w:rubyBase>{run('Wort')}</w:rubyBase></w:ruby></w:r></w:p>"
    )
    body, notes = body_of(with_xml(xml))
    assert "Seite sieben und Wort" in body
    assert notes == []
    unknown = f"<w:p>{run('Davor. ')}<w:unbekannt>{run('Darin.')}</w:unbekannt></w:p>"
    body, notes = body_of(with_xml(unknown))
    assert "Davor." in body
    assert notes == ["nicht übernommen: ein Stück Text, bei „Darin.“"]


def test_a_picture_elsewhere_is_not_loaded_and_told() -> None:
    data = write_docx([TITLE, p("Vor dem Tor."), Block("img", alt="Das Tor"), p("Dahinter.")])
    data = edited(data, {"word/document.xml": ("r:embed=", "r:link=")})
    body, notes = body_of(data)
    assert "![" not in body
    assert notes == [
        "nicht übernommen: ein Bild, das nicht in der Datei liegt; es wird nichts aus dem Netz "
        "geladen, bei „Das Tor“"
    ]


def test_a_picture_that_word_crops_comes_as_a_whole_and_that_is_told() -> None:
    data = write_docx(
        [TITLE, p("Vor dem Tor."), Block("img", alt="Das Tor"), Block("img"), p("Ende.")]
    )
    data = edited(data, {"word/document.xml": ("<a:stretch>", '<a:srcRect l="25000"/><a:stretch>')})
    _, notes = body_of(data)
    assert [note.split(";")[0] for note in notes] == [
        "2 Bilder sind im Dokument zugeschnitten und kommen ganz mit",
        "ein Bild hat keine Beschreibung",
    ]


@pytest.mark.parametrize("value", ["x", "", "-1", "99999999999", "²"])
def test_numbers_that_are_none_are_the_usual_ones(value: str) -> None:
    numbered = (
        f'<w:p><w:pPr><w:outlineLvl w:val="{value}"/><w:numPr><w:ilvl w:val="{value}"/>'
        f'<w:numId w:val="99"/></w:numPr></w:pPr>{run("eins")}</w:p>'
    )
    numbering = (
        f'<w:abstractNum w:abstractNumId="98"><w:lvl w:ilvl="0"><w:start w:val="{value}"/></w:lvl></w:abstractNum>'
        f'<w:num w:numId="99"><w:abstractNumId w:val="98"/><w:lvlOverride w:ilvl="{value}">'
        f'<w:startOverride w:val="{value}"/></w:lvlOverride></w:num></w:numbering>'
    )
    body, _ = body_of(with_xml(numbered, word__numbering=("</w:numbering>", numbering)))
    assert "eins" in body


def test_a_paragraph_of_thousands_of_looks_is_refused() -> None:
    runs = [Run("a", bold=number % 2 == 0) for number in range(7000)]
    with pytest.raises(ContentError, match="more than a manuscript needs"):
        composed("docx", write_docx([TITLE, p(*runs)]))


def test_a_caption_below_a_picture_becomes_its_caption() -> None:
    blocks = [
        TITLE,
        p("Vor dem Tor."),
        Block("img", alt="Das Tor"),
        p("Foto: Rosa Beispiel"),
        p("Ende."),
    ]
    data = write_docx(blocks)
    plain = paragraph_with(data, "Foto: Rosa")
    styled = plain.replace("<w:p>", '<w:p><w:pPr><w:pStyle w:val="Caption"/></w:pPr>', 1)
    body, _ = body_of(edited(data, {"word/document.xml": (plain, styled)}))
    assert re.search(r'!\[Das Tor\]\(\S+ "Foto: Rosa Beispiel"\)', body)


def test_properties_name_the_author_if_no_byline_does_and_it_is_a_person() -> None:
    essay = composed("docx", write_docx([TITLE, p("Ein Satz.")], author="Rosa Beispiel"))
    assert parts(essay)[0]["author"] == "Rosa Beispiel"
    assert "Rosa Beispiel" in essay.notes[0].in_language("de")
    essay = composed("docx", write_docx([TITLE, p("Ein Satz.")], author="python-docx"))
    assert parts(essay)[0]["author"] == ""


def test_an_english_text_is_set_in_english_whatever_the_template_says() -> None:
    english = p(
        'The house is old, and "nobody" in the town wants it to go. It is for all of us, and that is it.'
    )
    head, body = parts(composed("docx", write_docx([TITLE, english])))
    assert head["language"] == "en"
    assert "“nobody”" in body
    head, _ = parts(
        composed("docx", write_docx([TITLE, p("Das Haus ist alt, und die Stadt will es nicht.")]))
    )
    assert head["language"] == "de"


@pytest.mark.parametrize(
    "runs",
    [
        [Run("„Hallo“", bold=True), Run("sagt sie.")],
        [Run("Un"), Run("sinn", italic=True), Run("ig")],
        [Run("fett ", bold=True), Run(" und"), Run(" schräg ", italic=True), Run("hier")],
        [Run("a", bold=True), Run("b", italic=True), Run("c", bold=True, italic=True)],
        [Run("*"), Run("x", bold=True), Run("*")],
        [Run("Nachbar"), Run("*innen", bold=True), Run(" und "), Run("Händler*innen", italic=True)],
        [Run(" ", bold=True), Run("Text")],
        [Run("Wort", bold=True), Run("_teil_")],
    ],
)
def test_no_emphasis_shows_its_marks_or_loses_a_letter(runs: list[Run]) -> None:
    blocks = [
        TITLE,
        p("Davor."),
        p(*runs),
        Block("ul", [runs]),
        Block("table", rows=[[runs], [runs]]),
    ]
    _, body = parts(composed("docx", write_docx(blocks)))
    expected = re.findall(r"[^\W_]+", "".join(run.text for run in runs))
    assert shown_words(body) == ["Davor", *expected * 4]


def test_the_pictures_of_a_manuscript_are_kept_as_they_are() -> None:
    essay = composed("docx", write_docx([TITLE, p("Davor."), Block("img", alt="Das Tor")]))
    assert list(essay.pictures.values()) == [png()]


def paragraph(inside: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def field(instruction: str, shown: str) -> str:
    """A field of which Word has split the instruction."""
    half = len(instruction) // 2
    written = "".join(
        f'<w:r><w:instrText xml:space="preserve">{escape(piece)}</w:instrText></w:r>'
        for piece in (instruction[:half], instruction[half:])
    )
    begin, apart, end = (
        f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")
    )
    return f"{begin}{written}{apart}{run(shown)}{end}"


@pytest.mark.parametrize(
    ("instruction", "shown"),
    [
        ('HYPERLINK "https://example.org/x?a=1"', "[dort](https://example.org/x?a=1)"),
        ('HYPERLINK "https://example.org/x" \\o "Zum Heft" \\t "_blank"', "[dort](https://example.org/x)"),
        ('HYPERLINK "https://example.org/x" \\l "teil" \\h', "[dort](https://example.org/x#teil)"),
        ("HYPERLINK https://example.org/x", "[dort](https://example.org/x)"),
        ('HYPERLINK \\l "_Toc5"', "dort"),
        ("PAGE", "dort"),
        ('INCLUDETEXT "/etc/passwd"', "dort"),
    ],
)  # fmt: skip
def test_fields_show_their_result_and_links_lead_to_their_address(
    instruction: str, shown: str
) -> None:
    simple = f"<w:fldSimple w:instr={quoteattr(instruction)}>{run('dort')}</w:fldSimple>"
    for written in (field(instruction, "dort"), simple):
        body, notes = body_of(with_xml(paragraph(f"{run('Es steht ')}{written}{run('.')}")))
        assert f"\nEs steht {shown}.\n" in body
        assert notes == []


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        ('<w:r><w:t>eins</w:t><w:br w:type="page"/><w:t>zwei</w:t></w:r>', "eins\n\nzwei"),
        ("<w:r><w:t>eins</w:t><w:cr/><w:t>zwei</w:t></w:r>", "eins\\\nzwei"),
        ('<w:r><w:t>eins</w:t><w:ptab w:alignment="right"/><w:t>zwei</w:t></w:r>', "eins zwei"),
        ("<w:r><w:t>eins</w:t><w:tab/><w:t>zwei</w:t></w:r>", "eins zwei"),
        (f'<w:dir w:val="rtl">{run("eins ")}</w:dir><w:bdo w:val="ltr">{run("zwei")}</w:bdo>', "eins zwei"),
        (run("H") + run("2", '<w:position w:val="-2"/>') + run("O, m") + run("2", '<w:position w:val="8"/>'),
         "H₂O, m²"),
    ],
)  # fmt: skip
def test_no_words_run_into_one_another(inside: str, shown: str) -> None:
    body, notes = body_of(with_xml(paragraph(inside)))
    assert f"\n{shown}\n" in body
    assert notes == []


def test_a_large_first_letter_belongs_to_its_word() -> None:
    frame = '<w:framePr w:dropCap="drop" w:lines="3"/>'
    letter = paragraph(run("E", '<w:position w:val="-4"/><w:sz w:val="120"/>'), frame)
    body, notes = body_of(with_xml(letter + paragraph(run("s war einmal ein Kran."))))
    assert "\nEs war einmal ein Kran.\n" in body
    assert notes == []


def test_what_a_form_asks_for_is_no_text_and_its_boxes_are() -> None:
    def control(properties: str, text: str) -> str:
        content = f"<w:sdtContent>{run(text)}</w:sdtContent>"
        return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr>{content}</w:sdt>"

    box = '<w14:checkbox xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"/>'
    xml = control(box, "☒") + run(" fegen ") + control("<w:showingPlcHdr/>", "Klicken Sie hier.")
    body, notes = body_of(with_xml(paragraph(xml)))
    assert "\n☒ fegen\n" in body
    assert "Klicken" not in body
    assert notes == ["eine verborgene Stelle ist weggelassen"]


def test_a_cell_that_was_deleted_never_shows() -> None:
    cells = f"<w:tc>{paragraph(run('Garn'))}</w:tc><w:tc>{paragraph(run('2,50'))}</w:tc>"
    deleted = f'<w:tc><w:tcPr><w:cellDel w:id="3"/></w:tcPr>{paragraph(run("alt"))}</w:tc>'
    rows = f"<w:tr>{cells}</w:tr><w:tr><w:tc>{paragraph(run('Essig'))}</w:tc>{deleted}</w:tr>"
    body, _ = body_of(with_xml(f"<w:tbl><w:tblPr/><w:tblGrid/>{rows}</w:tbl>"))
    assert "| Essig |  |" in body
    assert "alt" not in body


def test_text_that_was_moved_away_is_not_told_as_missing() -> None:
    away = f'<w:moveFrom w:id="2">{run("Der alte Satz.")}</w:moveFrom>'
    here = f'<w:moveTo w:id="5">{run("Der neue Satz.")}</w:moveTo>'
    body, notes = body_of(with_xml(paragraph(away) + paragraph(here)))
    assert "alte" not in body
    assert "neue" in body
    assert notes == ["2 nachverfolgte Änderungen sind angenommen"]


def test_what_is_missing_beside_no_words_is_told_without_quoting_nothing() -> None:
    chart = '<w:r><w:object><o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office"/></w:object></w:r>'
    _, notes = body_of(with_xml(paragraph(chart)))
    assert notes == ["nicht übernommen: ein eingebettetes Objekt (Diagramm, Zeichnung, Film)"]


def test_a_style_that_hides_its_paragraphs_hides_them() -> None:
    style = (
        '<w:style w:type="paragraph" w:styleId="Notiz"><w:name w:val="Notiz"/><w:rPr><w:vanish/></w:rPr></w:style>'
        "</w:styles>"
    )
    look = '<w:pStyle w:val="Notiz"/>'
    inside = run("Geheim ") + run("und offen", '<w:vanish w:val="0"/>')
    body, notes = body_of(with_xml(paragraph(inside, look), word__styles=("</w:styles>", style)))
    assert "\nund offen\n" in body
    assert "Geheim" not in body
    assert notes == ["eine verborgene Stelle ist weggelassen"]
