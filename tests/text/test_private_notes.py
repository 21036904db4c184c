"""Private notes in an essay: what is one, and what is left when it is taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.text.private_notes import private_notes, without_private_notes


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Sie lebt %%wo genau?%% im Norden.", "Sie lebt im Norden."),
        ("Ende.%%noch fragen%%", "Ende."),
        ("Ende. %%noch fragen%%", "Ende."),
        ("%%\nEin Absatz.\n\nNoch einer.\n%%\nText", "\n\n\n\n\nText"),
        ("> %%a%%\n> Zitat", ">\n> Zitat"),
        ("- %%a%% eins\n- zwei", "- eins\n- zwei"),
        ("Text <!-- Rechte\nklären --> weiter", "Text\n weiter"),
        ("%%\n```\nCode\n```\n%%\nText", "\n\n\n\n\nText"),
        ("Zwei %%a%% in %%b%% einer Zeile", "Zwei in einer Zeile"),
        ("`%%a%%` %%b%% c", "`%%a%%` c"),
        ("Ein ` allein, %%a%% dann weiter", "Ein ` allein, dann weiter"),
        ("%%eine `Notiz%% und ` Text", " und ` Text"),
    ],
)
def test_a_note_is_taken_out_and_every_line_keeps_its_number(text: str, left: str) -> None:
    assert without_private_notes(text) == left
    assert all(note.closed for note in private_notes(text))


@pytest.mark.parametrize(
    "text",
    [
        "Drei % von vier %, also 100 %.",
        "`%%a%%`, ``%%b ` c%%`` und `<!-- d -->`",
        "```\n%%a%%\n<!-- b -->\n```",
        "~~~ python\nx %% y %% z\n~~~\nText",
        "> ```\n> %%a%%\n> ```",
        "- ```\n  %%a%%\n  ```\n",
        r"\%%a\%% und \<!-- b -->",
        "Eine Linie: %%%%%% und noch eine: %%%",
        "",
    ],
)
def test_percent_signs_code_and_escaped_marks_are_text(text: str) -> None:
    assert without_private_notes(text) == text
    assert list(private_notes(text)) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [("Eins\n\n%%Name fragen\n\nZwei", 3), ("a %%b%%\n100%% sicher", 2), ("<!-- offen", 1)],
)
def test_a_note_without_an_end_swallows_nothing_and_has_its_line(text: str, line: int) -> None:
    [unclosed] = [note for note in private_notes(text) if not note.closed]
    assert unclosed.line == line
    assert without_private_notes(text).count("\n") == text.count("\n")
    assert without_private_notes(text).endswith(text[-9:])


@given(
    st.lists(st.sampled_from(["%%", "%", "`", "``", "```", "\n", "a", " ", "<!--", "-->", "\\"]))
)
def test_no_mix_of_marks_moves_a_line_or_leaves_a_closed_note(parts: list[str]) -> None:
    text = "".join(parts)
    left = without_private_notes(text)
    assert left.count("\n") == text.count("\n")
    notes = list(private_notes(text))
    assert [note.start for note in notes] == sorted(note.start for note in notes)
    assert all(0 <= note.start < note.end <= len(text) for note in notes)


def test_a_mark_in_code_ends_no_note_that_was_left_open() -> None:
    text = "Offen %%hier.\n\nUnd `%%code%%` bleibt."
    assert without_private_notes(text) == text
    assert [note.closed for note in private_notes(text)] == [False]
