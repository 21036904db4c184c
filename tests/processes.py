"""Processes that tests and benchmarks start: on free ports, and ended with their parent."""

from __future__ import annotations

import ctypes
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .waiting import wait_until


def free_port() -> int:
    """Return a free TCP port of 127.0.0.1 below those that the system gives away by itself.

    Between two starts of a server nobody else gets it: no client as its own port (ip(7):
    ip_local_port_range), and no server that asks for any.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(min(10_000, lowest // 2), lowest)
    while True:
        port = secrets.choice(ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """End with the parent process, for `preexec_fn` (prctl(2): PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, number)


@contextmanager
def smtp_sink(connections: int = 256) -> Iterator[int]:
    """Run Postfix's smtp-sink, which accepts and discards every mail; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", str(connections)],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _accepts(port), "smtp-sink did not start", interval=0.05)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def peak_memory(process: subprocess.Popen[str]) -> float:
    """Wait for the process; returns its peak memory in MB.

    Read from the process while it runs: what wait4(2) reports begins with that of its parent.
    """
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):  # a zombie has none
                peak = int(line.split()[1])
        time.sleep(0.05)
    return peak / 1024
