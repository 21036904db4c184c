"""Parse SMTP replies. Relays quote addresses in them: they are redacted here, where replies enter."""

from __future__ import annotations

import re

from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import Envelope, SmtpReply

REDACTED = "…"
_TEXT_LIMIT = 400
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)", re.MULTILINE)
# With %40 and =40 too, as relays write addresses into links and bounce addresses.
_ADDRESS = re.compile(r"[^\s<>]*(?:@|%40|=40)[^\s<>]*", re.IGNORECASE)
_LONG_WORD = re.compile(r"[A-Za-z0-9_-]{16,}")
# A mailbox called "user" must not make "no such user" unreadable, and these identify nobody.
_COMMON_WORDS = frozenset(
    (
        *("a", "account", "address", "domain", "found", "host", "in", "invalid", "is", "mailbox"),
        *("no", "not", "of", "recipient", "relay", "such", "the", "to", "unknown", "user"),
    )
)


def parse_reply(
    code: int, raw: bytes, envelope: Envelope, message: DotStuffedMessage | None = None
) -> SmtpReply:
    """Parse the lines after a reply code, and redact what identifies the recipient.

    Redacted are words with an @, the recipient's local part and domain, and long words that are in
    `message` as well: a relay that quotes a link would quote the subscriber's token. `enhanced` is
    the status code of RFC 3463, if its class agrees with `code`.
    """
    text = raw.decode("utf-8", "replace")
    match = _ENHANCED.match(text)
    enhanced = match[1] if match and match[1][0] == str(code)[0] else ""
    if enhanced:
        text = re.sub(rf"^{re.escape(enhanced)}[ \t]*", "", text, flags=re.MULTILINE)
    text = redact_reply(" ".join(text.split()), envelope, message)
    return SmtpReply(code, text[:_TEXT_LIMIT], enhanced)


def redact_reply(text: str, envelope: Envelope, message: DotStuffedMessage | None = None) -> str:
    """Return `text` without anything that identifies the recipient."""
    if _mentions_no_address(text, envelope):
        return _redact_quotes(text, message)
    for address in (envelope.recipient, envelope.sender):
        if address:
            text = re.sub(re.escape(address), REDACTED, text, flags=re.IGNORECASE)
    text = _ADDRESS.sub(REDACTED, text)
    local, _, domain = envelope.recipient.rpartition("@")
    for part in (local, domain, envelope.sender.rpartition("@")[0]):
        if part and part.lower() not in _COMMON_WORDS:
            pattern = rf"(?<![\w.-]){re.escape(part)}(?![\w-])"
            text = re.sub(pattern, REDACTED, text, flags=re.IGNORECASE)
    return _redact_quotes(text, message)


def _mentions_no_address(text: str, envelope: Envelope) -> bool:
    """Return True when no part of the addresses is in `text`, as in nearly every 250.

    Redacting a recipient compiles a pattern of their own, which costs more than sending.
    """
    lower = text.lower()
    local, _, domain = envelope.recipient.lower().rpartition("@")
    parts = (local, domain, envelope.sender.lower().rpartition("@")[0], "@", "%40", "=40")
    return not any(part and part in lower for part in parts)


def _redact_quotes(text: str, message: DotStuffedMessage | None) -> str:
    if message is not None and _LONG_WORD.search(text):
        data = message.data
        text = _LONG_WORD.sub(lambda word: REDACTED if _quotes(word[0], data) else word[0], text)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else REDACTED for char in text)


def _quotes(word: str, message: bytes) -> bool:
    encoded = word.encode("ascii")
    return encoded in message or encoded in message.replace(b"=\r\n", b"")
