"""Several simulated machines: Prefect's server on Postgres, the pool `newsletter`, and its workers.

Each worker has a process namespace (namespaces(7)): its process ids mean nothing to the others, as
on another machine, and when it is killed everything it started is gone at once. Its Python is always the
one that runs the tests, since what forks for a `WarmPython` is in no such namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..waiting import wait_until
from .prefect_server import PATIENCE, PrefectServer


def can_unshare() -> bool:
    """True if this user may create process namespaces."""
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and subprocess.run([*_unshare_command(), "true"], check=False).returncode == 0
    )


def _unshare_command() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]


@dataclass
class Machine:
    """A simulated machine: a Prefect worker that executes one run at a time."""

    name: str
    process: subprocess.Popen[bytes]

    @cached_property
    def namespace(self) -> str:
        """The id of its process namespace."""
        return str(Path(f"/proc/{self.process.pid}/ns/pid_for_children").readlink())

    @property
    def pattern(self) -> str:
        """The LIKE pattern of its workers' host names in the store."""
        return f"%{self.namespace.strip('pid:[]')}%"

    @property
    def pids(self) -> list[int]:
        """Its processes, by their ids outside the namespace."""
        return [pid for pid in _all_pids() if _namespace_of(pid) == self.namespace]

    def kill(self) -> None:
        """As when the plug is pulled."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _namespace_of(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


class WorkerPool(PrefectServer):
    """A server whose database is `database` (postgresql://…), and machines. Schedules are deleted."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        database: str,
        *,
        python: str = sys.executable,
    ) -> None:
        super().__init__(home, environment, python=python)
        self.machines: list[Machine] = []
        self.runs_at_once = 1  # of a machine that is started from now on
        self._started = 0
        # For the server alone, as on several machines.
        self.server_variables["PREFECT_API_DATABASE_CONNECTION_URL"] = database.replace(
            "postgresql://", "postgresql+asyncpg://"
        )
        self.environment["PREFECT_WORKER_QUERY_SECONDS"] = "2"

    def ensure_running(self) -> None:
        self.start_server()
        self.prefect("work-pool", "create", "newsletter", "--type", "process")
        # As `prefect work-queue create` does, which .ci/trial runs, without a process for it.
        self.request("POST", "/work_pools/newsletter/queues", {"name": "alarms", "priority": 1})
        self.prefect("deploy", "--all")
        for deployment in self.request("POST", "/deployments/filter", {}):
            for schedule in deployment["schedules"]:
                self.request(
                    "DELETE", f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
                )

    def prefect(self, *arguments: str) -> None:
        """Run a command of Prefect's own command line."""
        process = subprocess.run(
            [self.python, "-m", "prefect", *arguments],
            cwd=self.home, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout + process.stderr

    def ensure_machines(self, count: int) -> None:
        """Start or kill machines until so many are alive and online."""
        self.machines = [machine for machine in self.machines if machine.process.poll() is None]
        while len(self.machines) < count:
            self._started += 1
            name = f"machine-{self._started}"
            command = ["-m", "prefect", "worker", "start", "--pool", "newsletter"]
            command += ["--limit", str(self.runs_at_once)]
            worker = self._spawn(
                *command, "--name", name, before=_unshare_command(), python=sys.executable
            )
            self.machines.append(Machine(name, worker))
        for machine in self.machines[count:]:
            machine.kill()
        del self.machines[count:]
        names = {machine.name for machine in self.machines}
        wait_until(lambda: names <= self._online(), "a worker did not start", seconds=PATIENCE)

    def _online(self) -> set[str]:
        """Return the names of the workers that are online."""
        workers = self.request("POST", "/work_pools/newsletter/workers/filter", {})
        return {worker["name"] for worker in workers if worker["status"] == "ONLINE"}

    def machine_of(self, run: str) -> Machine | None:
        """Return the machine that executes a run; None when none does."""
        try:
            namespace = _namespace_of(self.process_of(run))
        except AssertionError:
            return None
        return next((machine for machine in self.machines if machine.namespace == namespace), None)

    def helpers(self, issue: str) -> list[str]:
        """Return the running runs of deliver-issue for this issue."""
        runs_filter = {
            "flows": {"name": {"any_": ["deliver-issue"]}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}},
        }
        runs = self.request("POST", "/flow_runs/filter", runs_filter)
        return [str(run["id"]) for run in runs if run["parameters"] == {"issue": issue}]

    def server_pids(self) -> list[int]:
        """Return the ids of the server's processes."""
        assert self._server is not None
        return [pid for pid in _all_pids() if _group_of(pid) == self._server.pid]

    def __exit__(self, *error: object) -> None:
        for machine in self.machines:
            if machine.process.poll() is None:
                machine.kill()
        super().__exit__(*error)
