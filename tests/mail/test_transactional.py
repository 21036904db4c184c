"""The confirmation mail as a message."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim

from upcycle_news.mail.dkim import DkimSigner, generate
from upcycle_news.mail.message import SenderHeaders
from upcycle_news.mail.transactional import build_transactional_mail
from upcycle_news.models import EmailAddress

HEAD = SenderHeaders(
    from_name="Redaktion Umbaupost", from_address="post@umbaupost.example.net",
    envelope_sender="bounces@umbaupost.example.net", list_id="l.umbaupost.example.net",
    list_name="Umbaupost", message_id_domain="umbaupost.example.net",
)  # fmt: skip


def test_the_confirmation_mail_is_signed_like_an_issue() -> None:
    key = generate("rsa")
    message = build_transactional_mail(
        HEAD, to=EmailAddress.parse("anna@example.org"), language="de",
        subject="Bitte bestätigen: Umbaupost", text="Grüße\n\nhttps://x.example/confirm/a  \n",
        html="<p>Grüße</p>\n\n\n", message_hash="a" * 32,
        date=datetime(2025, 11, 27, 6, tzinfo=UTC),
        signers=(DkimSigner.load("umbaupost.example.net", "news", key.pem, "rsa"),),
    )  # fmt: skip
    assert dkim.verify(message, dnsfunc=lambda *_, **__: key.record.encode())
    assert not dkim.verify(
        message.replace(b"confirm/a", b"confirm/b"), dnsfunc=lambda *_, **__: key.record.encode()
    )
    assert all(len(line) <= 998 for line in message.split(b"\r\n"))
