"""The text part is made from the essay's structure, not from its HTML."""

from __future__ import annotations

from upcycle_news.rendering.markdown import parse
from upcycle_news.rendering.plaintext import to_text, underline, wrap

from .sample_manifest import BODY


def text(body: str) -> str:
    return to_text(parse(body, language="de"), image_label="Bild")[0]


def test_no_line_is_wider_than_72_columns() -> None:
    written, _ = to_text(parse(BODY, language="de"), image_label="Bild")
    assert max(map(len, written.split("\n"))) <= 72


def test_links_are_numbered_and_the_same_address_keeps_its_number() -> None:
    body = "[a](https://a.example) [b](https://b.example) [c](https://a.example)"
    written, links = to_text(parse(body, language="de"), image_label="Bild")
    assert written == "a [1] b [2] c [1]"
    assert links == ("https://a.example", "https://b.example")


def test_an_address_that_is_its_own_text_is_written_once() -> None:
    assert text("<https://a.example/x>") == "https://a.example/x"
    assert text("<mailto:a@b.example>") == "a@b.example"


def test_quotes_have_their_mark_on_every_line() -> None:
    assert text("> eins\n>\n> > zwei") == "> eins\n>\n> > zwei"


def test_lists_hang_and_keep_their_numbers() -> None:
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


def test_tables_stand_in_columns_and_wide_ones_in_paragraphs() -> None:
    assert text("| a | bb |\n|---|---|\n| ccc | d |") == "a   | bb\n----+---\nccc | d"
    wide = text(f"| Ort | Was |\n|---|---|\n| Hof | {'lang ' * 20} |\n| Dorf | kurz |")
    assert wide.startswith("Ort: Hof\nWas: lang lang")
    assert "\n\nOrt: Dorf\nWas: kurz" in wide


def test_a_picture_is_what_its_alt_text_says() -> None:
    assert text("![Der Markt](markt.png)") == "[Bild: Der Markt]"


def test_emphasis_is_kept_in_signs() -> None:
    assert text("*eins*\n**zwei**  \n~~drei~~") == "_eins_ *zwei*\ndrei"


def test_addresses_are_never_broken() -> None:
    address = "https://a.example/" + "sehr-" * 30
    assert address in wrap("Siehe " + address + " und mehr").split("\n")


def test_no_break_spaces_hold_in_the_text_part_too() -> None:
    assert wrap("eins z.\u00a0B. zwei", 8) == "eins\nz.\u00a0B.\nzwei"


def test_a_title_longer_than_the_page_is_underlined_once() -> None:
    assert underline("Wort " * 20, "=").split("\n")[-1] == "=" * 69
