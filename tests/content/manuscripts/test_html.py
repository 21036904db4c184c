"""HTML as Word, LibreOffice, Google Docs and web pages write it."""

from __future__ import annotations

import base64

import pytest

from upcycle_news.errors import ContentError

from .test_same_text import composed, parts
from .writers import png

TITLE = "<h1>Die Werkstatt</h1>"


def body_of(html: str, head: str = "") -> tuple[str, list[str]]:
    page = f"<!DOCTYPE html><html><head><meta charset=utf-8>{head}</head><body>{TITLE}{html}</body></html>"
    essay = composed("html", page.encode())
    return parts(essay)[1].strip(), [note.in_language("de") for note in essay.notes]


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Eins</p><p>zwei&nbsp;</p>", "Eins\n\nzwei"),
        ("<div>Eins<div>zwei</div>drei</div>", "Eins\n\nzwei\n\ndrei"),
        ("Eins<br><br>zwei<br>drei", "Eins\n\nzwei\\\ndrei"),
        ("<b style='font-weight:normal' id='docs-internal-guid-1'><p>Eins</p><p>zwei</p></b>", "Eins\n\nzwei"),
        ("<p><span style='font-weight:700'>fett</span> <span style='font-style:italic'>schräg</span></p>",
         "**fett** *schräg*"),
        ("<p>m<sup>2</sup> und CO<sub>2</sub></p>", "m² und CO₂"),
        ("<p>Er sagt <q>so</q>.</p>", "Er sagt „so“."),
        ("<p><del>alt</del> <ins>neu</ins></p>", "neu"),
        ("<p><s>alt</s> <mark>neu</mark> <code>a*b</code></p>", "~~alt~~ ==neu== `a*b`"),
        ("<p>Eins<o:p></o:p></p><!-- Geheim --><p style='mso-hide:all'>Verborgen</p>", "Eins"),
        ("<p>Eins</p><script>var a = 1;</script><style>p {}</style><template><p>x</p></template>", "Eins"),
        ("<p>Eins</p><p hidden>Verborgen</p><div style='display: none'>Verborgen</div>", "Eins"),
        ("<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul>", "- a\n  - b\n- c"),
        ("<ol start='4'><li>a</li><li value='7'>b</li></ol>", "4. a\n7. b"),
        ("<ul><li>a</li></ul><ul><li>b</li></ul>", "- a\n\n* b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<pre>a = 1\n  b</pre>", "```\na = 1\n  b\n```"),
        ("<p>Eins</p><hr><p>zwei</p>", "Eins\n\n* * *\n\nzwei"),
        ("<p><a href='https://www.google.com/url?q=https://example.org/x&amp;sa=D'>da</a></p>",
         "[da](https://example.org/x)"),
        ("<p><a href='https://example.org/a b(c)'>da</a></p>", "[da](https://example.org/a%20b%28c%29)"),
        ("<table><caption>Preise</caption><tr><th>a</th><th>b</th></tr><tr><td>1</td></tr></table>",
         "| a | b |\n| --- | --- |\n| 1 |  |"),
        ("<table><tr><td><p>Nur</p><p>Rahmen</p></td></tr></table>", "Nur\n\nRahmen"),
        ("<p>Fu&szlig;&shy;ball &#8222;so&#8220;</p>", "Fuß\u00adball „so“"),
    ],
)  # fmt: skip
def test_html_becomes_markdown(html: str, markdown: str) -> None:
    assert body_of(html)[0] == markdown


def test_bold_of_google_docs_stands_in_a_style_sheet() -> None:
    head = "<style>.c1{font-weight:700}.c2 {font-style: italic}</style>"
    assert body_of("<p><span class='c1'>fett</span> <span class='c2 c9'>schräg</span></p>", head)[
        0
    ] == ("**fett** *schräg*")


@pytest.mark.parametrize(
    "html",
    [
        # Word
        "<p>Eins<a href='#_ftn1' name='_ftnref1'><span>[1]</span></a>.</p><div><hr><div id='ftn1'>"
        "<p><a href='#_ftnref1' name='_ftn1'>[1]</a> Die Note.</p></div></div>",
        # LibreOffice
        "<p>Eins<sup><a class='sdfootnoteanc' name='sdfootnote1anc' href='#sdfootnote1sym'>1</a></sup>.</p>"
        "<div id='sdfootnote1'><p><a class='sdfootnotesym' name='sdfootnote1sym' href='#sdfootnote1anc'>1</a>"
        "Die Note.</p></div>",
        # pandoc
        "<p>Eins<a href='#fn1' id='fnref1'><sup>1</sup></a>.</p><section><hr><ol><li id='fn1'><p>Die Note."
        "<a href='#fnref1'>↩</a></p></li></ol></section>",
    ],
)
def test_footnotes_of_all_programs_become_footnotes(html: str) -> None:
    assert body_of(html)[0] == "Eins[^1].\n\n[^1]: Die Note."


def test_lists_of_words_html_are_lists_again() -> None:
    item = "<p class=MsoListParagraphCxSpMiddle style='text-indent:-18.0pt;mso-list:l0 level{} lfo1'>{}</p>"
    sign = (
        "<![if !supportLists]><span style='font-family:Symbol'><span style='mso-list:Ignore'>{}"
        "<span style='font:7.0pt \"Times New Roman\"'>&nbsp;&nbsp; </span></span></span><![endif]>{}"
    )
    html = "".join(
        item.format(level, sign.format(mark, text))
        for level, mark, text in [
            (1, "·", "ein <b>Besen</b>"),
            (2, "o", "aus Holz"),
            (1, "·", "zwei Lampen"),
        ]
    )
    assert body_of(html)[0] == "- ein **Besen**\n  - aus Holz\n- zwei Lampen"
    filtered = (
        "<p class=MsoListParagraphCxSpFirst>1.<span style='font:7.0pt'>&nbsp;&nbsp;</span>Kaufen</p>"
        "<p class=MsoListParagraphCxSpLast>2.<span style='font:7.0pt'>&nbsp;</span>Öffnen</p><p>Ende.</p>"
    )
    assert body_of(filtered)[0] == "1. Kaufen\n2. Öffnen\n\nEnde."
    assert body_of("<p class=MsoListParagraph>Nur eingerückt.</p>")[0] == "Nur eingerückt."


def test_what_is_left_out_is_told() -> None:
    html = (
        "<nav><a href='/'>Start</a></nav><p>Siehe <a href='seite.html'>dort</a>, <u>unter</u>.</p>"
        "<p>Film: <iframe src='https://example.org/film'></iframe></p>"
        "<p><img src='https://example.org/x.png' alt='Das Tor'></p><p>x<sup>abc</sup></p>"
    )
    body, notes = body_of(html)
    assert body == "Siehe dort, unter.\n\nFilm:\n\nxabc"
    assert [note.split(",")[0] for note in notes] == [
        "nicht übernommen: ein Bild",
        "nicht übernommen: ein eingebettetes Objekt (Diagramm",
        "ein Menü der Webseite ist weggelassen",
        "ein Link",
        "eine Unterstreichung ist weggelassen; der Text steht da",
        "eine hoch- oder tiefgestellte Stelle steht auf der Zeile",
    ]


def test_a_picture_in_the_page_is_kept_with_its_caption() -> None:
    data = base64.b64encode(png()).decode()
    figure = (
        f"<figure><img src='data:image/png;base64,{data}' alt='Das Tor'>"
        "<figcaption>Foto: Rosa Beispiel</figcaption></figure>"
    )
    assert body_of(figure)[0] == f'![Das Tor](bild-{len(png())}.png "Foto: Rosa Beispiel")'


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "keiner", "hex"])
def test_a_declaration_that_cannot_be_true_is_not_believed(charset: str) -> None:
    html = f"<html><head><meta charset='{charset}'></head><body>{TITLE}<p>Größe +AGE-</p></body></html>"
    assert "Größe +AGE-" in composed("html", html.encode()).text


@pytest.mark.parametrize("charset", ["windows-1252", "iso-8859-1", "utf-8"])
def test_the_declared_charset_is_believed_if_it_is_true(charset: str) -> None:
    html = f"<html><head><meta charset='{charset}'></head><body>{TITLE}<p>Größe – „so“</p></body></html>"
    real = "cp1252" if charset != "utf-8" else "utf-8"
    assert "Größe – „so“" in composed("html", html.encode(real)).text
    wrong = html.replace(charset, "utf-8").encode("cp1252")
    assert "Größe – „so“" in composed("html", wrong).text


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "<div>" * 3000 + "tief",
        "<ul>" + "<li><ul>" * 300,
        "<table>" * 300,
        "<p>" + "<b><i>" * 400 + "x",
    ],
)
def test_deep_pages_are_read_or_refused(html: str) -> None:
    try:
        body, _ = body_of(html + "<p>Ende</p>")
    except ContentError as error:
        assert str(error).startswith("x.html: ")
    else:
        assert body


def test_a_page_without_text_is_refused() -> None:
    with pytest.raises(ContentError, match="nothing to import"):
        composed("html", b"<html><body><script>1</script></body></html>")


@pytest.mark.parametrize(
    "html",
    [
        # Word
        """<p>Das Tor ist offen<span class=MsoCommentReference><a class=msocomanchor id="_anchor_1"
        href="#_msocom_1" name="_msoanchor_1">[RB1]</a></span>.</p><div style='mso-element:comment-list'><hr
        class=msocomoff><div style='mso-element:comment'><div id="_com_1" class=msocomtxt><a name="_msocom_1"></a>
        <p class=MsoCommentText><a class=msocomoff href="#_msoanchor_1">[RB1]</a>Stimmt das?</p>
        <p class=MsoCommentText>Noch eine Zeile.</p></div></div></div>""",
        # Google Docs
        """<p>Das Tor ist offen<sup><a href="#cmnt1" id="cmnt_ref1">[a]</a></sup>.</p><hr><div class="c1">
        <p><a href="#cmnt_ref1" id="cmnt1">[a]</a><span>Stimmt das?</span></p><p>Noch eine Zeile.</p></div>""",
    ],
)
def test_comments_are_left_out_and_counted(html: str) -> None:
    body, notes = body_of(html)
    assert body == "Das Tor ist offen."
    assert notes == ["ein Kommentar ist weggelassen"]


def test_a_footnote_beside_a_comment_stays() -> None:
    html = (
        '<p>Das Tor<sup><a href="#ftnt1" id="ftnt_ref1">[1]</a></sup> ist offen<sup><a href="#cmnt1" '
        'id="cmnt_ref1">[a]</a></sup>.</p><hr><div><p><a href="#ftnt_ref1" id="ftnt1">[1]</a> Im Grundbuch.</p></div>'
        '<div><p><a href="#cmnt_ref1" id="cmnt1">[a]</a>Stimmt das?</p></div>'
    )
    body, notes = body_of(html)
    assert body == "Das Tor[^1] ist offen.\n\n[^1]: Im Grundbuch."
    assert notes == ["ein Kommentar ist weggelassen"]


def test_the_lists_of_google_docs_are_nested_again() -> None:
    html = (
        '<ul class="c1 lst-kix_ab1-0 start"><li>Besen</li></ul><ul class="c1 lst-kix_ab1-1 start"><li>klein</li></ul>'
        '<ul class="c1 lst-kix_ab1-2 start"><li>rot</li></ul><ul class="c1 lst-kix_ab1-1"><li>groß</li></ul>'
        '<ul class="c1 lst-kix_ab1-0"><li>Lampe</li></ul>'
        '<ol class="lst-kix_cd-0 start" start="1"><li>Kaufen</li></ol><ol class="lst-kix_cd-1 start"><li>bar</li></ol>'
        '<ol class="lst-kix_cd-0" start="2"><li>Öffnen</li></ol>'
    )
    body, notes = body_of(html)
    bullets = "- Besen\n  - klein\n    - rot\n  - groß\n- Lampe"
    assert body == f"{bullets}\n\n1. Kaufen\n   1. bar\n2. Öffnen"
    assert notes == []


def test_titles_captions_and_quotations_are_told_by_their_class() -> None:
    page = (
        '<p class="c5 title"><span>Die Werkstatt</span></p><h1>Am Kanal</h1><p>Sie steht.</p>'
        "<p class=MsoQuote>Wir rechnen.</p>"
    )
    head, text = parts(composed("html", f"<html><body>{page}</body></html>".encode()))
    assert head["title"] == "Die Werkstatt"
    assert text.strip() == "## Am Kanal\n\nSie steht.\n\n> Wir rechnen."


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Ein <b style='mso-bidi-font-weight:normal'>altes</b> Tor.</p>", "Ein **altes** Tor."),
        ('<p>Ein <i style="mso-bidi-font-style:normal">altes</i> Tor.</p>', "Ein *altes* Tor."),
        ('<h2>Wer kommt <a href="#wer" class="anchor">¶</a></h2><p>Alle.</p>', "## Wer kommt\n\nAlle."),
        ('<p>A</p><p style="font-size:0;opacity:0">B</p>', "A"),
        ('<p>A</p><p style="font-size:0.9em">B</p>', "A\n\nB"),
        ("<p>A</p><hr><p>B</p><hr>", "A\n\n* * *\n\nB"),
    ],
)  # fmt: skip
def test_what_programs_write_beside_the_text_changes_nothing(html: str, markdown: str) -> None:
    assert body_of(html)[0] == markdown


def test_a_list_that_counts_down_is_told() -> None:
    assert "anders geworden" in body_of("<ol reversed><li>zwei</li><li>eins</li></ol>")[1][0]


def test_a_note_with_several_references_has_no_arrows() -> None:
    html = (
        '<p>A<sup><a id="r1" href="#n1">1</a></sup> B<sup><a id="r2" href="#n1">1</a></sup></p><ol><li id="n1"><p>'
        'Im Grundbuch. <a href="#r1">↩︎</a> <a href="#r2">↩︎<sup>2</sup></a></p></li></ol>'
    )
    assert body_of(html)[0] == "A[^1] B[^2]\n\n[^1]: Im Grundbuch.\n\n[^2]: Im Grundbuch."
