"""Find out whether a mail answers an issue, and whether a person or a program wrote it. Pure.

Only header fields are looked at. A Message-ID of ours is ``<ISSUE.HASH@DOMAIN>`` (`mail.message`).
"""

from __future__ import annotations

import email
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum

from upcycle_news.bounces.bounce_origin import addresses_in, returned_to
from upcycle_news.bounces.mail_parts import from_mailer, is_automatic, part_of_type

_OURS = re.compile(r"<(\d{4}-\d{2}-\d{2}[0-9a-z-]{0,8})\.([0-9a-f]{32})@([^\s<>@]{1,255})>")
_REFERENCES = 20_000
"""Characters of In-Reply-To and References that are looked at; the newest stand last."""


class ReplyKind(StrEnum):
    """Who answers: a person, or the absence assistant of one."""

    PERSON = "reply"
    AUTOMATIC = "auto-reply"


@dataclass(frozen=True)
class MessageReference:
    """A Message-ID that may be one of ours: the issue that it names, and its hash."""

    issue: str
    message_hash: str


@dataclass(frozen=True)
class Reply:
    """An answer: to which Message-IDs, the newest first, and its own Message-ID, which may be empty.

    `returned_to` are the addresses that it arrived at: absence assistants write to the envelope sender
    (RFC 3834, section 4), and not all of them say what they answer.
    """

    kind: ReplyKind
    references: tuple[MessageReference, ...]
    message_id: str
    returned_to: tuple[str, ...] = field(default=(), repr=False)


def read_reply(raw: bytes, domain: str, own_addresses: Collection[str] = ()) -> Reply | None:
    """Return the reply in a mail to Message-IDs at `domain`; None for any other mail. Never fails.

    Notices of servers and receipts (RFC 8098) are no replies: what they tell is not counted. Neither are
    mails of the editors, from one of `own_addresses`, and those of mailing lists.
    """
    try:
        message = email.message_from_bytes(raw)
        if message.get_content_subtype() == "report" or from_mailer(message):
            return None
        if part_of_type(message, "message/disposition-notification") is not None:
            return None
        writers = {address.lower() for address in addresses_in(str(message.get("From", ""))[:1000])}
        if message.get("List-Id") or writers & {address.lower() for address in own_addresses}:
            return None
        automatic = _is_automatic(message)
        return Reply(
            ReplyKind.AUTOMATIC if automatic else ReplyKind.PERSON,
            tuple(_references(message, domain)),
            str(message.get("Message-ID", "")).strip()[:1000],
            tuple(returned_to(message))[:20] if automatic else (),
        )
    except Exception:  # the parser's corners: a hostile mail must not stop the others
        return None


def _is_automatic(message: Message) -> bool:
    """Return True also for what a program wrote by itself, such as a ticket's receipt (RFC 3834, section 5)."""
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    return submitted != "no" or is_automatic(message)


def _references(message: Message, domain: str) -> list[MessageReference]:
    """Return what In-Reply-To and References name (RFC 5322, section 3.6.4), each once."""
    text = " ".join(
        str(value)[-_REFERENCES:]
        for name in ("References", "In-Reply-To")
        for value in message.get_all(name, [])
    )
    found = [
        MessageReference(match[1], match[2])
        for match in _OURS.finditer(text)
        if match[3].lower() == domain.lower()
    ]
    return list(dict.fromkeys(reversed(found)))[:20]
