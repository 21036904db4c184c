"""Probe a relay without sending: name resolution, greeting, TLS, login, ESMTP extensions."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Relay
from upcycle_news.transports.smtp import open_connection


@dataclass(frozen=True)
class RelayFacts:
    """The result of a probe. `failure` is a sentence with its cure or None, `stage` where the probe failed.

    `greeting` is in seconds, from the start of the connection to the relay's first bytes;
    `certificate` is DER, empty without TLS; `offers` maps ESMTP keywords to their parameters.
    """

    relay: Relay
    addresses: tuple[str, ...] = ()
    greeting: float | None = None
    tls: str = ""
    certificate: bytes = b""
    offers: Mapping[str, str] = field(default_factory=dict)
    stage: Literal["", "name", "session"] = ""
    failure: LocalizedText | None = None


def inspect_relay(relay: Relay) -> RelayFacts:
    """Connect twice: for the greeting alone, and as a sending run does, login included."""
    where = f"{relay.host}:{relay.port}"
    try:
        resolved = socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        failure = localized("relay-name-not-known", where=where)
        return RelayFacts(relay, stage="name", failure=failure)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in resolved))
    greeting = _greeting_delay(relay)
    try:
        with open_connection(relay) as connection:
            tls, certificate = connection.protection
            return RelayFacts(relay, addresses, greeting, tls, certificate, connection.offers)
    except RelayError as error:
        return RelayFacts(relay, addresses, greeting, stage="session", failure=error.localized_text)


def _greeting_delay(relay: Relay) -> float | None:
    """Return the seconds until the relay's first bytes; None when none come."""
    started = time.perf_counter()
    try:
        with socket.create_connection((relay.host, relay.port), relay.timeout) as connection:
            if relay.security != "tls":
                return time.perf_counter() - started if connection.recv(512) else None
            context = ssl.create_default_context()
            with context.wrap_socket(connection, server_hostname=relay.host) as wrapped:
                return time.perf_counter() - started if wrapped.recv(512) else None
    except OSError:
        return None
