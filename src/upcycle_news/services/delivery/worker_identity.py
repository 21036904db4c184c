"""Register a process as a worker, and tell whether a worker is alive."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.storage import workers

HEARTBEAT_TIMEOUT = timedelta(minutes=10)
"""A worker on another machine whose last heartbeat is older counts as dead."""


def register(context: AppContext) -> workers.Worker:
    """Register this process as a worker; raises `PausedError` while nothing may be sent."""
    return workers.register_worker(
        context.store,
        host=this_host(),
        pid=os.getpid(),
        process_start=process_start(os.getpid()),
        now=context.clock(),
    )


def is_alive(worker: workers.Worker, now: datetime) -> bool:
    """Return True for a worker whose process runs here, or whose heartbeat elsewhere is recent."""
    if worker.ended_at is not None:
        return False
    if worker.host != this_host():
        return now - worker.heartbeat_at < HEARTBEAT_TIMEOUT
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and belongs to another user
    return worker.process_start == process_start(worker.pid)


def this_host() -> str:
    """Return the host name, the boot and the process namespace within which process ids are valid.

    The name alone would not do: copies of one machine, and containers on two machines, often have
    the same.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]  # random(4)
        namespace = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")  # namespaces(7)
    except OSError:
        boot = namespace = ""  # not Linux
    return f"{socket.gethostname()}/{boot}/{namespace}"


def process_start(pid: int) -> str:
    """Return when a process began, in the kernel's ticks: it tells two processes with one pid apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # not Linux: the pid alone has to do
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended, whatever its pid says (proc(5): field 3 is the state, 22 the start).
    return "ended" if fields[0] == "Z" else fields[19]
