"""A relay that falls silent or hangs up is told with the step at which it did, and how long was waited."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from upcycle_news.models import Envelope, Relay
from upcycle_news.transports.outcomes import LostBeforeBody, LostInBody, RelayUnreachable
from upcycle_news.transports.smtp import open_connection

SECONDS = 1.5
MESSAGE = b"Subject: x\r\n\r\nHallo\r\n"


@contextmanager
def relay_that_says(*replies: bytes, hangs_up: bool = False) -> Iterator[int]:
    """Yield the port of a server that gives one reply a line it reads, the first at once, and then is silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for number, reply in enumerate(replies):
                if number and not lines.readline():
                    return
                connection.sendall(reply)
            if hangs_up:
                lines.readline()
                return
            ended.wait(60)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        ended.set()
        listener.close()
        thread.join(5)


def relay(port: int, security: str = "none", **more: str) -> Relay:
    return Relay("main", "127.0.0.1", port, security=security, timeout=SECONDS, **more)  # type: ignore[arg-type]


GREETING, HELLO = b"220 relay\r\n", b"250-relay\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"


@pytest.mark.parametrize(
    ("replies", "security", "english", "german"),
    [
        ((b"",), "none", "no answer at the greeting within 1.5 s", "keine Antwort bei der Begrüßung"),
        ((GREETING,), "none", "no answer to EHLO within 1.5 s", "keine Antwort auf EHLO"),
        ((b"",), "tls", "no answer in the TLS handshake within", "keine Antwort beim Aushandeln von TLS"),
        ((GREETING, HELLO), "starttls", "no answer to STARTTLS within", "keine Antwort auf STARTTLS"),
        (
            (GREETING, HELLO, b"220 go\r\n"), "starttls",
            "no answer in the TLS handshake within", "innerhalb von 1,5 s",
        ),
    ],
)  # fmt: skip
def test_silence_before_the_first_mail_is_told_with_its_step(
    replies: tuple[bytes, ...], security: str, english: str, german: str
) -> None:
    with relay_that_says(*replies) as port, pytest.raises(RelayUnreachable) as raised:
        open_connection(relay(port, security))
    assert english in str(raised.value)
    assert german in raised.value.in_language("de")


def test_silence_at_the_login_is_told_and_says_no_password() -> None:
    with relay_that_says(GREETING, HELLO) as port, pytest.raises(RelayUnreachable) as raised:
        open_connection(relay(port, username="post", password="geheim"))
    assert "no answer to the login within 1.5 s" in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_a_relay_that_hangs_up_is_told_with_its_step() -> None:
    with (
        relay_that_says(GREETING, hangs_up=True) as port,
        pytest.raises(RelayUnreachable, match="hung up") as raised,
    ):
        open_connection(relay(port))
    assert "aufgelegt" in raised.value.in_language("de")


PLAIN = b"250 relay\r\n"


@pytest.mark.parametrize(
    ("replies", "kind", "said"),
    [
        ((GREETING, PLAIN), LostBeforeBody, "did not answer MAIL within 1.5 s"),
        ((GREETING, PLAIN, b"250 ok\r\n"), LostBeforeBody, "did not answer RCPT within 1.5 s"),
        ((GREETING, PLAIN, b"250 ok\r\n", b"250 ok\r\n"), LostBeforeBody, "did not answer DATA within"),
        (
            (GREETING, PLAIN, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), LostInBody,
            "did not answer the message itself within 1.5 s; it may have arrived",
        ),
    ],
)  # fmt: skip
def test_silence_at_a_mail_is_told_with_its_command(
    replies: tuple[bytes, ...], kind: type[LostBeforeBody | LostInBody], said: str
) -> None:
    with relay_that_says(*replies) as port, open_connection(relay(port)) as connection:
        outcome = connection.send(Envelope("a@example.org", "b@example.org"), MESSAGE)
    assert isinstance(outcome, kind)
    assert said in outcome.reason
