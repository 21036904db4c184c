"""A real Prefect server and runner on loopback, controlled through the API as Prefect's pages do."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
import yaml

from upcycle_news.prefect_api.environment import QUIET_ENVIRONMENT, server_environment

from ..processes import end_with_parent, free_port
from ..waiting import wait_until

PATIENCE = (
    240.0  # seconds to wait for a process that has to start, on a machine that is busy with others
)


def _copied(database: Path) -> bytes:
    """Return an SQLite file, which may be in use, with what is in its write-ahead log."""
    with (
        closing(sqlite3.connect(database)) as current,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        current.backup(copy)
        return copy.serialize()


class PrefectServer:
    """Use as a context manager; `environment` is what programs need to reach it."""

    # An empty database, once there is one in this process: to migrate it costs more than the rest of a start.
    _migrated: ClassVar[bytes] = b""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] = {},
        *,
        python: str = sys.executable,
        server_python: str = "",
    ) -> None:
        self.python, self._server_python = python, server_python or python
        self.port = free_port()
        self.home, self.prefect_home = home, home / "var" / "prefect"
        self._output = home.with_name(f"{home.name}-prefect.log")  # what the processes say
        others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        variables = {**others, **environment, "UPCYCLE_NEWS_HOME": str(home)}
        self.environment = server_environment(
            variables, self.prefect_home, host="127.0.0.1", port=self.port
        )
        # Tests should not wait for the default of ten seconds.
        self.environment["PREFECT_RUNNER_POLL_FREQUENCY"] = "2"
        self.server_variables: dict[str, str] = {}  # variables that only the server gets
        self.resumed_at = ""
        # One for all requests: to make one takes ten times as long as a request. No connection is kept, since
        # tests end the server.
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api",
            trust_env=False,
            timeout=180,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._server: subprocess.Popen[bytes] | None = None
        self._runner: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.ensure_running()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._client.close()

    def stop(self) -> None:
        """End the runner and the server; `ensure_running` starts them again."""
        self.stop_runner()
        self._kill(self._server, signal.SIGTERM)

    def stop_runner(self) -> None:
        """End the runner and what it runs; `ensure_running` starts it again."""
        self._kill(self._runner, signal.SIGTERM)

    def ensure_running(self) -> None:
        """Start the server and the runner, if they do not run."""
        self.start_server()
        if self._runner is None or self._runner.poll() is not None:
            self._runner = self._spawn("-W", "ignore", "-m", "upcycle_news_flows.serve")
            self._wait_for_deployments()

    def start_server(self) -> None:
        """Start the server alone, if it does not run."""
        if self._server is None or self._server.poll() is not None:
            self.prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes no folder above it
            database = self.prefect_home / "prefect.db"
            is_new = not database.exists()
            if is_new and self._migrated:
                database.write_bytes(self._migrated)
            command = ["-m", "prefect", "server", "start"]
            command += ["--host", "127.0.0.1", "--port", str(self.port)]
            self._server = self._spawn(
                *command, python=self._server_python, **self.server_variables
            )
            wait_until(self._answers, self._why_not_started, seconds=PATIENCE)
            if is_new and not self._migrated and database.exists():
                PrefectServer._migrated = _copied(database)

    @classmethod
    def empty_database(cls, python: str, folder: Path) -> bytes:
        """Return the SQLite file of a Prefect server that has run nothing, made in `folder` if it must be."""
        if not cls._migrated:
            others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
            subprocess.run(
                [python, "-m", "prefect", "server", "database", "upgrade", "--yes"],
                cwd=folder, env={**others, **QUIET_ENVIRONMENT, "PREFECT_HOME": str(folder)},
                check=True, capture_output=True,
            )  # fmt: skip
            cls._migrated = _copied(folder / "prefect.db")
        return cls._migrated

    def _why_not_started(self) -> str:
        return "\n".join(["the server did not start:", *self.output_lines()[-40:]])

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Run a worker of the pool `newsletter`, which must exist."""
        worker = self._spawn("-m", "prefect", "worker", "start", "--pool", "newsletter")
        try:
            yield
        finally:
            self._kill(worker, signal.SIGTERM)

    def _spawn(
        self, *arguments: str, before: Sequence[str] = (), python: str = "", **more: str
    ) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*before, python or self.python, *arguments], cwd=self.home, env={**self.environment, **more},
                stdout=output, stderr=output, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip

    def _answers(self) -> bool:
        try:
            return bool(self.request("GET", "/health"))
        except httpx.HTTPError:
            return False

    def _wait_for_deployments(self) -> None:
        text = (self.home / "prefect.yaml").read_text(encoding="utf-8")
        wanted = len(yaml.safe_load(text)["deployments"])
        wait_until(
            lambda: self.request("POST", "/deployments/count", {}) >= wanted,
            lambda: "\n".join(["not everything was deployed:", *self.output_lines()[-40:]]),
            seconds=PATIENCE,
        )

    # --- the API, as Prefect's pages use it

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the decoded response; a busy SQLite (503) is asked again for a minute."""
        responses: list[httpx.Response] = []

        def answered() -> bool:
            responses.append(self._client.request(method, path, json=body))
            return responses[-1].status_code != 503

        wait_until(answered, f"the server stayed busy: {path}", interval=0.5)
        responses[-1].raise_for_status()
        return responses[-1].json() if responses[-1].content else None

    def start(self, deployment: str, at: datetime | None = None, **parameters: Any) -> str:
        """Start a flow run, scheduled for `at`; return its id."""
        number = self.request("GET", f"/deployments/name/{deployment}")["id"]
        body: dict[str, Any] = {"parameters": parameters}
        if at is not None:
            body["state"] = {
                "type": "SCHEDULED", "state_details": {"scheduled_time": at.isoformat()},
            }  # fmt: skip
        return str(self.request("POST", f"/deployments/{number}/create_flow_run", body)["id"])

    def state(self, run: str) -> Any:
        return self.request("GET", f"/flow_runs/{run}")["state"]

    def wait_for_state(
        self, run: str, *types: str, after: str = "", seconds: float = PATIENCE
    ) -> Any:
        """Return the state of a run once it has one of these types and is newer than `after`.

        Asked each second: a request costs the server a fiftieth of one.
        """
        states: list[Any] = []

        def is_reached() -> bool:
            states.append(self.state(run))
            return states[-1]["type"] in types and states[-1]["timestamp"] > after

        wait_until(
            is_reached, lambda: self._why_not(run, types, states[-1]), seconds=seconds, interval=1.0
        )
        return states[-1]

    def _why_not(self, run: str, wanted: Sequence[str], state: Mapping[str, Any]) -> str:
        """Return what may explain that a run has not got to a state: the others, the processes, their output."""
        others = self.request("POST", "/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC"})
        due = datetime.now(UTC).isoformat()
        lines = [
            f"{each['name']} {each['state_name']}, due {each['expected_start_time']}"
            for each in others
            if each["id"] != run and each["expected_start_time"] <= due
        ]
        processes = {"server": self._server, "runner": self._runner}
        ended = {name: each.poll() for name, each in processes.items() if each is not None}
        return "\n".join(
            [
                f"not {wanted}, but {state['type']} {state['name']}: {state['message']}",
                f"since {state['timestamp']}, now {due}; exit codes (None: it runs): {ended}",
                *["beside these runs:", *lines[:20]],
                *["Prefect's output:", *self.output_lines()[-40:]],
            ]
        )

    def output_lines(self) -> list[str]:
        """Return what server, runner and the runs' processes have printed."""
        return self._output.read_text(encoding="utf-8", errors="replace").splitlines()

    def form_markdown(self, run: str, state: Any) -> str:
        """Return the Markdown above the approval form."""
        return str(self._form_input(run, state, "description"))

    def form_labels(self, run: str, state: Any) -> dict[str, tuple[str, str]]:
        """Return title and description of the form's fields."""
        fields = self._form_input(run, state, "schema")["properties"].items()
        return {name: (field["title"], field["description"]) for name, field in fields}

    def _form_input(self, run: str, state: Any, part: str) -> Any:
        """Return a part of the form; Prefect stores them after the state that names them."""
        key = state["state_details"]["run_input_keyset"][part]
        address = f"/flow_runs/{run}/input/{key}"
        wait_until(
            lambda: self._client.get(address).is_success,
            f"Prefect stored no {part} of the form",
            seconds=PATIENCE,
        )
        return self.request("GET", address)

    def submit_form(self, run: str, **answer: str) -> None:
        self.resumed_at = self.state(run)["timestamp"]
        response = self.request("POST", f"/flow_runs/{run}/resume", {"run_input": answer})
        assert response["status"] == "ACCEPT", response

    def retry_run(self, run: str) -> None:
        command = [self.python, "-m", "prefect", "flow-run", "retry", run]
        subprocess.run(
            command, cwd=self.home, env=self.environment, check=True, capture_output=True
        )

    # --- failures

    def process_of(self, run: str) -> int:
        """Return the id of the process that executes a run."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if f"PREFECT__FLOW_RUN_ID={run}".encode() in environment:
                    return int(entry.name)
        raise AssertionError("no process executes this run")

    def kill_run(self, run: str) -> None:
        os.kill(self.process_of(run), signal.SIGKILL)

    def kill_runner(self, run: str) -> None:
        """Kill the runner and the run it executes, as when the machine goes down."""
        pid = self.process_of(run)
        self._kill(self._runner, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_server(self, run: str) -> None:
        self._kill(self._server, signal.SIGKILL)

    def wait_for_process_end(self, run: str, seconds: float = 120) -> Any:
        """Return the state of a run once no process executes it any more."""
        wait_until(lambda: not self._is_executed(run), "the run goes on", seconds=seconds)
        return self.state(run)

    def _is_executed(self, run: str) -> bool:
        try:
            self.process_of(run)
        except AssertionError:
            return False
        return True

    def _kill(self, process: subprocess.Popen[bytes] | None, number: int) -> None:
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
