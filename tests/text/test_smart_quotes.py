"""Quotation marks and apostrophes of one line, whatever was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.text.smart_quotes import set_quotes


@pytest.mark.parametrize(
    "quoted",
    ["‚‚so”", ",,so''", '"so"', "“so”", "„so“", "„so”", "``so''", "''so''", '„so"', '"so“', "‘‘so’’", "´´so´´"],
)  # fmt: skip
def test_every_pair_becomes_that_of_the_language(quoted: str) -> None:
    assert set_quotes(f"Er nennt es {quoted}, mehr nicht.", "de") == "Er nennt es „so“, mehr nicht."
    assert set_quotes(f"({quoted})", "de-AT") == "(„so“)"
    assert set_quotes(f"{quoted}-Stadt", "en") == "“so”-Stadt"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("die '50er und '68er, '89", "die ’50er und ’68er, ’89"),
        ("die ‚50er, ‘68er", "die ’50er, ’68er"),
        ("die '68er' und 'ne'", "die ‚68er‘ und ‚ne‘"),
        ("Rock 'n' Roll, Rock ‚n‘ Roll", "Rock ’n’ Roll, Rock ’n’ Roll"),
        ("Iris' Radio, Hans' und Max' Rad", "Iris’ Radio, Hans’ und Max’ Rad"),
        ("Er sagte 'Hans' Rad' und ging", "Er sagte ‚Hans’ Rad‘ und ging"),
        ("'s ist 'ne Sache, 'n Abend, 'rein", "’s ist ’ne Sache, ’n Abend, ’rein"),
        ("geht's, geht´s, geht`s, 1'000", "geht’s, geht’s, geht’s, 1’000"),
        ("ein 5\" Rohr, 48° 8' 14\" Nord", "ein 5\" Rohr, 48° 8' 14\" Nord"),
        ('"Ein 5" Rohr" und "Raum 24" neu', '„Ein 5" Rohr“ und „Raum 24“ neu'),
        ('"Das \'Wort\' zählt", \'so\'', "„Das ‚Wort‘ zählt“, ‚so‘"),
        ("„Er rief „komm“ und ging“", "„Er rief ‚komm‘ und ging“"),
        ("Kund*innen: \"Wir\", Nachbar:innen", "Kund*innen: „Wir“, Nachbar:innen"),
        ("ein `offener und ```Zaun", "ein `offener und ```Zaun"),
        (">>so<< und <<so>>, 1 << 2 >> 3", "»so« und «so», 1 << 2 >> 3"),
    ],
)  # fmt: skip
def test_apostrophes_feet_and_inner_quotations_are_told_apart(typed: str, printed: str) -> None:
    assert set_quotes(typed, "de") == printed


@pytest.mark.parametrize(
    "right",
    ["»so«", "«so»", "»Er rief ›komm‹«", "„Er rief ‚komm‘“", "’68er", "Hans’ Auto", "„a“ und »b«"],
)
def test_what_is_right_stays(right: str) -> None:
    assert set_quotes(f"Es heißt {right} hier.", "de") == f"Es heißt {right} hier."


def test_between_guillemets_straight_marks_become_single_guillemets() -> None:
    assert set_quotes('»Er rief "komm" laut«', "de") == "»Er rief ›komm‹ laut«"
    assert set_quotes('«Er rief "komm" laut»', "de") == "«Er rief ‹komm› laut»"


def test_a_publications_marks_are_used_for_all() -> None:
    assert (
        set_quotes("„Er rief \"komm\"“, «so», 'da'", "de", "»«›‹") == "»Er rief ›komm‹«, »so«, ›da‹"
    )
    assert set_quotes("\"Er rief 'komm'\"", "de", "«»‹›") == "«Er rief ‹komm›»"
    assert set_quotes('»so« und "da"', "de", "„“‚‘") == "»so« und „da“"


def test_other_languages_keep_their_own_marks() -> None:
    assert set_quotes("« bon » et „jó”", "fr") == "« bon » et „jó”"
    assert set_quotes('l\'air "bon"', "fr") == "l’air “bon”"


marks = st.text(st.sampled_from(list("aß5 \"'`´,„“”‚‘’»«›‹-.(")), max_size=40)


@given(marks, st.sampled_from(["de", "en", "fr"]))
def test_only_marks_change(text: str, language: str) -> None:
    def letters(line: str) -> list[str]:
        return [sign for sign in line if sign.isalnum() or sign in " -.("]

    assert letters(set_quotes(text, language)) == letters(text)
