"""The parts of an incoming report: what the server wrote, apart from the mail it returns. Pure."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

MAX_TEXT = 20_000
"""Characters of a notice that are read."""

_RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_MAILER_LOCAL = re.compile(
    r"(mailer|mail)?[-_. ]?daemon|mdaemon|po+st[-_.]?master|microsoftexchange\w*|double-bounce"
    r"|mail[-_.]?(delivery|system)\w*",
    re.IGNORECASE,
)
_MAILER_NAME = re.compile(
    r"mailer[- ]?daemon|mail deliver(y|er)? (sub)?system|delivery subsystem|postmaster|mdaemon",
    re.IGNORECASE,
)

_ABSENT = re.compile(
    r"\b(out of (the )?office|abwesen|auto(matic|matische)?[- ]?(reply|antwort|response)"
    r"|vacation|urlaub|away from|nicht im (büro|haus))",
    re.IGNORECASE,
)
_REPLY_OR_FORWARD = re.compile(r"\s*(fwd?|wg|re|aw|antw|sv|rv|tr)\s*:", re.IGNORECASE)


def decode_header_text(header: str) -> str:
    """Return a header's text with RFC 2047 decode_header_text; unchanged if that is malformed."""
    try:
        return str(make_header(decode_header(header)))
    except (LookupError, UnicodeError, ValueError):
        return header


def from_mailer(message: Message) -> bool:
    """Return True if a mail system wrote it: a postmaster, a mailer-daemon or ``From: <>``."""
    value = str(message.get("From", ""))
    if not value.strip() or re.fullmatch(r"[^<]*<>\s*", value):
        return "<>" in value
    for name, address in getaddresses([decode_header_text(value)[:1000]]):
        local = address.rpartition("@")[0] or address
        if _MAILER_LOCAL.fullmatch(local) or _MAILER_NAME.search(name):
            return True
    return False


def is_automatic(message: Message) -> bool:
    """Return True for automatic replies such as vacation notices (RFC 3834 and older headers)."""
    auto_submitted = str(message.get("Auto-Submitted", "")).partition(";")[0].strip().lower()
    if auto_submitted.startswith("auto-replied"):
        return True
    if (
        message.get("X-Autoreply")
        or message.get("X-Autorespond")
        or message.get("X-Auto-Reply-From")
    ):
        return True
    if str(message.get("Precedence", "")).strip().lower() == "auto_reply":
        return True
    return bool(_ABSENT.search(decode_header_text(str(message.get("Subject", "")))))


def is_from_person(message: Message) -> bool:
    """Return True if a person replies, or forwards a bounce to ask what it means."""
    if message.get_content_subtype() == "report" or from_mailer(message):
        return False
    # Virus scanners keep the subject, with its "Re:", and write a plain text.
    attached = any(part.get_content_type() == "message/rfc822" for part in own_parts(message))
    answers = bool(message.get("In-Reply-To"))
    return bool(_REPLY_OR_FORWARD.match(decode_header_text(str(message.get("Subject", ""))))) and (
        attached or answers
    )


def own_parts(message: Message) -> Iterator[Message]:
    """Yield the message and its parts, without descending into the returned mail."""
    yield message
    if message.get_content_type() in _RETURNED:
        return
    payload = message.get_payload()
    if isinstance(payload, list) and message.get_content_maintype() == "multipart":
        for part in payload:
            if isinstance(part, Message):
                yield from own_parts(part)


def part_of_type(message: Message, *content_types: str) -> Message | None:
    """Return the first of the message's own parts that has one of these types, or None."""
    for part in own_parts(message):
        if part.get_content_type() in content_types:
            return part
    return None


def fields_of(part: Message) -> Message:
    """Return the header fields that are the content of a part, such as a feedback report's."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return email.message_from_string(text_of(part) or str(payload))


def text_of(part: Message) -> str:
    """Return a part's decode_header_text text, at most `MAX_TEXT` characters; empty if it has none."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return payload[: 4 * MAX_TEXT].decode(_charset(part), "replace")[:MAX_TEXT]


def notice_text(message: Message) -> str:
    """Return the human-readable part: the plain text, or the HTML without its tags."""
    plain, html = [], []
    for part in own_parts(message):
        kind = part.get_content_type()
        if part.get_content_maintype() == "multipart" or kind in _RETURNED:
            continue
        if kind == "text/html":
            html.append(text_of(part))
        elif part.get_content_maintype() == "text":
            plain.append(text_of(part))
    text = "\n".join(plain)
    if not text.strip():
        text = re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]{0,2000}>", " ", "\n".join(html))
    if not text.strip() and message.is_multipart() is False:
        text = text_of(message)
    return text.replace("\r\n", "\n")[:MAX_TEXT]


def _charset(part: Message) -> str:
    name = part.get_content_charset("utf-8")
    try:
        "".encode(name)
    except (LookupError, UnicodeError):
        return "latin-1"
    return name
