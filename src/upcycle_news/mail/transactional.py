"""Transactional mail: a single message to one recipient, such as the one that asks to confirm."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from email.utils import format_datetime

from upcycle_news.mail.dkim import DkimSigner, TemplateDkimSigner
from upcycle_news.mail.headers import (
    ascii_header,
    mailbox_header,
    quoted_printable,
    unstructured_header,
)
from upcycle_news.mail.message import SenderHeaders, relay_header_lines
from upcycle_news.models import EmailAddress


def build_transactional_mail(
    sender_headers: SenderHeaders,
    *,
    to: EmailAddress,
    language: str,
    subject: str,
    text: str,
    html: str,
    message_hash: str,
    date: datetime,
    signers: Sequence[DkimSigner] = (),
    unsigned: Collection[str] = (),
    relay_headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return the message as bytes, CRLF everywhere. `message_hash` makes its Message-ID.

    Signed by `signers` like the issues; `unsigned` as in `MessageTemplate.compose`, `relay_headers` as in
    `RecipientFields`. It is no bulk mail, so it has no List headers, but it has
    Auto-Submitted, so that no out-of-office reply comes.
    """
    boundary = "=_" + hashlib.sha256(f"letter/{message_hash}".encode()).hexdigest()[:32]
    headers = [
        mailbox_header("From", sender_headers.from_name, sender_headers.from_address),
        mailbox_header("To", "", to.address),
        unstructured_header("Subject", subject),
        ascii_header("Date", format_datetime(date)),
        ascii_header("Message-ID", f"<{message_hash}@{sender_headers.message_id_domain}>"),
        ascii_header("Auto-Submitted", "auto-generated"),
        ascii_header("Content-Language", language),
        ascii_header("MIME-Version", "1.0"),
    ]
    if sender_headers.reply_to:
        headers.insert(1, mailbox_header("Reply-To", "", sender_headers.reply_to))
    parts = [
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode(),
        *(
            f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            + quoted_printable(content)
            + b"\r\n"
            for kind, content in (("plain", text), ("html", html))
        ),
        f"--{boundary}--\r\n".encode(),
    ]
    head, body = b"".join(headers), b"".join(parts)
    signed = (
        TemplateDkimSigner.prepare(head, (body,), signers, unsigned).signatures(b"", {}, date)
        if signers
        else b""
    )
    return signed + head + relay_header_lines(relay_headers) + body
