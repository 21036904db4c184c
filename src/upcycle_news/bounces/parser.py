"""What a mail that came back says: bounced for good, for now, complained, or none of that. Pure.

The machine-readable parts come first (RFC 3464, RFC 5965), then flufl.bounce for the servers that
follow no standard. Whatever a person or their holiday assistant wrote is none of it.
"""

from __future__ import annotations

import email
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses
from enum import StrEnum

from upcycle_news.models import Envelope, SmtpReply
from upcycle_news.transports.refusal_classes import classify_refusal
from upcycle_news.transports.replies import redact_reply

MAX_BYTES = 5_000_000


class Kind(StrEnum):
    """What a mail is. Only the first four are about a delivery of ours."""

    HARD = "hard"
    SOFT = "soft"
    BLOCKED = "blocked"
    COMPLAINT = "complaint"
    DELAYED = "delayed"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


COUNTED = frozenset({Kind.HARD, Kind.SOFT, Kind.BLOCKED, Kind.COMPLAINT})


@dataclass(frozen=True)
class Report:
    """A mail, read. `returned_to` are the addresses it may have been returned to.

    `code` is the RFC 3463 status or empty; `reason` is redacted; `links` are unsubscribe tokens of
    the mail it is about.
    """

    kind: Kind
    code: str = ""
    reason: str = ""
    returned_to: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<!\d)([45]\d\d)(?=[ -])")
_TOKEN = re.compile(r"/unsubscribe/([A-Za-z0-9_-]{43})")
_ARRIVAL = (
    "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to",
    "apparently-to", "to",
)  # fmt: skip
_MAILER = re.compile(r"mailer|daemon|postmaster|mail delivery|mdaemon", re.IGNORECASE)
_SENT_ON = re.compile(r"\s*(fwd?|wg|re|aw|antw)\s*:", re.IGNORECASE)
_ABSENT = re.compile(
    r"\b(out of (the )?office|abwesen|auto(matic|matische)?[- ]?(reply|antwort|response)"
    r"|vacation|urlaub|away from|nicht im (büro|haus))",
    re.IGNORECASE,
)


def read_report(raw: bytes) -> Report:
    """Read a mail from the inbox; never fails, for anybody may have written it."""
    if len(raw) > MAX_BYTES:
        return Report(Kind.OTHER)
    try:
        return _read(email.message_from_bytes(raw))
    except Exception:  # the parser's corners: a hostile mail must not stop the others
        return Report(Kind.OTHER)


def _read(message: Message) -> Report:
    to, links = tuple(_returned_to(message)), tuple(_links(message))
    if (feedback := _part(message, "message/feedback-report")) is not None:
        kind = str(_fields(feedback).get("feedback-type", "")).strip().lower()
        counted = Kind.OTHER if kind == "not-spam" else Kind.COMPLAINT
        return Report(counted, "", _redacted(kind, ""), to, links)
    if _part(message, "message/disposition-notification") is not None:
        return Report(Kind.AUTO_REPLY)
    if (status := _part(message, "message/delivery-status")) is not None:
        report = _from_status(status, to, links)
        if report.kind is not Kind.OTHER:
            return report
    # Exim marks its bounces as auto-replied, too.
    elif _is_automatic(message) and not _MAILER.search(str(message.get("From", ""))):
        return Report(Kind.AUTO_REPLY)
    if _is_forwarded(message):
        return Report(Kind.OTHER)
    return _by_shape(message, to, links)


# --- RFC 3464


def _from_status(status: Message, to: tuple[str, ...], links: tuple[str, ...]) -> Report:
    """The first recipient that failed decides: each of our mails has exactly one."""
    delayed = False
    for block in _blocks(status):
        action = str(block.get("action", "")).strip().lower()
        delayed |= action == "delayed"
        if action != "failed":
            continue
        diagnostic = " ".join(str(block.get("diagnostic-code", "")).split())
        diagnostic = re.sub(r"^[a-z0-9-]+\s*;\s*", "", diagnostic, flags=re.IGNORECASE)
        named = _STATUS.search(str(block.get("status", "")))
        inner = _STATUS.search(diagnostic)
        # Exchange says 5.0.0 in front and means it in the diagnostic.
        vague = named is None or named[0] in ("5.0.0", "4.0.0")
        code = inner[0] if vague and inner else named[0] if named else ""
        recipient = str(block.get("final-recipient", "")).rpartition(";")[2].strip()
        return Report(_kind(code, diagnostic), code, _redacted(diagnostic, recipient), to, links)
    return Report(Kind.DELAYED if delayed else Kind.OTHER)


def _blocks(status: Message) -> Iterator[Message]:
    """Python reads delivery-status as a list of header blocks; some servers leave one text."""
    payload = status.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))
        return
    for text in re.split(r"\r?\n\s*\r?\n", str(payload)):
        yield email.message_from_string(text)


def _kind(code: str, words: str) -> Kind:
    """Hard only where the address is the reason; blocked where we are; else it may pass."""
    plain = _REPLY_CODE.search(words)
    number = int(plain[1]) if plain else 550
    if code.startswith("4") or (not code and number < 500):
        return Kind.BLOCKED if code.startswith("4.7.") else Kind.SOFT
    reply = SmtpReply(max(number, 500), words, code)
    subject = classify_refusal("rcpt", reply)
    return {"person": Kind.HARD, "us": Kind.BLOCKED, "delivery": Kind.SOFT}[subject]


# --- no standard


def _by_shape(message: Message, to: tuple[str, ...], links: tuple[str, ...]) -> Report:
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it would quote the mail
    if not getaddresses([str(message.get("From", ""))]):
        # One of its detectors expects that there is somebody.
        del message["From"]
        message["From"] = "nobody@mail.invalid"
    temporary, permanent = all_failures(message)
    if not temporary and not permanent:
        return Report(Kind.OTHER)
    words = _first_text(message)
    found = sorted((*permanent, *temporary))[0]
    recipient = found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)
    said = _around(words, recipient)
    code = next((m[0] for m in _STATUS.finditer(said) if m[1] in "45"), "")
    kind = _kind(code, said) if permanent else Kind.SOFT
    return Report(kind, code, _redacted(said, recipient), to, links)


def _around(words: str, recipient: str) -> str:
    """The sentence about the recipient: servers wrap it in much politeness."""
    words = words.partition("-----Original Message")[0]
    at = max(words.lower().find(recipient.lower()), 0)
    return " ".join(words[max(0, at - 200) : at + 600].split())


def _first_text(message: Message) -> str:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload[:20_000].decode(_charset(part), "replace")
    return ""


def _charset(part: Message) -> str:
    name = part.get_content_charset("utf-8")
    try:
        "".encode(name)
    except LookupError:
        return "latin-1"
    return name


def _is_automatic(message: Message) -> bool:
    """Answers of machines in the name of people (RFC 3834, and before it)."""
    said = str(message.get("Auto-Submitted", "")).partition(";")[0].strip().lower()
    if said == "auto-replied":
        return True
    if (
        message.get("X-Autoreply")
        or message.get("X-Autorespond")
        or message.get("X-Auto-Reply-From")
    ):
        return True
    if str(message.get("Precedence", "")).strip().lower() == "auto_reply":
        return True
    return bool(_ABSENT.search(_decoded(str(message.get("Subject", "")))))


def _is_forwarded(message: Message) -> bool:
    """A person sends a bounce on, to ask what it means."""
    if message.get_content_subtype() == "report" or _MAILER.search(str(message.get("From", ""))):
        return False
    # Virus scanners keep the subject, with its "Re:", and write a plain text.
    attached = any(part.get_content_type() == "message/rfc822" for part in _own_parts(message))
    return attached and bool(_SENT_ON.match(_decoded(str(message.get("Subject", "")))))


def _decoded(header: str) -> str:
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(header)))
    except (LookupError, UnicodeError, ValueError):
        return header


# --- whose delivery it was


def _returned_to(message: Message) -> Iterator[str]:
    """Where the report was delivered, then what the mail inside says it was sent from."""
    for name in _ARRIVAL:
        for value in message.get_all(name, []):
            yield from addresses_in(str(value))
    for part in message.walk():
        if part is message:
            continue
        if part.get_content_type() == "message/feedback-report":
            yield from addresses_in(str(_fields(part).get("original-mail-from", "")))
        for value in part.get_all("return-path", []):
            yield from addresses_in(str(value))


def addresses_in(text: str) -> Iterator[str]:
    """What looks like an address, at most as long as RFC 5321 lets one be: the time is linear."""
    for found in re.finditer(r"[^\s<>,;:\"()@]{1,64}@[^\s<>,;\"()]{1,255}", text):
        yield found[0]


def _links(message: Message) -> Iterator[str]:
    for part in message.walk():
        for value in part.get_all("list-unsubscribe", []):
            for found in _TOKEN.finditer("".join(str(value).split())):
                yield found[1]
        if part.get_content_type() == "text/rfc822-headers":
            text = re.sub(r"\r?\n[ \t]+", "", _first_text(part))
            for found in _TOKEN.finditer(text):
                yield found[1]


def _part(message: Message, content_type: str) -> Message | None:
    """The first part of a type, not looking into the mail that came back."""
    for part in _own_parts(message):
        if part.get_content_type() == content_type:
            return part
    return None


def _own_parts(message: Message) -> Iterator[Message]:
    yield message
    if message.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
        return
    payload = message.get_payload()
    if isinstance(payload, list) and message.get_content_maintype() == "multipart":
        for part in payload:
            if isinstance(part, Message):
                yield from _own_parts(part)


def _fields(part: Message) -> Message:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return email.message_from_string(str(payload))


def _redacted(text: str, recipient: str) -> str:
    return redact_reply(text, Envelope(sender="", recipient=recipient))[:400]
