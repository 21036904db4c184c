"""Relays that offer PIPELINING (RFC 2920) and break its rules, scripted reply by reply."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Self

import pytest

from upcycle_news.models import Envelope, Relay
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Refused,
)
from upcycle_news.transports.smtp import open_connection

MAX = Envelope("bounce@example.org", "max@example.net")
MESSAGE = b"Subject: hello\r\n\r\n.dot\r\nend\r\n"
GOOD = [b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"]


class ScriptedRelay:
    """A relay that follows a script, for one client."""

    def __init__(
        self, script: Callable[[ScriptedRelay], None], offers: bytes = b"PIPELINING"
    ) -> None:
        self.script, self.offers = script, offers
        self.received: list[bytes] = []
        self.errors: list[BaseException] = []
        self.left = b""

    def __enter__(self) -> Self:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.thread.join(5)
        assert not self.errors, self.errors

    def relay(self, timeout: float = 60.0) -> Relay:
        return Relay("scripted", "127.0.0.1", self.server.getsockname()[1], "none", timeout=timeout)

    def _serve(self) -> None:
        try:
            self.connection, _ = self.server.accept()
            with self.connection:
                self.reply(b"220 hello\r\n")
                self.read()
                self.reply(b"250-here\r\n250 " + self.offers + b"\r\n")
                self.script(self)
        except (ConnectionError, EOFError):
            pass
        except BaseException as error:
            self.errors.append(error)

    def reply(self, *replies: bytes) -> None:
        for reply in replies:
            self.connection.sendall(reply)

    def read(self, end: bytes = b"\r\n") -> bytes:
        while end not in self.left:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.left += more
        line, _, self.left = self.left.partition(end)
        self.received.append(line)
        return line

    def group(self) -> None:
        """Read all of MAIL, RCPT and DATA before any reply."""
        for verb in (b"MAIL", b"RCPT", b"DATA"):
            assert self.read().startswith(verb)


def test_all_three_commands_come_before_the_first_reply() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250 2.0.0 taken\r\n")
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250 2.0.0 taken\r\n")

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)
    assert relay.received[4] == b"Subject: hello\r\n\r\n..dot\r\nend"


def test_without_pipelining_each_command_waits_for_its_reply() -> None:
    def script(relay: ScriptedRelay) -> None:
        for reply in GOOD:
            relay.read()
            assert not relay.left, "nothing may come before the reply"
            relay.connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                relay.connection.recv(1)
            relay.connection.settimeout(None)
            relay.reply(reply)
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250 taken\r\n")

    with (
        ScriptedRelay(script, b"8BITMIME") as relay,
        open_connection(relay.relay()) as connection,
    ):
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


def test_replies_in_pieces_and_of_many_lines_are_put_together() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        for byte in b"250-2.1.0 sender\r\n250 2.1.0 ok\r\n250-a\r\n250-b\r\n250 c\r\n354 go\r\n":
            relay.reply(bytes([byte]))
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250-2.0.0 taken\r\n", b"250 2.0.", b"0 as 4XyZ\r\n")

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
    assert isinstance(outcome, Accepted)
    assert outcome.reply.text == "taken as 4XyZ"


@pytest.mark.parametrize("data", [b"503 5.5.1 no recipients\r\n", b"554 5.5.1 none\r\n"])
def test_a_refused_recipient_with_a_refused_data_leaves_the_connection_usable(data: bytes) -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"250 ok\r\n", b"550 5.1.1 no such user\r\n", data)
        assert relay.read() == b"RSET"
        relay.reply(b"250 ok\r\n")
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250 taken\r\n")

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert (outcome.stage, outcome.reply.enhanced) == ("rcpt", "5.1.1")
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


def test_a_relay_that_wants_the_message_of_a_refused_recipient_gets_a_lone_dot() -> None:
    """RFC 2920, section 3.1; not a byte of the message may go."""

    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"250 ok\r\n", b"550 5.1.1 no such user\r\n", b"354 go on\r\n")
        assert relay.read() == b"."
        relay.reply(b"554 5.5.1 no recipients\r\n")
        assert relay.read() == b"RSET"
        relay.reply(b"250 ok\r\n")
        relay.read()

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.stage == "rcpt"
        assert not connection.broken
        assert not connection.in_body
    assert relay.received[-1] == b"QUIT"


def test_a_relay_that_wants_a_message_of_a_refused_sender_is_disconnected() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"550 5.1.8 who are you\r\n", b"250 ok\r\n", b"354 go on\r\n")
        relay.read()

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.stage == "mail"
        assert connection.broken
    assert len(relay.received) == 4  # EHLO and the group, nothing of a message


def test_a_421_within_the_group_counts_and_ends_the_connection() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"421 4.3.2 going down\r\n")

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert (outcome.stage, outcome.reply.code) == ("mail", 421)
        assert connection.broken


@pytest.mark.parametrize("replies", [0, 1, 2])
def test_a_relay_that_disconnects_within_the_group_has_taken_nothing(replies: int) -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*GOOD[:replies])

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken


def test_a_refusal_counts_although_the_relay_disconnects_after_it() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"250 ok\r\n", b"550 5.1.1 no such user\r\n")

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.stage == "rcpt"
        assert connection.broken


def test_one_reply_too_many_never_counts_for_the_next_message() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n.\r\n")
        relay.reply(b"250 taken\r\n250 once more\r\n")
        relay.read()

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken


@pytest.mark.parametrize("garbage", [b"hello\r\n", b"99\r\n", b"\r\n", b"x" * 200_000])
def test_a_malformed_reply_ends_the_connection(garbage: bytes) -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(garbage)
        relay.read()

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken


def test_a_relay_that_replies_to_a_message_before_it_was_sent_gets_none() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(b"250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n")
        with pytest.raises(EOFError):
            relay.read()

    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken


def test_a_refusal_in_the_middle_of_a_long_message_counts() -> None:
    """It takes no more, so that the rest could never be written."""

    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n")
        relay.reply(b"552 5.3.4 too big\r\n")
        relay.connection.settimeout(60)
        stay.wait(60)

    stay = threading.Event()
    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, b"x" * 70 + b"\r\n" + b"y" * 30_000_000)
        stay.set()
        assert isinstance(outcome, Refused)
        assert (outcome.stage, outcome.reply.code) == ("body", 552)
        assert connection.broken


def test_a_250_before_the_end_of_the_message_does_not_count() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*GOOD)
        relay.read(b"\r\n")
        relay.reply(b"250 taken\r\n")
        stay.wait(60)

    stay = threading.Event()
    with ScriptedRelay(script) as relay, open_connection(relay.relay()) as connection:
        outcome = connection.send(MAX, b"x" * 70 + b"\r\n" + b"y" * 30_000_000)
        stay.set()
        assert isinstance(outcome, LostInBody)
        assert connection.broken


@pytest.mark.parametrize(("replies", "kind"), [(GOOD[:2], LostBeforeBody), (GOOD, LostInBody)])
def test_a_silent_relay_is_disconnected_after_the_timeout(replies: list[bytes], kind: type) -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        relay.reply(*replies)
        stay.wait(60)

    stay = threading.Event()
    with ScriptedRelay(script) as relay, open_connection(relay.relay(timeout=2)) as connection:
        outcome = connection.send(MAX, MESSAGE)
        stay.set()
        assert isinstance(outcome, kind)
        assert "did not answer" in outcome.reason  # type: ignore[attr-defined]


def test_a_relay_that_replies_byte_by_byte_gets_no_more_time() -> None:
    def script(relay: ScriptedRelay) -> None:
        relay.group()
        while not stay.wait(0.02):
            relay.reply(b"2")

    stay = threading.Event()
    with ScriptedRelay(script) as relay, open_connection(relay.relay(timeout=0.2)) as connection:
        outcome = connection.send(MAX, MESSAGE)
        stay.set()
        assert isinstance(outcome, LostBeforeBody)
        assert "did not answer" in outcome.reason
