"""What every kind of returned mail is taken for."""

from __future__ import annotations

import email
import tarfile
import time
from collections.abc import Callable
from email.utils import getaddresses
from pathlib import Path

import pytest
from flufl.bounce import all_failures
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.bounces.parser import BounceKind, parse_bounce
from upcycle_news.bounces.unsubscribe_mail import unsubscribe_tokens

from . import sample_reports

TO, READER = "bounces+1-1-abc@example.org", "anna.muster@example.com"
ARCHIVE = Path(__file__).with_name("flufl-samples.tar.bz2")
# flufl.bounce counts the refusal of a list's moderator, sent as a read receipt; we do not.
RECEIPT = "simple_38.txt"
# Which it cannot read, and we can: "mail box space not enough", with no address.
READ_BY_US = "bounce_01.txt"


def samples() -> list[tuple[str, bytes]]:
    with tarfile.open(ARCHIVE) as archive:
        found = []
        for member in archive:
            if member.name.endswith(".txt") and (file := archive.extractfile(member)) is not None:
                found.append((Path(member.name).name, file.read()))
    return sorted(found)


def theirs(raw: bytes) -> tuple[bool, bool]:
    """Whether flufl.bounce finds something temporary and something permanent."""
    message = email.message_from_bytes(raw)
    if not getaddresses([str(message.get("From", ""))]):
        del message["From"]
        message["From"] = "nobody@mail.invalid"
    temporary, permanent = all_failures(message)
    return bool(temporary), bool(permanent)


def test_every_sample_of_flufl_bounce_is_classified_and_none_the_other_way() -> None:
    found = samples()
    assert len(found) >= 100
    wrong = []
    for name, raw in found:
        kind, (temporary, permanent) = parse_bounce(raw).kind, theirs(raw)
        if permanent:
            good = kind in (BounceKind.HARD, BounceKind.SOFT, BounceKind.BLOCKED) or name == RECEIPT
        elif temporary:
            good = kind in (BounceKind.SOFT, BounceKind.DELAYED)
        else:
            good = kind in (BounceKind.OTHER, BounceKind.AUTO_REPLY) or name == READ_BY_US
        if not good:
            wrong.append((name, kind))
    assert wrong == []


@pytest.mark.parametrize(
    ("made", "kind", "code"),
    [
        (sample_reports.postfix, BounceKind.HARD, "5.1.1"),
        (sample_reports.exchange, BounceKind.HARD, "5.1.10"),
        (sample_reports.gmail, BounceKind.HARD, "5.1.1"),
        (sample_reports.qmail, BounceKind.HARD, "5.1.1"),
        (sample_reports.gmx, BounceKind.SOFT, ""),
        (sample_reports.full, BounceKind.SOFT, "5.2.2"),
        (sample_reports.policy, BounceKind.BLOCKED, "5.7.1"),
        (sample_reports.delayed, BounceKind.DELAYED, ""),
        (sample_reports.vacation, BounceKind.AUTO_REPLY, ""),
        (sample_reports.old_vacation, BounceKind.AUTO_REPLY, ""),
        (sample_reports.answer, BounceKind.OTHER, ""),
        (sample_reports.complaint, BounceKind.COMPLAINT, ""),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_shapes_of_our_readers_servers(
    made: Callable[[str, str], bytes], kind: BounceKind, code: str, line_end: bytes
) -> None:
    report = parse_bounce(made(TO, READER).replace(b"\n", line_end))
    assert (report.kind, report.code) == (kind, code)
    if kind in (BounceKind.HARD, BounceKind.SOFT, BounceKind.BLOCKED, BounceKind.COMPLAINT):
        assert TO in report.returned_to
    assert "anna" not in report.reason.lower() and "@" not in report.reason


@given(st.binary(max_size=2000))
def test_no_mail_makes_the_reader_fall_over(raw: bytes) -> None:
    parse_bounce(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 3000,
        b"".join(
            b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
            for n in range(3000)
        ),
        b"From: " + b"(" * 5000 + b"\r\nTo: " + b"(" * 5000 + b"\r\n\r\n",
    ],
)
def test_a_mail_nested_without_end_is_nobodys_report(raw: bytes) -> None:
    assert parse_bounce(raw).kind is BounceKind.OTHER
    assert list(unsubscribe_tokens(raw)) == []


def test_a_header_as_long_as_a_mail_may_be_is_read_in_no_time() -> None:
    raw = b"From: a@example.org\r\nTo: " + b"a" * 1_000_000 + b"\r\n\r\nHallo\r\n"
    begun = time.process_time()
    assert parse_bounce(raw).kind is BounceKind.OTHER
    assert list(unsubscribe_tokens(raw)) == []
    assert time.process_time() - begun < 10  # it was an hour when each letter was a new beginning


def test_what_a_complaint_calls_itself_names_nobody() -> None:
    raw = sample_reports.complaint(TO, READER).replace(
        b"Feedback-Type: abuse", f"Feedback-Type: {READER}".encode()
    )
    report = parse_bounce(raw)
    assert report.kind is BounceKind.FEEDBACK
    assert "anna" not in report.reason


@pytest.mark.parametrize("said", ["abuse", "Fraud", " opt-out ", "opt-out-list"])
def test_three_types_of_feedback_are_complaints(said: str) -> None:
    raw = sample_reports.complaint(TO, READER).replace(b"Type: abuse", f"Type: {said}".encode())
    assert parse_bounce(raw).kind is BounceKind.COMPLAINT


@pytest.mark.parametrize(
    "said", ["auth-failure", "dkim", "virus", "not-spam", "other", "", "miscategorized"]
)
def test_other_feedback_is_no_complaint(said: str) -> None:
    raw = sample_reports.complaint(TO, READER).replace(b"Type: abuse", f"Type: {said}".encode())
    assert parse_bounce(raw).kind is BounceKind.FEEDBACK


def test_a_bounce_inside_a_forwarded_mail_is_no_bounce() -> None:
    forwarded = (
        b"From: Anna <anna@example.org>\nTo: redaktion@example.org\nSubject: Fwd: kam zurueck\n"
        b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="F"\n\n--F\n'
        b"Content-Type: text/plain\n\nSehen Sie mal.\n--F\nContent-Type: message/rfc822\n\n"
        + sample_reports.postfix(TO, READER)
        + b"\n--F--\n"
    )
    assert parse_bounce(forwarded).kind is BounceKind.OTHER
