"""A single message to one person beside the issues: the mail that asks for confirmation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from upcycle_news.mail import headers as headers_module
from upcycle_news.mail.dkim import DkimSigner, TemplateDkimSigner
from upcycle_news.mail.message import SenderHeaders
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
) -> bytes:
    """The message as bytes, CRLF everywhere. `message_hash` makes its Message-ID.

    Signed by `signers` like the issues. It is no bulk mail: no List headers, but Auto-Submitted, so that nobody's absence answers it.
    """
    boundary = "=_" + hashlib.sha256(f"letter/{message_hash}".encode()).hexdigest()[:32]
    headers = [
        headers_module.mailbox_header("From", sender_headers.from_name, sender_headers.from_address),
        headers_module.mailbox_header("To", "", to.address),
        headers_module.unstructured_header("Subject", subject),
        headers_module.ascii_header("Date", format_datetime(date)),
        headers_module.ascii_header("Message-ID", f"<{message_hash}@{sender_headers.message_id_domain}>"),
        headers_module.ascii_header("Auto-Submitted", "auto-generated"),
        headers_module.ascii_header("Content-Language", language),
        headers_module.ascii_header("MIME-Version", "1.0"),
    ]
    if sender_headers.reply_to:
        headers.insert(1, headers_module.mailbox_header("Reply-To", "", sender_headers.reply_to))
    parts = [
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode(),
        *(
            f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            + headers_module.quoted_printable(content)
            + b"\r\n"
            for kind, content in (("plain", text), ("html", html))
        ),
        f"--{boundary}--\r\n".encode(),
    ]
    head, body = b"".join(headers), b"".join(parts)
    signed = TemplateDkimSigner.over(head, (body,), signers).signatures(b"", {}, date) if signers else b""
    return signed + head + body
