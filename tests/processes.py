"""Processes that tests and benchmarks start: on a free port, and never left behind."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def end_with_the_parent(number: int = signal.SIGTERM) -> None:
    """For `preexec_fn`: whoever is killed leaves no server behind (prctl(2): PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, number)


@contextmanager
def smtp_sink(connections: int = 256) -> Iterator[int]:
    """The port of Postfix's smtp-sink, which takes everything and remembers nothing."""
    port = free_port()
    process = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", str(connections)],
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def peak_memory(process: subprocess.Popen[str]) -> float:
    """Wait for the process; the most memory it held, in MB.

    Read from the process while it runs: what wait4(2) reports begins with that of its parent.
    """
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):  # a zombie has none
                peak = int(line.split()[1])
        time.sleep(0.05)
    return peak / 1024
