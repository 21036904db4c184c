"""What the doctor sees of a relay, without sending anything."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upcycle_news.diagnostics import relay
from upcycle_news.diagnostics.results import Line, State
from upcycle_news.models import Relay
from upcycle_news.transports.probe import RelayFacts, inspect_relay

from ..transports.bad_relays import BadDay, certificate


def now() -> datetime:
    return datetime.now(UTC)


def states(lines: list[Line]) -> dict[str, str]:
    return {line.check: str(line.state) for line in lines}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_relay_in_order_is_told_with_its_certificate(
    security, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=90)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with BadDay(security=security, certificate=files, password="geheim") as day:
        facts = inspect_relay(day.relay(username="news", password="geheim"))
        lines = relay.verdict(facts, now(), message_bytes=50_000)
        assert states(lines) == {
            "relay": "ok",
            "relay-tls": "ok",
            "relay-login": "ok",
            "relay-size": "ok",
            "relay-offers": "ok",
        }
        assert facts.tls in ("TLSv1.2", "TLSv1.3")
        assert facts.greeting is not None
        assert day.commands == [] == day.accepted  # nothing was said that looks like a mail


@pytest.mark.parametrize(("days", "state"), [(2, "problem"), (10, "warning"), (90, "ok")])
def test_a_certificate_that_ends_soon_is_told_in_time(
    days: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with BadDay(security="starttls", certificate=files) as day:
        lines = relay.verdict(inspect_relay(day.relay()), now())
    assert states(lines)["relay-tls"] == state


@pytest.mark.parametrize("name", ["localhost", "other.example.org"])
def test_an_expired_or_foreign_certificate_is_red(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, name, days=-1 if name == "localhost" else 90)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with BadDay(security="starttls", certificate=files) as day:
        [line] = relay.verdict(inspect_relay(day.relay()), now())
    assert (line.check, line.state) == ("relay-tls", State.PROBLEM)
    assert ("expired" in line.found) == (name == "localhost")
    assert line.cure


def test_a_refused_login_is_red_and_tells_no_secret() -> None:
    with BadDay(password="right") as day:
        facts = inspect_relay(day.relay(username="news@example.org", password="Geheim-4711"))
        [line] = relay.verdict(facts, now())
    assert (line.check, line.state) == ("relay-login", State.PROBLEM)
    assert "535" in line.found
    assert line.cure == "check user name and password"
    assert "Geheim" not in str(line)
    assert "news@" not in str(line)


def test_a_relay_without_starttls_is_red() -> None:
    with BadDay() as day:
        [line] = relay.verdict(inspect_relay(day.relay(security="starttls")), now())
    assert (line.check, line.state) == ("relay-tls", State.PROBLEM)
    assert "does not offer STARTTLS" in line.found


def test_nobody_at_home_is_red() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        facts = inspect_relay(Relay("main", "127.0.0.1", bound.getsockname()[1], "none"))
    [line] = relay.verdict(facts, now())
    assert (line.check, line.state) == ("relay", State.PROBLEM)
    assert "nothing listens there" in line.found


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 80 + ".example.org", "ä" * 70])
def test_an_unknown_name_is_red(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    if host.endswith(".invalid"):  # the others never reach the resolver
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    [line] = relay.verdict(inspect_relay(Relay("main", host, 587)), now())
    assert (line.check, line.state) == ("relay", State.PROBLEM)
    assert "is not known" in line.found


def facts(host: str = "smtp.example.net", username: str = "", **seen: object) -> RelayFacts:
    told = Relay("main", host, 587, "none", username)
    return RelayFacts(told, **{"greeting": 0.1, **seen})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "username", "state"),
    [
        ("smtp.example.net", "news", "problem"),
        ("smtp.example.net", "", "warning"),
        ("127.0.0.1", "news", "ok"),
    ],
)
def test_mail_in_the_clear_is_told_beyond_this_machine(
    host: str, username: str, state: str
) -> None:
    lines = relay.verdict(facts(host, username, offers={"starttls": ""}), now())
    assert states(lines)["relay-tls"] == state
    if state == "problem":
        [line] = [line for line in lines if line.check == "relay-tls"]
        assert "password" in line.meaning
        assert '"starttls"' in line.cure


@pytest.mark.parametrize(
    ("said", "size", "state"),
    [("1000000", 2_000_000, "problem"), ("1000000", 900_000, "ok"), ("0", 9, "ok"), ("", 9, "ok")],
)
def test_the_last_issue_must_fit_the_relays_size(said: str, size: int, state: str) -> None:
    lines = relay.verdict(facts(offers={"size": said}), now(), message_bytes=size)
    assert states(lines)["relay-size"] == state


def test_a_slow_greeting_and_an_old_tls_are_told() -> None:
    assert states(relay.verdict(facts(greeting=7.0), now()))["relay"] == "warning"
    assert states(relay.verdict(facts(tls="TLSv1.1"), now()))["relay-tls"] == "warning"


def test_a_relay_without_smtputf8_says_whom_it_cannot_reach() -> None:
    [line] = [li for li in relay.verdict(facts(), now()) if li.check == "relay-offers"]
    assert "umlauts" in line.meaning
    with BadDay() as day:
        lines = relay.verdict(inspect_relay(day.relay()), now() + timedelta(days=1))
    [line] = [line for line in lines if line.check == "relay-offers"]
    assert "SMTPUTF8" in line.found
    assert line.meaning == ""
