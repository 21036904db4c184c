"""Rows of lists as spreadsheets save them: encodings, line ends, delimiters, quotation marks."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.errors import ContentError
from upcycle_news.subscribers.csv_lists import (
    ParsedList,
)
from upcycle_news.subscribers.list_files import ListRows, decode_list
from upcycle_news.subscribers.suppression_keys import read_suppressions

from .lists import read

TEXT = "E-Mail;Name\nanna@example.org;Jörg Grün\nbert@example.org;Änne Groß\n"


def people(parsed: ParsedList) -> list[tuple[str, str]]:
    return [(person.email.address, person.name) for person in parsed.subscribers]


ALL = [("anna@example.org", "Jörg Grün"), ("bert@example.org", "Änne Groß")]


@pytest.mark.parametrize(
    ("data", "guessed"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-16"), ""),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        ("\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), ""),
        (TEXT.encode("cp1252"), "Windows-1252"),
        (TEXT.encode("mac_roman"), "Mac Roman"),
        (TEXT.replace("\n", "\r").encode("mac_roman"), "Mac Roman"),
        (TEXT.replace("\n", "\r\n").encode(), ""),
        (TEXT.replace("\n", "\r").encode(), ""),
        (TEXT.replace(";", "\t").encode("utf-16"), ""),
        (TEXT.replace(";", ",").encode(), ""),
        (TEXT.replace(";", "|").encode(), ""),
        (f"sep=;\n{TEXT}".encode(), ""),
        (f"\ufeffsep=;\r\n{TEXT}".encode(), ""),
        (f'"sep=;"\n{TEXT}'.encode(), ""),
        (f"\n;;\n{TEXT}\n\n".encode(), ""),
    ],
)
def test_a_list_is_read_in_every_encoding_and_form(data: bytes, guessed: str) -> None:
    parsed = read(data)
    assert people(parsed) == ALL
    assert parsed.invalid == []
    assert (guessed in str(parsed.guessed)) if guessed else parsed.guessed is None


def test_lines_that_are_no_utf_8_are_read_on_their_own_and_named() -> None:
    lines = [line.encode() for line in TEXT.splitlines()]
    lines[2] = "bert@example.org;Änne Groß".encode("cp1252")
    parsed = read(b"\n".join(lines))
    assert people(parsed) == ALL
    assert "line 3" in str(parsed.guessed)
    many = b"\n".join([lines[0], lines[1], *[lines[2]] * 9])
    assert "3, 4, 5, 6, 7, …" in str(read(many).guessed)


def test_numbers_of_lines_count_the_line_that_names_the_delimiter() -> None:
    assert [row.line for row in ListRows("sep=;\nE-Mail;Name\na@example.org;A\n")] == [2, 3]


def test_the_delimiter_is_the_one_that_makes_rows_with_addresses() -> None:
    assert people(read("Name, Vorname;E-Mail\nKlein, Bert;bert@example.org\n")) == [
        ("bert@example.org", "")
    ]
    assert people(read("email;name\nmac@example.org;Apfel, Anna, und Birne, Bert\n")) == [
        ("mac@example.org", "Apfel, Anna, und Birne, Bert")
    ]
    assert people(read('"Name, ganz";"E-Mail"\n"Klein; Bert";bert@example.org\n')) == [
        ("bert@example.org", "")
    ]


def test_a_name_before_the_address_may_have_a_line_break_inside_quotation_marks() -> None:
    assert people(read('name;email\n"Müller,\nAnna";anna@example.org\nBert;b@example.org\n')) == [
        ("anna@example.org", "Müller, Anna"), ("b@example.org", "Bert"),
    ]  # fmt: skip


def test_a_mark_that_opens_in_one_row_never_swallows_the_next_ones() -> None:
    rows = "".join(f"leser{number}@example.org,Leser {number}\n" for number in range(500))
    for closing in ("", 'zuletzt@example.org,"Zoe"\n', 'zuletzt@example.org,Zoe"\n'):
        parsed = read(f'email,name\noffen@example.org,"Anna\n{rows}{closing}')
        assert len(parsed.subscribers) == 500 + bool(closing)
        assert [line for line, _ in parsed.invalid] == [2]


@pytest.mark.parametrize(
    "cell",
    [
        "anna@example.org", " anna@example.org ", "\u00a0anna@example.org", "anna@example.org\u200b",
        "\u202fanna@example.org\u2060", "Anna <anna@example.org>", "<anna@example.org>",
        "Anna Arendt <mailto:anna@example.org>", "mailto:anna@example.org", "MAILTO:anna@example.org",
        "mailto:anna@example.org?subject=Hallo", "mailto:anna%40example.org", "'anna@example.org'",
        "„anna@example.org“",
    ],
)  # fmt: skip
def test_an_address_is_read_as_people_and_programs_write_it(cell: str) -> None:
    [(address, _)] = people(read(f"E-Mail;Ort\n{cell};Ulm\n"))
    assert address == "anna@example.org"
    assert read_suppressions(f"E-Mail;Ort\n{cell};Ulm\n".encode(), where="x") == (
        ["anna@example.org"], [],
    )  # fmt: skip


def test_the_name_before_an_address_counts_where_the_list_has_none() -> None:
    for cell in ("Anna Arendt <anna@example.org>", '"""Anna Arendt"" <anna@example.org>"'):
        assert people(read(f"email,name\n{cell},\n")) == [("anna@example.org", "Anna Arendt")]
    assert people(read("email,name\nAnna <anna@example.org>,Anna A.\n")) == [
        ("anna@example.org", "Anna A.")
    ]


@pytest.mark.parametrize(
    "head",
    [
        "E-Mail", "email", "EMAIL", "e_mail", "Mail", "E-Mail-Adresse", "Email Address", "EmailAddress",
        "E-Mail 1 - Value", "Ihre E-Mail-Adresse", "\ufeffE-Mail", " E-Mail ", "Mailadresse",
        "Bitte geben Sie Ihre E-Mail-Adresse an", "E-Mail privat",
    ],
)  # fmt: skip
def test_the_column_with_the_addresses_is_found_by_its_name(head: str) -> None:
    assert people(read(f"{head};Ort\nanna@example.org;Ulm\n")) == [("anna@example.org", "")]


TWO = "E-Mail;Name;E-Mail-Adresse\n"


def test_of_two_columns_with_addresses_the_filled_one_counts() -> None:
    parsed = read(TWO + "a@example.org;A;\n;B;b@example.org\nC@example.org;C;c@example.org\n")
    assert [address for address, _ in people(parsed)] == [
        "a@example.org", "b@example.org", "C@example.org",
    ]  # fmt: skip
    assert people(read(TWO + "a@example.org;A;keine\n-;B;b@example.org\n")) == [
        ("a@example.org", "A"), ("b@example.org", "B"),
    ]  # fmt: skip


def test_two_different_addresses_are_a_question_that_names_both_columns() -> None:
    text = TWO + "gut@example.org;G;\nalt@example.org;D;neu@example.org\n"
    with pytest.raises(ContentError) as asked:
        read(text)
    assert asked.value.line == 3
    assert "'E-Mail' and 'E-Mail-Adresse'" in str(asked.value)
    assert "alt@" not in str(asked.value)
    for arguments, address in (
        ({"columns": {"E-Mail-Adresse": "email"}}, "neu@example.org"),
        ({"ignore": ("E-Mail-Adresse",)}, "alt@example.org"),
    ):
        assert address in [found for found, _ in people(read(text, **arguments))]
    with pytest.raises(ContentError, match="two different addresses"):
        read_suppressions(text.encode(), where="x")


def test_a_second_address_counts_only_where_the_first_is_missing() -> None:
    text = "E-Mail;E-Mail 2\na@example.org;privat@example.org\n;b@example.org\n"
    assert [address for address, _ in people(read(text))] == ["a@example.org", "b@example.org"]


def test_a_surname_in_the_column_name_is_joined_with_the_first_name() -> None:
    assert people(read("Vorname;Name;E-Mail\nAnna;Arendt;a@example.org\n")) == [
        ("a@example.org", "Anna Arendt")
    ]


@pytest.mark.parametrize("begins", [b"PK\x03\x04\x14\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_is_refused_with_what_to_do(begins: bytes) -> None:
    data = begins + b"email\nanna@example.org\n"
    for read_list in (read, lambda raw: read_suppressions(raw, where="list.csv")):
        with pytest.raises(ContentError, match="save the sheet as CSV"):
            read_list(data)


def test_suppressions_are_read_like_lists() -> None:
    for data in (
        "E-Mail\tGrund\nweg@example.org\tGrün\n".encode("utf-16"),
        b"sep=;\nE-Mail;Grund\nweg@example.org;x\n",
        b"weg@example.org\r",
        "\u00a0weg@example.org\n".encode(),
        b'email,reason\nweg@example.org,"nie "wieder"\n',
        b"email@example.org,x\nweg@example.org,y\n",
    ):
        keys, invalid = read_suppressions(data, where="x")
        assert (keys[-1], invalid) == ("weg@example.org", [])


@given(st.binary(max_size=300))
def test_no_file_makes_the_reading_fall_over(data: bytes) -> None:
    rows = list(ListRows(decode_list(data).text))
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    with suppress(ContentError):
        read(data)


@given(st.text(max_size=200))
def test_no_row_is_lost_whatever_stands_in_the_others(garbage: str) -> None:
    lines = ["email,name", "a@example.org,A", *garbage.splitlines(), "z@example.org,Z", ""]
    found = {address for address, _ in people(read("\n".join(lines)))}
    assert "a@example.org" in found
