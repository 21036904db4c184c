"""What runs leave in Prefect's database, and what its vacuum takes away.

    .venv/bin/python bench/history.py [--runs 10]

Real runs of the deployments against a real server on SQLite, each executed in one process as the runner's child
would; the run of watch that stays is a hundred times faster, with all its looks, checks and standbys. Prints bytes a
run, those of a day (24 of the hourly ones, one of the others; one issue a week) and of 30 days, which is what is
kept: both are multiplied, not measured, and too much, since events go after 7 days. Then all is made 31 days older,
and the server's own vacuum runs.
Exit code 1 when it leaves a run.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.prefect_server import PrefectServer
from tests.publications import Publication, create_publication
from tests.waiting import wait_until

# Runs a day.
DEPLOYMENTS = {
    "watch/around-the-clock": 24.0,
    "collect-feeds/hourly": 24.0,
    "collect-essays/every-hour": 24.0,
    "collect-bounces/bounces": 24.0,
    "tidy/nightly": 1.0,
    "backup/every-night": 1.0,
    "build-archive/archive": 1.0,
    "checkup/daily": 1.0,
    "publish-issue/thursday": 1 / 7,
}
KEPT_DAYS = 30
FASTER = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--execute", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.execute:
        execute(options.execute[0], int(options.execute[1]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = create_publication(Path(folder) / "umbaupost")
        publication = Publication(home, lambda: None)  # type: ignore[arg-type, return-value]
        publication.write_essay()
        publication.run(
            "subscribers", "add", "anna@example.org", "--consent", "letter of 3 May 2026"
        )
        server = PrefectServer(home, {"UPCYCLE_NEWS_DOCTOR__RESOLVER": "127.0.0.1"})
        server.start_server()
        try:
            return measure(server, options.runs)
        finally:
            server.stop()


def measure(server: PrefectServer, runs: int) -> int:
    """Run everything, print the table, and let the vacuum work."""
    database = server.prefect_home / "prefect.db"
    spawn(server, "apply", 0)
    empty, day = settled(database), 0.0
    print(
        f"| run | runs | bytes a run | runs a day |\n|---|--:|--:|--:|\n| (none) | 0 | {empty:,} | |"
    )
    for name, often in DEPLOYMENTS.items():
        count = 1 if often < 1 else 2 if name.startswith("watch") else runs
        before = settled(database)
        spawn(server, name, count)
        each = (settled(database) - before) / count
        day += each * often
        print(f"| {name} | {count} | {each:,.0f} | {often:.3g} |", flush=True)
    print(
        f"a day {day:,.0f} bytes, {KEPT_DAYS} days {(empty + KEPT_DAYS * day) / 1e6:.1f} MB (multiplied)"
    )
    full, ended = used(database), ended_runs(database)
    server.stop()
    make_older(database, timedelta(days=KEPT_DAYS + 1))
    server.server_variables = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "2",
    }
    server.start_server()
    wait_until(lambda: ended_runs(database) == 0, "runs are left", seconds=300)
    left = settled(database)
    print(
        f"vacuum: {ended} runs and {full:,} bytes, then {ended_runs(database)} runs and {left:,} bytes"
    )
    return int(left > full)


def spawn(server: PrefectServer, name: str, count: int) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--execute", name, str(count)],
        cwd=server.home, env={**server.environment, "PYTHONPATH": sys.path[0], "PREFECT_LOGGING_LEVEL": "INFO"},
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def execute(name: str, count: int) -> None:
    """In the publication, with the server's address: make the deployments, or run one `count` times."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.flows import load_flow_from_entrypoint
    from prefect.states import Pending
    from upcycle_news_flows.serve import deployments

    from upcycle_news.services.runs import watching

    if name == "apply":
        for one in deployments(Path("prefect.yaml")):
            one.apply()
        return
    watching.LOOK, watching.CHECK = watching.LOOK / FASTER, watching.CHECK / FASTER
    watching.STANDBY, watching.SLOT = watching.STANDBY / FASTER, watching.SLOT / FASTER
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(name)
        flow = load_flow_from_entrypoint(str(found.entrypoint))
        more = {"stay_minutes": 65 / FASTER} if name.startswith("watch") else {}
        more |= {"approve": True} if name.startswith("publish") else {}
        for _ in range(count):
            run = client.create_flow_run_from_deployment(found.id, parameters=more)
            client.set_flow_run_state(run.id, Pending())
            run_flow(
                flow, flow_run=client.read_flow_run(run.id), parameters=more, return_type="state"
            )


def settled(database: Path) -> int:
    """Return the bytes that are in use once the server has written down what it was told."""
    sizes: list[int] = []

    def is_settled() -> bool:
        sizes.append(used(database))
        return len(sizes) > 4 and len(set(sizes[-4:])) == 1

    wait_until(is_settled, "the database goes on growing", seconds=120, interval=1.0)
    return sizes[-1]


def used(database: Path) -> int:
    return int(
        _ask(
            database,
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
    )


def ended_runs(database: Path) -> int:
    return int(_ask(database, "SELECT count(*) FROM flow_run WHERE end_time IS NOT NULL"))


def _ask(database: Path, query: str) -> int:
    with sqlite3.connect(database, timeout=60) as connection:
        return int(connection.execute(query).fetchone()[0])


def make_older(database: Path, age: timedelta) -> None:
    """Move what has happened into the past."""
    columns = {
        "flow_run": "end_time",
        "task_run": "end_time",
        "log": "timestamp",
        "events": "occurred",
        "event_resources": "occurred",
    }
    with sqlite3.connect(database, timeout=60) as connection:
        for table, column in columns.items():
            connection.execute(
                f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, ?)"
                f" WHERE {column} IS NOT NULL",
                (f"-{age.days} days",),
            )


if __name__ == "__main__":
    sys.exit(main())
