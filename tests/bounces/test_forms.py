"""Notices of failure in the forms of servers that follow RFC 3464 in part, or not at all."""

from __future__ import annotations

import base64
import quopri

import pytest

from upcycle_news.bounces.parser import BounceKind, for_subscriber, parse_bounce

from . import sample_reports

TO, READER = "bounces+1-1-abc@example.org", "anna.muster@example.com"


def text(
    body: str, *, subject: str = "failure notice", sender: str = "MAILER-DAEMON@mx.test"
) -> bytes:
    return (
        f"Return-Path: <>\nFrom: {sender}\nTo: {TO}\nSubject: {subject}\n"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
    ).encode()


def dsn(fields: str, *, said: str = "It did not arrive.", extra: str = "") -> bytes:
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.test\nTo: {TO}\nSubject: Undelivered Mail\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
        f'boundary="b"\n\n--b\nContent-Type: text/plain\n\n{said}\n\n'
        f"--b\nContent-Type: message/delivery-status\n{extra}\n{fields}\n\n--b--\n"
    ).encode()


def kind_of(raw: bytes) -> BounceKind:
    return for_subscriber(parse_bounce(raw), READER).kind


FAILED = f"Final-Recipient: rfc822; {READER}\nAction: failed\n"
DEAD = f"Reporting-MTA: dns; mx.test\n\n{FAILED}Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown"

FORMS = {
    "dragonfly": (
        "This is the DragonFly Mail Agent v0.13 at df.test.\n\n"
        f"There was an error delivering your mail to <{READER}>.\n\n"
        "mx.test [192.0.2.25] did not like our RCPT TO:\n"
        f"550 5.1.1 <{READER}>: Recipient address rejected: User unknown\n\n"
        "Message headers follow.\n\nSubject: x\nDKIM-Signature: v=1\n",
        BounceKind.HARD,
    ),
    "dragonfly, the domain's records": (
        f"This is the DragonFly Mail Agent v0.13.\n\nThere was an error delivering your mail to <{READER}>.\n\n"
        "mx.test did not like our MAIL FROM:\n550 5.7.25 Reverse DNS validation failed\n",
        BounceKind.BLOCKED,
    ),
    "dragonfly, given up": (
        f"There was an error delivering your mail to <{READER}>.\n\n"
        "Could not deliver for the last 432000 seconds. Giving up.\n",
        BounceKind.SOFT,
    ),
    "opensmtpd": (
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.\n\n"
        "    An error has occurred while attempting to deliver a message for\n"
        f"    the following list of recipients:\n\n{READER}: 550 5.2.2 <{READER}>... Mailbox Full\n\n"
        "    Below is a copy of the original message:\n\nSubject: x\n",
        BounceKind.SOFT,
    ),
    "notes, words alone": (
        "------- Failure Reasons  --------\n\nUser  not listed in public Name & Address Book\n"
        f"{READER}\n\n------- Returned Message --------\n",
        BounceKind.SOFT,
    ),
    "yahoo": (
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<{READER}>:\n550: 5.1.1 <{READER}>: Recipient address rejected: unknown user\n\n"
        "--- Below this line is a copy of the message.\n\nDKIM-Signature: v=1; spam; spf\n",
        BounceKind.HARD,
    ),
    "yahoo, the sender": (
        f"Sorry, we were unable to deliver your message to the following address.\n\n<{READER}>:\n"
        "501: 5.1.8 Sender address rejected\n",
        BounceKind.BLOCKED,
    ),
    "sendmail of old": (
        "   ----- Transcript of session follows -----\n421 mx.test (smtp)... Deferred: Connection timed "
        f"out during user open with mx.test\n\n   ----- Unsent message follows -----\nTo: {READER}\n",
        BounceKind.SOFT,
    ),
    "a German server of its own": (
        f"Der Brief an <{READER}> kam zurück.\n\nmx.test sagte: 550 kein Briefkasten mit diesem Namen\n",
        BounceKind.UNCLEAR,
    ),
    "nothing but a word": ("Da ist etwas schiefgegangen.", BounceKind.UNCLEAR),
    "a French server's warning": (
        f"Votre message à {READER} est retardé ; de nouvelles tentatives seront faites.",
        BounceKind.DELAYED,
    ),
    "a warning only": (
        "THIS IS A WARNING MESSAGE ONLY.\nYOU DO NOT NEED TO RESEND YOUR MESSAGE.\n"
        f"<{READER}>: 421 Host not reachable. Message will be retried for 4 more day(s)\n",
        BounceKind.DELAYED,
    ),
    "a German warning": (
        f"Ihre Nachricht an {READER} konnte noch nicht zugestellt werden.\n451 4.3.0 später\n"
        "Weitere Zustellversuche folgen.",
        BounceKind.DELAYED,
    ),
    "a success": (f"Your message was successfully delivered to {READER}.\n", BounceKind.DELIVERED),
}


@pytest.mark.parametrize("name", FORMS)
def test_plain_text_notices_are_classified(name: str) -> None:
    body, kind = FORMS[name]
    for subject in ("failure notice", "Mail System"):
        if subject == "Mail System" or kind not in (BounceKind.DELAYED, BounceKind.DELIVERED):
            assert kind_of(text(body, subject=subject)) is kind


def test_status_fields_in_plain_text_are_parsed() -> None:
    body = f"An error occurred.\n\nTechnical report:\n\nReporting-MTA: dsn; a.test\n\n{DEAD}"
    encoded = quopri.encodestring(body.encode()).decode()
    raw = text(encoded).replace(
        b"charset=utf-8", b"charset=utf-8\nContent-Transfer-Encoding: quoted-printable"
    )
    assert kind_of(raw) is BounceKind.HARD


def test_a_notification_without_mime_headers_is_parsed() -> None:
    raw = dsn(DEAD).replace(b"MIME-Version: 1.0\n", b"")
    start, end = raw.index(b"Content-Type: multipart"), raw.index(b"\n\n--b")
    assert kind_of(raw[:start] + raw[end + 1 :]) is BounceKind.HARD


def test_an_encoded_status_part_is_parsed() -> None:
    encoded = base64.b64encode(DEAD.encode()).decode()
    assert kind_of(dsn(encoded, extra="Content-Transfer-Encoding: base64\n")) is BounceKind.HARD


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (f"{FAILED}Status: 5.1.1 (user unknown)", BounceKind.HARD),
        (f"{FAILED}Diagnostic-Code: smtp; 550 5.1.1 no\n such user", BounceKind.HARD),
        (f"{FAILED}Diagnostic-Code: smtp; 550-5.1.1 no\nsuch user\nStatus: 5.1.1", BounceKind.HARD),
        (f"Final-Recipient: rfc822; {READER}\n\nAction: failed\nStatus: 5.1.1", BounceKind.HARD),
        (f"Final-Recipient: rfc822; <{READER}>\nStatus: 5.1.1", BounceKind.HARD),
        (
            f"Final-Recipient: rfc822; {READER}\nAction: FAILED (bounced)\nStatus: 5.1.1",
            BounceKind.HARD,
        ),
        (f"{FAILED}Status: 5.0.0\nDiagnostic-Code: smtp; 550 no such user", BounceKind.HARD),
        (f"{FAILED}Diagnostic-Code: smtp; 550 User not exist", BounceKind.SOFT),
        (f"{FAILED}Status: 5.2.0\nDiagnostic-Code: smtp; 550 Unknown user", BounceKind.SOFT),
        (f"{FAILED}Status: 5.1.1\nDiagnostic-Code: smtp; 550 mailbox unavailable", BounceKind.SOFT),
        (f"{FAILED}Status: 5.1.1\nDiagnostic-Code: smtp; 452 4.2.2 mailbox full", BounceKind.SOFT),
        (f"{FAILED}Status: 5.1.1\nDiagnostic-Code: x-unix; user unknown", BounceKind.HARD),
        (
            f"{FAILED}Status: 5.0.0\nDiagnostic-Code: smtp; 5.1.0 - Unknown address error "
            "550-'5.7.1 Access denied' (delivery attempts: 0)",
            BounceKind.BLOCKED,
        ),
        (
            f"{FAILED}Status: 5.0.0\nDiagnostic-Code: smtp; 5.3.0 - Other mail system problem "
            "550-'Unknown user' (delivery attempts: 0)",
            BounceKind.SOFT,
        ),
        (
            f"Final-Recipient: rfc822; {READER}\nAction: relayed\nStatus: 2.0.0",
            BounceKind.DELIVERED,
        ),
        (
            f"Final-Recipient: rfc822; {READER}\nAction: expanded\nStatus: 2.0.0",
            BounceKind.DELIVERED,
        ),
        (
            f"Final-Recipient: rfc822; {READER}\nAction: deliverable\nStatus: 2.1.5",
            BounceKind.DELIVERED,
        ),
        (f"Final-Recipient: rfc822; {READER}\nAction: delayed\nStatus: 4.4.1", BounceKind.DELAYED),
        (f"Final-Recipient: rfc822; {READER}\nAction: expired\nStatus: 5.4.7", BounceKind.SOFT),
        ("Reporting-MTA: dns; mx.test", BounceKind.UNCLEAR),
    ],
)
def test_notification_fields_decide_the_kind(fields: str, kind: BounceKind) -> None:
    assert kind_of(dsn(fields)) is kind


def test_words_after_data_are_soft() -> None:
    fields = f"{FAILED}Status: 5.0.0\nDiagnostic-Code: smtp; 550 Unknown user"
    raw = dsn(fields, said="... while talking to mx.test.:\n>>> DATA\n<<< 550 Unknown user")
    assert kind_of(raw) is BounceKind.SOFT


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (READER, BounceKind.HARD),
        (READER.upper(), BounceKind.HARD),
        ("old@firm.example", BounceKind.SOFT),
        ("anna.muster@sub.example.com", BounceKind.SOFT),
    ],
)
def test_only_a_failure_of_the_subscribers_own_address_is_hard(
    address: str, kind: BounceKind
) -> None:
    for raw in (
        sample_reports.postfix(TO, address),
        sample_reports.qmail(TO, address),
        dsn(DEAD.replace(READER, address)),
        dsn(
            f"Original-Recipient: rfc822; {READER}\n"
            + DEAD.partition("\n\n")[2].replace(READER, address)
        ),
    ):
        assert kind_of(raw) is kind


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("ü.muster@xn--mller-kva.example", "utf-8; ü.muster@müller.example"),
        ("anna+news@example.com", "rfc822; anna+2Bnews@example.com"),
        ("anna@example.com", "RFC822;anna@example.com."),
    ],
)
def test_an_address_in_another_spelling_is_recognised(address: str, named: str) -> None:
    fields = DEAD.replace(f"rfc822; {READER}", named).replace(READER, "x")
    assert for_subscriber(parse_bounce(dsn(fields)), address).kind is BounceKind.HARD


def test_recipients_with_different_results_are_soft() -> None:
    full = "Final-Recipient: rfc822; other@example.com\nAction: failed\nStatus: 5.2.2"
    assert kind_of(dsn(f"{DEAD}\n\n{full}")) is BounceKind.SOFT
    waits = "Final-Recipient: rfc822; other@example.com\nAction: delayed\nStatus: 4.4.1"
    assert kind_of(dsn(f"{DEAD}\n\n{waits}")) is BounceKind.SOFT


@pytest.mark.parametrize(
    ("body", "sender", "subject", "kind"),
    [
        (f"<{READER}>\n550 5.1.1 weg", "Netz <netz@mx.test>", "Ihre Mail", BounceKind.UNCLEAR),
        (
            f"{READER}: mx.test said: 450 zu voll",
            "Netz <netz@mx.test>",
            "Ihre Mail",
            BounceKind.UNCLEAR,
        ),
        ("550 5.1.1 weg", "Netz <netz@mx.test>", "Ihre Mail", BounceKind.OTHER),
        (
            f"Vorgang 550 zu {READER} liegt bei uns.",
            "Hilfe <hilfe@mx.test>",
            "Vorgang",
            BounceKind.OTHER,
        ),
        (
            f"An {READER}: Zimmer 450, Etage 5.",
            "Hotel <haus@mx.test>",
            "Ihre Buchung",
            BounceKind.OTHER,
        ),
        (
            f"> {READER}: 550 5.1.1 weg\n\nWas heißt das?",
            "Anna <a@mx.test>",
            "Ihre Mail",
            BounceKind.OTHER,
        ),
        (
            f"{READER}: 550 5.1.1 weg",
            "Anna <a@mx.test>",
            "Automatische Antwort",
            BounceKind.AUTO_REPLY,
        ),
        ("Ich bin verreist.", "Anna <a@mx.test>", "Abwesend", BounceKind.AUTO_REPLY),
    ],
)
def test_an_unknown_form_counts_if_a_reply_is_near_the_subscribers_address(
    body: str, sender: str, subject: str, kind: BounceKind
) -> None:
    assert kind_of(text(body, sender=sender, subject=subject)) is kind
