"""What the relay looks like to us. It is asked by `postroom.inspecting`; nothing is sent."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    warning,
)
from upcycle_news.diagnostics.tls import ending, valid_until
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.transports.probe import RelayFacts

_SLOW = 5.0  # seconds: a greeting is held back on purpose, or the relay looks for our name in vain
_OLD_TLS = ("SSLv3", "TLSv1", "TLSv1.1")  # RFC 8996


def verdict(facts: RelayFacts, now: datetime, *, message_bytes: int = 0) -> list[Line]:
    """The lines of one relay; `message_bytes` is the size of the last issue, 0 when unknown."""
    relay = facts.relay
    if facts.failure:
        return [_failed(facts)]
    lines = [_reached(facts), *_protection(facts, now)]
    if relay.username:
        lines.append(
            ok("relay-login", f"the relay {relay.name} accepts our login", about=relay.name)
        )
    elif not is_loopback(relay.host):
        lines.append(
            ok(
                "relay-login",
                f"the relay {relay.name} is used without a login",
                meaning="it must know us by our address, or it refuses the first mail",
                about=relay.name,
            )
        )
    return [*lines, _size(facts, message_bytes), _letters(facts)]


def _failed(facts: RelayFacts) -> Line:
    found, _, cure = facts.failure.rpartition(": ")
    check = "relay"
    if "certificate" in found or "TLS" in found:
        check = "relay-tls"
    elif "login" in found or "log in" in found:
        check = "relay-login"
    return problem(
        check,
        found,
        meaning="no mail leaves; what is queued waits until it works again",
        cure=cure,
        about=facts.relay.name,
    )


def _reached(facts: RelayFacts) -> Line:
    relay = facts.relay
    where = f"{relay.name} ({relay.host}:{relay.port})"
    seconds = facts.greeting
    if seconds is not None and seconds > _SLOW:
        return warning(
            "relay",
            f"the relay {where} takes {seconds:.0f} s to greet us",
            meaning="each connection waits that long; often the relay asks DNS for our name in vain",
            cure="ask its operator, and give this machine's address a name (PTR)",
            about=relay.name,
        )
    told = "" if seconds is None else f", it greets us within {max(seconds, 0.001) * 1000:.0f} ms"
    return ok("relay", f"the relay {where} answers{told}", about=relay.name)


def _protection(facts: RelayFacts, now: datetime) -> list[Line]:
    relay = facts.relay
    if not facts.tls:
        if is_loopback(relay.host):
            return [ok("relay-tls", "no TLS, the relay is on this machine", about=relay.name)]
        offered = "starttls" in facts.offers
        cure = 'set security = "starttls"' if offered else 'set security = "tls" and its port'
        make = problem if relay.username else warning
        return [
            make(
                "relay-tls",
                f"mail goes to the relay {relay.name} in the clear",
                meaning="whoever sees the network reads every address"
                + (" and the password" if relay.username else ""),
                cure=f"{cure} for relays.{relay.name}",
                about=relay.name,
            )
        ]
    if facts.tls in _OLD_TLS:
        return [
            warning(
                "relay-tls",
                f"the relay {relay.name} speaks {facts.tls}",
                meaning="it is broken and withdrawn (RFC 8996)",
                cure="ask its operator for TLS 1.2 or newer",
                about=relay.name,
            )
        ]
    until = valid_until(facts.certificate)
    whose = f"the relay {relay.name}"
    soon = ending("relay-tls", whose, until, now, about=relay.name, renews="its operator")
    if soon:
        return soon
    found = f"{facts.tls}, the certificate is trusted until {until:%Y-%m-%d}"
    return [ok("relay-tls", found, about=relay.name)]


def _size(facts: RelayFacts, message_bytes: int) -> Line:
    relay = facts.relay
    told = facts.offers.get("size", "")
    limit = int(told) if told.isdecimal() else 0
    if not limit:  # RFC 1870, section 3: a bare SIZE or 0 names no limit
        return ok("relay-size", f"the relay {relay.name} names no limit of size", about=relay.name)
    if message_bytes > limit:
        return problem(
            "relay-size",
            f"the relay {relay.name} takes {limit / 1e6:.1f} MB, the last issue has "
            f"{message_bytes / 1e6:.1f} MB",
            meaning="an issue of this size is refused for every reader",
            cure='make pictures smaller, or publish them: issue.images = "hosted"',
            about=relay.name,
        )
    than = f", the last issue has {message_bytes / 1e6:.2f} MB" if message_bytes else ""
    return ok(
        "relay-size",
        f"the relay {relay.name} takes up to {limit / 1e6:.1f} MB{than}",
        about=relay.name,
    )


def _letters(facts: RelayFacts) -> Line:
    can = [name for name in ("pipelining", "8bitmime", "smtputf8") if name in facts.offers]
    meaning = ""
    if "smtputf8" not in facts.offers:
        meaning = "addresses with umlauts before the @ cannot be written to; they are rare"
    named = ", ".join(name.upper() for name in can) or "no extension that matters to us"
    return ok(
        "relay-offers",
        f"the relay {facts.relay.name} offers {named}",
        meaning=meaning,
        about=facts.relay.name,
    )
