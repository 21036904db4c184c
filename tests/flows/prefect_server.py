"""A real server and runner of Prefect on loopback, steered over its API as its pages do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx

from upcycle_news.prefect_api.environment import lasting_server

from ..processes import end_with_the_parent, free_port


class Server:
    """Use as a context manager; `environment` is what programs need to reach it."""

    def __init__(self, home: Path, environment: Mapping[str, str] = {}) -> None:
        self.port = free_port()
        self.home, self.prefect_home = home, home / "var" / "prefect"
        known = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        more = {**known, **environment, "UPCYCLE_NEWS_HOME": str(home)}
        self.environment = lasting_server(more, self.prefect_home, host="127.0.0.1", port=self.port)
        # The tests' clock ticks faster than the default of ten seconds.
        self.environment["PREFECT_RUNNER_POLL_FREQUENCY"] = "2"
        self.of_the_server: dict[str, str] = {}  # variables that only the server gets
        self.resumed = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._runner: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the runner and the server; `revive` starts them again."""
        for process in (self._runner, self._server):
            self._kill(process, signal.SIGTERM)

    def revive(self) -> None:
        """Start the server and the runner, if they do not run."""
        self._start_server()
        if self._runner is None or self._runner.poll() is not None:
            self._runner = self._spawn("-W", "ignore", "flows/serve.py")
            self._until_deployed()

    def _start_server(self) -> None:
        if self._server is None or self._server.poll() is not None:
            self.prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes no folder above it
            command = ["-m", "prefect", "server", "start"]
            self._server = self._spawn(
                *command, "--host", "127.0.0.1", "--port", str(self.port), **self.of_the_server
            )
            deadline = time.monotonic() + 100
            while not self._answers():
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.3)

    def _spawn(
        self, *arguments: str, before: Sequence[str] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*before, sys.executable, *arguments], cwd=self.home, env={**self.environment, **more},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=end_with_the_parent,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/health"))
        except httpx.HTTPError:
            return False

    def _until_deployed(self) -> None:
        deadline = time.monotonic() + 60
        while self.ask("POST", "/deployments/count", {}) < 6:
            assert time.monotonic() < deadline, "nothing was deployed"
            time.sleep(0.3)

    # --- as the pages do it

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self.port}/api{path}"
        for _ in range(20):
            answer = httpx.request(method, url, json=body, timeout=30, trust_env=False)
            if answer.status_code != 503:  # SQLite was busy for a moment
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, deployment: str, at: datetime | None = None, **parameters: Any) -> str:
        """Start a run; `at` is the time it was planned for."""
        number = self.ask("GET", f"/deployments/name/{deployment}")["id"]
        body: dict[str, Any] = {"parameters": parameters}
        if at is not None:
            body["state"] = {
                "type": "SCHEDULED", "state_details": {"scheduled_time": at.isoformat()},
            }  # fmt: skip
        return str(self.ask("POST", f"/deployments/{number}/create_flow_run", body)["id"])

    def state(self, run: str) -> Any:
        return self.ask("GET", f"/flow_runs/{run}")["state"]

    def until(self, run: str, *types: str, after: str = "", seconds: float = 240) -> Any:
        """The state of a run once it is of one of these types, and younger than `after`."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state(run)
            if state["type"] in types and state["timestamp"] > after:
                return state
            assert time.monotonic() < deadline, (types, state["name"], state["message"])
            time.sleep(0.2)

    def form(self, run: str, state: Any) -> str:
        """What stands above the form."""
        key = state["state_details"]["run_input_keyset"]["description"]
        return str(self.ask("GET", f"/flow_runs/{run}/input/{key}"))

    def labels(self, run: str, state: Any) -> dict[str, tuple[str, str]]:
        """Title and words of the form's fields."""
        key = state["state_details"]["run_input_keyset"]["schema"]
        schema = self.ask("GET", f"/flow_runs/{run}/input/{key}")
        fields = schema["properties"].items()
        return {name: (one["title"], one["description"]) for name, one in fields}

    def answer(self, run: str, **answer: str) -> None:
        self.resumed = self.state(run)["timestamp"]
        found = self.ask("POST", f"/flow_runs/{run}/resume", {"run_input": answer})
        assert found["status"] == "ACCEPT", found

    def retry(self, run: str) -> None:
        command = [sys.executable, "-m", "prefect", "flow-run", "retry", run]
        subprocess.run(
            command, cwd=self.home, env=self.environment, check=True, capture_output=True
        )

    # --- as bad days do it

    def process_of(self, run: str) -> int:
        """The process that executes a run."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    told = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if f"PREFECT__FLOW_RUN_ID={run}".encode() in told:
                    return int(entry.name)
        raise AssertionError("nobody executes this run")

    def kill_run(self, run: str) -> None:
        os.kill(self.process_of(run), signal.SIGKILL)

    def kill_runner(self, run: str) -> None:
        """The runner and the run it executes, as when the machine goes down."""
        pid = self.process_of(run)
        self._kill(self._runner, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_server(self, run: str) -> None:
        self._kill(self._server, signal.SIGKILL)

    def until_quiet(self, run: str, seconds: float = 120) -> Any:
        """The state of a run once nobody executes it any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.process_of(run)
            except AssertionError:
                break
            time.sleep(0.3)
        return self.state(run)

    def _kill(self, process: subprocess.Popen[bytes] | None, number: int) -> None:
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
