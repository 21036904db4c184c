"""Limits of requests, counted in memory: for each token, and for each network whether it has one or not."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 60
"""The length of a window."""

_MOST_KEYS = 50_000


@dataclass(frozen=True)
class Allowance:
    """Whether a request is allowed, how many more are in this window, and when the next one begins."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int

    def headers(self, name: str) -> dict[str, str]:
        """Return the header fields of draft-ietf-httpapi-ratelimit-headers for the policy `name`."""
        fields = {
            "RateLimit-Policy": f'"{name}";q={self.limit};w={SECONDS}',
            "RateLimit": f'"{name}";r={self.remaining};t={self.reset_seconds}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(self.reset_seconds)
        return fields


class RequestLimit:
    """At most `limit` requests a minute for one key, in windows that begin with the first of them."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self._limit, self._clock = limit, clock
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> Allowance:
        """Count a request."""
        now = self._clock()
        with self._lock:
            began, count = self._windows.get(key, (now, 0))
            if now - began >= SECONDS:
                began, count = now, 0
            allowed = count < self._limit
            self._windows[key] = began, count + allowed
            self._windows.move_to_end(key)
            while len(self._windows) > _MOST_KEYS:
                self._windows.popitem(last=False)
        return Allowance(
            allowed,
            self._limit,
            self._limit - count - allowed,
            max(1, math.ceil(SECONDS - (now - began))),
        )
