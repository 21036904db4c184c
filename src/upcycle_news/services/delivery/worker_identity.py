"""Who is sending, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.storage import workers

# A sender on another machine that has been silent for so long is taken for dead.
SILENCE = timedelta(minutes=10)


def register(context: AppContext) -> workers.Sender:
    """Sign this process on as a sender."""
    return workers.register_sender(
        context.store,
        host=this_host(),
        pid=os.getpid(),
        process_start=_start_of(os.getpid()),
        now=context.clock(),
    )


def is_alive(sender: workers.Sender, now: datetime) -> bool:
    """Whether a sender still works: its process on this machine, its heartbeat elsewhere."""
    if sender.ended_at is not None:
        return False
    if sender.host != this_host():
        return now - sender.beat_at < SILENCE
    try:
        os.kill(sender.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and belongs to somebody else
    return sender.process_start == _start_of(sender.pid)


def this_host() -> str:
    """The machine, since it was started, and the container on it: where our process ids mean something.

    Its name alone would not do: copies of one machine, and containers on two machines, often have
    the same.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]  # random(4)
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")  # namespaces(7)
    except OSError:
        boot = space = ""  # not Linux
    return f"{socket.gethostname()}/{boot}/{space}"


def _start_of(pid: int) -> str:
    """When a process began, in the kernel's ticks: tells two processes with one pid apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # not Linux: the pid alone has to do
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended, whatever its pid says (proc(5): field 3 is the state, 22 the start).
    return "ended" if fields[0] == "Z" else fields[19]
