"""Several workers deliver one issue: Postgres for the store and for Prefect, a pool, N machines.

    .venv/bin/python bench/workers.py [--readers 20000] [--workers 1,2,4] [--only speed,quota,kills]

Needs Debian's PostgreSQL (apt-get install postgresql: Prefect wants its pg_trgm), smtp-sink (postfix)
and namespaces for processes (unshare). Everything is on loopback and in temporary folders. Each worker
stands for a machine: it has process ids of its own, and is killed with all it started.

speed   messages a second into smtp-sink: one process without Prefect, then N workers
quota   a rate and a daily quota that bite, count_deliveries in the store and at the relay
kills   in the middle of an issue the machine of a helper dies, then that of the run that published

Exits with 1 when an expectation fails. All share this machine's cores: sink, Postgres, server, workers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.delivery_counts import (
    StoreQueries,
    configure_relay,
    count_deliveries,
    max_in_span,
    wait_for_helper,
)
from tests.flows.worker_pool import WorkerPool
from tests.postgres_server import DebianPostgres
from tests.processes import smtp_sink
from tests.publications import Publication, create_publication
from tests.services.delivery.sink_relay import Sink
from tests.waiting import wait_until

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
RATE, DAY = 200, 5000
PARAGRAPH = "Der Bestand ist gebaut, bezahlt und vertraut. Größe allein löst nichts. " * 6
failed: list[str] = []


def show(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:5.0f} s  {text}", flush=True)


def expect(what: str, passed: bool, detail: str) -> None:
    show(f"{'ok    ' if passed else 'FAILED'}  {what}: {detail}")
    if not passed:
        failed.append(what)


BEGAN = time.monotonic()


@dataclass
class Trial:
    """State that the scenarios share."""

    publication: Publication
    pool: WorkerPool
    sink: Sink
    queries: StoreQueries
    readers: set[str]

    def essay(self, title: str) -> None:
        """An essay that makes a message of about 60 kB."""
        self.publication.write_essay(title, text="\n\n".join([PARAGRAPH] * 55) + "\n")

    def clear(self) -> None:
        self.sink.accepted.clear()
        self.sink.times.clear()

    def publish(self, senders: int) -> str:
        return self.pool.start("publish-issue/thursday", approve=True, senders=senders)

    def ended(self, run: str, seconds: float = 900) -> Any:
        return self.pool.wait_for_state(run, *ENDED, seconds=seconds)

    def pending(self) -> Any:
        return self.ended(self.pool.start("deliver-pending/when-due"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--only", default="speed,quota,kills")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(Sink())
        postgres = stack.enter_context(DebianPostgres("max_connections=300"))
        store = postgres.database("store")
        os.environ["UPCYCLE_NEWS_STORE"] = store.replace("postgresql://", "postgresql+psycopg://")
        publication = Publication(create_publication(folder / "p"), lambda: datetime.now(UTC))
        stack.enter_context(publication)
        os.chdir(publication.home)
        readers = set(publication.add_many_subscribers(arguments.readers))
        pool = stack.enter_context(WorkerPool(publication.home, {}, postgres.database("prefect")))
        queries = stack.enter_context(StoreQueries(store))
        show(
            f"{arguments.readers} readers, {os.cpu_count()} cores; Postgres, Prefect's server and pool are up"
        )
        trial = Trial(publication, pool, sink, queries, readers)
        scenarios: dict[str, Callable[[], None]] = {
            "speed": lambda: speed(trial, [int(count) for count in arguments.workers.split(",")]),
            "quota": lambda: quota(trial),
            "kills": lambda: kills(trial),
        }
        for name in arguments.only.split(","):
            scenarios[name]()
        dump = postgres.dump("prefect")
        size = f"{len(dump) / 1e6:.1f} MB searched"
        expect("no address in Prefect's database", b"@example.org" not in dump, size)
    return 1 if failed else 0


def speed(trial: Trial, counts: list[int]) -> None:
    with smtp_sink() as port:
        configure_relay(trial.publication, port)
        trial.essay("Von Hand")
        hand = trial.publication.start("issue", "send", "--yes", "--json", "--no-collect")
        hand.communicate(timeout=900)
        alone, _ = rates(trial.queries)
        show(f"one process without Prefect: {alone:.0f}/s")
        for count in counts:
            trial.pool.ensure_machines(count)
            trial.essay(f"Mit {count}")
            state, memory = watched(trial, trial.publish(count))
            whole, together = rates(trial.queries)
            show(
                f"{count} workers: {whole:.0f}/s from the first to the last reply "
                f"({whole / alone:.2f} of one process), {together:.0f}/s while all were at it – "
                f"{state['message']}; " + ", ".join(f"{k} {v:.0f} MB" for k, v in memory.items())
            )


def rates(queries: StoreQueries) -> tuple[float, float]:
    """Messages a second of the newest issue: over all of it, and while every sender was at work."""
    shares = queries.sent_by_worker()
    begun, over = min(first for _, first, _ in shares), max(last for _, _, last in shares)
    inner_from, inner_to = max(s[1] for s in shares), min(s[2] for s in shares)
    whole = sum(count for count, _, _ in shares) / (over - begun)
    if inner_to - inner_from < 1:
        return whole, float("nan")
    together = queries.sent_between(inner_from, inner_to) / (inner_to - inner_from)
    return whole, together


def quota(trial: Trial) -> None:
    trial.pool.ensure_machines(3)
    day = min(DAY, len(trial.readers) // 2)  # so that it bites
    configure_relay(trial.publication, trial.sink.port, f"{RATE}/s", f"{day}/d")
    trial.essay("Mit Quote")
    trial.clear()
    begun = trial.sink.count
    run = trial.publish(3)
    state = trial.ended(run)
    after = trial.pending()  # finds the day's quota full
    status = trial.publication.run("issue", "status", "--json").json
    marks, seen = trial.queries.quota_marks(), trial.sink.count - begun
    senders = len(trial.queries.sent_by_worker())
    expect(
        f"{day} a day, {senders} senders on three machines, and not one more",
        status["sent"] == seen == len(marks) == day,
        f"{seen} at the relay, {status['sent']} in the store – {state['message']}; then {after['message']}",
    )
    most = max_in_span(1, marks)
    expect(
        f"{RATE} a second, in any second",
        most <= RATE,
        f"at most {most} marked, {max_in_span(1, trial.sink.times)} reached the relay "
        f"(the way there differs from message to message); {day / (marks[-1] - marks[0]):.0f}/s over all; "
        f"{trial.sink.bytes / trial.sink.count / 1000:.0f} kB a message",
    )
    trial.publication.run("issue", "cancel", status["issue"], "--yes")


def kills(trial: Trial) -> None:
    configure_relay(trial.publication, trial.sink.port)
    for whom in ("a helper", "the run that published"):
        trial.pool.ensure_machines(2)
        trial.essay(f"Ohne {whom}")
        trial.clear()
        begun = trial.sink.count
        before = trial.queries.newest_issue()
        run = trial.publish(2)
        helper = wait_for_helper(trial.pool, trial.queries, run, before)
        victim = trial.pool.machine_of(helper if whom == "a helper" else run)
        assert victim is not None
        trial.sink.wait_for(begun + len(trial.readers) // 3, 300)
        victim.kill()
        killed_at = trial.sink.count - begun
        wait_until(
            lambda victim=victim: trial.queries.pending(victim)[1] == 0,
            "others still deliver",
            seconds=300,
        )
        leased, _ = trial.queries.pending(victim)
        trial.queries.expire_heartbeats(victim)
        state = trial.ended(helper if whom != "a helper" else run)
        pending = trial.pending()
        counts = count_deliveries(trial.publication, trial.sink, trial.readers)
        expect(
            f"the machine of {whom} died after {killed_at} of {len(trial.readers)}",
            counts.lost == counts.doubled == 0 and counts.status["closed"],
            f"{counts}; {leased} waited until it had been silent for ten minutes (the heartbeat was aged); "
            f"the survivor: {state['name']}, {state['message']}; deliver-pending: {pending['name']}",
        )


def watched(trial: Trial, run: str) -> tuple[Any, dict[str, float]]:
    """Return the final state of a run, and the peak memory (PSS in MB) of server and machines."""
    most: dict[str, float] = {}
    while (state := trial.pool.state(run))["type"] not in ENDED:
        taken = {"Prefect's server": sum(map(pss, trial.pool.server_pids()))}
        taken["a machine"] = max(sum(map(pss, machine.pids)) for machine in trial.pool.machines)
        most = {name: max(taken[name], most.get(name, 0)) for name in taken}
        time.sleep(2)
    return state, most


def pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main())
