"""Bullets of word processors, dates, birth signs and the numbers of lists."""

from __future__ import annotations

import pytest

from .parsing import html


@pytest.mark.parametrize(
    "text",
    [
        "7. März 1931: Die Tür geht auf.",
        "30. Sept. 2014: Sie bleibt zu.",
        "30. Okt 2014: Sie geht auf.",
        "24. 12. 1990: Fest",
        "15. bis 20. Mai: Markt",
        "5. und 6. Stock: Büros",
        "1848. Das Jahr der Straße.",
        "19. Jahrhundert: viel gebaut",
        "1. FC Musterstadt gewann.",
        "200. Geburtstag des Hauses",
        "3) Der Verein haftet nicht.",
        "+ 8 Mitglieder seit dem Sommer.",
        "* 12. März 1931 in Halle",
        "* um 1900",
        "* 1931",
        "* 3.5.1931 in Halle",
        "* in Halle, 12. März 1931",
        "– Erika Beispiel, im Winter",
    ],
)
def test_a_line_that_only_begins_like_a_list_is_text(text: str) -> None:
    assert html(f"Davor:\n\n{text}\n\nDanach.") == f"<p>Davor:</p>\n<p>{text}</p>\n<p>Danach.</p>"


def test_dates_stay_in_their_order_whatever_their_numbers() -> None:
    assert html("7. März 1931: auf\n\n2. Juni 1958: Glas\n\n30. April 2014: zu") == (
        "<p>7. März 1931: auf</p>\n<p>2. Juni 1958: Glas</p>\n<p>30. April 2014: zu</p>"
    )
    assert (
        html("3) dritte Frage\n\n8) achte Frage") == "<p>3) dritte Frage</p>\n<p>8) achte Frage</p>"
    )
    long = "ein Tag, an dem sehr viel mehr geschah, als auf eine Zeile passt"
    assert html(f"1. Mai: {long}\n2. Mai: {long}") == f"<p>1. Mai: {long}<br />2. Mai: {long}</p>"


def test_a_date_at_the_start_of_a_wrapped_line_begins_no_list() -> None:
    text = "Eröffnet wurde das Haus, wie die Chronik berichtet, am\n1. Mai 1932 von der Gemeinde."
    assert html(text) == f"<p>{text}</p>"
    assert html(f"- {text}") == f"<ul>\n<li>{text}</li>\n</ul>"


def test_a_date_below_a_list_is_no_item_but_the_next_number_is() -> None:
    assert html("1. Garn\n2. Essig\n7. März 1931: auf").endswith("</ol>\n<p>7. März 1931: auf</p>")
    assert html("1. Garn\n2. Mai-Kraut\n3. Brot").count("<li>") == 3
    assert html("1. Garn\n2. Mai kam er\n3. Brot").count("<li>") == 3


def test_lists_keep_their_numbers_and_gaps() -> None:
    assert html("1. a\n3. b\n7. c\n8. d") == (
        '<ol>\n<li>a</li>\n<li value="3">b</li>\n<li value="7">c</li>\n<li>d</li>\n</ol>'
    )
    assert html("1. a\n1. b\n1. c") == "<ol>\n<li>a</li>\n<li>b</li>\n<li>c</li>\n</ol>"
    assert html("4. a\n5. b") == '<ol start="4">\n<li>a</li>\n<li>b</li>\n</ol>'
    assert html("10. a\n9. b").count('value="9"') == 1
    assert html("1) a\n2) b").startswith("<ol>")
    assert html("1. 2 Eier\n2. 300 g Mehl").count("<li>") == 2


def test_a_list_goes_on_behind_a_picture() -> None:
    shown = html("1. Erst:\n\n![a](a.png)\n\n2. Dann:\n\nText.\n\n3. Zuletzt.")
    assert shown.count("<ol") == 3
    assert '<ol start="3">' in shown


def test_a_list_of_one_stays_a_list() -> None:
    assert html("* Kohle") == "<ul>\n<li>Kohle</li>\n</ul>"
    assert html("* 3 Lampen") == "<ul>\n<li>3 Lampen</li>\n</ul>"
    assert html("- 12. März 1931") == "<ul>\n<li>12. März 1931</li>\n</ul>"


def test_two_lines_with_a_sign_are_a_list() -> None:
    for sign in "*+-":
        assert html(f"{sign} 1931 gebaut\n{sign} 1958 verkauft").count("<li>") == 2


@pytest.mark.parametrize(
    "bullet", ["•", "·", "▪", "●", "◦", "‣", "\uf0a7", "\uf0b7", "\uf0d8", "–"]
)
@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0"])
def test_bullets_of_word_processors_make_lists(bullet: str, blank: str) -> None:
    expected = "<p>Wir brauchen:</p>\n<ul>\n<li>Besen</li>\n<li>zwei Lampen</li>\n</ul>"
    items = f"{bullet}{blank}Besen\n{bullet}{blank}zwei Lampen"
    assert html(f"Wir brauchen:\n\n{items}") == expected
    assert html(f"Wir brauchen:\n{items}") == expected
    assert html(f"> {items}".replace("\n", "\n> ")).count("<li>") == 2
    assert html(f"```\n{items}\n```") == f"<pre><code>{items}\n</code></pre>"


def test_indented_bullets_make_lists_and_keep_their_levels() -> None:
    assert html("\t•\tBesen\n\t•\tLampen").count("<li>") == 2
    assert html("    - Besen\n    - Lampen").count("<li>") == 2
    nested = html("    • Werkzeug\n        ◦ Besen\n    • Farbe")
    assert nested.count("<ul>") == 2
    assert html("o\tBesen\no\tLampen").count("<li>") == 2
    assert html("o Besen") == "<p>o Besen</p>"


def test_bullets_without_a_blank_make_lists() -> None:
    assert html("•Besen\n•Lampen").count("<li>") == 2
    assert html("```\n•Besen\n```") == "<pre><code>•Besen\n</code></pre>"


def test_another_bullet_behind_an_empty_line_begins_another_list() -> None:
    assert html("• a\n• b\n\n▪ c\n▪ d").count("<ul>") == 2
    assert html("• a\n• b\n\n– c\n– d").count("<ul>") == 2
    assert html("• a\n\n• b").count("<ul>") == 1


def test_dialogue_keeps_its_dashes_and_lines() -> None:
    assert (
        html("– Wer da?\n– Niemand.\n– Dann gut.")
        == "<p>– Wer da?<br />– Niemand.<br />– Dann gut.</p>"
    )
    assert html("Sie fragte:\n– Wer?\n– Du.") == "<p>Sie fragte:<br />– Wer?<br />– Du.</p>"


def test_lines_of_a_life_stay_two() -> None:
    assert html("* 12. März 1931 in Halle\n† 3. Mai 1999 in Köln") == (
        "<p>* 12. März 1931 in Halle<br />† 3. Mai 1999 in Köln</p>"
    )


def test_task_boxes_are_signs() -> None:
    assert html("- [ ] Schlüssel\n- [x] Lampe") == (
        '<ul class="tasks">\n<li>☐\u00a0Schlüssel</li>\n<li>☑\u00a0Lampe</li>\n</ul>'
    )
    assert html("- [ ] Schlüssel\n- Lampe").startswith("<ul>\n<li>☐")
    assert html("- [y] Schlüssel") == "<ul>\n<li>[y] Schlüssel</li>\n</ul>"
    assert html("[x] Text") == "<p>[x] Text</p>"


def test_english_has_no_german_months() -> None:
    assert html("7. März\n8. Mai", "en").startswith('<ol start="7">')


def test_names_that_are_months_as_well_are_items() -> None:
    assert html("1. Jan\n2. Tom").count("<li>") == 2


def test_the_star_of_a_note_to_a_word_is_kept() -> None:
    assert html("Um Mittag*\n\n* Änderungen vorbehalten") == (
        "<p>Um Mittag*</p>\n<p>* Änderungen vorbehalten</p>"
    )
    for above in ("Um Mittag", "Um *Mittag* herum", "Nachbar*innen"):
        assert "<li>Änderungen</li>" in html(f"{above}\n\n* Änderungen")
    assert html("Um Mittag*\n\n* eins\n* zwei").count("<li>") == 2
