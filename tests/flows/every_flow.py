"""Run every flow of an installation, in each of the ways that it may be started.

`every_flow.py PYTHON` does it with the interpreter of an installation, in a new publication below the
current folder, and a Prefect server of its own; .ci/wheel runs it with the wheel's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.flows.prefect_server import PrefectServer  # noqa: E402
from tests.publications import SETTINGS  # noqa: E402

ESSAY = """\
---
title: Was vom Bahnhof bleibt
author: Redaktion
date: 2026-11-26
status: ready
---

Der Bahnhof der Kleinstadt wird umgebaut.
"""
COMMAND = "from upcycle_news.cli import main; main()"
EVERY_MODULE = """\
import json, sys
from importlib import import_module

for name, parameters in json.loads(sys.argv[1]).items():
    flow = getattr(import_module(f"upcycle_news_flows.{name}"), name)
    print(name, flow(**parameters, return_state=True).is_completed())
"""
EVERY_FILE = """\
import json, runpy, sys

for name, texts in json.loads(sys.argv[1]).items():
    sys.argv = [f"flows/{name}.py", *texts]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        print(name, ended.code == 0)
"""
ISSUE = "2026-11-26"
# The flows that need parameters, and states that are fine in a publication without a relay and a list.
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "publish_issue": {"issue_date": ISSUE, "approve": True},
    "deliver_issue": {"issue": ISSUE},
    "notify": {"event": "upcycle-news.issue.late", "message": "Issue 2026-11-26 is late."},
}
ORDER = ("publish_issue", "deliver_issue")  # the second needs what the first made


@dataclass
class Installation:
    """An interpreter, the environment in which it finds the program, and a publication made with it."""

    python: str
    home: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the interpreter in the publication (or in `folder`) and return what came of it."""
        return subprocess.run(
            [self.python, "-W", "ignore", *arguments],
            cwd=folder or self.home, env=dict(self.environment), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=240, check=False,
        )  # fmt: skip

    def command(self, *arguments: str) -> str:
        """Run `upcycle-news`, which must succeed; return its output."""
        done = self.run("-c", COMMAND, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def make_publication(self) -> None:
        """Make a publication that can send into its mailbox, with an essay and one subscriber."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        done = self.run("-c", COMMAND, "init", str(self.home), folder=self.home.parent)
        assert done.returncode == 0, done.stderr
        (self.home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
        (self.home / "content/feeds.toml").write_text("", encoding="utf-8")
        (self.home / "content/essays/2026-11-26-was-bleibt.md").write_text(ESSAY, encoding="utf-8")
        self.command("subscribers", "add", "anna@example.org", "--consent", "letter of 3 May 2026")

    def flows(self) -> list[str]:
        """Return the names of all flows, those that make something for others first."""
        names = json.loads(
            self.run(
                "-c",
                "import json; from upcycle_news import open_app; print(json.dumps(open_app().flows.names()))",
            ).stdout
        )
        return sorted(
            names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)
        )


def outcome(done: subprocess.CompletedProcess[str], name: str) -> Mapping[str, str]:
    """Return the result of a run by hand; raises when the flow did not complete."""
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr[-3000:]}"
    result: Mapping[str, str] = json.loads(done.stdout.splitlines()[-1])
    return result


def check_every_flow(installation: Installation, server: PrefectServer) -> None:
    """Run each flow as a command, and as a file of the publication, each in a process of its own."""
    flows = flows_of(installation)
    for name in flows:
        by_command = installation.run("-c", COMMAND, "flow", name, *arguments(name))
        assert outcome(by_command, name)["state"], name
        as_file = installation.run(f"flows/{name}.py", *arguments(name))
        assert outcome(as_file, name)["state"], name
    check_runs(installation, server, 2 * len(flows))


def check_every_flow_in_one_process(
    installation: Installation, server: PrefectServer, *, as_files: bool
) -> None:
    """Run each flow's module, or its file of the publication, and publish_issue once more as a command.

    All in one process, since most of a run's cost is to import Prefect. A command becomes such a file.
    """
    flows = flows_of(installation)
    if as_files:
        wanted: Any = {name: arguments(name) for name in flows}
    else:
        wanted = {name: PARAMETERS.get(name, {}) for name in flows}
    program = EVERY_FILE if as_files else EVERY_MODULE
    done = installation.run("-c", program, json.dumps(wanted))
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    ended = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    assert ended == [f"{name} True" for name in flows], done.stdout + done.stderr[-3000:]
    again = installation.run("-c", COMMAND, "flow", "publish_issue", *arguments("publish_issue"))
    assert outcome(again, "publish_issue")["state"]
    check_runs(installation, server, len(flows) + 1)


def flows_of(installation: Installation) -> list[str]:
    """Return the names of the flows, which are all there."""
    flows = installation.flows()
    assert set(PARAMETERS) <= set(flows)
    assert len(flows) > 10
    return flows


def arguments(name: str) -> list[str]:
    """Return what stands behind a flow's name on the command line."""
    return [json.dumps(PARAMETERS[name])] if name in PARAMETERS else []


def check_runs(installation: Installation, server: PrefectServer, count: int) -> None:
    counted = server.request("POST", "/flow_runs/count", {})
    assert counted == count, "each run stands in the server that runs"
    assert len(mails(installation.home)) == 1, "the second run of an issue mails nobody twice"


def check_deployments(installation: Installation, server: PrefectServer, *deployed: str) -> None:
    """Run a deployment by a runner, then by a worker of the pool: both load it by its module.

    `deployed` are the arguments of `prefect deploy`: which ones the worker's pool gets.
    """
    server.ensure_running()
    assert_completed(server, server.start("tidy/nightly"))
    server.stop_runner()
    for command in (
        ["work-pool", "create", "newsletter", "--type", "process"],
        ["deploy", *deployed],
    ):
        done = installation.run("-m", "prefect", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    with server.worker():
        assert_completed(server, server.start("tidy/nightly"))


def assert_completed(server: PrefectServer, run: str) -> None:
    state = server.wait_for_state(run, "COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    assert state["type"] == "COMPLETED", state["message"]


def mails(home: Path) -> list[Path]:
    return [path for path in (home / "var/mailbox/new").iterdir() if path.is_file()]


@contextmanager
def started(
    python: str, home: Path, *, server_python: str = "", **more: str
) -> Iterator[tuple[Installation, PrefectServer]]:
    """Make a publication in `home` with the interpreter and these variables, and start a server.

    The server alone may have another interpreter.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        **more,
    }
    installation = Installation(python, home, environment)
    installation.make_publication()
    server = PrefectServer(home, more, python=python, server_python=server_python)
    installation.environment = server.environment
    server.start_server()
    try:
        yield installation, server
    finally:
        server.stop()


if __name__ == "__main__":
    with started(sys.argv[1], Path.cwd() / "every-flow") as (wheel, prefect):
        check_every_flow(wheel, prefect)
        check_deployments(wheel, prefect, "--all")
    sys.stdout.write("every flow runs: as a command, as a file, by a runner and by a worker\n")
