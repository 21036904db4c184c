from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

import upcycle_news
from upcycle_news.errors import RelayError, UpcycleError
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import Envelope, Relay
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Refused,
    RelayUnreachable,
    UnsupportedAddress,
)
from upcycle_news.transports.smtp import open_connection

from .bad_relays import MisbehavingRelay, always, for_addresses

MAX = Envelope("bounce@example.org", "max@example.net")
EVA = Envelope("bounce@example.org", "eva@example.net")
MESSAGE = b"Subject: hello\r\n\r\n.\r\n..two\r\nend\r\n"


def test_a_message_with_leading_dots_arrives_byte_for_byte():
    with MisbehavingRelay() as server, open_connection(server.relay()) as connection:
        for message in (MESSAGE, b".", b".\r\n.\r\n", b"a\r\n.b"):
            outcome = connection.send(MAX, message)
            assert isinstance(outcome, Accepted)
            assert outcome.reply.text == "queued as 4XyZ"

    expected = [MESSAGE, b".\r\n", b".\r\n.\r\n", b"a\r\n.b\r\n"]
    assert [message for _, message in server.accepted] == expected
    assert server.connections == 1


@pytest.mark.parametrize(
    "pieces",
    [
        (b"a\r\n",) * 3000,
        (b"a" * 900 + b"\r\n",) * 1000,
        (b"..two\r\n", b"b" * 900 + b"\r\n") * 400,
    ],
    ids=["more than the kernel takes at once", "a megabyte", "of several sizes"],
)
def test_a_message_in_pieces_arrives_whole(pieces):
    message = DotStuffedMessage((*pieces, b".\r\n"), size=sum(map(len, pieces)))
    with MisbehavingRelay() as server, open_connection(server.relay()) as connection:
        assert isinstance(connection.send(MAX, message), Accepted)

    assert server.accepted[0][1] == b"".join(pieces).replace(b"..two", b".two")


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_refusal_names_its_stage_and_the_connection_goes_on(stage):
    named = {"mail": "mail", "rcpt": "rcpt", "data": "body"}[stage]
    replies = iter(["550 5.0.0 no max@example.net here"])
    with (
        MisbehavingRelay(**{stage: lambda server, who: next(replies, None)}) as server,
        open_connection(server.relay()) as connection,
    ):
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.stage == named
        assert outcome.reply.enhanced == "5.0.0"
        assert "max" not in outcome.reply.text
        assert not connection.broken
        assert isinstance(connection.send(EVA, MESSAGE), Accepted)
    assert server.connections == 1
    assert server.recipients == ["eva@example.net"]


def test_after_a_421_the_connection_is_broken():
    with MisbehavingRelay(rcpt=always("421 4.3.2 too many")) as server:
        connection = open_connection(server.relay())
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.reply.code == 421
        assert connection.broken
        connection.close()


def test_a_connection_lost_before_the_body_is_known_to_have_delivered_nothing():
    with (
        MisbehavingRelay(drop="before DATA") as server,
        open_connection(server.relay()) as connection,
    ):
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken
        assert not connection.in_body
        assert isinstance(connection.send(EVA, MESSAGE), LostBeforeBody)


@pytest.mark.parametrize("drop", ["within DATA", "before 250"])
def test_a_connection_lost_in_the_body_has_an_unknown_outcome(drop):
    with MisbehavingRelay(drop=drop) as server, open_connection(server.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostInBody)
        assert connection.broken
    assert server.recipients == (["max@example.net"] if drop == "before 250" else [])


def test_an_address_outside_ascii_needs_smtputf8():
    who = Envelope("bounce@example.org", "jürgen@example.net")
    with MisbehavingRelay() as server, open_connection(server.relay()) as connection:
        assert isinstance(connection.send(who, MESSAGE), Accepted)
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)
    assert server.recipients == ["jürgen@example.net", "max@example.net"]

    with MisbehavingRelay(smtputf8=False) as server, open_connection(server.relay()) as connection:
        outcome = connection.send(who, MESSAGE)
        assert isinstance(outcome, UnsupportedAddress)
        assert "SMTPUTF8" in outcome.reason
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


def test_no_address_can_inject_a_command():
    with MisbehavingRelay() as server, open_connection(server.relay()) as connection:
        evil = Envelope("a@b.example", "x@y.example>\r\nRCPT TO:<z@y.example")
        assert isinstance(connection.send(evil, MESSAGE), UnsupportedAddress)
        with pytest.raises(UpcycleError, match="sender"):
            connection.send(Envelope("a@b.example>\r\nDATA", "x@y.example"), MESSAGE)
    assert server.commands == []


def test_an_interrupted_connection_is_not_used_again(monkeypatch):
    with MisbehavingRelay() as server, open_connection(server.relay()) as connection:

        def interrupted() -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(connection, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connection.send(MAX, MESSAGE)
        assert connection.broken


# --- connecting, TLS, login


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_is_verified_and_used(security, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["localhost"][0]))
    with (
        MisbehavingRelay(
            security=security, certificate=certificates["localhost"], password="pw"
        ) as server,
        open_connection(server.relay(username="news", password="pw")) as connection,
    ):
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(("shown", "trusted"), [("other.example", True), ("localhost", False)])
def test_a_wrong_certificate_is_a_permanent_error(
    security, shown, trusted, certificates, monkeypatch
):
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(certificates[shown][0]) if trusted else "/nonexistent.pem"
    )
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    with (
        MisbehavingRelay(
            security=security, certificate=certificates[shown], password="pw"
        ) as server,
        pytest.raises(RelayError, match="certificate of the relay localhost") as caught,
    ):
        open_connection(server.relay(username="news", password="pw"))
    assert not isinstance(caught.value, RelayUnreachable)
    assert not server.commands


def test_without_starttls_nothing_is_sent_in_the_clear():
    with MisbehavingRelay() as server, pytest.raises(RelayError, match="does not offer STARTTLS"):
        open_connection(server.relay(security="starttls"))
    assert not server.commands


def test_a_refused_login_says_what_to_check_and_no_secret():
    with MisbehavingRelay(password="right") as server, pytest.raises(RelayError) as caught:
        open_connection(server.relay(username="news@example.org", password="s3cret"))
    sentence = str(caught.value)

    assert f"{server.relay().host}:" in sentence
    assert "check user name and password" in sentence
    assert "s3cret" not in sentence
    assert "news@" not in sentence
    assert not isinstance(caught.value, RelayUnreachable)
    assert caught.value.__suppress_context__


def test_a_user_name_without_an_at_is_not_made_a_gmail_account():
    seen = []
    with MisbehavingRelay(password="pw") as server:
        login = server._login
        server.controller.SMTP_kwargs["authenticator"] = lambda *args: (
            seen.append(args[4].login) or login(*args)
        )
        open_connection(server.relay(username="news", password="pw")).close()
    assert seen == [b"news"]


def test_a_password_outside_ascii_is_refused_without_being_shown():
    with (
        MisbehavingRelay(password="pw") as server,
        pytest.raises(RelayError, match="ASCII") as caught,
    ):
        open_connection(server.relay(username="news", password="geheimß"))
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_relay_that_offers_no_login_is_named():
    with MisbehavingRelay() as server, pytest.raises(RelayError, match="offers no login"):
        open_connection(server.relay(username="news", password="pw"))


def test_a_refused_connection_may_be_retried():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RelayUnreachable, match="nothing listens there: check host and port"):
        open_connection(Relay("x", "127.0.0.1", port, "none"))


def test_a_relay_without_a_greeting_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        relay = Relay("x", "127.0.0.1", silent.getsockname()[1], "none", timeout=0.05)
        with pytest.raises(RelayUnreachable):
            open_connection(relay)


def test_tls_spoken_to_a_plain_port_names_the_setting():
    with MisbehavingRelay() as server, pytest.raises(RelayError, match="security is 'tls'"):
        open_connection(server.relay(security="tls"))


# --- what yagmail is used for


def test_yagmail_opens_connections_and_never_sends():
    package = Path(upcycle_news.__file__).parent
    users = [
        path
        for path in package.rglob("*.py")
        if re.search(r"import yagmail|yagmail\.", path.read_text())
    ]
    code = (package / "transports" / "smtp.py").read_text()

    assert users == [package / "transports" / "smtp.py"]
    assert ".send(" not in code
    assert ".sendmail(" not in code
    assert "send_unsent" not in code


@pytest.mark.parametrize("address", ["max@example.net", "eva@example.net"])
def test_only_those_the_relay_refuses_are_refused(address):
    with (
        MisbehavingRelay(rcpt=for_addresses("max", "550 5.1.1 no")) as server,
        open_connection(server.relay()) as connection,
    ):
        outcome = connection.send(Envelope("", address), MESSAGE)
    assert isinstance(outcome, Refused if address.startswith("max") else Accepted)
