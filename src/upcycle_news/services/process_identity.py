"""What tells a process from any other one: of this machine, of another, and of an earlier one with its id."""

from __future__ import annotations

import socket
from pathlib import Path


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
