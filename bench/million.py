"""A million readers: import, export, count, find a group, queue an issue, lease; CPU seconds and peak memory.

    .venv/bin/python bench/million.py [--rows 1000000] [--stores sqlite,postgres]

Each step runs in a process of its own, which tells its user and system time and its peak memory. Beside it,
in the same run: `csv.reader` and `executemany` put the same rows into a bare table of SQLite. Postgres is
Debian's, on the same machine; its own processes are not counted. Ends with 1 when an aim is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.postgres_server import DebianPostgres
from tests.publications import Publication, approve_issue, create_publication

from upcycle_news.api import open_app
from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.storage import audience, metrics
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers, group_members

DAY = "2026-11-26"
NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
LEASE, LEASES = 100, 20
# CPU seconds of a million rows and, of a lease, milliseconds; megabytes.
AIMS = {"import": 60.0, "export": 20.0, "count": 1.0, "queue": 5.5, "lease": 2.0}
MOST_MEGABYTES = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stores", default="sqlite")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(measured(STEPS[options.step], options.home)))
        return 0
    missed = False
    for kind in options.stores.split(","):
        with tempfile.TemporaryDirectory() as folder, store(kind, Path(folder)) as url:
            os.environ["UPCYCLE_NEWS_STORE"] = url
            home = create_publication(Path(folder) / "publication")
            write_list(home / "list.csv", options.rows)
            missed |= report(kind, options.rows, home)
    return int(missed)


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/million.db"
    else:
        with DebianPostgres() as postgres:
            yield postgres.database("store").replace("postgresql://", "postgresql+psycopg://")


def write_list(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("email", "name", "language", "topics"))
        for number in range(rows):
            writer.writerow(
                (f"reader{number}@example{number % 50}.org", f"Leserin {number}", "de", "Bestand")
            )


def report(kind: str, rows: int, home: Path) -> bool:
    """Run all steps and print their figures; returns whether an aim was missed."""
    print(
        f"\n| {kind}, {rows:,} readers | CPU s | seconds | peak MB | aim |\n|---|--:|--:|--:|---|"
    )
    missed = False
    for name in STEPS:
        result = run(name, home)
        aim = AIMS.get(name, 0.0) * (1 if name == "lease" else rows / 1_000_000)
        unit = "ms" if name == "lease" else "s"
        cpu = result["cpu"] * 1000 / LEASES if name == "lease" else result["cpu"]
        is_missed = bool(aim) and (cpu > aim or result["memory"] > MOST_MEGABYTES)
        missed |= is_missed
        told = f"{aim:.1f} {unit}, {MOST_MEGABYTES} MB" + (": missed" if is_missed else "")
        print(
            f"| {name} | {cpu:.2f} {unit} | {result['seconds']:.2f} | {result['memory']:.0f}"
            f" | {told if aim else ''} |",
            flush=True,
        )
    return missed


def run(step: str, home: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", step, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measured(step: Callable[[Path], Callable[[], object]], home: Path) -> dict[str, float]:
    """Prepare a step, then take it; returns its own CPU seconds and seconds, and the process's peak in MB."""
    work = step(home)
    before, began = cpu_seconds(), time.monotonic()
    work()
    return {
        "cpu": cpu_seconds() - before,
        "seconds": time.monotonic() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def reference(home: Path) -> Callable[[], object]:
    def work() -> None:
        connection = sqlite3.connect(home / "reference.db")
        connection.execute(
            "CREATE TABLE readers (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT,"
            " language TEXT, topics TEXT)"
        )
        with (home / "list.csv").open(encoding="utf-8", newline="") as file, connection:
            rows = csv.reader(file)
            next(rows)
            connection.executemany(
                "INSERT INTO readers (email, name, language, topics) VALUES (?, ?, ?, ?)", rows
            )
        connection.close()

    return work


def import_list(home: Path) -> Callable[[], object]:
    app = open_app(home)
    return lambda: app.subscribers.import_csv(home / "list.csv", consent="Liste, 2026")


def export(home: Path) -> Callable[[], object]:
    app = open_app(home)
    return lambda: app.subscribers.export_csv(home / "export.csv")


def count(home: Path) -> Callable[[], object]:
    context = opened(home)
    return lambda: audience.count_audience(context.store, ())


def count_for_metrics(home: Path) -> Callable[[], object]:
    context = opened(home)
    return lambda: metrics.subscriber_counts(context.store)


def find_group(home: Path) -> Callable[[], object]:
    context = opened(home)
    editor = NewSubscriber(EmailAddress("redaktion@example.org"), groups=("redaktion",))
    add_subscribers(context.store, [editor], source="x", now=NOW, dry_run=False)

    def work() -> None:
        assert len(group_members(context.store, "redaktion")) == 1

    return work


def queue(home: Path) -> Callable[[], object]:
    publication = Publication(home, lambda: NOW)
    publication.write_essay()
    context = publication.context()
    _, rendered = approve_issue(context, DAY)
    return lambda: send.enqueue(context, rendered)


def lease(home: Path) -> Callable[[], object]:
    context = opened(home)
    ledger = Ledger(context.store, IssueId.parse(DAY), worker_identity.register(context))
    ledger.lease(LEASE, NOW)  # statements are compiled
    return lambda: [ledger.lease(LEASE, NOW) for _ in range(LEASES)]


def opened(home: Path) -> AppContext:
    context = AppContext(load_settings(home), clock=lambda: NOW)
    assert context.store
    return context


STEPS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "csv.reader and executemany": reference,
    "import": import_list,
    "export": export,
    "count": count,
    "count for the metrics": count_for_metrics,
    "find the editors' group": find_group,
    "queue": queue,
    "lease": lease,
}


if __name__ == "__main__":
    sys.exit(main())
