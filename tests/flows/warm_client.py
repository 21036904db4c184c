"""The executable of `WarmPython`, which its first line precedes: it starts with the standard library alone."""

import json
import os
import signal
import socket
import sys
from _thread import start_new_thread

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  pathlib takes as long as the rest
FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def is_such_a_client(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return os.fsencode(os.path.abspath(__file__)) in file.read().split(b"\0")  # noqa: PTH100
    except OSError:
        return False


def forward(child: int, leads: bool) -> None:
    """Pass signals on, but for those that the client of a group sends to all of it."""
    while True:
        received = signal.sigwaitinfo(FORWARDED)
        try:
            if leads:
                os.killpg(child, received.si_signo)
            elif not is_such_a_client(received.si_pid):
                os.kill(child, received.si_signo)
        except ProcessLookupError:
            pass


def end(code: int) -> None:
    """End as the child did."""
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), -code)
    os._exit(code)


def main() -> None:
    arguments = sys.argv[1:]
    while arguments[:1] == ["-W"]:
        del arguments[:2]
    if arguments[:1] != ["-m"]:  # such as the processes of multiprocessing
        python = os.readlink(f"{HERE}/real")  # noqa: PTH115
        os.execv(python, [python, *sys.argv[1:]])
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    leads = os.getsid(0) == os.getpid()
    request = {
        "arguments": arguments[1:],
        "variables": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "leads": leads,
        "group": os.getpgrp(),
    }
    with socket.socket(socket.AF_UNIX) as parent:
        parent.connect(f"{HERE}/socket")
        socket.send_fds(parent, [b"\n"], [0, 1, 2])
        parent.sendall(json.dumps(request).encode() + b"\n")
        with parent.makefile("r") as lines:
            child = int(lines.readline())
            start_new_thread(forward, (child, leads))
            end(int(lines.readline()))


main()
