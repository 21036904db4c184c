"""What a run of the suite prints while it works, and that it leaves no process behind."""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

# Set in the environment of the run, so that whatever it starts can be recognised (Linux only).
RUN_ID = "UPCYCLE_TEST_RUN"
_SECONDS_TO_END = 5.0


class SuiteRun:
    """A pytest plugin for the process with the terminal; the workers of xdist do not need it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._announced = config, False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Say how many tests run in how many processes, once the first worker knows them."""
        self._announce(len(ids), int(self._config.getoption("numprocesses", None) or 1))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say the same for a run without xdist."""
        if session.items and not self._config.option.collectonly:
            self._announce(len(session.items), 1)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name a test as soon as it fails: with xdist and -q pytest does so at the end only."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = str(crash.message).partition("\n")[0] if crash else ""
            phase = "" if report.when == "call" else f" ({report.when})"
            self._print(f"\nFAILED {report.nodeid}{phase}: {reason}\n", red=True)

    def _announce(self, tests: int, processes: int) -> None:
        if not self._announced:
            self._announced = True
            where = "one process" if processes == 1 else f"{processes} processes"
            self._print(f"{tests} tests in {where}; a test that fails is named at once\n")

    def _print(self, text: str, **markup: bool) -> None:
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write(text, **markup)


def start(config: pytest.Config) -> None:
    """Register the plugin, and make an ended run end what it has started.

    SIGTERM and SIGHUP end the run as Ctrl-C does, so that fixtures stop their servers; what is
    still there when this process exits (a worker of xdist may have been killed) is ended then.
    """
    config.pluginmanager.register(SuiteRun(config))
    if RUN_ID in os.environ:  # a pytest that a test has started
        return
    os.environ[RUN_ID] = uuid.uuid4().hex
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    atexit.register(_end_leftovers, f"{RUN_ID}={os.environ[RUN_ID]}".encode())


def _end_leftovers(mark: bytes) -> None:
    leftovers = _processes_with(mark)
    if leftovers:
        print(f"ending what the tests left running: {leftovers}", file=sys.stderr)  # noqa: T201
    deadline = time.monotonic() + _SECONDS_TO_END
    for pid, name in leftovers.items():
        # SIGTERM lets PostgreSQL wait for its clients; SIGINT is its fast shutdown.
        _kill(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    for pid in leftovers:
        _wait_for_end(pid, deadline - time.monotonic())
    for pid in _processes_with(mark):
        _kill(pid, signal.SIGKILL)


def _processes_with(mark: bytes) -> dict[int, str]:
    """Return pid and name of the processes whose environment contains `mark`, without our own."""
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes():
                processes[int(folder.name)] = (folder / "comm").read_text().strip()
    return processes


def _wait_for_end(pid: int, seconds: float) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        select.select([handle], [], [], max(seconds, 0))
        os.close(handle)


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
