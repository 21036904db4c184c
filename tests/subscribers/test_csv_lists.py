from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.errors import AddressError, ContentError
from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.models.digest import Rhythm
from upcycle_news.storage.subscribers import ListedSubscriber
from upcycle_news.subscribers.csv_lists import (
    ParsedList,
    clean_name,
    write_subscribers_csv,
)

from .lists import read


def told(notes: Sequence[tuple[int, LocalizedText]]) -> list[tuple[int, str]]:
    """What is said about lines, in English."""
    return [(line, str(text)) for line, text in notes]


def addresses(parsed: ParsedList) -> list[str]:
    return [person.email.address for person in parsed.subscribers]


def test_a_list_is_read_with_line_numbers() -> None:
    parsed = read(
        "email,name,language,topics\n"
        "anna@example.org,Anna,en,bestand;kreislauf\n"
        '"bert@example.org","Bert, der Zweite",,"bestand, kleinstadt"\n'
    )
    anna, bert = parsed.subscribers
    assert (anna.name, anna.language, anna.topics) == ("Anna", "en", ("bestand", "kreislauf"))
    assert (bert.name, bert.language) == ("Bert, der Zweite", "")
    assert bert.topics == ("bestand", "kleinstadt")
    assert [person.line for person in parsed.subscribers] == [2, 3]


@pytest.mark.parametrize(
    "data",
    [
        "email,name\nanna@example.org,Björn Größe\n".encode(),
        "\ufeffemail,name\r\nanna@example.org,Björn Größe\r\n".encode(),
        "email;name\nanna@example.org;Björn Größe\n".encode("latin-1"),
        "email\tname\nanna@example.org\tBjörn Größe".encode("cp1252"),
        "Name;E-Mail-Adresse\nBjörn Größe;anna@example.org\n".encode(),
        "EMAIL , NAME \nanna@example.org,Björn Größe\n".encode(),
        "email,name\ranna@example.org,Björn Größe\r".encode(),
    ],
    ids=["utf-8", "bom", "latin-1", "tab", "german", "spaces", "old mac"],
)
def test_a_list_is_read_as_spreadsheets_write_it(data: bytes) -> None:
    [person] = read(data).subscribers
    assert (person.email.address, person.name) == ("anna@example.org", "Björn Größe")


def test_first_and_last_name_are_joined_where_the_list_has_no_name() -> None:
    anna, bert = read(
        "E-Mail;Vorname;Nachname\nanna@example.org;Anna;Arendt\nbert@example.org;Bert;\n"
    ).subscribers
    assert (anna.name, bert.name) == ("Anna Arendt", "Bert")
    [carla] = read("email,first name,last name,name\nc@example.org,C,D,Carla\n").subscribers
    assert carla.name == "Carla"


def test_ignored_columns_are_named() -> None:
    assert read("email,Firma,Ort,\nanna@example.org,x,y,z\n").unread == ("Firma", "Ort")
    assert read("email,name,Vorname,status,groups\n").unread == ()


def test_line_numbers_stay_right_after_a_quoted_line_break() -> None:
    parsed = read(
        'email,name,note\n'
        'anna@example.org,Anna,"first\nsecond\nthird"\n'
        "\n"
        "no address,Bert,\n"
        'cem@example.org,"Cem\nÖzgür",\n'
        "dora@,Dora,\n"
    )  # fmt: skip
    assert [(subscriber.line, subscriber.name) for subscriber in parsed.subscribers] == [
        (2, "Anna"),
        (7, "Cem Özgür"),
    ]
    assert [line for line, _ in parsed.invalid] == [6, 9]


def test_line_numbers_stay_right_after_a_header_of_two_lines() -> None:
    parsed = read('email,"name\n(optional)"\nanna@example.org,Anna\n')
    assert [subscriber.line for subscriber in parsed.subscribers] == [3]


def test_empty_rows_are_ignored() -> None:
    parsed = read("email,name\n\n,\n  , \nanna@example.org,Anna\n,,,\n")
    assert addresses(parsed) == ["anna@example.org"]
    assert parsed.invalid == []


def test_unknown_columns_are_ignored() -> None:
    parsed = read("id,email,shoe size\n7,anna@example.org,42\n")
    assert addresses(parsed) == ["anna@example.org"]


def test_a_short_row_and_a_long_row_are_read() -> None:
    parsed = read("email,name,language\nanna@example.org\nbert@example.org,Bert,en,x,y\n")
    assert addresses(parsed) == ["anna@example.org", "bert@example.org"]


@pytest.mark.parametrize("data", ["", "name\nAnna\n", "anna@example.org\n", "\n\n", "\ufeff"])
def test_a_list_without_a_column_email_is_refused_with_an_example(data: str) -> None:
    with pytest.raises(ContentError, match="email,name,language,topics") as caught:
        read(data)
    assert (caught.value.where, caught.value.line) == ("list.csv", 1)


def test_a_quotation_mark_that_never_closes_costs_its_own_line_only() -> None:
    for behind in ("Bert", 'Bert"', '"Bert"'):
        parsed = read(
            f'email,name\nanna@example.org,"Anna\nbert@example.org,{behind}\nc@example.org,C\n'
        )
        assert addresses(parsed) == ["bert@example.org", "c@example.org"]
        [(line, reason)] = told(parsed.invalid)
        assert line == 2
        assert "never closed" in reason


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('"Bert" Klein', '"Bert" Klein'),
        ('Bert "Berti" Klein', 'Bert "Berti" Klein'),
        ('"Bert ""Berti"" Klein"', 'Bert "Berti" Klein'),
        ('"Klein, Bert" (Chef)', '"Klein, Bert" (Chef)'),
        ('Bert 5"', 'Bert 5"'),
    ],
)
def test_quotation_marks_in_a_name_refuse_nobody(cell: str, name: str) -> None:
    parsed = read(f"email,name,language\nbert@example.org,{cell},en\nrest@example.org,Rest,\n")
    assert [(person.name, person.language) for person in parsed.subscribers] == [
        (name, "en"), ("Rest", ""),
    ]  # fmt: skip


def test_addresses_are_normalised_as_the_standards_say() -> None:
    parsed = read(
        "email\n"
        " Anna.Muster@EXAMPLE.ORG \n"
        "post@bücher.example\n"
        "post@XN--BCHER-KVA.example\n"
        "'+plus@example.org\n"
    )
    assert addresses(parsed) == [
        "Anna.Muster@example.org",
        "post@xn--bcher-kva.example",
        "post@xn--bcher-kva.example",
        "+plus@example.org",
    ]
    assert parsed.subscribers[0].email.key == "anna.muster@example.org"


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "anna@@example.org",
        "@example.org",
        "anna@example..org",
        "anna @example.org",
        '"anna@example.org\r\nBcc: bert@example.org"',
        '"anna@example.org\n"',
        "anna@example.org\x00",
        "anna@example.org, bert@example.org",
        "Anna <anna@example.org> Bert <bert@example.org>",
        "Anna <anna>",
        "mailto:anna",
        "anna@-example.org",
        "a" * 300 + "@example.org",
    ],
)
def test_a_bad_address_is_reported_by_line_and_never_repeated(address: str) -> None:
    parsed = read(f"name;email\nAnna;{address}\nBert;bert@example.org\n")
    assert addresses(parsed) == ["bert@example.org"]
    [(line, reason)] = told(parsed.invalid)
    assert line == 2
    assert "name@example.org" in reason
    assert "anna" not in reason


def test_a_bad_name_is_reported_by_line() -> None:
    parsed = read("email,name\na@example.org,A\x07nna\nb@example.org,Bert\n")
    assert addresses(parsed) == ["b@example.org"]
    [(line, reason)] = told(parsed.invalid)
    assert line == 2
    assert "control characters" in reason


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("de", "de"), ("DE", "de"), ("de-DE", "de"), ("de_AT", "de"), ("Deutsch", "de"),
        ("german", "de"), ("Deutsch (Schweiz)", "de"), ("deu", "de"), ("en-GB", "en"),
        ("Englisch", "en"), ("English (US)", "en"), ("", ""),
    ],
)  # fmt: skip
def test_languages_are_read_as_words_and_tags(written: str, language: str) -> None:
    parsed = read(f"E-Mail;Sprache\na@example.org;{written}\n")
    assert [person.language for person in parsed.subscribers] == [language]
    assert parsed.notes == []


@pytest.mark.parametrize("written", ["fr", "Französisch", "tlh", "beide"])
def test_who_wants_a_language_that_is_not_here_is_taken_and_it_is_said(written: str) -> None:
    parsed = read(f"E-Mail;Sprache\na@example.org;de\nb@example.org;{written}\n")
    assert [person.language for person in parsed.subscribers] == ["de", ""]
    [(line, note)] = told(parsed.notes)
    assert line == 3
    assert written in note


@pytest.mark.parametrize(
    ("written", "rhythm"),
    [
        ("digest", Rhythm.DIGEST),
        ("Gesammelt", Rhythm.DIGEST),
        ("vierteljährlich gesammelt", Rhythm.DIGEST),
        ("every_issue", Rhythm.EVERY_ISSUE),
        ("jede Ausgabe", Rhythm.EVERY_ISSUE),
        ("", None),
    ],
)
def test_rhythms_are_read_as_words(written: str, rhythm: Rhythm | None) -> None:
    parsed = read(f"E-Mail;Rhythmus\na@example.org;{written}\n")
    assert [person.rhythm for person in parsed.subscribers] == [rhythm]
    assert (parsed.notes, parsed.unread) == ([], ())
    assert read("email,how often\na@example.org,x\n", columns={"how often": "rhythm"}).notes


def test_who_wants_a_rhythm_that_is_not_here_is_taken_and_it_is_said() -> None:
    parsed = read("email;rhythm\na@example.org;stündlich\n")
    assert [person.rhythm for person in parsed.subscribers] == [None]
    [(line, note)] = told(parsed.notes)
    assert line == 2 and "stündlich" in note


def test_a_name_with_a_line_break_becomes_one_line() -> None:
    assert clean_name(" Anna\r\nBcc: x\t Muster ") == "Anna Bcc: x Muster"


def test_who_is_not_confirmed_in_our_own_export_is_skipped() -> None:
    parsed = read(
        "email,status\na@example.org,confirmed\nb@example.org,pending\n"
        "c@example.org,unsubscribed\nd@example.org,\n"
    )
    assert addresses(parsed) == ["a@example.org", "d@example.org"]
    assert told(parsed.skipped) == [(3, "is listed as pending"), (4, "is listed as unsubscribed")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
            "deleted_at,labels,tiers\n"
            "1,a@example.org,A,,true,false,,2024-01-01T00:00:00.000Z,,,\n"
            "2,b@example.org,B,,false,false,,2024-01-01T00:00:00.000Z,,,\n",
            "subscribed_to_emails is false",
        ),
        (
            "Email,First name,Last name,Data,Status\n"
            "a@example.org,A,,,active\nb@example.org,B,,,unreachable\n",
            "is listed as unreachable",
        ),
        (
            "Email Address,First Name,Last Name,OPTIN_TIME,UNSUB_TIME\n"
            "a@example.org,A,,2024-01-01 00:00:00,\n"
            "b@example.org,B,,2024-01-01 00:00:00,2025-01-01 00:00:00\n",
            "left there (UNSUB_TIME: 2025-01-01 00:00:00)",
        ),
        (
            "email,active_subscription,email_disabled\n"
            "a@example.org,false,false\nb@example.org,false,true\n",
            "left there (email_disabled: true)",
        ),
    ],
    ids=["Ghost", "Keila", "Mailchimp", "Substack"],
)
def test_unsubscribed_lines_of_another_systems_list_are_skipped(text: str, reason: str) -> None:
    parsed = read(text)
    assert addresses(parsed) == ["a@example.org"]
    assert told(parsed.skipped) == [(3, reason)]


def test_an_unknown_status_is_accepted_only_with_take() -> None:
    listmonk = (
        b"uuid,email,name,attributes,status,created_at,updated_at\n"
        b"1,a@example.org,A,{},enabled,x,x\n2,b@example.org,B,{},blocklisted,x,x\n"
    )
    parsed = read(listmonk)
    assert parsed.subscribers == []
    assert told(parsed.skipped) == [(2, "is listed as enabled"), (3, "is listed as blocklisted")]
    assert parsed.unknown_status
    taken = read(listmonk, take={"enabled"})
    assert addresses(taken) == ["a@example.org"]
    assert told(taken.skipped) == [(3, "is listed as blocklisted")]


# --- writing


ANNA = ListedSubscriber("anna@example.org")


@pytest.mark.parametrize("name", ["=1+1", "+49 30", "-1", "@SUM(A1)", "'=1", "'", "''=x", "='x'"])
def test_names_are_escaped_against_formulas_and_read_back(name: str) -> None:
    text = write_subscribers_csv([ANNA._replace(name=name)])
    cell = list(csv.reader(io.StringIO(text)))[1][1]
    assert cell[0] not in "=+-@\t\r"
    assert read(text).subscribers[0].name == name


names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30).map(
    lambda text: " ".join(text.split())
)
words = st.lists(st.text("abcäöü=+-@'", min_size=1, max_size=8), unique=True, max_size=4)


@given(names, words, words, st.sampled_from(["de", "en"]), st.sampled_from(list(Rhythm)))
def test_a_list_survives_export_and_import(
    name: str, topics: list[str], groups: list[str], language: str, rhythm: Rhythm
) -> None:
    original = ListedSubscriber(
        ANNA.email, name, language, tuple(topics), groups=tuple(groups), rhythm=rhythm.value
    )
    back = read(write_subscribers_csv([original]))
    assert (back.skipped, back.invalid) == ([], [])
    [imported] = back.subscribers
    assert (imported.email.address, imported.name) == (original.email, original.name)
    assert (imported.topics, imported.groups) == (original.topics, original.groups)
    assert (imported.language, imported.rhythm) == (original.language, rhythm)


def test_unsubscribed_addresses_stay_so_after_export_and_import() -> None:
    left = ANNA._replace(status=SubscriberStatus.UNSUBSCRIBED.value)
    text = write_subscribers_csv([left])
    assert read(text).subscribers == []


# --- addresses


def test_the_repr_of_an_address_is_redacted() -> None:
    address = EmailAddress.parse("anna@example.org")
    person = Subscriber(1, address, SubscriberStatus.CONFIRMED)
    assert "anna" not in f"{address} {address!r} {[address]} {person}"


@given(st.text(max_size=80))
def test_an_address_is_a_plain_one_line_text_or_refused_without_being_repeated(text: str) -> None:
    try:
        address = EmailAddress.parse(text)
    except AddressError as error:
        stripped = text.strip()
        assert stripped in "name@example.org" or len(stripped) < 4 or stripped not in str(error)
    else:
        assert address.address.isprintable()
        assert address.address.count("@") >= 1
        assert EmailAddress.parse(address.address) == address
