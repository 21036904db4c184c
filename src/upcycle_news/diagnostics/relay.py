"""Checks of a relay, from the facts that `transports.probe` collects without sending a mail."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    warning,
)
from upcycle_news.diagnostics.tls import expiring, valid_until
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.transports.probe import RelayFacts

_SLOW = 5.0  # seconds: a greeting is delayed on purpose, or the relay's DNS look-up of us times out
_OLD_TLS = ("SSLv3", "TLSv1", "TLSv1.1")  # RFC 8996


def evaluate(facts: RelayFacts, now: datetime, *, message_bytes: int = 0) -> list[CheckResult]:
    """Evaluate one relay; `message_bytes` is the size of the last issue, 0 when unknown."""
    relay = facts.relay
    if facts.failure:
        return [_failed(facts)]
    results = [_reached(facts), *_tls(facts, now)]
    if relay.username:
        results.append(
            ok("relay-login", f"the relay {relay.name} accepts our login", about=relay.name)
        )
    elif not is_loopback(relay.host):
        results.append(
            ok(
                "relay-login",
                f"the relay {relay.name} is used without a login",
                impact="it must know us by our address, or it refuses the first mail",
                about=relay.name,
            )
        )
    return [*results, _size(facts, message_bytes), _extensions(facts)]


def _failed(facts: RelayFacts) -> CheckResult:
    finding, _, fix = facts.failure.rpartition(": ")
    check = "relay"
    if "certificate" in finding or "TLS" in finding:
        check = "relay-tls"
    elif "login" in finding or "log in" in finding:
        check = "relay-login"
    return problem(
        check,
        finding,
        impact="no mail leaves; what is queued waits until it works again",
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
            f"the relay {where} takes {seconds:.0f} s to greet us",
            impact="each connection waits that long; often the relay waits for a DNS answer about our name",
            fix="ask its operator, and give this machine's address a name (PTR)",
            about=relay.name,
        )
    timing = "" if seconds is None else f", it greets us within {max(seconds, 0.001) * 1000:.0f} ms"
    return ok("relay", f"the relay {where} answers{timing}", about=relay.name)


def _tls(facts: RelayFacts, now: datetime) -> list[CheckResult]:
    relay = facts.relay
    if not facts.tls:
        if is_loopback(relay.host):
            return [ok("relay-tls", "no TLS, the relay is on this machine", about=relay.name)]
        offered = "starttls" in facts.offers
        fix = 'set security = "starttls"' if offered else 'set security = "tls" and its port'
        make = problem if relay.username else warning
        return [
            make(
                "relay-tls",
                f"mail goes to the relay {relay.name} unencrypted",
                impact="whoever can read the network traffic sees every address"
                + (" and the password" if relay.username else ""),
                fix=f"{fix} for relays.{relay.name}",
                about=relay.name,
            )
        ]
    if facts.tls in _OLD_TLS:
        return [
            warning(
                "relay-tls",
                f"the relay {relay.name} speaks {facts.tls}",
                impact="it is broken and withdrawn (RFC 8996)",
                fix="ask its operator for TLS 1.2 or newer",
                about=relay.name,
            )
        ]
    until = valid_until(facts.certificate)
    owner = f"the relay {relay.name}"
    soon = expiring("relay-tls", owner, until, now, about=relay.name, renews="its operator")
    if soon:
        return soon
    finding = f"{facts.tls}, the certificate is trusted until {until:%Y-%m-%d}"
    return [ok("relay-tls", finding, about=relay.name)]


def _size(facts: RelayFacts, message_bytes: int) -> CheckResult:
    relay = facts.relay
    value = facts.offers.get("size", "")
    limit = int(value) if value.isdecimal() else 0
    if not limit:  # RFC 1870, section 3: a bare SIZE or 0 names no limit
        return ok("relay-size", f"the relay {relay.name} names no limit of size", about=relay.name)
    if message_bytes > limit:
        return problem(
            "relay-size",
            f"the relay {relay.name} takes {limit / 1e6:.1f} MB, the last issue has "
            f"{message_bytes / 1e6:.1f} MB",
            impact="an issue of this size is refused for every subscriber",
            fix='make pictures smaller, or publish them: issue.images = "hosted"',
            about=relay.name,
        )
    compared = f", the last issue has {message_bytes / 1e6:.2f} MB" if message_bytes else ""
    return ok(
        "relay-size",
        f"the relay {relay.name} takes up to {limit / 1e6:.1f} MB{compared}",
        about=relay.name,
    )


def _extensions(facts: RelayFacts) -> CheckResult:
    offered = [name for name in ("pipelining", "8bitmime", "smtputf8") if name in facts.offers]
    impact = ""
    if "smtputf8" not in facts.offers:
        impact = "addresses with umlauts before the @ cannot be written to; they are rare"
    named = ", ".join(name.upper() for name in offered) or "no extension that matters to us"
    return ok(
        "relay-offers",
        f"the relay {facts.relay.name} offers {named}",
        impact=impact,
        about=facts.relay.name,
    )
