"""Waiting for processes that cannot signal an event to the test: real servers and workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    failure: str | Callable[[], str],
    *,
    seconds: float = 60,
    interval: float = 0.2,
) -> T:
    """Poll until `condition` is true and return its value; fails with `failure` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, failure if isinstance(failure, str) else failure()
        time.sleep(interval)
    return value
