from __future__ import annotations

import quopri
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.errors import UpcycleError
from upcycle_news.mail.headers import encoded_words, quoted_printable, unstructured_header
from upcycle_news.mail.message import (
    MessageTemplate,
    RecipientFields,
    SenderHeaders,
    message_hash,
)
from upcycle_news.models import (
    EmailAddress,
    InlineImage,
    IssueId,
    Placeholder,
    RenderedIssue,
)

ISSUE = RenderedIssue(
    issue=IssueId(date(2026, 11, 26)),
    language="de",
    subject="Warum kleine Städte Häuser weiterbauen, die längst da sind – und was es uns kostet",
    html=f'<p>Grüße</p><a href="{Placeholder.UNSUBSCRIBE}">abbestellen</a>'
    f'<a href="{Placeholder.PREFERENCES}">ändern</a>',
    text=f"Grüße\n.\nFrom hier an\nabbestellen: {Placeholder.UNSUBSCRIBE}\n{Placeholder.PREFERENCES}",
    mjml="",
)
SENDER_HEADERS = SenderHeaders(
    from_name="e+k upcycle",
    from_address="redaktion@example.org",
    envelope_sender="bounce@example.org",
    list_id="news.example.org",
    list_name="Rundbrief für Städte",
    message_id_domain="example.org",
    reply_to="antwort@example.org",
    unsubscribe_mailto="leave@example.org?subject=unsubscribe",
    feedback_id="issue:news:upcycle:example",
)
READER = RecipientFields(
    address=EmailAddress("max@example.net"),
    name="Max Müller",
    unsubscribe_url="https://news.example.org/u/" + "a" * 43 + "?list=1&go=2",
    preferences_url="https://news.example.org/p/" + "b" * 43,
    message_hash=message_hash(b"secret", ISSUE.issue, 7),
    date=datetime(2026, 11, 26, 6, 0, tzinfo=UTC),
)
# What a text file can hold; the other control characters are removed when rendering.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300)


def composed(issue: RenderedIssue = ISSUE, sender_headers: SenderHeaders = SENDER_HEADERS) -> bytes:
    return MessageTemplate.compose(issue, sender_headers, revision_id="r1").for_recipient(READER)


def parsed(message: bytes) -> EmailMessage:
    mail = message_from_bytes(message, policy=default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def content(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def filled(text: str, unsubscribe: str, preferences: str) -> str:
    return text.replace(Placeholder.UNSUBSCRIBE, unsubscribe).replace(
        Placeholder.PREFERENCES, preferences
    )


def lines_are_legal(message: bytes) -> bool:
    bare = message.replace(b"\r\n", b"")
    return (
        b"\r" not in bare
        and b"\n" not in bare
        and max(map(len, message.split(b"\r\n"))) <= 998
        and message.endswith(b"\r\n")
    )


def test_text_comes_first_and_html_last_exactly_as_rendered():
    mail = parsed(composed())
    text, html = mail.iter_parts()

    assert mail.get_content_type() == "multipart/alternative"
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content_charset() == html.get_content_charset() == "utf-8"
    assert content(text) == filled(ISSUE.text, READER.unsubscribe_url, READER.preferences_url)
    link = READER.unsubscribe_url.replace("&", "&amp;")
    assert content(html) == filled(ISSUE.html, link, READER.preferences_url)


def test_the_headers_are_those_a_mailing_list_needs():
    mail = parsed(composed())

    assert mail["From"].addresses[0].display_name == "e+k upcycle"
    assert mail["From"].addresses[0].addr_spec == "redaktion@example.org"
    assert mail["To"].addresses[0].display_name == "Max Müller"
    assert mail["To"].addresses[0].addr_spec == "max@example.net"
    assert mail["Subject"] == ISSUE.subject
    assert mail["Reply-To"].addresses[0].addr_spec == "antwort@example.org"
    assert str(make_header(decode_header(mail["List-Id"]))) == (
        "Rundbrief für Städte <news.example.org>"
    )
    assert mail["Message-ID"] == f"<2026-11-26.{READER.message_hash}@example.org>"
    assert mail["Date"].datetime == READER.date
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "de"
    assert mail["Feedback-ID"] == "issue:news:upcycle:example"
    assert mail["MIME-Version"] == "1.0"
    assert not [name for name in mail if name.lower().startswith("x-")]


def test_the_unsubscribe_header_is_raw_ascii():
    raw = composed()

    assert f"List-Unsubscribe: <{READER.unsubscribe_url}>,\r\n".encode() in raw
    assert parsed(raw)["List-Unsubscribe"] == (
        f"<{READER.unsubscribe_url}>, <mailto:leave@example.org?subject=unsubscribe>"
    )


def test_no_mailto_is_written_when_there_is_none():
    raw = composed(sender_headers=replace(SENDER_HEADERS, unsubscribe_mailto="", feedback_id=""))

    assert parsed(raw)["List-Unsubscribe"] == f"<{READER.unsubscribe_url}>"
    assert b"Feedback-ID" not in raw


def test_equal_inputs_give_equal_bytes_and_another_revision_another_boundary():
    other = MessageTemplate.compose(ISSUE, SENDER_HEADERS, revision_id="r2").for_recipient(READER)

    assert composed() == composed()
    assert composed() != other


def test_images_are_related_to_the_html():
    image = InlineImage("logo", "image/png", bytes(range(256)) * 3)
    text, related = parsed(composed(replace(ISSUE, images=(image,)))).iter_parts()
    html, logo = related.iter_parts()

    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    assert html.get_content_type() == "text/html"
    assert logo["Content-ID"] == "<logo>"
    assert logo.get_payload(decode=True) == image.data


@given(before=TEXT, between=TEXT, after=TEXT, link=st.text("ab=.?&/", max_size=200))
def test_any_text_comes_back_exactly_and_all_lines_are_legal(before, between, after, link):
    body = f"{before}{Placeholder.UNSUBSCRIBE}{between}{Placeholder.PREFERENCES}{after}"
    reader = replace(READER, unsubscribe_url=f"https://a.example/{link}")
    issue = replace(ISSUE, text=body, html=body)
    raw = MessageTemplate.compose(issue, SENDER_HEADERS, revision_id="r").for_recipient(reader)
    text, html = parsed(raw).iter_parts()

    assert lines_are_legal(raw)
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    escaped = reader.unsubscribe_url.replace("&", "&amp;")
    assert content(text) == filled(body, reader.unsubscribe_url, reader.preferences_url)
    assert content(html) == filled(body, escaped, reader.preferences_url)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1))
def test_any_subject_comes_back_exactly(subject):
    subject = subject.strip() or "x"
    raw = unstructured_header("Subject", subject)

    assert all(len(line) <= 76 for line in raw.split(b"\r\n"))
    assert message_from_bytes(raw + b"\r\n", policy=default)["Subject"] == subject


def test_long_german_subjects_keep_their_spaces():
    words = re.findall(
        r"\w+", "Städte Häuser weiterbauen für über Öfen und große Straßen übermorgen"
    )
    for length in range(1, 60):
        subject = " ".join((words * 8)[:length])
        raw = unstructured_header("Subject", subject)
        mail = message_from_bytes(raw + b"\r\n", policy=default)
        assert mail["Subject"] == subject
        assert str(make_header(decode_header(raw.decode()[9:].strip()))) == subject


def test_a_plain_subject_stays_readable():
    subject = "Building with what is there " * 5

    assert b"=?" not in unstructured_header("Subject", subject)


@given(st.text(max_size=200))
def test_no_name_can_break_a_header(name):
    raw = MessageTemplate.compose(ISSUE, SENDER_HEADERS, revision_id="r").for_recipient(
        replace(READER, name=name)
    )
    mail = parsed(raw)

    assert lines_are_legal(raw)
    assert [a.addr_spec for a in mail["To"].addresses] == ["max@example.net"]
    assert list(mail)[-4:] == ["Date", "Message-ID", "List-Unsubscribe", "Content-Type"]


@pytest.mark.parametrize(
    "name", ['Anna "Ännchen" Müller', "Müller, Max", "A\\B", "=?utf-8?q?x?=", ""]
)
def test_awkward_names_come_back(name):
    raw = MessageTemplate.compose(ISSUE, SENDER_HEADERS, revision_id="r").for_recipient(
        replace(READER, name=name)
    )

    assert parsed(raw)["To"].addresses[0].display_name == name


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@y.example", "a\nb", "a\x00b", "a\u2028b", "  "])
def test_a_subject_with_a_line_break_is_refused_with_a_sentence(bad):
    with pytest.raises(UpcycleError, match="Subject"):
        composed(replace(ISSUE, subject=bad))


@pytest.mark.parametrize("bad", ["a@b.example\r\nBcc: x@y.example", "a b@c.example", "a@b>c"])
@pytest.mark.parametrize("field", ["from_address", "reply_to", "list_id"])
def test_an_address_cannot_inject_a_header(field, bad):
    with pytest.raises(UpcycleError, match="character"):
        composed(sender_headers=replace(SENDER_HEADERS, **{field: bad}))


@pytest.mark.parametrize("field", ["feedback_id", "unsubscribe_mailto", "message_id_domain"])
def test_other_settings_cannot_inject_a_header_either(field):
    with pytest.raises(UpcycleError):
        composed(sender_headers=replace(SENDER_HEADERS, **{field: "a@b\r\nX: y"}))


@pytest.mark.parametrize(
    "change",
    [
        {"unsubscribe_url": "https://a.example/\r\nX: y"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"unsubscribe_url": "https://a.example/" + "a" * 1000},
        {"preferences_url": "https://a.example/ü"},
        {"message_hash": "a@b>"},
        {"address": EmailAddress("a@b.example>\r\nX: y")},
    ],
)
def test_no_field_of_a_recipient_can_inject_a_header(change):
    with pytest.raises(UpcycleError) as caught:
        MessageTemplate.compose(ISSUE, SENDER_HEADERS, revision_id="r").for_recipient(
            replace(READER, **change)
        )
    assert "b.example" not in str(caught.value)


@pytest.mark.parametrize("part", ["html", "text"])
def test_an_issue_without_an_unsubscribe_link_is_not_composed(part):
    with pytest.raises(UpcycleError, match="no unsubscribe link"):
        composed(replace(ISSUE, **{part: "hello"}))


def test_an_unknown_placeholder_is_refused():
    with pytest.raises(UpcycleError, match="unknown placeholder"):
        composed(replace(ISSUE, html=ISSUE.html + "https://reader.invalid/archive"))


def test_the_message_id_names_nobody_and_is_always_the_same():
    ids = {message_hash(b"secret", ISSUE.issue, number) for number in range(100)}

    assert len(ids) == 100
    assert message_hash(b"secret", "2026-11-26", 5) == message_hash(b"secret", ISSUE.issue, 5)
    assert message_hash(b"secret", ISSUE.issue, 5) != message_hash(b"other", ISSUE.issue, 5)


def test_quoted_printable_keeps_spaces_at_line_ends():
    assert quoted_printable("a \nb\t\n") == b"a=20\r\nb=09\r\n"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_after_any_piece_a_soft_break_fits_on_the_line(text):
    encoded = quoted_printable(text)

    assert len(encoded.split(b"\r\n")[-1]) < 76
    assert max(map(len, encoded.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("length", range(70, 80))
def test_a_soft_break_fits_after_a_full_line_too(length):
    text = "a" * length
    encoded = quoted_printable(text)

    assert len(encoded.split(b"\r\n")[-1]) < 76
    assert quopri.decodestring(encoded) == text.encode()


def test_encoded_words_are_never_cut_within_a_character():
    for word in re.findall(r"=\?utf-8\?q\?(.*?)\?=", encoded_words("ä" * 100, first=40)):
        bytes.fromhex(word.replace("=", "")).decode()
