"""Reading the steps of the welcome: values, their order, and everything that is wrong with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.content.welcome_files import WelcomeFiles, read_welcome_files


def read(folder: Path, **files: str) -> WelcomeFiles:
    (folder / "content/welcome").mkdir(parents=True)
    for name, text in files.items():
        (folder / f"content/welcome/{name}.md").write_text(text, encoding="utf-8")
    return read_welcome_files(folder / "content", folder, "de")


def test_without_the_folder_there_is_no_step(tmp_path: Path) -> None:
    assert read_welcome_files(tmp_path / "content", tmp_path, "de") == WelcomeFiles()


def test_steps_come_in_the_order_of_their_days_and_names(tmp_path: Path) -> None:
    text = "---\nsubject: Guten *Tag*\nafter: {}\n---\n\nWillkommen.\n"
    found = read(
        tmp_path,
        a=text.format("3 Tage"),
        b=text.format("0 days"),
        c="---\nafter: 0 days\nnewest_issue: true\n---\n",
        README="so",
    )
    assert found.errors == ()
    assert [(step.step, step.after, step.newest_issue) for step in found.steps] == [
        ("b", timedelta(), False),
        ("c", timedelta(), True),
        ("a", timedelta(days=3), False),
    ]
    assert found.steps[0].subject == "Guten Tag"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nsubject: x\n---\n\nText", ":1: „after“ fehlt"),
        ("---\nsubject: x\nafter: bald\n---\n\nText", ":3: „after“ sagt nicht, wann: bald."),
        ("---\nsubject: x\nafter: 366 days\n---\n\nText", ":3: „after“ sagt nicht, wann"),
        ("---\nsubject: x\nafter: -1 days\n---\n\nText", ":3: „after“ sagt nicht, wann"),
        ("---\nafter: 0 days\n---\n\nText", ":1: „subject“ fehlt"),
        ("---\nsubject: x\nafter: 0 days\n---\n", ": Unter dem Kopf steht nichts."),
        ("---\nafter: 0 days\nnewest_issue: true\n---\n\nText", ":3: Dieser Schritt ist die neueste Ausgabe"),
        ("---\nsubject: x\nafter: 0 days\nbetreff: y\n---\n\nText", ":4: „betreff“ ist kein Schlüssel"),
        ("---\nsubject: Hallo {{ name }}\nafter: 0 days\n---\n\nText", ":2: {{ sieht wie ein Stück Vorlage aus."),
        ("Text", ":1: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_at_its_line(tmp_path: Path, text: str, expected: str) -> None:
    found = read(tmp_path, gruss=text)
    assert found.steps == ()
    assert expected in found.errors[0].in_language("de"), found.errors[0].in_language("de")


def test_a_name_that_is_no_step_is_an_error(tmp_path: Path) -> None:
    assert "1-willkommen.md" in read(tmp_path, **{"Mein Gruß": "x"}).errors[0].in_language("de")
