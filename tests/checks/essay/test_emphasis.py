"""Marks that close nothing are told at their line; stars and underscores of a text are not."""

from __future__ import annotations

import pytest

from .bodies import findings_of, sentences_of


@pytest.mark.parametrize(
    ("body", "line", "code"),
    [
        ("Das ist **ganz sicher der letzte Versuch.", 1, "mark-unpaired"),
        ("Eins\nUnd **so **geht es weiter.", 2, "mark-unpaired"),
        ("Eins\n\nmit __ viel Mut", 3, "mark-unpaired"),
        ("Das ist __wichtig und bleibt.", 1, "mark-unpaired"),
        ("Das ist ~~falsch und bleibt.", 1, "mark-unpaired"),
        ("Das ist *leise gesagt, und bleibt.", 1, "mark-unpaired"),
        ("Das ist _leise gesagt, und bleibt.", 1, "mark-unpaired"),
        ("Das ist ***beides und bleibt.", 1, "mark-unpaired"),
        ("Ein ** allein.", 1, "mark-unpaired"),
        ("- eins\n- **zwei", 2, "mark-unpaired"),
        ("##Der Plan", 1, "heading-space"),
        ("Text\n\n###Der Plan", 3, "heading-space"),
        ("Text davor\n##Der Plan\nText danach", 2, "heading-space"),
        ("#Der Plan für das Haus", 1, "heading-space"),
    ],
)
def test_an_unpaired_mark_is_told_at_its_line(body: str, line: int, code: str) -> None:
    assert findings_of(body) == [(line, "warning", code)]


@pytest.mark.parametrize(
    "body",
    [
        "**fett**, *kursiv*, __fett__, _kursiv_, ***beides***, ~~fort~~",
        "**Alle Händler*innen** kommen, Nachbar*innen und Nachbar_innen auch.",
        "5 * 3 = 15, 4*2*1, 2**3 und 2 ** 3 = 8",
        r"C:\_neu, \**kein Fett, \__init__",
        "ein__name, mein_name, __init__.py und _ allein",
        "Name: ____________, Ort: ______",
        "Sch*** drauf, und S*** auch.",
        "`**`, ``__`` und `*a`",
        "Jonas Muster, *1931, geboren (*Halle) am Fluss.",
        "Anna* kam zu spät.\n\n*Name von der Redaktion geändert",
        "Die Sterne: *** und ****",
        "***\n\nText",
        "#Leerstand ist ein Thema.",
        "#umbau #leerstand",
        "#umbau ist ein Schlagwort im Netz",
        "#Leerstand",
        "Platz #3 am Markt, C# und F#",
        "# Titel\n\n## Der Plan ##",
        "~5 Euro bis ~10 Euro",
        "Ein Absatz **über\nzwei Zeilen** fett.",
    ],
)
def test_pairs_sums_names_and_tags_have_no_finding(body: str) -> None:
    assert findings_of(body) == []


def test_a_heading_is_offered_as_it_should_be_written() -> None:
    assert sentences_of("##Der Plan")[0].endswith("Schreiben Sie ## Der Plan")
