from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

import upcycle_news
from upcycle_news.errors import RelayError, UpcycleError
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

from .bad_relays import BadDay, always, for_addresses

MAX = Envelope("bounce@example.org", "max@example.net")
EVA = Envelope("bounce@example.org", "eva@example.net")
MESSAGE = b"Subject: hello\r\n\r\n.\r\n..two\r\nend\r\n"


def test_a_message_arrives_byte_for_byte_dots_and_all():
    with BadDay() as day, open_connection(day.relay()) as connection:
        for message in (MESSAGE, b".", b".\r\n.\r\n", b"a\r\n.b"):
            outcome = connection.send(MAX, message)
            assert isinstance(outcome, Accepted)
            assert outcome.reply.text == "queued as 4XyZ"

    expected = [MESSAGE, b".\r\n", b".\r\n.\r\n", b"a\r\n.b\r\n"]
    assert [message for _, message in day.accepted] == expected
    assert day.connections == 1


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_refusal_names_its_stage_and_the_connection_goes_on(stage):
    named = {"mail": "mail", "rcpt": "rcpt", "data": "body"}[stage]
    once = iter(["550 5.0.0 no max@example.net here"])
    with (
        BadDay(**{stage: lambda day, who: next(once, None)}) as day,
        open_connection(day.relay()) as connection,
    ):
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.stage == named
        assert outcome.reply.enhanced == "5.0.0"
        assert "max" not in outcome.reply.text
        assert not connection.broken
        assert isinstance(connection.send(EVA, MESSAGE), Accepted)
    assert day.connections == 1
    assert day.recipients == ["eva@example.net"]


def test_after_a_421_the_connection_is_over():
    with BadDay(rcpt=always("421 4.3.2 too many")) as day:
        connection = open_connection(day.relay())
        outcome = connection.send(MAX, MESSAGE)
        assert isinstance(outcome, Refused)
        assert outcome.reply.code == 421
        assert connection.broken
        connection.close()


def test_a_connection_lost_before_the_body_is_known_to_have_delivered_nothing():
    with BadDay(drop="before DATA") as day, open_connection(day.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostBeforeBody)
        assert connection.broken
        assert not connection.in_body
        assert isinstance(connection.send(EVA, MESSAGE), LostBeforeBody)


@pytest.mark.parametrize("drop", ["within DATA", "before 250"])
def test_a_connection_lost_in_the_body_leaves_us_in_doubt(drop):
    with BadDay(drop=drop) as day, open_connection(day.relay()) as connection:
        assert isinstance(connection.send(MAX, MESSAGE), LostInBody)
        assert connection.broken
    assert day.recipients == (["max@example.net"] if drop == "before 250" else [])


def test_an_address_outside_ascii_goes_only_where_it_can():
    who = Envelope("bounce@example.org", "jürgen@example.net")
    with BadDay() as day, open_connection(day.relay()) as connection:
        assert isinstance(connection.send(who, MESSAGE), Accepted)
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)
    assert day.recipients == ["jürgen@example.net", "max@example.net"]

    with BadDay(smtputf8=False) as day, open_connection(day.relay()) as connection:
        outcome = connection.send(who, MESSAGE)
        assert isinstance(outcome, UnsupportedAddress)
        assert "SMTPUTF8" in outcome.reason
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


def test_no_address_can_smuggle_a_command():
    with BadDay() as day, open_connection(day.relay()) as connection:
        evil = Envelope("a@b.example", "x@y.example>\r\nRCPT TO:<z@y.example")
        assert isinstance(connection.send(evil, MESSAGE), UnsupportedAddress)
        with pytest.raises(UpcycleError, match="sender"):
            connection.send(Envelope("a@b.example>\r\nDATA", "x@y.example"), MESSAGE)
    assert day.commands == []


def test_an_interrupted_connection_is_not_used_again(monkeypatch):
    with BadDay() as day, open_connection(day.relay()) as connection:

        def interrupted() -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(connection, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connection.send(MAX, MESSAGE)
        assert connection.broken


# --- getting in


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_is_verified_and_used(security, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["localhost"][0]))
    with (
        BadDay(security=security, certificate=certificates["localhost"], password="pw") as day,
        open_connection(day.relay(username="news", password="pw")) as connection,
    ):
        assert isinstance(connection.send(MAX, MESSAGE), Accepted)


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(("shown", "trusted"), [("other.example", True), ("localhost", False)])
def test_a_wrong_certificate_ends_it(security, shown, trusted, certificates, monkeypatch):
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(certificates[shown][0]) if trusted else "/nonexistent.pem"
    )
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    with (
        BadDay(security=security, certificate=certificates[shown], password="pw") as day,
        pytest.raises(RelayError, match="certificate of the relay localhost") as caught,
    ):
        open_connection(day.relay(username="news", password="pw"))
    assert not isinstance(caught.value, RelayUnreachable)
    assert not day.commands


def test_without_starttls_nothing_is_sent_in_the_clear():
    with BadDay() as day, pytest.raises(RelayError, match="does not offer STARTTLS"):
        open_connection(day.relay(security="starttls"))
    assert not day.commands


def test_a_refused_login_says_what_to_check_and_no_secret():
    with BadDay(password="right") as day, pytest.raises(RelayError) as caught:
        open_connection(day.relay(username="news@example.org", password="s3cret"))
    sentence = str(caught.value)

    assert f"{day.relay().host}:" in sentence
    assert "check user name and password" in sentence
    assert "s3cret" not in sentence
    assert "news@" not in sentence
    assert not isinstance(caught.value, RelayUnreachable)
    assert caught.value.__suppress_context__


def test_a_user_name_without_an_at_is_not_made_a_gmail_account():
    seen = []
    with BadDay(password="pw") as day:
        login = day._login
        day.controller.SMTP_kwargs["authenticator"] = lambda *args: (
            seen.append(args[4].login) or login(*args)
        )
        open_connection(day.relay(username="news", password="pw")).close()
    assert seen == [b"news"]


def test_a_password_outside_ascii_is_refused_without_being_shown():
    with BadDay(password="pw") as day, pytest.raises(RelayError, match="ASCII") as caught:
        open_connection(day.relay(username="news", password="geheimß"))
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_relay_without_login_is_told_apart():
    with BadDay() as day, pytest.raises(RelayError, match="offers no login"):
        open_connection(day.relay(username="news", password="pw"))


def test_nobody_listening_is_worth_another_try():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RelayUnreachable, match="nothing listens there: check host and port"):
        open_connection(Relay("x", "127.0.0.1", port, "none"))


def test_a_relay_that_says_nothing_is_not_waited_for_for_ever():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        relay = Relay("x", "127.0.0.1", silent.getsockname()[1], "none", timeout=0.05)
        with pytest.raises(RelayUnreachable):
            open_connection(relay)


def test_tls_spoken_to_a_plain_port_names_the_setting():
    with BadDay() as day, pytest.raises(RelayError, match="security is 'tls'"):
        open_connection(day.relay(security="tls"))


# --- rules of the house


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
        BadDay(rcpt=for_addresses("max", "550 5.1.1 no")) as day,
        open_connection(day.relay()) as connection,
    ):
        outcome = connection.send(Envelope("", address), MESSAGE)
    assert isinstance(outcome, Refused if address.startswith("max") else Accepted)
