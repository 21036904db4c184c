"""A capacity model, fitted to measurements and checked against real runs.

    .venv/bin/python bench/scale.py [--sizes 10000,20000,100000] [--stores sqlite,postgres]

Needs smtp-sink (postfix) and, for Postgres, Debian's PostgreSQL. For each store and size: subscribers are
added, one issue is queued and really sent into smtp-sink by `upcycle-news issue resume`, a second
one is leased, marked and recorded by 1, 2 and 4 processes without any relay. The model is fitted to the
two smallest sizes and compared with the others. Then it is extrapolated to larger lists, from the
smallest and the largest.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.delivery_counts import configure_relay
from tests.postgres_server import DebianPostgres
from tests.processes import peak_memory, smtp_sink
from tests.publications import (
    Publication,
    add_confirmed_subscribers,
    approve_issue,
    create_publication,
)

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import (
    DeliveryState,
    IssueId,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.services.delivery import send as send_service
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.issues.render import RenderedRevision
from upcycle_news.storage.ledger import Ledger

LEASE, BATCH = 100, 8  # deliveries a lease; connections of one process, which share a commit
CLAIMERS = (1, 2, 4)
LARGE = (100_000, 1_000_000, 10_000_000)
QUOTAS = (14, 100, 1000)
ISSUES_A_YEAR = 52
PARAGRAPH = "Der Bestand ist gebaut, bezahlt und vertraut. Größe allein löst nichts. " * 6


@dataclass
class Measurement:
    """The figures of one store and size: bytes, seconds, MB, and deliveries a second by process count."""

    readers: int
    people: int = 0
    first: int = 0
    second: int = 0
    queue: float = 0.0
    send: float = 0.0
    memory: float = 0.0
    claims: dict[int, float] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10000,20000,100000")
    parser.add_argument("--stores", default="sqlite,postgres")
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.sizes.split(",")})
    if len(sizes) < 2:
        parser.error("a model takes two sizes")
    for kind in options.stores.split(","):
        measurements = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder, store(kind, Path(folder)) as url:
                measurements.append(measure(Path(folder) / "p", url, size))
            print(f"{kind} {measurements[-1]}", flush=True)
        report(kind, measurements)
    return 0


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/scale.db"
    else:
        with DebianPostgres("max_connections=200") as postgres:
            yield postgres.database("store").replace("postgresql://", "postgresql+psycopg://")


def measure(home: Path, url: str, size: int) -> Measurement:
    """Add subscribers, send an issue, and run only the ledger of another one."""
    os.environ["UPCYCLE_NEWS_STORE"] = url
    os.environ["UPCYCLE_NEWS_HOME"] = str(home)
    publication = Publication(create_publication(home), lambda: datetime.now(UTC))
    measurement = Measurement(size)
    with publication, smtp_sink() as port:
        configure_relay(publication, port)
        context = publication.context()
        empty = used(context)
        add_confirmed_subscribers(
            context, *(f"reader{number}@example.org" for number in range(size))
        )
        measurement.people = (before := used(context)) - empty
        issue, rendered = ready(publication, context, "Wirklich gesendet", "2026-11-19")
        begun = time.monotonic()
        send_service.enqueue(context, rendered)
        measurement.queue = time.monotonic() - begun
        measurement.send, measurement.memory = sent(issue, size)
        measurement.first = (after := used(context)) - before
        issue, rendered = ready(publication, context, "Nur das Hauptbuch", "2026-11-26")
        send_service.enqueue(context, rendered)
        for number in CLAIMERS:
            measurement.claims[number] = claimed(home, issue, number, size // len(CLAIMERS))
        measurement.second = used(context) - after
    return measurement


def ready(
    publication: Publication, context: AppContext, title: str, day: str
) -> tuple[IssueId, RenderedRevision]:
    publication.write_essay(title, text="\n\n".join([PARAGRAPH] * 55) + "\n")
    return approve_issue(context, day)


def used(context: AppContext) -> int:
    """Return the bytes of the store, without free pages of SQLite."""
    postgres = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    sqlite = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    query = postgres if context.store.dialect == "postgresql" else sqlite
    with context.store.reading() as connection:
        return int(connection.scalar(text(query)) or 0)


def sent(issue: IssueId, size: int) -> tuple[float, float]:
    """Send with `issue resume`; returns the seconds of the command and its peak memory in MB."""
    program = str(Path(sys.executable).parent / "upcycle-news")
    begun = time.monotonic()
    command = [sys.executable, program, "issue", "resume", str(issue), "--json"]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        memory = peak_memory(process)
        seconds = time.monotonic() - begun
        output.seek(0)
        text_ = output.read()
    if process.returncode or json.loads(text_.splitlines()[-1])["sent"] != size:
        raise SystemExit(text_)
    return seconds, memory


def claimed(home: Path, issue: IssueId, claimers: int, count: int) -> float:
    """Return the deliveries leased, claimed and committed a second by `claimers` processes."""
    spawning = multiprocessing.get_context("spawn")
    together = spawning.Barrier(claimers)
    spans: Any = spawning.Queue()
    processes = [
        spawning.Process(target=claim, args=(home, str(issue), count // claimers, together, spans))
        for _ in range(claimers)
    ]
    for process in processes:
        process.start()
    results = [spans.get(timeout=900) for _ in processes]
    for process in processes:
        process.join()
    seconds = max(last for _, _, last in results) - min(first for _, first, _ in results)
    return float(sum(done for done, _, _ in results) / seconds)


def claim(home: Path, issue: str, count: int, together: Any, spans: Any) -> None:
    """Do the ledger's work of one sending process: lease, claim, commit."""
    with AppContext(load_settings(home)) as context:
        ledger = Ledger(context.store, IssueId.parse(issue), worker_identity.register(context))
        records: list[tuple[LeasedDelivery, Verdict]] = []
        done, leased = 0, ledger.lease(LEASE, context.clock())
        together.wait(120)
        begun = time.time()
        while leased and done < count:
            marks, leased = leased[:BATCH], leased[BATCH:]
            ledger.commit(records, marks, context.clock())
            records = [(lease, Verdict(DeliveryState.SENT, code=250)) for lease in marks]
            done += len(marks)
            leased = leased or ledger.lease(LEASE, context.clock())
        ledger.commit(records, [], context.clock())
        ledger.release_leases(leased)
        spans.put((done, begun, time.time()))


@dataclass(frozen=True)
class LinearModel:
    """A linear model: a fixed part and one for each subscriber."""

    fixed: float
    each: float

    @classmethod
    def through(cls, first: tuple[int, float], second: tuple[int, float]) -> LinearModel:
        each = (second[1] - first[1]) / (second[0] - first[0])
        return cls(first[1] - each * first[0], each)

    def at(self, count: int) -> float:
        return self.fixed + self.each * count


def report(kind: str, measurements: list[Measurement]) -> None:
    """Print the model of the two smallest sizes, its error at the others, and larger lists."""
    figures = {
        "subscribers, MB": [(row.readers, row.people / 1e6) for row in measurements],
        "an issue sent, MB": [(row.readers, row.first / 1e6) for row in measurements],
        "the next issue, MB": [(row.readers, row.second / 1e6) for row in measurements],
        "queueing, s": [(row.readers, row.queue) for row in measurements],
        "sending, s": [(row.readers, row.send) for row in measurements],
    }
    lines = {name: LinearModel.through(points[0], points[1]) for name, points in figures.items()}
    print(f"\n{kind}: | what | readers | predicted | measured | error |")
    for name, points in figures.items():
        for count, value in points[2:]:
            predicted = lines[name].at(count)
            print(
                f"| {name} | {count:,} | {predicted:.1f} | {value:.1f} | {predicted / value - 1:+.0%} |"
            )
    for row in measurements:
        speeds = ", ".join(f"{number}: {speed:,.0f}" for number, speed in row.claims.items())
        print(
            f"{row.readers:,} readers: claims a second by so many processes {speeds}; peak {row.memory:.0f} MB"
        )
    # For larger lists all that was measured counts: the line through the smallest and the largest.
    lines = {name: LinearModel.through(points[0], points[-1]) for name, points in figures.items()}
    ceiling = max(measurements[-1].claims.values())
    person, issue = lines["subscribers, MB"].each * 1e6, lines["the next issue, MB"].each * 1e6
    print(
        f"\n{person:.0f} bytes a reader, {issue:.0f} bytes a reader and issue; the ledger's ceiling {ceiling:,.0f}/s\n"
    )
    print(
        "| readers | queue | "
        + " | ".join(f"{quota}/s" for quota in QUOTAS)
        + " | no quota, one command | subscribers | a year |"
    )
    print("|--:|--:|" + "--:|" * len(QUOTAS) + "--:|--:|--:|")
    for count in LARGE:
        times = [count / min(quota, ceiling) for quota in QUOTAS]
        print(
            f"| {count:,} | {format_duration(lines['queueing, s'].at(count))} | "
            + " | ".join(
                format_duration(max(seconds, lines["sending, s"].at(count))) for seconds in times
            )
            + f" | {format_duration(lines['sending, s'].at(count))} | {count * person / 1e9:.2f} GB | "
            f"{count * issue * ISSUES_A_YEAR / 1e9:.1f} GB |"
        )


def format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    duration = timedelta(seconds=seconds)
    return f"{seconds / 3600:.0f} h" if duration.days < 3 else f"{duration.days} d"


if __name__ == "__main__":
    sys.exit(main())
