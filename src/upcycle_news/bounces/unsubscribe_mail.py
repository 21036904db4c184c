"""Find out whether a mail unsubscribes somebody, or wants to without saying so by a link of ours. Pure."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser

from upcycle_news.bounces.bounce_origin import addresses_in
from upcycle_news.bounces.mail_parts import (
    decode_header_text,
    from_mailer,
    is_automatic,
    notice_text,
)

_ARRIVAL = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-delivered-to")
_SUBJECT = 1000
"""Characters of a subject that are looked at: a token has 43."""
_BEGINNING = 300
"""Characters of a text that are looked at: whoever wants to leave says so at once."""
_TOKEN = re.compile(r"(?=([A-Za-z0-9_-]{43}))")
# The Q encoding writes a blank as "_"; programs that encode a subject without need leave ours as it is.
_Q_WORD = re.compile(r"=\?[^?\s]+\?[qQ]\?([^?\s]*)\?=")
_WANTS_TO_LEAVE = re.compile(
    r"\b(ab(zu)?melde\w*|abmeldung|ab(zu)?bestell\w*|austrag\w*|ausgetragen|unsubscribe|unsuscribe"
    r"|opt[- ]?out|remove me|take me off|no (more|longer)|k(ü|ue)ndig\w*"
    r"|kein(e|en)? (mails?|e-mails?|newsletter|weiteren?)|nicht mehr (erhalten|bekommen|zusenden|schicken)"
    r"|stop(p|pen)?)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"^(>|-{2,} ?(urspr|original|weitergeleitete|forwarded)|(am|on) .{5,90}(schrieb|wrote)|von: |from: )",
    re.IGNORECASE | re.MULTILINE,
)


def unsubscribe_tokens(raw: bytes) -> Iterator[str]:
    """Yield possible tokens in the subject of a mail; never fails.

    Anybody may have written it, to whatever address of the mailbox: only its subject is read, and whoever
    knows a token may unsubscribe its owner. Servers and people put words before a subject, and mail folds
    and encodes it (RFC 2047), so a token may begin at every letter.
    """
    headers = BytesHeaderParser().parsebytes(raw)
    for header in headers.get_all("subject", [])[:3]:
        text = str(header)[: 4 * _SUBJECT]
        for reading in dict.fromkeys((decode_header_text(text), _Q_WORD.sub(r"\1", text))):
            for match in _TOKEN.finditer("".join(reading.split())[:_SUBJECT]):
                yield match[1]


def wants_to_leave(raw: bytes, address: str) -> bool:
    """Return True if a person seems to want to leave; never fails.

    They wrote to the unsubscribe address (empty: there is none), or their subject or first words say so.
    Nobody is unsubscribed for that: the sender of a mail proves nothing.
    """
    try:
        message = email.message_from_bytes(raw)
        if from_mailer(message) or is_automatic(message):
            return False
        subject = decode_header_text(str(message.get("subject", ""))[:_SUBJECT])
        if is_addressed_to(message, address) or _WANTS_TO_LEAVE.search(subject):
            return True
        return _WANTS_TO_LEAVE.search(_beginning(message)) is not None
    except Exception:  # the parser's corners: a hostile mail must not stop the others
        return False


def is_addressed_to(message: Message, address: str) -> bool:
    """Return True if one of the headers that name recipients holds the address."""
    to = [str(value) for name in _ARRIVAL for value in message.get_all(name, [])]
    wanted = address.lower()
    return bool(wanted) and any(
        other.lower() == wanted for text in to for other in addresses_in(text)
    )


def _beginning(message: Message) -> str:
    text = notice_text(message)
    if quoted := _QUOTED.search(text):
        text = text[: quoted.start()]
    return text.strip()[:_BEGINNING]
