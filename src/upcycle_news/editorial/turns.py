"""Whose turn it is: a host is asked one thing at a time, and not too often."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from upcycle_news.editorial.dialling import is_global


class Hosts:
    """One request at a time for each host, spaced."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._last: dict[str, float] = {}

    @contextmanager
    def turn(self, url: str) -> Iterator[None]:
        """Hold the right to talk to the host of `url`; nobody else has it meanwhile."""
        parts = urlsplit(url)
        host = parts.netloc.lower()
        with self._guard:
            lock = self._locks[host]
        with lock:
            pause = self._last.get(host, -math.inf) + self._spacing - time.monotonic()
            if pause > 0 and not _is_own(parts.hostname or ""):
                time.sleep(pause)
            try:
                yield
            finally:
                self._last[host] = time.monotonic()


def _is_own(host: str) -> bool:
    """Tell whether a host is written as one of the own network, where spacing spares nobody."""
    try:
        return not is_global(host)
    except ValueError:
        return host == "localhost"
