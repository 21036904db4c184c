"""Processes that tests and benchmarks start: on a free port, and never left behind."""

from __future__ import annotations

import ctypes
import signal
import socket


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def end_with_the_parent(number: int = signal.SIGTERM) -> None:
    """For `preexec_fn`: whoever is killed leaves no server behind (prctl(2): PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, number)
