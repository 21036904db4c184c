"""Look at a relay without sending anything: its name, its greeting, TLS, the login, what it offers."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from upcycle_news.errors import RelayError
from upcycle_news.models import Relay
from upcycle_news.transports.smtp import open_connection


@dataclass(frozen=True)
class RelayFacts:
    """What was seen of a relay. `failure` is a sentence with its cure, and `stage` where it was.

    `greeting` is in seconds, from the beginning of the connection to the relay's first words;
    `certificate` is DER, empty without TLS.
    """

    relay: Relay
    addresses: tuple[str, ...] = ()
    greeting: float | None = None
    tls: str = ""
    certificate: bytes = b""
    offers: Mapping[str, str] = field(default_factory=dict)
    stage: Literal["", "name", "session"] = ""
    failure: str = ""


def inspect_relay(relay: Relay) -> RelayFacts:
    """Connect twice: for the greeting alone, and as a sending run does, login included."""
    where = f"{relay.host}:{relay.port}"
    try:
        found = socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        failure = f"the name of the relay {where} is not known: check host, and the DNS server"
        return RelayFacts(relay, stage="name", failure=failure)
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    greeting = _greeting(relay)
    try:
        with open_connection(relay) as connection:
            tls, certificate = connection.protection
            return RelayFacts(relay, addresses, greeting, tls, certificate, connection.offers)
    except RelayError as error:
        return RelayFacts(relay, addresses, greeting, stage="session", failure=str(error))


def _greeting(relay: Relay) -> float | None:
    """Seconds until the relay's first words; None when there are none."""
    begun = time.perf_counter()
    try:
        with socket.create_connection((relay.host, relay.port), relay.timeout) as plain:
            if relay.security != "tls":
                return time.perf_counter() - begun if plain.recv(512) else None
            context = ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=relay.host) as wrapped:
                return time.perf_counter() - begun if wrapped.recv(512) else None
    except OSError:
        return None
