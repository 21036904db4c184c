"""Importing plain texts: paragraphs, bylines and quotation marks; no word changes."""

import re
import unicodedata
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from upcycle_news.content.essays import read_essays
from upcycle_news.content.plaintext_import import (
    escape_line,
    import_text,
    split_paragraphs,
)
from upcycle_news.errors import ContentError
from upcycle_news.rendering.markdown import parse
from upcycle_news.rendering.plaintext import to_text
from upcycle_news.text.smart_quotes import typeset

DAY = date(2026, 11, 26)
HANDED_IN = (
    "Bahnhof. Schon das Wort riecht nach Abschied, nach ‚‚Hier fährt nichts mehr”. Und wenn das "
    "Gebäude – mitten im Ort – nur auf eine Aufgabe wartet? Niemand muss es neu erfinden.\n"
    "Wer hier ‚‚Potenzial” sagt, meint meist Geld. Wir meinen Wände. Sie stehen ja schon, sie halten "
    "den Regen ab - und sie gehören allen, die sich noch an die Fahrpläne erinnern können.\n"
    "Martha Beispiel ist Leiterin von Haus+Hof, dem Werkraum bei muster+mann."
)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))


def imported(text: str, **more) -> tuple[dict, str]:
    markdown = import_text(text, title="Was bleibt", day=DAY, **more)
    _, head, body = markdown.split("---\n", 2)
    return yaml.safe_load(head), body


def displayed(body: str) -> str:
    """What a reader sees of a Markdown body."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    return " ".join(
        "".join(child.content or " " for child in token.children)
        for token in tokens
        if token.type == "inline"
    )


def test_a_handed_in_text_becomes_an_essay():
    head, body = imported(HANDED_IN)
    assert head == {
        "title": "Was bleibt",
        "author": "Martha Beispiel",
        "date": DAY,
        "language": "de",
        "summary": "Bahnhof. Schon das Wort riecht nach Abschied, nach „Hier fährt nichts mehr“. "
        "Und wenn das Gebäude – mitten im Ort – nur auf eine Aufgabe wartet? "
        "Niemand muss es neu erfinden. Wer hier „Potenzial“ sagt, meint meist Geld. Wir meinen Wände.",
        "topics": [],
        "status": "ready",
    }
    paragraphs = body.strip().split("\n\n")
    assert len(paragraphs) == 3
    assert "nach „Hier fährt nichts mehr“." in paragraphs[0]
    assert "ab – und sie" in paragraphs[1]
    assert (
        paragraphs[2]
        == "*Martha Beispiel ist Leiterin von Haus+Hof, dem Werkraum bei muster+mann.*"
    )


def test_an_imported_text_is_a_readable_essay(tmp_path):
    (tmp_path / "content/essays").mkdir(parents=True)
    markdown = import_text(HANDED_IN, title='"Was": bleibt', day=DAY)
    (tmp_path / "content/essays/x.md").write_text(markdown, encoding="utf-8")
    collection = read_essays(tmp_path / "content", tmp_path, "de")
    assert collection.errors == ()
    assert collection.essays[0].title == "„Was“: bleibt"


def test_a_given_author_wins_and_the_byline_stays():
    head, body = imported(HANDED_IN, author="Jemand Anders")
    assert head["author"] == "Jemand Anders"
    assert "*Martha Beispiel ist" in body


def test_an_empty_text_is_refused():
    with pytest.raises(ContentError, match="nothing to import"):
        import_text("\ufeff \r\n\t", title="x", day=DAY)


@pytest.mark.parametrize(
    "quoted",
    ["‚‚so”", ",,so''", '"so"', "“so”", "„so“", "„so”", "»so«", "«so»", "``so''", "''so''", "„so\"", "‘‘so’’"],
)  # fmt: skip
def test_every_pair_of_marks_becomes_german_quotation_marks(quoted):
    assert typeset(f"Er nennt es {quoted}, mehr nicht.") == "Er nennt es „so“, mehr nicht."
    assert typeset(f"({quoted})") == "(„so“)"
    assert typeset(f"{quoted}-Stadt") == "„so“-Stadt"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("\"Er sagte 'komm' und ging\"", "„Er sagte ‚komm‘ und ging“"),
        ("\"Er sagte 'komm'\"", "„Er sagte ‚komm‘“"),
        (",,Er sagte 'komm'''", "„Er sagte ‚komm‘“"),
        ("„Er rief „komm“ und ging“", "„Er rief ‚komm‘ und ging“"),
        ("»Er sagte ›komm‹«", "„Er sagte ‚komm‘“"),
        ("‚gelauncht‘ und ‚geliebt’", "‚gelauncht‘ und ‚geliebt‘"),
        ("geht's, Hans' Auto, '90er, 's ist", "geht’s, Hans’ Auto, ’90er, ’s ist"),
        ("‚Hans’ Auto’ und ‚das Haus’", "‚Hans’ Auto‘ und ‚das Haus‘"),
        ("geht´s und geht`s", "geht’s und geht’s"),
        ('ein 5" Rohr, "so" lang', 'ein 5" Rohr, „so“ lang'),
        ("so - oder -- so – oder so", "so – oder – so – oder so"),
        ("Bau- und Abriss, 10-20", "Bau- und Abriss, 10-20"),
    ],
)
def test_inner_quotations_apostrophes_and_dashes_are_distinguished(typed, printed):
    assert typeset(typed) == printed


def test_english_texts_get_english_marks():
    assert typeset("\"He said 'come'\", it's fine", "en") == "“He said ‘come’”, it’s fine"


def test_typeset_text_stays_unchanged():
    text = "„Er sagte ‚komm‘ – geht’s?“, fragte sie."
    assert typeset(text) == text


def test_wrapped_lines_are_one_paragraph_and_blank_lines_separate():
    assert split_paragraphs("eins\nzwei\n\n\ndrei\r\nvier") == ["eins\nzwei", "drei\nvier"]


def test_without_blank_lines_a_short_line_ends_a_paragraph():
    long = "Dies ist eine Zeile, wie sie ein altes Programm umbrochen hat, recht lang"
    text = f"{long}\n{long}\nund aus.\n{long}\nMartha Beispiel, Architektin"
    assert split_paragraphs(text) == [
        f"{long}\n{long}\nund aus.",
        long,
        "Martha Beispiel, Architektin",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "1990. war das Jahr", "# kein Titel", "- kein Punkt", "* kein Stern", "+ plus", "> kein Zitat",
        "<b>kein Tag</b>", "    kein Code", "a*b*c und _d_ und `e`", "[kein](link)", "![kein](bild)",
        "&copy; und &amp;", "---", "===", "~~~", "```", "|a|b|", "~~weg~~", "ein \\ Strich", "1) eins",
        "<!-- weg -->", "https://example.org/a_b_c", "[a]: https://example.org",
    ],
)  # fmt: skip
def test_nothing_becomes_markdown_by_accident(line):
    escaped = escape_line(line)
    assert displayed(escaped) == line.strip()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse("Davor\n" + escaped)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]


typed = st.text(
    alphabet=st.sampled_from(list("aäZß19 \n.,;:-–_*#<>&[]()!|~`\\+='\"‚„“”’‘»«›‹´\t\x0b\r\x00\u202e\u00ad")),
    max_size=80,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(typed, st.text(max_size=60)), st.sampled_from(["de", "en"]))
def test_no_word_ever_changes(text, language):
    if not split_paragraphs(text):
        return
    _, body = imported(text, language=language)
    assert words(body) == words(text.removeprefix("\ufeff").replace("\ufffe", " "))


@settings(max_examples=150, deadline=None)
@given(typed)
def test_the_typed_words_are_the_displayed_words(text):
    paragraphs = split_paragraphs(text)
    if paragraphs:
        _, body = imported(text)
        assert words(displayed(body)) == words(" ".join(paragraphs))


@settings(max_examples=150, deadline=None)
@given(typed)
def test_typesetting_twice_changes_only_quotation_marks(text):
    marks = re.compile("['\"‚„“”’‘»«›‹´`,]")
    assert marks.sub("", typeset(typeset(text))) == marks.sub("", typeset(text))


@pytest.mark.parametrize(
    "text",
    [
        "Von Jürgen Schöpf\n\nHier wuchs nichts.\nJetzt schon.\n",
        "Was bleibt\n\nVon Jürgen Schöpf\n\nHier wuchs nichts.\nJetzt schon.\n",
        "WAS BLEIBT\nVon Jürgen Schöpf\n\nHier wuchs nichts.\nJetzt schon.\n",
        "Was bleibt\nVon Jürgen Schöpf\nHier wuchs nichts.\nJetzt schon.\n",
        "Was bleibt\n\nText: Jürgen Schöpf\nHier wuchs nichts.\nJetzt schon.\n",
    ],
)
def test_title_and_byline_above_the_text_go_into_the_front_matter(text: str):
    head, body = imported(text)
    assert (head["title"], head["author"]) == ("Was bleibt", "Jürgen Schöpf")
    assert body == "\nHier wuchs nichts.\nJetzt schon.\n"
    assert head["summary"] == "Hier wuchs nichts. Jetzt schon."


@pytest.mark.parametrize(
    "text",
    [
        "Von Jürgen Schöpf\nerzählt man sich viel.\n\nHier wuchs nichts.\n",
        "Von Jürgen Schöpf.\n\nHier wuchs nichts.\n",
        "Von Haus zu Haus\n\nHier wuchs nichts.\n",
        "Von Bonn und Berlin\n\nHier wuchs nichts.\n",
        "Von Jürgen Schöpf lernen\n\nHier wuchs nichts.\n",
        "Was bleibt",
        "Was bleibt\n\nVon Jürgen Schöpf",
    ],
)
def test_what_only_begins_like_a_byline_stays_in_the_text(text: str):
    _, body = imported(text)
    assert words(displayed(body))[-1] == words(text)[-1]
    assert "".join(words(displayed(body))) in "".join(words(text))
    assert words(text)[:2] == words(displayed(body))[:2] or text.startswith("Was bleibt\n")


def test_the_title_above_the_text_is_not_shown_twice():
    head, body = imported("Was bleibt\n\nHier wuchs nichts.\nJetzt schon.\n\nMehr davon.\n")
    assert head["author"] == ""
    assert body == "\nHier wuchs nichts.\nJetzt schon.\n\nMehr davon.\n"


def test_two_authors_above_the_text_are_both_kept():
    head, _ = imported("Von Anna Beispiel und Bert von Muster\n\nHier wuchs nichts.\n")
    assert head["author"] == "Anna Beispiel und Bert von Muster"


def test_lists_and_lines_of_a_plain_text_stay():
    text = (
        "Ein Laden für alle\nVon Jonas Muster\n\nAn der Ecke ist ein Laden, der wartet.\n\nWir brauchen:\n\n"
        "• einen Besen\n• zwei Lampen\n\n1. Garn\n2. Essig\n\n- Brot\n- Öl\n\nVerein\nGasse 1\n54321 Stadt\n"
    )
    head, body = imported(text)
    assert (head["author"], head["summary"]) == (
        "Jonas Muster",
        "An der Ecke ist ein Laden, der wartet.",
    )
    assert body.strip().split("\n\n") == [
        "## Ein Laden für alle",
        "An der Ecke ist ein Laden, der wartet.",
        "Wir brauchen:",
        "- einen Besen\n- zwei Lampen",
        "1. Garn\n2. Essig",
        "- Brot\n- Öl",
        "Verein\nGasse 1\n54321 Stadt",
    ]


def test_a_single_line_with_a_sign_is_no_list():
    _, body = imported("Anfang.\n\n- Brot\n\n1. Garn\n\n+ Öl")
    assert body.strip().split("\n\n") == ["Anfang.", "\\- Brot", "1\\. Garn", "\\+ Öl"]


def test_a_marked_word_of_a_plain_text_stays_as_typed():
    _, body = imported("So ==ist== es, sagt der Verein.")
    assert "\\==ist\\==" in body


lines_typed = st.lists(
    st.sampled_from(
        ["Der Laden.", "• Besen", "•Besen", "- Garn", "1. Eins", "2. Zwei", "7. März 1931", "* 12. Mai 1931", "",
         "– Wer da?", "+ 8 Leute", "Gasse 1", "    Vers,", "\tAbsatz eins.", "---", "--", "===", "> Zitat", "# 3",
         ">>so<<", "==x==", "a_b_c *d* `e`", "[1] und (2)", "~~~", "Händler*innen", "https://example.org/a_b", "|x|y|",
         "a) Punkt", "[ ] offen", "<b>", "&amp;", "1) eins", "[^1]: Note", "[a]: b", "^[x]"]
    ),
    min_size=1,
    max_size=10,
).map("\n".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(lines_typed)
def test_the_mail_has_the_words_of_the_plain_text(text):
    if not split_paragraphs(text):
        return
    _, body = imported(text)
    shown, _ = to_text(parse(body, language="de"), image_label="Bild")
    assert words(shown) == words(text)
