from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.mail.dot_stuffing import dot_stuff
from upcycle_news.models import Envelope
from upcycle_news.transports.replies import parse_reply

ENVELOPE = Envelope("bounce+d7@example.org", "max.muster@muster-web.example")


@pytest.mark.parametrize(
    "text",
    [
        "5.1.1 <max.muster@muster-web.example>: Recipient address rejected",
        "5.1.1 Max.Muster unknown at muster-web.example",
        "5.1.1 MAX.MUSTER@MUSTER-WEB.EXAMPLE gone",
        "5.1.1 max.muster=muster-web.example@relay.example",
        "5.1.1 see https://help.example/?a=max.muster%40muster-web.example",
        "5.1.1 <max.muster@muster-web.example>\n5.1.1 max.muster",
    ],
)
def test_the_address_is_redacted_and_the_code_stays(text):
    reply = parse_reply(550, text.encode(), ENVELOPE)

    assert (reply.code, reply.enhanced) == (550, "5.1.1")
    assert "muster" not in reply.text.lower()
    assert "@" not in reply.text


def test_the_token_of_a_quoted_link_is_redacted():
    token = "kJ8sQ" * 8
    message = f"https://a.example/u/{token[:20]}=\r\n{token[20:]}".encode()

    assert (
        token
        not in parse_reply(554, f"URL {token} listed".encode(), ENVELOPE, dot_stuff(message)).text
    )


def test_a_queue_id_is_not_redacted():
    reply = parse_reply(
        250, b"2.0.0 Ok: queued as 4XyZ1234567890abcdef", ENVELOPE, dot_stuff(b"hello")
    )

    assert reply.text == "Ok: queued as 4XyZ1234567890abcdef"


def test_a_mailbox_called_user_leaves_no_such_user_readable():
    assert parse_reply(550, b"no such user", Envelope("", "user@a.example")).text == "no such user"


def test_an_enhanced_code_of_another_class_is_ignored():
    assert parse_reply(550, b"4.1.1 odd", ENVELOPE).enhanced == ""


@given(st.binary(max_size=300), st.integers(200, 599))
def test_any_reply_can_be_read_and_printed(raw, code):
    reply = parse_reply(code, raw, ENVELOPE)

    assert "@" not in reply.text
    assert reply.text.isprintable()
    assert len(reply.text) <= 400
