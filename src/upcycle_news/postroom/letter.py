"""A single message to one person beside the issues: the mail that asks for confirmation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from upcycle_news.model import EmailAddress
from upcycle_news.postroom import encoding
from upcycle_news.postroom.dkim import DkimSigner
from upcycle_news.postroom.message import Letterhead
from upcycle_news.postroom.seal import Seal


def compose_letter(
    letterhead: Letterhead,
    *,
    to: EmailAddress,
    language: str,
    subject: str,
    text: str,
    html: str,
    message_hash: str,
    date: datetime,
    signers: Sequence[DkimSigner] = (),
) -> bytes:
    """The message as bytes, CRLF everywhere. `message_hash` makes its Message-ID.

    Signed by `signers` like the issues. It is no bulk mail: no List headers, but Auto-Submitted, so that nobody's absence answers it.
    """
    boundary = "=_" + hashlib.sha256(f"letter/{message_hash}".encode()).hexdigest()[:32]
    headers = [
        encoding.mailbox_header("From", letterhead.from_name, letterhead.from_address),
        encoding.mailbox_header("To", "", to.address),
        encoding.unstructured("Subject", subject),
        encoding.plain("Date", format_datetime(date)),
        encoding.plain("Message-ID", f"<{message_hash}@{letterhead.message_id_domain}>"),
        encoding.plain("Auto-Submitted", "auto-generated"),
        encoding.plain("Content-Language", language),
        encoding.plain("MIME-Version", "1.0"),
    ]
    if letterhead.reply_to:
        headers.insert(1, encoding.mailbox_header("Reply-To", "", letterhead.reply_to))
    parts = [
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode(),
        *(
            f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            + encoding.quoted_printable(content)
            + b"\r\n"
            for kind, content in (("plain", text), ("html", html))
        ),
        f"--{boundary}--\r\n".encode(),
    ]
    head, body = b"".join(headers), b"".join(parts)
    signed = Seal.over(head, (body,), signers).signatures(b"", {}, date) if signers else b""
    return signed + head + body
