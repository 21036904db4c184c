"""The text part, written from the essay's Markdown tokens."""

from __future__ import annotations

from upcycle_news.rendering.markdown import parse
from upcycle_news.rendering.plaintext import to_text, underline, wrap

from .sample_manifest import BODY


def text(body: str) -> str:
    return to_text(parse(body, language="de"), image_label="Bild")[0]


def test_no_line_is_wider_than_72_columns() -> None:
    lines, _ = to_text(parse(BODY, language="de"), image_label="Bild")
    assert max(map(len, lines.split("\n"))) <= 72


def test_links_are_numbered_and_the_same_url_keeps_its_number() -> None:
    body = "[a](https://a.example) [b](https://b.example) [c](https://a.example)"
    plain, links = to_text(parse(body, language="de"), image_label="Bild")
    assert plain == "a [1] b [2] c [1]"
    assert links == ("https://a.example", "https://b.example")


def test_a_link_whose_text_is_its_url_is_written_once() -> None:
    assert text("<https://a.example/x>") == "https://a.example/x"
    assert text("<mailto:a@b.example>") == "a@b.example"


def test_quotes_are_marked_on_every_line() -> None:
    assert text("> eins\n>\n> > zwei") == "> eins\n>\n> > zwei"


def test_lists_are_indented_and_keep_their_numbers() -> None:
    assert text("- eins\n- zwei\n  - drei") == "- eins\n- zwei\n  - drei"
    assert text("3. drei\n4. vier") == "3. drei\n4. vier"
    assert text("- eins\n\n- zwei") == "- eins\n\n- zwei"


def test_a_long_item_is_wrapped_below_its_text() -> None:
    lines = text("- " + "Wort " * 30).split("\n")
    assert lines[0].startswith("- Wort")
    assert all(line.startswith("  Wort") for line in lines[1:])


def test_headings_are_underlined_as_long_as_they_are() -> None:
    assert text("## Über uns\n\nText") == "Über uns\n--------\n\nText"


def test_code_keeps_its_lines() -> None:
    assert text("```\na  = 1\n\n  b\n```") == "    a  = 1\n\n      b"


def test_tables_are_written_in_columns_and_wide_ones_in_paragraphs() -> None:
    assert text("| a | bb |\n|---|---|\n| ccc | d |") == "a   | bb\n----+---\nccc | d"
    wide = text(f"| Ort | Was |\n|---|---|\n| Hof | {'lang ' * 20} |\n| Dorf | kurz |")
    assert wide.startswith("Ort: Hof\nWas: lang lang")
    assert "\n\nOrt: Dorf\nWas: kurz" in wide


def test_an_image_is_written_as_its_alt_text() -> None:
    assert text("![Der Markt](markt.png)") == "[Bild: Der Markt]"


def test_emphasis_is_written_with_asterisks_and_underscores() -> None:
    assert text("*eins*\n**zwei**  \n~~drei~~") == "_eins_ *zwei*\n~~drei~~"


def test_urls_are_never_broken() -> None:
    url = "https://a.example/" + "sehr-" * 30
    assert url in wrap("Siehe " + url + " und mehr").split("\n")


def test_no_line_is_broken_at_a_no_break_space() -> None:
    assert wrap("eins z.\u00a0B. zwei", 8) == "eins\nz.\u00a0B.\nzwei"


def test_a_wrapped_title_is_underlined_once() -> None:
    assert underline("Wort " * 20, "=").split("\n")[-1] == "=" * 69


def test_numbers_stay_as_they_were_typed() -> None:
    assert text("1. a\n3. b\n7. c") == "1. a\n3. b\n7. c"
    assert text("1) a\n2) b") == "1) a\n2) b"
    assert (
        text("7. März 1931: auf\n\n2. Juni 1958: Glas") == "7. März 1931: auf\n\n2. Juni 1958: Glas"
    )
    assert text("* 12. März 1931") == "* 12. März 1931"


def test_an_empty_item_is_a_sign_alone() -> None:
    assert text("- eins\n-\n- drei") == "- eins\n-\n- drei"


def test_lines_of_verse_are_lines() -> None:
    assert text("Garn und Knöpfe\nEssig und Öl") == "Garn und Knöpfe\nEssig und Öl"


def test_bare_addresses_are_written_once_and_mail_addresses_can_be_used() -> None:
    assert text("auf https://example.org/a?b=1.") == "auf https://example.org/a?b=1."
    assert text("https://example.org/Übersicht") == "https://example.org/Übersicht"
    plain, links = to_text(
        parse("[Ja](mailto:a@b.example?subject=Ich%20bin) [ja](mailto:a@b.example)", language="de"),
        image_label="Bild",
    )
    assert text("<mailto:a@b.example?subject=Ja>") == "mailto:a@b.example?subject=Ja"
    assert plain == "Ja [1] ja [2]"
    assert links == ("mailto:a@b.example?subject=Ich%20bin", "a@b.example")


def test_a_caption_stands_below_its_picture() -> None:
    assert text('![Markt](m.png "Foto: Erika Beispiel")') == "[Bild: Markt]\nFoto: Erika Beispiel"
    assert text('Davor ![M](m.png "Foto: E") danach') == "Davor [Bild: M] Foto: E danach"


def test_columns_are_aligned_as_they_were_meant() -> None:
    assert text("| Ware | Preis |\n|---|---:|\n| Garn | 2,50 |\n| Öl | 11,00 |") == (
        "Ware | Preis\n-----+------\nGarn |  2,50\nÖl   | 11,00"
    )


def test_callouts_and_task_boxes_are_shown() -> None:
    assert text("> [!note] Wichtig\n> Der Zettel.") == "> *Wichtig*\n>\n> Der Zettel."
    assert text("- [ ] eins\n- [x] zwei").replace("\u00a0", " ") == "- ☐ eins\n- ☑ zwei"
    assert text("==wichtig==") == "wichtig"


def test_a_tab_within_a_paragraph_is_a_blank() -> None:
    assert text("Das Haus\tam Markt") == "Das Haus am Markt"
