"""Prefect's overhead: a whole run of publish-issue beside the same steps without Prefect.

    .venv/bin/python bench/overhead.py [--readers 10000] [--rounds 7]

Server, runner and relay on loopback, in a temporary folder; what was started is stopped by its process
id. Ends with 1 when Prefect's share of the time is 2 % or more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.prefect_server import PrefectServer
from tests.publications import Publication, create_publication, relay_variables
from tests.services.delivery.sink_relay import Sink

AIM = 0.02
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
# The steps of flows/publish_issue.py, called one after another without Prefect.
STEPS = """
import json, sys, time
from datetime import UTC, datetime
from upcycle_news import open_app
from upcycle_news.api.runs import EssayFilter

seconds = {}

def step(name, *functions):
    began = time.monotonic()
    with open_app() as app:
        for function in functions:
            result = function(app.runs)
    seconds[name] = time.monotonic() - began
    return result

run, at = sys.argv[1], datetime.now(UTC)
issue = step("admit_run", lambda runs: runs.admit(
    "next", planned_at=at, run=run, max_lateness_hours=12.0)).issue
collected = step("collect", lambda runs: runs.collect())
revision_id = step("compose", lambda runs: runs.compose(issue, EssayFilter(), run=run)).revision_id
step("render", lambda runs: runs.render(issue, revision_id))
step("request_approval", lambda runs: runs.ask(issue, revision_id, run=run, approve=True))
step("enqueue", lambda runs: runs.enqueue(issue, revision_id, run=run, approve=True))
step("deliver", lambda runs: runs.deliver(issue))
step("report", lambda runs: runs.report(issue, collected), lambda runs: runs.archive_link(issue),
     lambda runs: runs.alert_events())
print(json.dumps(seconds))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        publication = Publication(
            create_publication(Path(folder) / "umbaupost"), lambda: datetime.now(UTC)
        )
        os.chdir(publication.home)
        environment = {f"UPCYCLE_NEWS_{k}": v for k, v in relay_variables(sink.port).items()}
        publication.add_many_subscribers(arguments.readers)
        with PrefectServer(publication.home, environment) as server:
            rounds = [
                measure_round(publication, server, number) for number in range(arguments.rounds)
            ]
    return judge(rounds)


def measure_round(
    publication: Publication, server: PrefectServer, number: int
) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the seconds of each step without Prefect, of each task of a run, and of the run.

    A run's time begins when its flow begins (the start of its process, the import of Prefect and the
    polling of the runner come before) and ends with its last state.
    """
    publication.write_essay(f"Als Schritte {number}")
    process = subprocess.run(
        [sys.executable, "-c", STEPS, f"bare {number}"],
        cwd=publication.home, env=server.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    bare: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    publication.write_essay(f"Als Lauf {number}")
    run = server.start("publish-issue/thursday", approve=True)
    state = server.wait_for_state(run, *ENDED, seconds=600)
    whole: float = server.request("GET", f"/flow_runs/{run}")["total_run_time"]
    task_runs = server.request("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    tasks = {row["name"].rpartition("-")[0]: row["total_run_time"] for row in task_runs}
    if set(tasks) != set(bare):
        raise SystemExit(f"the run had {sorted(tasks)}, the bare steps {sorted(bare)}")
    print(
        f"round {number}: bare {sum(bare.values()):.2f} s, run {whole:.2f} s, "
        f"between its tasks {whole - sum(tasks.values()):.2f} s; {state['message']}",
        flush=True,
    )
    return bare, tasks, whole


def judge(rounds: list[tuple[dict[str, float], dict[str, float], float]]) -> int:
    """Print the medians; return 0 if Prefect's share is below the aim.

    Its share is the time between the tasks and what the tasks but `deliver` take longer than their
    bare steps (artifacts, events, a colder process). `deliver` is listed only: its two times differ by
    the noise of two sends, which is larger than all the rest.
    """
    print(f"{'step':<14}{'bare, ms':>10}{'task, ms':>10}")
    more = 0.0
    for name in rounds[0][0]:
        bare, task = (median(each[kind][name] for each in rounds) for kind in (0, 1))
        more += task - bare if name != "deliver" else 0
        print(f"{name:<14}{bare * 1000:>10.0f}{task * 1000:>10.0f}")
    whole = median(each[2] for each in rounds)
    between = median(each[2] - sum(each[1].values()) for each in rounds)
    work = median(sum(each[0].values()) for each in rounds)
    print(f"a run {whole:.2f} s, the bare steps {work:.2f} s: {(whole - work) / whole:+.1%}")
    print(f"between the tasks {between:.3f} s = {between / whole:.1%} of a run")
    share = (between + more) / whole
    print(f"with what the tasks but deliver take longer {between + more:.3f} s = {share:.1%}")
    return 1 if share >= AIM else 0


if __name__ == "__main__":
    sys.exit(main())
