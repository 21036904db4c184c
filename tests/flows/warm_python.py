"""A Python for tests that has imported Prefect already: to import it is most of what a process of Prefect costs.

`WarmPython` starts a parent process that imports Prefect and then waits, with one thread. Its `executable` takes
the arguments of a Python, such as ``-m prefect server start``: the parent forks, and the child runs the module with
the arguments, variables, folder and descriptors of the executable, whose process lives as long as the child does:
signals and exit codes go through it, and when it is killed the child is.

The parent imports the program's flows, too; files of a publication the child loads itself. `sys.executable` is the
same executable there: a runner starts its runs with it.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import warnings
import zoneinfo
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.processes import end_with_parent
from upcycle_news.api.publications import bundled_publication
from upcycle_news.prefect_api.flow_process import flow_names

ROOT = Path(__file__).parents[2]
# What server, runner, worker and runs import, also later than at their start.
IMPORTED = (
    "aiosqlite",
    "anyio._backends._asyncio",
    "asyncpg",
    "babel.dates",
    "graphviz",
    "prefect.cli.flow_run",
    "prefect.cli.server",
    "prefect.cli.work_pool",
    "prefect.cli.worker",
    "prefect.docker",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.main",
    "prefect.runner",
    "prefect.server.api.server",
    "prefect.task_engine",
    "prefect.workers.process",
    "upcycle_news.cli",
    "uvicorn",
)


class WarmPython:
    """Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.executable = str(folder / "python")
        client = Path(__file__).with_name("warm_client.py").read_text(encoding="utf-8")
        Path(self.executable).write_text(f"#!{sys.executable} -IS\n{client}", encoding="utf-8")
        Path(self.executable).chmod(0o700)
        (folder / "real").symlink_to(sys.executable)
        self._folder = folder
        self._parent: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        """Return the executable; who starts it before the parent has imported everything waits."""
        others = {
            name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")
        }
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._folder / "socket"))
        listener.listen(64)
        with listener:
            self._parent = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.flows.warm_python", self.executable, str(listener.fileno())],
                cwd=ROOT, pass_fds=[listener.fileno()], preexec_fn=end_with_parent,
                env={**others, "PREFECT_HOME": str(self._folder / "home"), "DO_NOT_TRACK": "1"},
            )  # fmt: skip
        return self.executable

    def __exit__(self, *_: object) -> None:
        if self._parent is not None:
            self._parent.terminate()
            self._parent.wait(20)


class Parent:
    """The process that forks."""

    def __init__(self, executable: str, listener: socket.socket) -> None:
        self._executable, self._listener = executable, listener
        self._ready = selectors.DefaultSelector()
        self._ready.register(listener, selectors.EVENT_READ, self._begin)
        self._children: dict[
            socket.socket, tuple[int, bool]
        ] = {}  # pid, and whether it leads a group

    def serve(self) -> dict[str, Any]:
        """Fork for each client; return, in a child only, what it has to run."""
        while True:
            for key, _ in self._ready.select():
                request: dict[str, Any] | None = key.data(key.fileobj)
                if request is not None:
                    return request

    def _begin(self, _: object) -> dict[str, Any] | None:
        client, _ = self._listener.accept()
        _, descriptors, _, _ = socket.recv_fds(client, 1, 3)
        with client.makefile("rb") as lines:
            line = lines.readline()
        request: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        if not request:  # the client was killed
            client.close()
            self._close(descriptors)
            return None
        pid = os.fork()
        if pid == 0:
            self._become_child(client, descriptors)
            return request
        self._close(descriptors)
        with suppress(OSError):  # the child has done so, or has ended
            os.setpgid(pid, 0 if request["leads"] else request["group"])
        self._children[client] = pid, request["leads"]
        with suppress(OSError):  # it was killed
            client.sendall(b"%d\n" % pid)
        self._ready.register(client, selectors.EVENT_READ, self._kill)
        handle = os.pidfd_open(pid)
        self._ready.register(handle, selectors.EVENT_READ, lambda _: self._end(client, handle))
        return None

    def _become_child(self, client: socket.socket, descriptors: list[int]) -> None:
        self._ready.close()
        for each in (self._listener, client, *self._children):
            each.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        self._close(descriptors)

    @staticmethod
    def _close(descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def _kill(self, client: Any) -> None:
        """The client was killed: its child is, with its group where it began one."""
        if client not in self._children:  # the child has ended meanwhile
            return
        self._ready.unregister(client)
        pid, leads = self._children[client]
        with suppress(ProcessLookupError):
            (os.killpg if leads else os.kill)(pid, signal.SIGKILL)

    def _end(self, client: socket.socket, handle: int) -> None:
        """Tell the client how its child has ended."""
        self._ready.unregister(handle)
        os.close(handle)
        pid, _ = self._children.pop(client)
        _, status = os.waitpid(pid, 0)
        with suppress(KeyError):
            self._ready.unregister(client)
        with suppress(OSError), client:
            client.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def run(request: dict[str, Any], executable: str) -> None:
    """Run a module as `python -m` does, in a process that was forked."""
    end_with_parent(signal.SIGKILL)
    with suppress(OSError):
        os.setpgid(0, 0 if request["leads"] else request["group"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    sys.executable = executable
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    sys.path[0] = request["folder"]
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()
    setup_logging(incremental=False)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def keep_names_of_time_zones() -> None:
    """Let Prefect read the folder of time zones once, not for each schedule that it reads or makes."""
    from prefect.types import _datetime

    # Set by name: the module does not export it.
    setattr(_datetime, "available_timezones", cache(zoneinfo.available_timezones))  # noqa: B010


def main(executable: str, descriptor: int) -> None:
    """Import everything, serve, and run what a child has to."""
    flows = (f"upcycle_news_flows.{name}" for name in flow_names(bundled_publication() / "flows"))
    for module in (*IMPORTED, *flows):
        import_module(module)
    keep_names_of_time_zones()
    gc.collect()
    gc.freeze()
    request = Parent(executable, socket.socket(fileno=descriptor)).serve()
    warnings.simplefilter("ignore")
    run(request, executable)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
