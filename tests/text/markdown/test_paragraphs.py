"""Paragraphs, indented lines, verse, and lines below paragraphs."""

from __future__ import annotations

import pytest

from upcycle_news.text.markdown.paragraphs import looks_like_program

from .parsing import html

LONG = (
    "Der Hof hinter der Schule hatte Platz für vieles: Bänke, Beete, ein Spielhaus. Dazu kam ein Schuppen, "
    "in dem seit Jahren Stühle standen, die niemand mehr zählte. Heute sitzen dort Kinder."
)


def test_lines_of_several_sentences_are_paragraphs() -> None:
    assert (
        html(f"{LONG}\n{LONG}\nUnd das war es.")
        == f"<p>{LONG}</p>\n<p>{LONG}</p>\n<p>Und das war es.</p>"
    )
    assert html(f"> {LONG}\n> {LONG}").count("<p>") == 2
    assert html(f"{LONG}\nMia Beispiel leitet den Hof.").count("<p>") == 2


@pytest.mark.parametrize(
    "text",
    [
        "Ein Satz, der für sich auf einer Zeile steht, weil der Editor es so mag.\nKurz.\nUnd noch einer, länger "
        "als alle anderen, denn er zählt auf, was der Hof hatte, und kommt so auf mehr als hundertzwanzig Zeichen.",
        "Seit zwei Jahren ist er zu. Im Fenster hängt ein Zettel, auf\ndem eine Nummer steht, und niemand weiß, "
        "ob am anderen Ende\nnoch jemand abnimmt. Vielleicht klingelt es nur.",
        f"{LONG[:-1]},\n{LONG}",
    ],
)
def test_wrapped_lines_and_a_sentence_a_line_are_one_paragraph(text: str) -> None:
    assert html(text) == f"<p>{text}</p>"


def test_short_lines_are_kept() -> None:
    assert html("Garn und Knöpfe\nEssig und Öl") == "<p>Garn und Knöpfe<br />Essig und Öl</p>"
    assert html("> Garn\n> Essig") == "<blockquote>\n<p>Garn<br />Essig</p>\n</blockquote>"
    assert html("- Verein\n  Gasse 1") == "<ul>\n<li>Verein<br />Gasse 1</li>\n</ul>"
    assert html("*Garn\nEssig*") == "<p><em>Garn<br />Essig</em></p>"


def test_a_line_of_fifty_characters_makes_the_others_soft() -> None:
    assert html(f"Garn\n{'x' * 49}") == f"<p>Garn<br />{'x' * 49}</p>"
    assert html(f"Garn\n{'x' * 50}") == f"<p>Garn\n{'x' * 50}</p>"


@pytest.mark.parametrize(
    "signs",
    [
        ("a)", "b)"),
        ("(1)", "(2)"),
        ("1.)", "2.)"),
        ("✅", "❌"),
        ("→", "→"),
        ("§ 1", "§ 2"),
        ("19:00", "20.30 Uhr"),
        ("9:00–12:00", "14:00–18:00"),
        ("1931:", "1958–1990:"),
    ],
)
def test_lines_that_each_begin_with_a_sign_are_kept_however_long(signs: tuple[str, str]) -> None:
    lines = [
        f"{sign} ein Punkt, der viel länger ist als eine Zeile in einem Gedicht" for sign in signs
    ]
    shown = html("\n".join(lines)).replace("\u00a0", " ")
    assert shown == f"<p>{'<br />'.join(lines)}</p>"


def test_an_address_of_the_web_is_no_long_line() -> None:
    address = "https://example.org/verein/zur/ecke/mit/einem/langen/weg/dahin"
    assert html(f"Verein zur Ecke\n{address}").startswith("<p>Verein zur Ecke<br />")


def test_where_the_author_marked_a_line_end_the_others_are_soft() -> None:
    assert html("Garn\nund Knöpfe  \nEssig") == "<p>Garn\nund Knöpfe<br />Essig</p>"


def test_indented_lines_are_paragraphs() -> None:
    assert html("\tDer Schlüssel passte.\n\n    Drinnen roch es.") == (
        "<p>Der Schlüssel passte.</p>\n<p>Drinnen roch es.</p>"
    )
    first = "Der Schlüssel passte beim ersten Mal, was niemand erwartet hatte, auch er nicht."
    assert html(f"{first}\n\t{first}\n    {first}").count("<p>") == 3
    hanging = "Muster, Jonas: Vom Bauen mit dem, was da ist, und von anderem,\n    zweite Auflage, Musterstadt"
    assert html(hanging).count("<p>") == 1


def test_indented_verse_keeps_its_lines_however_long() -> None:
    verse = [
        "Wer in den Laden ging, kam reicher wieder heraus, als er war,",
        "und ging,",
        "ohne zu zahlen.",
    ]
    assert html("\n".join(f"    {line}" for line in verse)) == f"<p>{'<br />'.join(verse)}</p>"
    wrapped = (
        "Ein Absatz, den ein Programm eingerückt und umbrochen hat, so dass\nkeine Zeile länger "
    )
    wrapped += "ist als alle anderen, was man ihnen auch ansieht,\nsobald man nachzählt."
    assert "<br />" not in html("    " + wrapped.replace("\n", "\n    "))


@pytest.mark.parametrize(
    "program",
    [
        "for i in range(3):\n    print(i)", "$ upcycle-news check", "x = 5", "git push", "def f():\n    return 1",
        "if (a) {\n  b();\n}", "<div>\n  <p>x</p>\n</div>", "SELECT name FROM reader", "#include <a.h>",
        "Garn      2,50   12\nEssig     1,10    9", "```\nx\n```", "{\n  \"a\": 1\n}",
    ],
)  # fmt: skip
def test_a_program_stays_a_block_of_code(program: str) -> None:
    assert looks_like_program(program.split("\n"))
    indented = "\n".join(f"    {line}" for line in program.split("\n"))
    assert html(f"Davor:\n\n{indented}\n\nDanach.").count("<pre>") == 1


@pytest.mark.parametrize(
    "prose",
    [
        "Garn und Knöpfe;\nEssig und Öl:", "Der Verein (gegründet 1931)", "Alle Schüler(innen)", "jede(r)",
        "– Wer da?", "So geht es: Erst das Dach.", "Für Anna", "Und dann? (Nichts.)", "Weil er ging;", "3 + 4",
        "Von hier bis dort\nund von dort\nzurück", "Wenn er kommt:\nsag es ihm",
    ],
)  # fmt: skip
def test_prose_and_verse_are_no_program(prose: str) -> None:
    assert not looks_like_program(prose.split("\n"))


def test_code_behind_indented_prose_stays_code() -> None:
    shown = html("    Ein Absatz.\n\n    x = 1\n\n    y = 2\n\n    Noch einer.")
    assert (
        shown == "<p>Ein Absatz.</p>\n<pre><code>x = 1\n\ny = 2\n</code></pre>\n<p>Noch einer.</p>"
    )


@pytest.mark.parametrize("line", ["---", "----------", "--", "-- ", "===", "=="])
@pytest.mark.parametrize(
    "paragraph",
    ["So endet der erste Abend, und alle gehen heim.", "Mit Grüßen,", "Eine lange Zeile ohne Schlusszeichen, die weiter reicht als eine Überschrift"],
)  # fmt: skip
def test_a_line_below_a_paragraph_is_a_rule(paragraph: str, line: str) -> None:
    assert html(f"{paragraph}\n{line}\n\nDanach.") == f"<p>{paragraph}</p>\n<hr />\n<p>Danach.</p>"


def test_a_short_line_without_a_final_mark_is_a_heading() -> None:
    assert html("Kurz\n----\n\nText.") == "<h2>Kurz</h2>\n<p>Text.</p>"
    assert html("Länger\n===") == "<h1>Länger</h1>"
    assert html("Was nun?\n--------") == "<h2>Was nun?</h2>"
    assert html("Was nun?\n---") == "<p>Was nun?</p>\n<hr />"
    assert html("Kurz\n--") == "<p>Kurz</p>\n<hr />"
    assert html("Zwei\nZeilen\n------") == "<p>Zwei<br />Zeilen</p>\n<hr />"


def test_a_signature_is_no_heading() -> None:
    assert html("Mit Grüßen\n-- \nDer Verein") == "<p>Mit Grüßen</p>\n<hr />\n<p>Der Verein</p>"


@pytest.mark.parametrize("signs", ["———", "–––––", "• • •", "···", "* * *", "***"])
def test_a_line_of_signs_is_a_rule(signs: str) -> None:
    assert html(f"Davor.\n\n{signs}\n\nDanach.") == "<p>Davor.</p>\n<hr />\n<p>Danach.</p>"
    assert html(f"```\n{signs}\n```") == f"<pre><code>{signs}\n</code></pre>"
