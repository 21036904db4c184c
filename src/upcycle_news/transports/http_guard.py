"""Protection against SSRF and slow servers for outgoing HTTP.

The name is resolved here, every address is checked, and the socket is opened to the very address
that was checked: between the check and the connection no other answer can come (no DNS rebinding).
TLS still verifies the name, because httpcore keeps it. The system's resolver has no timeout, so it
runs in a thread of its own that may be left behind.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.private_hosts import PrivateAccess, is_global, is_never_asked


class UnknownNameError(httpcore.ConnectError):
    """The name has no address."""


class PrivateAddressError(Exception):
    """The name resolves only to addresses that may not be asked; `text` says why."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))
        self.text = text


class DeadlineExceededError(Exception):
    """The deadline of the whole request has passed."""


class Deadline:
    """A moment on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        """Start the clock."""
        self._seconds = seconds
        self._at = time.monotonic() + seconds
        self._restarted = False

    def restart_once(self) -> None:
        """Start the clock anew, the first time this is called: the wait for the host's slot is over."""
        if not self._restarted:
            self._restarted = True
            self._at = time.monotonic() + self._seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Return the seconds left, capped at `at_most`; raises `DeadlineExceededError` without any."""
        remaining = self._at - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceededError
        return remaining if at_most is None else min(remaining, at_most)


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of `host`; raises httpcore's `ConnectError` or `ConnectTimeout`."""
    addresses: list[str] | None = None
    failure: Exception | None = None

    def look_up() -> None:
        nonlocal addresses, failure
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failure = error

    if _is_literal(host):
        look_up()
    else:
        resolver = threading.Thread(target=look_up, name="resolver", daemon=True)
        resolver.start()
        resolver.join(seconds)
    if failure is not None:
        raise UnknownNameError from None
    if addresses is None:
        raise httpcore.ConnectTimeout("the name server does not answer")
    return addresses


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class GuardedBackend(httpcore.NetworkBackend):
    """A network backend for one request: checks addresses, ends every wait at the deadline."""

    def __init__(self, deadline: Deadline, access: PrivateAccess) -> None:
        """Set the deadline, and which addresses inside private networks are allowed."""
        self._deadline = deadline
        self._access = access
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that is allowed and answers."""
        addresses = self._allowed(host, port, self._deadline.remaining(timeout))
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, timeout, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, timeout, socket_options)

    def _allowed(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses of `host` that may be dialled; raises `PrivateAddressError` for none."""
        addresses = resolve(host, port, seconds)
        allowed = [
            address
            for address in addresses
            if is_global(address) or self._access.allows(host, address)
        ]
        if not allowed:
            never = all(map(is_never_asked, addresses))
            raise PrivateAddressError(
                localized("fetch-link-local") if never else localized("fetch-private")
            )
        return allowed

    def _connect(
        self, address: str, port: int, timeout: float | None, options: Iterable[Any] | None
    ) -> httpcore.NetworkStream:
        remaining = self._deadline.remaining(timeout)
        stream = self._plain.connect_tcp(address, port, timeout=remaining, socket_options=options)
        return _TimedStream(stream, self._deadline)


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline: slow servers cannot prolong it byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=self._deadline.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=self._deadline.remaining(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        remaining = self._deadline.remaining(timeout)
        stream = self._stream.start_tls(
            ssl_context, server_hostname=server_hostname, timeout=remaining
        )
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def describe_error(error: Exception, seconds: float) -> LocalizedText:
    """Describe a failed request in one sentence, without quoting what a server sent."""
    if isinstance(error, PrivateAddressError):
        return error.text
    if isinstance(error, DeadlineExceededError):
        return localized("fetch-deadline", seconds=f"{seconds:g}")
    if isinstance(error, httpcore.TimeoutException):
        return localized("fetch-silent")
    if isinstance(error, httpcore.ConnectError):
        return _describe_connect_error(error)
    if isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError):
        return localized("fetch-lost")
    return localized("fetch-error", kind=type(error).__name__)


# By OpenSSL's number of a failed verification (x509_vfy.h).
_CERTIFICATE_FAULTS = {
    9: localized("certificate-early"),
    10: localized("certificate-expired"),
    18: localized("certificate-self-signed"),
    19: localized("certificate-unknown-issuer"),
    20: localized("certificate-unknown-issuer"),
    21: localized("certificate-unknown-issuer"),
    23: localized("certificate-revoked"),
    62: localized("certificate-other-host"),
    64: localized("certificate-other-host"),
}


def _describe_connect_error(error: httpcore.ConnectError) -> LocalizedText:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        fault = _CERTIFICATE_FAULTS.get(cause.verify_code)
        if fault is None:
            return localized("fetch-certificate")
        return localized("fetch-certificate-why", fault=fault)
    if isinstance(cause, ssl.SSLError):
        return localized("fetch-no-tls")
    if isinstance(cause, ConnectionRefusedError):
        return localized("fetch-refused")
    if isinstance(error, UnknownNameError):
        return localized("fetch-name-unknown")
    return localized("fetch-unreachable")
