"""Decoding of bodies: as declared, unless all of the body says otherwise."""

from __future__ import annotations

import pytest

from upcycle_news.feeds.encoding import decode_body
from upcycle_news.feeds.xml_text import normalise_xml

TEXT = "<a>Gärten</a><b>»Spaß« für „Öl“</b><c>Mühle</c>"


def declared(encoding: str, text: str = TEXT) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>{text}'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-32", "windows-1252", "iso-8859-15", "cp037"]
)
def test_a_body_is_read_as_declared(encoding: str) -> None:
    text = declared(encoding, TEXT if encoding != "iso-8859-15" else "<a>Gärten € Öl</a>")
    if encoding == "cp037":
        text = declared(encoding, "<a>Gärten</a>")
    decoded = decode_body(text.encode(encoding))
    assert decoded.text.partition("?>")[2] == text.partition("?>")[2]
    assert not decoded.guessed


@pytest.mark.parametrize(
    ("claim", "truth"),
    [
        ("utf-8", "windows-1252"), ("us-ascii", "windows-1252"), ("iso-8859-1", "utf-8"),
        ("koi8-r", "utf-8"), ("x-unknown", "windows-1252"),
    ],
)  # fmt: skip
def test_a_body_that_is_wholly_in_another_encoding_is_read_in_that(claim: str, truth: str) -> None:
    decoded = decode_body(declared(claim).encode(truth))
    assert decoded.text == declared(claim)
    assert decoded.guessed


def test_quotes_of_windows_1252_are_no_evidence_of_utf_8() -> None:
    assert decode_body("<a>»Spaß« tut gut</a>".encode("cp1252")).text == "<a>»Spaß« tut gut</a>"
    latin1 = declared("iso-8859-1", "<a>„Spaß“</a>").encode("cp1252")
    assert "„Spaß“" in decode_body(latin1).text


def test_a_broken_byte_is_one_replacement_character() -> None:
    body = declared("utf-8").encode().replace("Mühle".encode(), b"M\xc3hle")
    decoded = decode_body(body)
    assert "M\ufffdhle" in decoded.text
    assert "»Spaß« für „Öl“" in decoded.text


def test_a_long_item_in_another_encoding_hurts_only_itself() -> None:
    items = "".join(f"<i>Höfe {n}</i>" for n in range(4)).encode()
    foreign = "<i>Müßige Gärten für größere Höfe über öden Äckern, nämlich schöne</i>".encode(
        "cp1252"
    )
    text = decode_body(declared("utf-8", "").encode() + items + foreign).text
    assert all(f"Höfe {n}" in text for n in range(4))
    assert "M\ufffd\ufffdige" in text


def test_surrogates_that_were_encoded_one_by_one_are_one_character() -> None:
    assert decode_body(b"<a>\xc3\xa4 \xed\xa0\xbd\xed\xb8\x8f</a>").text == "<a>ä \U0001f60f</a>"
    assert decode_body(b"<a>\xc3\xa4 \xed\xa0\xbd</a>").text == "<a>ä \ufffd</a>"


def test_utf_16_that_is_declared_over_ascii_bytes_is_not_believed() -> None:
    assert decode_body(declared("utf-16").encode()).text == declared("utf-16")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<a>&auml;&euro;&amp;&lt;</a>", "<a>ä€&amp;&lt;</a>"),
        ("<a>&#55357;&#56911; &#xD83D; &#x110000; &#0;&#x80;</a>", "<a>\U0001f64f \ufffd \ufffd €</a>"),
        ("<a><![CDATA[&auml; &#55357;]]>&auml;<!-- &auml; --></a>", "<a><![CDATA[&auml; &#55357;]]>ä<!-- &auml; --></a>"),
        ("<a>&LT;b&AMP;</a>", "<a>&lt;b&amp;</a>"),
        ("<a>&unknown; & B</a>", "<a>&unknown; & B</a>"),
        ("<a>x\x00\x07y\ufffe</a>", "<a>xy</a>"),
        ('<!DOCTYPE r [<!ENTITY co "Hof &#38; Co">]><a>&co;&auml;</a>', "<a>Hof &amp; Coä</a>"),
        ('<!DOCTYPE r SYSTEM "x.dtd"><a>&uuml;</a>', "<a>ü</a>"),
    ],
)  # fmt: skip
def test_references_are_resolved_before_a_parser_sees_them(text: str, read: str) -> None:
    assert normalise_xml(text) == read


def test_entities_expand_to_a_limited_length_only() -> None:
    text = f'<!DOCTYPE r [<!ENTITY a "{"x" * 1000}">]><r>{"&a;" * 100_000}</r>'
    assert len(normalise_xml(text)) < 6_000_000
