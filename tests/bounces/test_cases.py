"""Mails that came back and were taken for something else, each with its right value.

In `cases/` stand @READER@ (whom the mail went to), @VERP@ (its signed envelope sender), @MAIL@ and
@HEADERS@ (the mail itself), @TOKEN@ and @TOKEN_BASE64@ (of its link to leave).
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.services.bounces import process
from upcycle_news.storage import bounces, subscribers, suppressions

from ..publications import Publication, add_confirmed_subscribers, send_issue

CASES = Path(__file__).with_name("cases")
READER = "leser1@ort1.example"
HARD, SOFT, BLOCKED = {"hard": 1, "suppressed": 1}, {"soft": 1}, {"blocked": 1}
COMPLAINT = {"complaint": 1, "suppressed": 1}
LEFT, DELAYED, UNSIGNED = {"left_alone": 1}, {"delayed": 1}, {"unsigned": 1}

WITH_VERP = {
    # Living readers.
    "alive-blocklist-behind-5.1.1": BLOCKED,
    "alive-blocklist-behind-5.1.3": BLOCKED,
    "alive-full-behind-5.1.1": SOFT,
    "alive-too-large-behind-5.1.1": SOFT,
    "alive-too-fast-5.2.1": BLOCKED,
    "alive-too-many-5.1.1": BLOCKED,
    "alive-wishes-5.1.1": SOFT,
    "alive-ptr-not-found": BLOCKED,
    "alive-our-login-unknown": BLOCKED,
    "alive-copy-to-an-old-address": SOFT,
    "feedback-auth-failure": LEFT,
    "feedback-virus": LEFT,
    "blocked-4.0.0-but-554": BLOCKED,
    "blocked-5.0.0-reverse-dns": BLOCKED,
    "blocked-5.2.0-spam": BLOCKED,
    "delay-as-plain-text": DELAYED,
    # Dead addresses, and forms that were not understood.
    "dead-form-that-nobody-knows": SOFT,
    "dead-5.7.1-no-mailbox": SOFT,
    "dead-5.7.17-owner-changed": HARD,
    "full-mailbox-exceeds-size": SOFT,
    "form-action-with-comment": HARD,
    "form-action-expired": SOFT,
    "form-diagnostic-not-indented": HARD,
    "delayed-without-our-signature": UNSIGNED,
    # What was right already.
    "control-dead-5.1.1": HARD,
    "control-dead-other-case": HARD,
    "control-full-4.2.2": SOFT,
    "control-feedback-abuse": COMPLAINT,
    "control-feedback-not-spam": LEFT,
    "control-holiday-answer": LEFT,
    "control-absent-unmarked": LEFT,
    "control-ticket-receipt": LEFT,
    "control-challenge": LEFT,
}
WITHOUT_WEB = {
    "no-web-complaint": COMPLAINT,
    "no-web-complaint-headers": COMPLAINT,
    "leave-subject-base64": {"unsubscribed": 1},
    "leave-address-in-cc": {"unsubscribed": 1},
}


def test_every_case_has_an_expected_result() -> None:
    assert {path.stem for path in CASES.glob("*.eml")} == WITH_VERP.keys() | WITHOUT_WEB.keys()


def filled(publication: Publication, name: str) -> bytes:
    """A case about the mail that READER got."""
    [mail] = [
        path.read_bytes().replace(b"\r\n", b"\n")
        for path in (publication.home / "var/mailbox/new").iterdir()
        if f"Delivered-To: {READER}".encode() in path.read_bytes()
    ]
    envelope, _, mail = mail.partition(b"\n")
    head = mail.partition(b"\n\n")[0] + b"\n"
    [link] = re.findall(
        rb"(?im)^list-unsubscribe:.*?(?:/unsubscribe/|subject=)([\w-]+)",
        re.sub(rb"\n[ \t]+", b"", head),
    )
    raw = (CASES / f"{name}.eml").read_bytes()
    for word, value in {
        b"@READER@": READER.encode(),
        b"@VERP@": envelope.removeprefix(b"Return-Path: <").rstrip(b">"),
        b"@MAIL@": mail,
        b"@HEADERS@": head,
        b"@TOKEN@": link,
        b"@TOKEN_BASE64@": base64.b64encode(link),
    }.items():
        raw = raw.replace(word, value)
    return raw


def suppressed(context: AppContext) -> str | None:
    email = EmailAddress.parse(READER)
    with context.store.reading() as connection:
        return suppressions.suppressed_reasons(connection, context.store, [email]).get(email.key)


@pytest.mark.parametrize("name", WITH_VERP)
def test_a_mail_to_the_signed_address(publication: Publication, name: str) -> None:
    context = publication.context(SENDER__VERP="true", SENDER__ENVELOPE="bounces@post.test")
    add_confirmed_subscribers(context, READER)
    publication.write_essay()
    assert send_issue(context).closed

    counts, moved = process.handle(context, filled(publication, name))

    right = WITH_VERP[name]
    assert counts == right
    assert moved is (right not in (LEFT, UNSIGNED))
    assert (suppressed(context) is not None) is ("suppressed" in right)
    assert all(READER not in row.reason.lower() for row in bounces.list_bounces(context.store))


@pytest.mark.parametrize("name", WITHOUT_WEB)
def test_a_mail_where_there_is_neither_a_web_page_nor_a_signed_address(
    publication: Publication, name: str
) -> None:
    context = publication.context(
        PUBLICATION__PUBLIC_URL="", SENDER__UNSUBSCRIBE_MAILTO="abmelden@post.test",
        INBOX__MAILDIR="inbox",
    )  # fmt: skip
    add_confirmed_subscribers(context, READER)
    publication.write_essay()
    assert send_issue(context).closed

    assert process.handle(context, filled(publication, name)) == (WITHOUT_WEB[name], True)

    person = subscribers.find(context.store, EmailAddress.parse(READER))
    assert person is not None
    left = person.status is SubscriberStatus.UNSUBSCRIBED
    assert left or suppressed(context) == "complaint"
