"""Files are found by their name whatever its form; what the system or TOML says is said in words."""

from __future__ import annotations

import errno
import tomllib
import unicodedata
from pathlib import Path

import pytest

from upcycle_news.fileio import find_file, os_reason, similar_name, toml_error

NFC, NFD = (unicodedata.normalize(form, "Türschlösser") for form in ("NFC", "NFD"))


def test_a_file_is_found_in_folders_of_either_form(tmp_path: Path) -> None:
    (tmp_path / NFD).mkdir()
    (tmp_path / NFD / f"{NFC}.png").write_bytes(b"a")
    for folder in (NFC, NFD):
        for name in (NFC, NFD):
            found = find_file(tmp_path, f"{folder}/{name}.png")
            assert found is not None
            assert found.read_bytes() == b"a"


def test_a_name_that_is_there_as_written_comes_first(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        (tmp_path / f"{name}.png").write_text(name)
    assert len(list(tmp_path.iterdir())) == 2
    for name in (NFC, NFD):
        found = find_file(tmp_path, f"{name}.png")
        assert found is not None
        assert found.read_text() == name


def test_neither_a_folder_nor_a_name_of_other_letters_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "bilder.png").mkdir()
    (tmp_path / "Tür.png").write_bytes(b"a")
    for path in ("bilder.png", "Tur.png", "tür.png", "Tür.png/x", "gone/x.png"):
        assert find_file(tmp_path, path) is None


def test_a_similar_name_is_offered_and_another_one_is_not() -> None:
    known = ["2026/Bahnhof.JPG", "laden.png"]
    assert "2026/Bahnhof.JPG" in str(similar_name("bahnhof.jpg", known))
    assert "laden.png" in str(similar_name("x/ladenn.png", known))
    assert similar_name("turm.gif", known) == ""


@pytest.mark.parametrize(
    "number", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOSPC, errno.EIO]
)
def test_what_the_system_says_has_words_in_both_languages(number: int) -> None:
    reason = os_reason(OSError(number, "words of the system"))
    assert "words of the system" not in reason.in_language("de")
    assert reason.in_language("de") != reason.in_language("en")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[a]\n[a]", 2, "die Tabelle „a“ gibt es schon"),
        ("[[f]]\n[f]", 2, "[[f]]"),
        ("a = 1\na = 2", 2, "diesen Schlüssel gibt es schon"),
        ('a = "x\nb = 1', 1, "Anführungszeichen am Ende"),
        ("a = [1, 2", 1, "eine Klammer"),
        ("[a\nb = 1", 1, "eine Klammer"),
        ("a 1", 1, "fehlt ein ="),
        ("a = x", 1, "der Wert"),
        ("a = 2026-02-30", 1, "der Wert"),
        ('a = "\\q"', 1, "doppelt"),
        ("a = 1 b = 2", 1, "hinter dem Wert"),
        ("?", 1, "weder ein Schlüssel"),
    ],
)
def test_a_mistake_in_toml_is_named_at_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    found, reason = toml_error(caught.value, text)
    assert (found, words in reason.in_language("de")) == (line, True), reason.in_language("de")
