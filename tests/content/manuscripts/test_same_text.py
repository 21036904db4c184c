"""Thirty manuscripts by real writers: every word of each is in the essay, in its order and place."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from upcycle_news.content.manuscripts.compose import (
    ComposedEssay,
    ImportRequest,
    compose_document,
    compose_text,
)
from upcycle_news.content.manuscripts.docx import read_docx
from upcycle_news.content.manuscripts.html import read_html
from upcycle_news.content.manuscripts.odt import read_odt
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError
from upcycle_news.text.markdown.parser import parse_body

from .writers import Block, Run, items, p, rows, words, words_of, write_docx, write_html, write_odt

TITLE = "Die Werkstatt am Kanal"
HEAD = [p(TITLE, kind="title"), p("Von Rosa Beispiel")]
LINK = "https://example.org/plan_(neu)"

MANUSCRIPTS: dict[str, list[Block]] = {
    "prose": [
        p("Am Kanal steht eine Werkstatt, die niemand mehr braucht."),
        p("Sagt die Stadt. Die Nachbar*innen sagen etwas anderes: „Sie steht ja schon.“"),
    ],
    "headings": [
        p("Am Anfang war der Kran."), p("Wer kommt", kind="h1"), p("Elf Leute."),
        p("Und wer bleibt", kind="h2"), p("Acht davon."), p("Was es kostet", kind="h1"), p("Viel."),
    ],
    "emphasis": [
        p("Die ", Run("Werkstatt", bold=True), " war ", Run("nie", italic=True), " leer; ",
          Run("ganz", bold=True, italic=True), " im Ernst: ", Run("Um", bold=True), "bau."),
        p(Run("Fett bis zum Ende", bold=True), Run(" und weiter", italic=True), "."),
        p("Ein Zitat ", Run("„mitten", italic=True), Run(" im“", italic=True), " Satz."),
    ],
    "lists": [
        p("Es fehlen:"), items("ul", "ein Besen", "zwei Lampen", "7. ein Schild"),
        p("Der Reihe nach:"), items("ol", "Kaufen", "Öffnen", "Feiern"),
        p("Später:"), items("ol", "Aufräumen", "Abschließen", start=4),
    ],
    "table": [
        p("Was es gibt:"), rows(["Ware", "Preis"], ["Garn | rot", "2,50"], ["Essig", "1,10"], ["", "–"]),
        p("Alles ohne Gewähr."),
    ],
    "quotes": [
        p("Der Meister sagt:"), p('"Wir können rechnen", und zwar \'gut\'.', kind="quote"),
        p("Hans' Kran, '90er Jahre, geht's noch?"),
    ],
    "notes": [
        p("Sie wurde 1931 gebaut", Run(".", note="So steht es im Grundbuch, Blatt 7."), " Und dann?"),
        p("Dann kam der Krieg", Run(".", note="Erinnerungen von Ute Muster, 1962.")),
    ],
    "links": [
        p("Der Plan ", Run("liegt aus", href=LINK), ", die Fragen an ",
          Run("werkstatt@example.org", href="mailto:werkstatt@example.org"), "."),
        p("Oder ", Run("https://example.org/a_b*c", href="https://example.org/a_b*c"), " lesen."),
    ],
    "signs": [
        p("# Kein Titel, sondern eine Raute"), p("- Kein Punkt"), p("1. Mai, 1848. Das Jahr, * 7. März 1931"),
        p("snake_case_name und *Sternchen* und `Akzent` und [Klammer](rund) und ~~Wellen~~"),
        p("a < b > c & d; &amp; &copy; {{ x }} ==gleich== $5 und $6 %%Prozent%% C:\\_neu <b>kein Tag</b>"),
        p("| Striche | im Text |"), p("> Pfeil"), p("+ 8 Mitglieder"), p("Zeile eins", Run("Zeile zwei", after_break=True)),
    ],
    "pictures": [
        p("Vor dem Tor."), Block("img", alt="Das Tor, rot und offen"), p("Hinter dem Tor."),
        Block("img", alt="Der Hof"), p("Am Ende steht ein Satz."),
    ],
}  # fmt: skip
WRITERS = {"docx": write_docx, "odt": write_odt, "html": write_html}


def composed(kind: str, data: bytes, title: str | None = None) -> ComposedEssay:
    if kind == "html":
        document = read_html(data, "x.html", lambda path: None)
    else:
        package = Package(data, f"x.{kind}")
        document = read_docx(package) if kind == "docx" else read_odt(package)
    request = ImportRequest(f"x.{kind}", title, date(2026, 11, 26), None, None, "de")
    return compose_document(document, request, lambda title, data: f"bild-{len(data)}.png")


def parts(essay: ComposedEssay) -> tuple[dict[str, object], str]:
    _, head, body = essay.text.split("---\n", 2)
    return yaml.safe_load(head), body


def shown_words(body: str) -> list[str]:
    """The words that readers see of an essay's text, pictures left out."""
    found: list[str] = []
    for token in parse_body(body, language="de"):
        line = ""
        for child in token.children or ():
            if child.type in ("text", "text_special", "code_inline"):
                line += child.content
            elif child.type in ("softbreak", "hardbreak"):
                line += " "
        found += words(line)
    return found


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", MANUSCRIPTS)
def test_every_word_is_in_the_essay_in_its_order(name: str, kind: str) -> None:
    blocks = [*HEAD, *MANUSCRIPTS[name]]
    essay = composed(kind, WRITERS[kind](blocks, title=TITLE))
    head, body = parts(essay)
    assert (head["title"], head["author"], head["language"]) == (TITLE, "Rosa Beispiel", "de")
    assert shown_words(body) == words_of(MANUSCRIPTS[name])
    assert TITLE not in body
    assert essay.notes == ()


def shape(body: str) -> list[str]:
    """The blocks and inline marks of an essay, by the tokens that show them."""
    wanted = ("heading_open", "blockquote_open", "bullet_list_open", "ordered_list_open", "table_open",
              "strong_open", "em_open", "image", "footnote_ref", "link_open", "hardbreak")  # fmt: skip
    found = []
    for token in parse_body(body, language="de"):
        for each in [token, *(token.children or ())]:
            if each.type in wanted:
                detail = each.tag if each.type == "heading_open" else each.attrs.get("start", "")
                found.append(f"{each.type.removesuffix('_open')} {detail}".strip())
    return found


SHAPES = {
    "prose": [],
    "headings": ["heading h2", "heading h3", "heading h2"],
    "emphasis": ["strong", "em", "em", "strong", "strong", "strong", "em", "em"],
    "lists": ["bullet_list", "ordered_list", "ordered_list 4"],
    "table": ["table"],
    "quotes": ["blockquote"],
    "notes": ["footnote_ref", "footnote_ref"],
    "links": ["link", "link", "link"],
    "signs": ["hardbreak"],
    "pictures": ["image", "image"],
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", MANUSCRIPTS)
def test_what_stands_out_in_the_manuscript_stands_out_in_the_essay(name: str, kind: str) -> None:
    _, body = parts(composed(kind, WRITERS[kind]([*HEAD, *MANUSCRIPTS[name]])))
    assert shape(body) == SHAPES[name]


@pytest.mark.parametrize("kind", WRITERS)
def test_quotation_marks_are_set_and_pictures_keep_their_descriptions(kind: str) -> None:
    _, body = parts(composed(kind, WRITERS[kind]([*HEAD, *MANUSCRIPTS["quotes"]])))
    assert "> „Wir können rechnen“, und zwar ‚gut‘." in body
    assert "Hans’ Kran, ’90er Jahre, geht’s noch?" in body
    essay = composed(kind, WRITERS[kind]([*HEAD, *MANUSCRIPTS["pictures"]]))
    assert "![Das Tor, rot und offen](bild-" in essay.text
    assert all(data.startswith(b"\x89PNG") for data in essay.pictures.values())
    assert len(essay.pictures) == 1  # the same picture twice is one file


@pytest.mark.parametrize("kind", WRITERS)
def test_all_formats_give_the_same_essay(kind: str) -> None:
    everything = [block for blocks in MANUSCRIPTS.values() for block in blocks]
    reference = composed("docx", write_docx([*HEAD, *everything]))
    assert composed(kind, WRITERS[kind]([*HEAD, *everything])).text == reference.text


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("blocks", [[], [HEAD[0]], [HEAD[0], p("Wer kommt", kind="h1")]])
def test_headings_without_a_text_are_no_essay(blocks: list[Block], kind: str) -> None:
    with pytest.raises(ContentError, match="nothing to import"):
        composed(kind, WRITERS[kind](blocks))


HANDED_IN = [
    "Werft. Schon das Wort klingt nach Rost, nach ‚‚Hier läuft nichts mehr vom Stapel”. Und wenn das Dock – mitten "
    "im Ort – nur auf eine Aufgabe wartet? Nachbar*innen müssen es nicht neu erfinden, sie müssen es nur öffnen.",
    "Wer hier ‚‚Lage” sagt, meint meist Geld. Wir meinen Wände. Sie stehen ja schon, sie halten den Wind ab - und "
    "sie gehören allen, die sich noch an die Kräne der 70er Jahre erinnern können, z. B. an den gelben.",
    "Das ist kein Museum, geht's doch um Arbeit: 3,5 Tage in der Woche, so steht es im Plan (Seite 7), und mehr.",
    "Rosa Beispiel ist Leiterin von Dock+Hof, dem Werkraum bei muster+mann.",
]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_plain_text_gives_the_same_essay_as_its_document(kind: str) -> None:
    blocks = [p(paragraph) for paragraph in HANDED_IN]
    request = ImportRequest("x.txt", "Was bleibt", date(2026, 11, 26), None, None, "de")
    essay = compose_text("\n".join(HANDED_IN), request)
    assert composed(kind, WRITERS[kind](blocks), title="Was bleibt").text == essay.text
    assert parts(essay)[0]["author"] == "Rosa Beispiel"
    assert "„Hier läuft nichts mehr vom Stapel“" in essay.text


@pytest.mark.parametrize("kind", WRITERS)
def test_a_title_that_is_given_wins_and_the_manuscripts_own_stays_as_a_heading(kind: str) -> None:
    data = WRITERS[kind]([*HEAD, *MANUSCRIPTS["prose"]])
    head, body = parts(composed(kind, data, title="Ein anderer Titel"))
    assert (head["title"], head["author"]) == ("Ein anderer Titel", "Rosa Beispiel")
    assert body.startswith(f"\n## {TITLE}\n")
    assert "Von Rosa Beispiel" not in body


@pytest.mark.parametrize("kind", WRITERS)
def test_a_closing_byline_gives_the_author_and_stays_in_italics(kind: str) -> None:
    blocks = [p(TITLE, kind="title"), p("Ein Satz."), p("Rosa Beispiel ist Architektin in Halle.")]
    head, body = parts(composed(kind, WRITERS[kind](blocks)))
    assert head["author"] == "Rosa Beispiel"
    assert body.endswith("*Rosa Beispiel ist Architektin in Halle.*\n")
