"""Protection against SSRF, slow servers and decompression bombs for outgoing HTTP.

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
import zlib
from collections.abc import Iterable
from typing import Any

import httpcore

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")


class PrivateAddressError(Exception):
    """The name resolves only to addresses inside a private network."""


class DeadlineExceededError(Exception):
    """The deadline of the whole request has passed."""


def is_global(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, embedded IPv4 addresses included."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_global(str(inner))
        if ip in _SITE_LOCAL:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


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
        raise httpcore.ConnectError("the name is unknown") from None
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

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        """Set the deadline, and whether addresses inside private networks are allowed."""
        self._deadline = deadline
        self._allow_private = allow_private
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
        addresses = resolve(host, port, seconds)
        if not self._allow_private:
            addresses = [address for address in addresses if is_global(address)]
        if not addresses:
            raise PrivateAddressError
        return addresses

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


def describe_error(error: Exception, seconds: float) -> str:
    """Describe a failed request in one sentence, without quoting what a server sent."""
    if isinstance(error, PrivateAddressError):
        return "its name resolves to a private network (feeds.allow_private would allow that)"
    if isinstance(error, DeadlineExceededError):
        return f"it did not arrive within {seconds:g} seconds"
    if isinstance(error, httpcore.TimeoutException):
        return "the server did not answer in time"
    if isinstance(error, httpcore.ConnectError):
        if "CERTIFICATE" in str(error).upper() or isinstance(error.__cause__, ssl.SSLError):
            return "its certificate cannot be trusted"
        return "the server cannot be reached"
    if isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError):
        return "the reply broke off"
    return f"it cannot be fetched ({type(error).__name__})"


class BodyError(Exception):
    """A body cannot be decoded; the message is one sentence."""


def decode_body(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """Join and decode the chunks of a reply; raises `BodyError` above `max_bytes` decoded bytes."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise BodyError(f"it is encoded as {encoding[:20]!r}, which was not asked for")
    inflate = None if encoding in ("", "identity") else _Inflater(encoding)
    body = bytearray()
    for chunk in chunks:
        body += inflate(chunk, max_bytes + 1 - len(body)) if inflate else chunk
        if len(body) > max_bytes:
            raise BodyError(f"it is larger than {max_bytes / 1024 / 1024:.0f} MiB")
    if inflate and not inflate.complete:
        raise BodyError("the reply broke off")
    return bytes(body)


class _Inflater:
    """Decodes gzip (also of several members) and deflate, with a cap on each step."""

    def __init__(self, encoding: str) -> None:
        self._bits = zlib.MAX_WBITS | 32  # gzip or zlib, by the header
        self._deflate = encoding == "deflate"
        self._decompressor = zlib.decompressobj(self._bits)
        self._started = False

    def __call__(self, data: bytes, max_bytes: int) -> bytes:
        out = bytearray()
        while data and len(out) < max_bytes:
            if self._decompressor.eof:
                self._decompressor, self._started = zlib.decompressobj(self._bits), False
            try:
                out += self._decompressor.decompress(data, max_bytes - len(out))
            except zlib.error:
                if not self._deflate or self._started:
                    raise BodyError("its compression is broken") from None
                # Some servers mean raw deflate (RFC 1951) where RFC 9110 says zlib.
                self._bits = -zlib.MAX_WBITS
                self._decompressor, self._started = zlib.decompressobj(self._bits), True
                continue
            self._started = True
            data = (
                self._decompressor.unused_data
                if self._decompressor.eof
                else self._decompressor.unconsumed_tail
            )
        return bytes(out)

    @property
    def complete(self) -> bool:
        return self._decompressor.eof or not self._started
