"""Checks of a relay, without sending a mail."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upcycle_news.diagnostics import relay
from upcycle_news.diagnostics.results import CheckResult, State
from upcycle_news.models import Relay
from upcycle_news.transports.probe import RelayFacts, inspect_relay

from ..transports.bad_relays import MisbehavingRelay, certificate


def now() -> datetime:
    return datetime.now(UTC)


def states(results: list[CheckResult]) -> dict[str, str]:
    return {result.check: str(result.state) for result in results}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_healthy_relay_has_only_ok_results(
    security, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=90)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with MisbehavingRelay(security=security, certificate=files, password="geheim") as day:
        facts = inspect_relay(day.relay(username="news", password="geheim"))
        results = relay.evaluate(facts, now(), message_bytes=50_000)
        assert states(results) == {
            "relay": "ok",
            "relay-tls": "ok",
            "relay-login": "ok",
            "relay-size": "ok",
            "relay-offers": "ok",
        }
        assert facts.tls in ("TLSv1.2", "TLSv1.3")
        assert facts.greeting is not None
        assert day.commands == [] == day.accepted  # no mail was started


@pytest.mark.parametrize(("days", "state"), [(2, "problem"), (10, "warning"), (90, "ok")])
def test_a_certificate_that_expires_soon_is_reported(
    days: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with MisbehavingRelay(security="starttls", certificate=files) as day:
        results = relay.evaluate(inspect_relay(day.relay()), now())
    assert states(results)["relay-tls"] == state


@pytest.mark.parametrize("name", ["localhost", "other.example.org"])
def test_an_expired_or_foreign_certificate_is_a_problem(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, name, days=-1 if name == "localhost" else 90)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with MisbehavingRelay(security="starttls", certificate=files) as day:
        [result] = relay.evaluate(inspect_relay(day.relay()), now())
    assert (result.check, result.state) == ("relay-tls", State.PROBLEM)
    assert ("expired" in str(result.finding or "")) == (name == "localhost")
    assert str(result.fix or "")


def test_a_refused_login_is_a_problem_without_the_password() -> None:
    with MisbehavingRelay(password="right") as day:
        facts = inspect_relay(day.relay(username="news@example.org", password="Geheim-4711"))
        [result] = relay.evaluate(facts, now())
    assert (result.check, result.state) == ("relay-login", State.PROBLEM)
    assert "535" in str(result.finding or "")
    assert str(result.fix or "") == "check user name and password"
    assert "Geheim" not in str(result)
    assert "news@" not in str(result)


def test_a_relay_without_starttls_is_a_problem() -> None:
    with MisbehavingRelay() as day:
        [result] = relay.evaluate(inspect_relay(day.relay(security="starttls")), now())
    assert (result.check, result.state) == ("relay-tls", State.PROBLEM)
    assert "does not offer STARTTLS" in str(result.finding or "")


def test_a_refused_connection_is_a_problem() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        facts = inspect_relay(Relay("main", "127.0.0.1", bound.getsockname()[1], "none"))
    [result] = relay.evaluate(facts, now())
    assert (result.check, result.state) == ("relay", State.PROBLEM)
    assert "nothing listens there" in str(result.finding or "")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 80 + ".example.org", "ä" * 70])
def test_an_unknown_host_name_is_a_problem(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    if host.endswith(".invalid"):  # the others never reach the resolver
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    [result] = relay.evaluate(inspect_relay(Relay("main", host, 587)), now())
    assert (result.check, result.state) == ("relay", State.PROBLEM)
    assert "is not known" in str(result.finding or "")


def facts(host: str = "smtp.example.net", username: str = "", **values: object) -> RelayFacts:
    settings = Relay("main", host, 587, "none", username)
    return RelayFacts(settings, **{"greeting": 0.1, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "username", "state"),
    [
        ("smtp.example.net", "news", "problem"),
        ("smtp.example.net", "", "warning"),
        ("127.0.0.1", "news", "ok"),
    ],
)
def test_unencrypted_mail_is_reported_unless_the_relay_is_local(
    host: str, username: str, state: str
) -> None:
    results = relay.evaluate(facts(host, username, offers={"starttls": ""}), now())
    assert states(results)["relay-tls"] == state
    if state == "problem":
        [result] = [result for result in results if result.check == "relay-tls"]
        assert "password" in str(result.impact or "")
        assert '"starttls"' in str(result.fix or "")


@pytest.mark.parametrize(
    ("limit", "size", "state"),
    [("1000000", 2_000_000, "problem"), ("1000000", 900_000, "ok"), ("0", 9, "ok"), ("", 9, "ok")],
)
def test_the_last_issue_must_not_exceed_the_relays_size_limit(
    limit: str, size: int, state: str
) -> None:
    results = relay.evaluate(facts(offers={"size": limit}), now(), message_bytes=size)
    assert states(results)["relay-size"] == state


def test_a_slow_greeting_and_an_old_tls_version_are_warnings() -> None:
    assert states(relay.evaluate(facts(greeting=7.0), now()))["relay"] == "warning"
    assert states(relay.evaluate(facts(tls="TLSv1.1"), now()))["relay-tls"] == "warning"


def test_a_relay_without_smtputf8_names_the_addresses_it_cannot_reach() -> None:
    [result] = [
        result for result in relay.evaluate(facts(), now()) if result.check == "relay-offers"
    ]
    assert "umlauts" in str(result.impact or "")
    with MisbehavingRelay() as day:
        results = relay.evaluate(inspect_relay(day.relay()), now() + timedelta(days=1))
    [result] = [result for result in results if result.check == "relay-offers"]
    assert "SMTPUTF8" in str(result.finding or "")
    assert str(result.impact or "") == ""
