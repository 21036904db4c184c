"""Several machines on one: Prefect's server on Postgres, the pool `newsletter`, workers of its own.

Each worker lives in a process namespace (namespaces(7)): its process ids mean nothing to the others,
as on another machine, and when it is killed everything it started is gone at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .prefect_server import Server


def can_part() -> bool:
    """Whether this user may give a process a namespace of its own."""
    found = shutil.which("unshare")
    return found is not None and subprocess.run([*_apart(), "true"], check=False).returncode == 0


def _apart() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]


@dataclass
class Machine:
    """A worker of Prefect's that takes one run at a time."""

    name: str
    process: subprocess.Popen[bytes]

    @cached_property
    def space(self) -> str:
        """What tells its processes from those of others."""
        return str(Path(f"/proc/{self.process.pid}/ns/pid_for_children").readlink())

    @property
    def pattern(self) -> str:
        """What the names of its senders look like in the store (LIKE)."""
        return f"%{self.space.strip('pid:[]')}%"

    @property
    def pids(self) -> list[int]:
        """Its processes, by the numbers they have here."""
        return [pid for pid in _everybody() if _space(pid) == self.space]

    def kill(self) -> None:
        """As when the plug is pulled."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def _everybody() -> list[int]:
    return [int(one.name) for one in Path("/proc").glob("[0-9]*")]


def _space(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


class Pool(Server):
    """A server whose database is `database` (postgresql://…), and machines. No schedule runs."""

    def __init__(self, home: Path, environment: Mapping[str, str], database: str) -> None:
        super().__init__(home, environment)
        self.machines: list[Machine] = []
        self._started = 0
        # For the server alone, as on several machines.
        self.of_the_server["PREFECT_API_DATABASE_CONNECTION_URL"] = database.replace(
            "postgresql://", "postgresql+asyncpg://"
        )
        self.environment["PREFECT_WORKER_QUERY_SECONDS"] = "2"

    def revive(self) -> None:
        self._start_server()
        self.prefect("work-pool", "create", "newsletter", "--type", "process")
        self.prefect("deploy", "--all")
        for one in self.ask("POST", "/deployments/filter", {}):
            for schedule in one["schedules"]:
                self.ask("DELETE", f"/deployments/{one['id']}/schedules/{schedule['id']}")

    def prefect(self, *arguments: str) -> None:
        """One of Prefect's own commands."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=self.home, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def need(self, count: int) -> None:
        """Have so many machines; those that are dead do not count."""
        self.machines = [one for one in self.machines if one.process.poll() is None]
        while len(self.machines) < count:
            self._started += 1
            name = f"machine-{self._started}"
            command = ["-m", "prefect", "worker", "start", "--pool", "newsletter", "--limit", "1"]
            worker = self._spawn(*command, "--name", name, before=_apart())
            self.machines.append(Machine(name, worker))
        for one in self.machines[count:]:
            one.kill()
        del self.machines[count:]
        deadline = time.monotonic() + 90
        while not {one.name for one in self.machines} <= self._asking():
            assert time.monotonic() < deadline, "a worker did not start"
            time.sleep(0.3)

    def _asking(self) -> set[str]:
        """The workers that ask for work."""
        known = self.ask("POST", "/work_pools/newsletter/workers/filter", {})
        return {one["name"] for one in known if one["status"] == "ONLINE"}

    def machine_of(self, run: str) -> Machine | None:
        """The machine that executes a run; None when none does."""
        try:
            space = _space(self.process_of(run))
        except AssertionError:
            return None
        return next((one for one in self.machines if one.space == space), None)

    def helpers(self, issue: str) -> list[str]:
        """The runs that deliver this issue beside the one that published it, and are at it."""
        wanted = {
            "flows": {"name": {"any_": ["deliver-issue"]}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}},
        }
        found = self.ask("POST", "/flow_runs/filter", wanted)
        return [str(one["id"]) for one in found if one["parameters"] == {"issue": issue}]

    def server_pids(self) -> list[int]:
        """The server's processes."""
        assert self._server is not None
        return [pid for pid in _everybody() if _group(pid) == self._server.pid]

    def __exit__(self, *error: object) -> None:
        for one in self.machines:
            if one.process.poll() is None:
                one.kill()
        super().__exit__(*error)
