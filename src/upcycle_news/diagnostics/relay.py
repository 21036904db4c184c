"""Checks of a relay, from the facts that `transports.probe` collects without sending a mail."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.diagnostics.results import CheckResult, ok, problem, split_cure, warning
from upcycle_news.diagnostics.tls import expiring, valid_until
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.transports.probe import RelayFacts

_SLOW = 5.0  # seconds: a greeting is delayed on purpose, or the relay's DNS look-up of us times out
_OLD_TLS = ("SSLv3", localized("doctor-clock-ok"), "TLSv1.1")  # RFC 8996


def evaluate(facts: RelayFacts, now: datetime, *, message_bytes: int = 0) -> list[CheckResult]:
    """Evaluate one relay; `message_bytes` is the size of the last issue, 0 when unknown."""
    relay = facts.relay
    if facts.failure:
        return [_failed(facts)]
    results = [_reached(facts), *_tls(facts, now)]
    if relay.username:
        results.append(
            ok("relay-login", localized("doctor-login-accepted", name=relay.name), about=relay.name)
        )
    elif not is_loopback(relay.host):
        results.append(
            ok(
                "relay-login",
                localized("doctor-no-login", name=relay.name),
                impact=localized("doctor-no-login-means"),
                about=relay.name,
            )
        )
    return [*results, _size(facts, message_bytes), _extensions(facts)]


def _failed(facts: RelayFacts) -> CheckResult:
    assert facts.failure is not None
    finding, fix = split_cure(facts.failure, localized("doctor-colon"))
    check, said = "relay", str(finding)
    if "certificate" in said or "TLS" in said:
        check = "relay-tls"
    elif "login" in said or "log in" in said:
        check = "relay-login"
    return problem(
        check,
        finding,
        impact=localized("doctor-no-mail-leaves"),
        fix=fix,
        about=facts.relay.name,
    )


def _reached(facts: RelayFacts) -> CheckResult:
    relay = facts.relay
    where = f"{relay.name} ({relay.host}:{relay.port})"
    seconds = facts.greeting
    if seconds is not None and seconds > _SLOW:
        return warning(
            "relay",
            localized("doctor-relay-slow", where=where, seconds=seconds),
            impact=localized("doctor-relay-slow-means"),
            fix=localized("doctor-relay-slow-cure"),
            about=relay.name,
        )
    timing = (
        ""
        if seconds is None
        else localized("doctor-relay-timing", milliseconds=max(seconds, 0.001) * 1000)
    )
    return ok(
        "relay", localized("doctor-relay-answers", where=where, timing=timing), about=relay.name
    )


def _tls(facts: RelayFacts, now: datetime) -> list[CheckResult]:
    relay = facts.relay
    if not facts.tls:
        if is_loopback(relay.host):
            return [ok("relay-tls", localized("doctor-tls-local"), about=relay.name)]
        offered = "starttls" in facts.offers
        fix = localized("doctor-set-starttls") if offered else localized("doctor-set-tls")
        make = problem if relay.username else warning
        return [
            make(
                "relay-tls",
                localized("doctor-plain", name=relay.name),
                impact=localized("doctor-plain-login-means")
                if relay.username
                else localized("doctor-plain-means"),
                fix=localized("doctor-fix-for-relay", fix=fix, name=relay.name),
                about=relay.name,
            )
        ]
    if facts.tls in _OLD_TLS:
        return [
            warning(
                "relay-tls",
                localized("doctor-tls-old", name=relay.name, tls=facts.tls),
                impact=localized("doctor-tls-old-means"),
                fix=localized("doctor-tls-old-cure"),
                about=relay.name,
            )
        ]
    until = valid_until(facts.certificate)
    owner = localized("doctor-the-relay", name=relay.name)
    soon = expiring(
        "relay-tls", owner, until, now, about=relay.name, renews=localized("doctor-relays-operator")
    )
    if soon:
        return soon
    finding = localized("doctor-tls-ok", tls=facts.tls, until=until)
    return [ok("relay-tls", finding, about=relay.name)]


def _size(facts: RelayFacts, message_bytes: int) -> CheckResult:
    relay = facts.relay
    value = facts.offers.get("size", "")
    limit = int(value) if value.isdecimal() else 0
    if not limit:  # RFC 1870, section 3: a bare SIZE or 0 names no limit
        return ok("relay-size", localized("doctor-size-none", name=relay.name), about=relay.name)
    if message_bytes > limit:
        return problem(
            "relay-size",
            localized(
                "doctor-size-too-large",
                name=relay.name,
                limit=limit / 1e6,
                size=message_bytes / 1e6,
            ),
            impact=localized("doctor-size-too-large-means"),
            fix=localized("doctor-size-too-large-cure"),
            about=relay.name,
        )
    compared: LocalizedText | str = (
        localized("doctor-last-issue-has", size=message_bytes / 1e6) if message_bytes else ""
    )
    return ok(
        "relay-size",
        localized("doctor-size-ok", name=relay.name, limit=limit / 1e6, compared=compared),
        about=relay.name,
    )


def _extensions(facts: RelayFacts) -> CheckResult:
    offered = [name for name in ("pipelining", "8bitmime", "smtputf8") if name in facts.offers]
    impact = None
    if "smtputf8" not in facts.offers:
        impact = localized("doctor-utf8-means")
    named = ", ".join(name.upper() for name in offered) or localized("doctor-offers-nothing")
    return ok(
        "relay-offers",
        localized("doctor-offers", name=facts.relay.name, named=named),
        impact=impact,
        about=facts.relay.name,
    )
