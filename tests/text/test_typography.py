"""Typography of plain lines: quotation marks, dashes, no-break spaces, control characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.text.typography import (
    direction,
    insert_no_break_spaces,
    normalise_text,
    one_line,
    typeset,
)

NB = "\u00a0"


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("z. B. hier", f"z.{NB}B. hier"),
        ("d. h. so", f"d.{NB}h. so"),
        ("u. a. dort", f"u.{NB}a. dort"),
        ("i. d. R. nicht", f"i.{NB}d.{NB}R. nicht"),
        ("nach § 5 und §§ 7", f"nach §{NB}5 und §§{NB}7"),
        ("40 % mehr", f"40{NB}% mehr"),
        ("3 Mio. Euro", f"3{NB}Mio. Euro"),
        ("Nr. 7, Abs. 2", f"Nr.{NB}7, Abs.{NB}2"),
        ("5 kaputte Türen", "5 kaputte Türen"),
        ("10 tolle Ideen", "10 tolle Ideen"),
        ("ein Haus – ein Hof", f"ein Haus{NB}– ein Hof"),
    ],
)
def test_german_abbreviations_units_and_dashes_get_no_break_spaces(
    written: str, printed: str
) -> None:
    assert insert_no_break_spaces(written, "de") == printed


def test_quotation_marks_are_those_of_the_language() -> None:
    assert typeset("Das \"Wort 'Leerstand'\"", "de") == "Das „Wort ‚Leerstand‘“"
    assert typeset("The \"word 'vacant'\"", "en-GB") == "The “word ‘vacant’”"


def test_correct_quotation_marks_are_unchanged() -> None:
    assert typeset("„Kleinstadt“ ist kein ‚Rest‘", "de") == "„Kleinstadt“ ist kein ‚Rest‘"


def test_an_apostrophe_is_no_quotation_mark() -> None:
    assert typeset("Wie geht's, Opa?", "de") == "Wie geht’s, Opa?"


def test_markdown_in_a_title_is_not_interpreted() -> None:
    assert typeset("2*3*4 _ein_ <b> & [x](y)", "de") == "2*3*4 _ein_ <b> & [x](y)"


def test_the_c_of_a_paragraph_is_no_copyright_sign() -> None:
    assert typeset("Art. 5 (c) ... -- ja", "de") == f"Art.{NB}5 (c) …{NB}– ja"


def test_decomposed_umlauts_are_composed() -> None:
    assert normalise_text("Mu\u0308ller") == "Müller"


def test_control_characters_are_removed_and_lost_quotation_marks_restored() -> None:
    assert normalise_text("a\x00b\x08c\x7f\ufeff\u202ed") == "abcd"
    assert normalise_text("\x84Wort\x93 \x96 geht\x92s") == "„Wort“ – geht’s"


@given(st.text())
def test_normalising_is_idempotent(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert not any((c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" for c in once)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_typesetting_never_fails_and_loses_no_line(text: str) -> None:
    assert "\n" not in typeset(text, "de")


def test_titles_are_set_by_the_same_engine_as_texts() -> None:
    assert typeset("‚‚Leer”, ,,voll'' und Hans' '68er", "de") == "„Leer“, „voll“ und Hans’ ’68er"


def test_stray_invisible_characters_of_a_line_go() -> None:
    assert (
        one_line("Klein\u00adhandel\u200b im Erd\u2060geschoss\u200e")
        == "Kleinhandel im Erdgeschoss"
    )
    assert (
        one_line("40\u202f000 👩\u200d🔧 \u200fمتجر\u200f")
        == "40\u202f000 👩\u200d🔧 \u200fمتجر\u200f"
    )


def test_languages_have_their_direction() -> None:
    assert [direction(language) for language in ("ar", "he-IL", "fa", "de", "en")] == [
        "rtl",
        "rtl",
        "rtl",
        "",
        "",
    ]
