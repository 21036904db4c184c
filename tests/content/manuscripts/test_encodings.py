"""Texts in every encoding editors' programs write; what stays unclear is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.content.manuscripts.encodings import decode_text
from upcycle_news.errors import ContentError

TEXTS = [
    "Über den Bäckern stehen große Höfe für alle.\n",
    "„So“, sagt sie, ‚und nicht anders‘ – geht’s noch?\n",
    "Größe: 5 m², 20 €, § 7, »zitiert«, 30 °C …\n",
    "Ärger, Öl und Übung, das Café von François, Élan.\n",
    "• erstens Öl\n• zweitens Süßes\n",
    "© 2026 Jörg Muster\n",
    "So geht´s, und so geht‘s auch, Größe hin oder her\n",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
     "cp1252", "iso8859-15", "mac_roman", "cp850"],
)  # fmt: skip
def test_a_text_is_read_as_it_was_written(text: str, encoding: str) -> None:
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        pytest.skip(f"{encoding} cannot write it")
    assert decode_text(data, "x.txt") == text


@pytest.mark.parametrize(
    "data",
    [
        "Zażółć gęślą jaźń i inne słowa".encode("cp1250"),
        "Łódź und Gdańsk liegen in Polen, die Škoda-Straße in Brünn.".encode("cp1250"),
        "Łódź und Gdańsk liegen in Polen, die Škoda-Straße in Brünn.".encode("iso8859-2"),
        "Ein Laden für alle.\n".encode() + b"K\xf6fe\n",
        "Der Laden für Köpfe. ".encode()[:-12] + b"\xc3",
        "Это русский текст о городе".encode("koi8-r"),
        "Αυτό είναι ένα ελληνικό κείμενο".encode("iso8859-7"),
        "これは日本語の文章です".encode("shift_jis"),
        "这是一个中文句子".encode("gb18030"),
        bytes(range(128, 160)),
        b"\xff\xfe\x00\xd8",
    ],
)
def test_other_alphabets_without_a_mark_are_refused(data: bytes) -> None:
    with pytest.raises(ContentError, match=r"x\.txt: the characters of this file"):
        decode_text(data, "x.txt")


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x10\0\0\0WAVEfmt \x10\0\0\0\x01\x02",
        b"Text\0\0\0Text" * 10,
        bytes(range(32)) * 20,
        b"\x01\x02\x03abc",
        b"\x7fELF\x02\x01\x01" * 9,
    ],
)
def test_what_is_not_text_is_refused(data: bytes) -> None:
    with pytest.raises(ContentError, match=r"not a text|cannot be read with certainty"):
        decode_text(data, "x.txt")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_with_a_sentence(data: bytes) -> None:
    try:
        text = decode_text(data, "x.txt")
    except ContentError as error:
        assert str(error).startswith("x.txt: ")
    else:
        assert "\0" not in text
