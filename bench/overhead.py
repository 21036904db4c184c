"""What Prefect costs a send: a whole publish flow beside the same steps without Prefect.

    .venv/bin/python bench/overhead.py [--readers 10000] [--turns 7]

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
from upcycle_news.app.context import Newsroom
from upcycle_news.services import publishing, watching

took = {}

def step(name, *functions):
    begun = time.monotonic()
    with Newsroom.open() as room:
        for function in functions:
            answer = function(room)
    took[name] = time.monotonic() - begun
    return answer

run, at = sys.argv[1], datetime.now(UTC)
issue = step("begin", lambda room: publishing.begin(
    room, "next", planned_at=at, run=run, max_lateness_hours=12.0)).issue
collected = step("collect", publishing.collect)
revision = step("compose", lambda room: publishing.compose(
    room, issue, publishing.Choice(), run=run)).revision
step("render", lambda room: publishing.render(room, issue, revision))
step("approve_now", lambda room: publishing.approve(room, issue, revision))
step("ask", lambda room: publishing.ask(room, issue, revision, run=run, waits=True, refused=""))
step("enqueue", lambda room: publishing.enqueue(room, issue, revision, run=run, senders=1))
step("deliver", lambda room: publishing.deliver(room, issue))
step("report", lambda room: publishing.report(room, issue, collected),
     lambda room: publishing.archive_link(room, issue), watching.news)
print(json.dumps(took))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=7)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        publication = Publication(
            create_publication(Path(folder) / "umbaupost"), lambda: datetime.now(UTC)
        )
        os.chdir(publication.home)
        environment = {f"UPCYCLE_NEWS_{k}": v for k, v in relay_variables(sink.port).items()}
        publication.add_many_subscribers(told.readers)
        with PrefectServer(publication.home, environment) as server:
            turns = [turn(publication, server, number) for number in range(told.turns)]
    return judge(turns)


def turn(
    publication: Publication, server: PrefectServer, number: int
) -> tuple[dict[str, float], dict[str, float], float]:
    """The seconds of each bare step, of each task of a run, and of the run, one after another.

    A run's time begins when its flow begins (the start of its process, the import of Prefect and the
    polling of the runner come before) and ends with its last state.
    """
    publication.write_essay(f"Als Schritte {number}")
    done = subprocess.run(
        [sys.executable, "-c", STEPS, f"bare {number}"],
        cwd=publication.home, env=server.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    bare: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    publication.write_essay(f"Als Lauf {number}")
    run = server.start("publish-issue/thursday", approve=True)
    state = server.wait_for_state(run, *ENDED, seconds=600)
    whole: float = server.request("GET", f"/flow_runs/{run}")["total_run_time"]
    asked = server.request("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    tasks = {one["name"].rpartition("-")[0]: one["total_run_time"] for one in asked}
    if set(tasks) != set(bare):
        raise SystemExit(f"the run had {sorted(tasks)}, the bare steps {sorted(bare)}")
    print(
        f"turn {number}: bare {sum(bare.values()):.2f} s, run {whole:.2f} s, "
        f"between its tasks {whole - sum(tasks.values()):.2f} s; {state['message']}",
        flush=True,
    )
    return bare, tasks, whole


def judge(turns: list[tuple[dict[str, float], dict[str, float], float]]) -> int:
    """Print the medians and tell whether Prefect's share is below the aim.

    Its share is the time between the tasks and what the tasks but `deliver` take longer than their
    bare steps (artifacts, events, a colder process). `deliver` is told by itself: its two times differ by
    the noise of two sends, which is larger than all the rest.
    """
    print(f"{'step':<14}{'bare, ms':>10}{'task, ms':>10}")
    more = 0.0
    for name in turns[0][0]:
        bare, task = (median(each[kind][name] for each in turns) for kind in (0, 1))
        more += task - bare if name != "deliver" else 0
        print(f"{name:<14}{bare * 1000:>10.0f}{task * 1000:>10.0f}")
    whole = median(each[2] for each in turns)
    between = median(each[2] - sum(each[1].values()) for each in turns)
    work = median(sum(each[0].values()) for each in turns)
    print(f"a run {whole:.2f} s, the bare steps {work:.2f} s: {(whole - work) / whole:+.1%}")
    print(f"between the tasks {between:.3f} s = {between / whole:.1%} of a run")
    share = (between + more) / whole
    print(f"with what the tasks but deliver take longer {between + more:.3f} s = {share:.1%}")
    return 1 if share >= AIM else 0


if __name__ == "__main__":
    sys.exit(main())
