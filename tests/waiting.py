"""Waiting for processes that cannot signal an event to the test: real servers and workers."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object],
    failure: str | Callable[[], str],
    *,
    seconds: float = 60,
    interval: float = 0.2,
) -> None:
    """Poll until `condition` is true; fails with the sentence `failure` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure if isinstance(failure, str) else failure()
        time.sleep(interval)
