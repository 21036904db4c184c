"""Mails by which somebody leaves: by a token in the subject, or in words that a person has to read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.bounces.unsubscribe_mail import unsubscribe_tokens, wants_to_leave

TOKEN = "Ab_cd-Ef0123456789Ab_cd-Ef0123456789xyzXYZ_"
ADDRESS = "abbestellen@example.net"


def mail(subject: str, text: str = "", **headers: str) -> bytes:
    fields = {"From": "anna@example.org", "To": ADDRESS, "Subject": subject, **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return (
        "\n".join([*lines, "Content-Type: text/plain; charset=utf-8"]) + f"\n\n{text}\n"
    ).encode()


ENCODED = base64.b64encode(TOKEN.encode()).decode()
HALVES = (base64.b64encode(half.encode()).decode() for half in (TOKEN[:20], TOKEN[20:]))


@pytest.mark.parametrize(
    "subject",
    [
        TOKEN,
        f"Abbestellen {TOKEN}",
        f"Re: AW: [extern] {TOKEN}",
        f"{TOKEN}.",
        f"<{TOKEN}>",
        f"subject=3D{TOKEN}",
        f"{TOKEN[:30]}\n {TOKEN[30:]}",
        f"=?utf-8?B?{ENCODED}?=",
        f"=?ISO-8859-1?b?{ENCODED}?=",
        " ".join(f"=?utf-8?B?{half}?=" for half in HALVES),
        f"=?utf-8?Q?{TOKEN.replace('_', '=5F')}?=",
        f"=?utf-8?Q?{TOKEN}?=",
        f"Wg: =?utf-8?Q?{TOKEN[:25]}?=\n =?utf-8?Q?{TOKEN[25:]}?=",
    ],
)
def test_a_token_is_found_however_a_mail_program_writes_the_subject(subject: str) -> None:
    assert TOKEN in list(unsubscribe_tokens(mail(subject)))


@pytest.mark.parametrize(
    "headers",
    [
        {"To": "jemand@example.org", "Cc": ADDRESS},
        {"To": "undisclosed-recipients:;"},
        {"To": "weiter@example.net", "Delivered_To": "postfach@example.net"},
    ],
)
def test_whom_the_mail_names_as_recipient_does_not_matter(headers: dict[str, str]) -> None:
    assert TOKEN in list(unsubscribe_tokens(mail(TOKEN, **headers)))


def test_a_subject_without_a_token_holds_none() -> None:
    assert list(unsubscribe_tokens(mail("Bitte abbestellen"))) == []
    assert TOKEN not in list(unsubscribe_tokens(mail("kurz " + TOKEN[:42])))
    assert TOKEN not in list(unsubscribe_tokens(mail("Frage", text=TOKEN)))


@pytest.mark.parametrize(
    ("subject", "text", "to"),
    [
        ("", "", ADDRESS),
        ("Hallo", "Guten Tag", ADDRESS),
        ("Abmeldung", "", "redaktion@example.net"),
        (
            "Re: Was vom Bahnhof bleibt",
            "Bitte melden Sie mich ab: abmelden!",
            "redaktion@example.net",
        ),
        ("AW: Nr. 12", "Unsubscribe", "redaktion@example.net"),
        ("Newsletter", "Ich möchte keine weiteren Mails.", "redaktion@example.net"),
        ("Newsletter abbestellen", "", "redaktion@example.net"),
        (
            "=?utf-8?B?" + base64.b64encode("Kündigung".encode()).decode() + "?=",
            "",
            "x@example.net",
        ),
    ],
)
def test_who_writes_that_they_want_to_leave_is_noticed(subject: str, text: str, to: str) -> None:
    assert wants_to_leave(mail(subject, text, To=to), ADDRESS)


NEWSLETTER = "Abbestellen: https://example.net/unsubscribe/x"


@pytest.mark.parametrize(
    ("subject", "text", "headers"),
    [
        ("Re: Was vom Bahnhof bleibt", "Danke, sehr gelungen!", {}),
        ("Re: Nr. 12", f"Danke!\n\nAm 26.11.2026 um 10:00 schrieb Umbaupost:\n> {NEWSLETTER}", {}),
        ("AW: Nr. 12", f"Danke!\n\n-----Ursprüngliche Nachricht-----\n{NEWSLETTER}", {}),
        (
            "Re: Nr. 12",
            f"Danke!\n\nOn Thu, 26 Nov 2026 at 10:00 Umbaupost wrote:\n\n{NEWSLETTER}",
            {},
        ),
        (
            "Automatische Antwort: Abmeldung",
            "Ich bin nicht da.",
            {"Auto_Submitted": "auto-replied"},
        ),
        ("Undelivered: unsubscribe", "failed", {"From": "MAILER-DAEMON@example.org"}),
    ],
)
def test_answers_and_notices_are_no_wish_to_leave(
    subject: str, text: str, headers: dict[str, str]
) -> None:
    to_editors = {"To": "redaktion@example.net", **headers}
    assert not wants_to_leave(mail(subject, text, **to_editors), ADDRESS)


def test_without_an_unsubscribe_address_words_count_all_the_same() -> None:
    assert wants_to_leave(mail("abbestellen", To="redaktion@example.net"), "")
    assert not wants_to_leave(mail("Danke", To="redaktion@example.net"), "")


@given(st.binary(max_size=2000))
def test_no_mail_makes_the_reading_fall_over(raw: bytes) -> None:
    list(unsubscribe_tokens(raw))
    wants_to_leave(raw, ADDRESS)
