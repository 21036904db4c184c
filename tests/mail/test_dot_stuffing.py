from __future__ import annotations

from dataclasses import replace as changed

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.mail.dot_stuffing import dot_stuff
from upcycle_news.mail.message import MessageTemplate
from upcycle_news.models import Placeholder

from .test_message import ISSUE, READER, SENDER_HEADERS

# Dots and line ends in every order, with the places of the readers' links between them.
TEXT = st.lists(
    st.sampled_from([".", "..", "\n", ".\n", "\n.", "a", " ", "ü", *Placeholder]), max_size=40
).map("".join)


def unstuffed(wire: bytes) -> bytes:
    """What a relay makes of it (RFC 5321, section 4.5.2), line by line."""
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    lines = wire.split(b"\r\n")[:-2]
    assert b"." not in lines, "the message would end here"
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


@given(st.lists(st.sampled_from([b".", b"a", b"\r\n"]), max_size=30).map(b"".join))
def test_a_relay_restores_the_message_that_was_dot_stuffed(message: bytes) -> None:
    ready = dot_stuff(message)
    whole = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    assert unstuffed(ready.data) == whole or not message
    assert ready.size == len(message)


@given(TEXT, TEXT)
def test_a_template_dot_stuffed_once_gives_the_same_data(html: str, text: str) -> None:
    issue = changed(ISSUE, html=html + Placeholder.UNSUBSCRIBE, text=text + Placeholder.UNSUBSCRIBE)
    # Long enough that its quoted-printable lines may begin with a dot.
    link = "https://news.example.org/" + "." * 200 + "a"
    reader = changed(READER, unsubscribe_url=link, preferences_url="https://x.example/" + "b." * 99)
    template = MessageTemplate.compose(issue, SENDER_HEADERS, revision_id="r1")
    plain, ready = template.for_recipient(reader), template.dot_stuffed_for(reader)
    assert (ready.data, ready.size) == (dot_stuff(plain).data, len(plain))
    assert unstuffed(ready.data) == plain
