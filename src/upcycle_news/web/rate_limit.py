"""Limits: bytes of one request, requests of one network or one source in a time."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

MAX_BODY = 16 * 1024
_MAX_KEYS = 50_000


class BodyTooLarge(Exception):  # noqa: N818 - about a request, not an error of ours
    """The request body is larger than any of our forms."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request; raises `BodyTooLarge` before more than `limit` bytes are buffered.

    Raises `ClientDisconnect` when the client is gone before its end.
    """
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > limit:
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge
    return bytes(body)


async def read_form(request: Request) -> dict[str, list[str]] | None:
    """Return the fields of an urlencoded form; empty for anything else, None if it was cut off.

    Raises `BodyTooLarge` before more than `MAX_BODY` bytes are buffered.
    """
    try:
        body = await read_body(request, MAX_BODY)
    except ClientDisconnect:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise BodyTooLarge from None


class RateLimit:
    """At most `limit` requests in any `seconds` for each key. In memory: nothing is stored."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, key: str) -> bool:
        """Count a request for `key`; False when it has reached the limit."""
        now = self._clock()
        with self._lock:
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            while len(self._seen) > _MAX_KEYS:
                self._seen.popitem(last=False)
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._limit:
                return False
            times.append(now)
            return True


class NetworkRateLimit:
    """At most `limit` requests an hour from one network. In memory: no addresses are stored."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self._requests = RateLimit(limit, 3600, clock)

    def allows(self, address: str) -> bool:
        """Count a request from `address`; False when its network has reached the limit."""
        return self._requests.allows(network_of(address))


def network_of(address: str) -> str:
    """Return the network whose addresses one client can usually use: IPv4 /24, IPv6 /56."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 56), strict=False))
