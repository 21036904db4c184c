"""A capacity model, fed with what is measured here and checked against real runs.

    .venv/bin/python bench/scale.py [--sizes 10000,20000,100000] [--stores sqlite,postgres]

Needs smtp-sink (postfix) and, for Postgres, Debian's PostgreSQL. For each store and size: everybody is
added, one issue is queued and really sent into smtp-sink by `upcycle-news issue resume`, a second
one is leased, marked and recorded by 1, 2 and 4 processes without any relay. The model is taken from the
two smallest sizes and compared with what the others came to. Then the arithmetic for larger lists,
with the smallest and the largest.
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

from tests.flows.delivery_counts import relay
from tests.postgres_server import DebianPostgres
from tests.processes import peak_memory, smtp_sink
from tests.publications import (
    Publication,
    add,
    lay_out,
    prepared,
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
from upcycle_news.storage.ledger import Ledger

LEASE, TURN = 100, 8  # deliveries a lease; connections of one process, which share a commit
CLAIMERS = (1, 2, 4)
LARGE = (100_000, 1_000_000, 10_000_000)
QUOTAS = (14, 100, 1000)
ISSUES_A_YEAR = 52
PARAGRAPH = "Der Bestand ist gebaut, bezahlt und vertraut. Größe allein löst nichts. " * 6


@dataclass
class Measured:
    """One store with so many readers. Bytes in all, seconds, deliveries a second, MB."""

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
    told = parser.parse_args()
    sizes = sorted({int(one) for one in told.sizes.split(",")})
    if len(sizes) < 2:
        parser.error("a model takes two sizes")
    for kind in told.stores.split(","):
        found = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder, store(kind, Path(folder)) as url:
                found.append(measure(Path(folder) / "p", url, size))
            print(f"{kind} {found[-1]}", flush=True)
        report(kind, found)
    return 0


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/scale.db"
    else:
        with DebianPostgres("max_connections=200") as postgres:
            yield postgres.database("store").replace("postgresql://", "postgresql+psycopg://")


def measure(home: Path, url: str, size: int) -> Measured:
    """Add people, send an issue, run the ledger of another."""
    os.environ["UPCYCLE_NEWS_STORE"] = url
    os.environ["UPCYCLE_NEWS_HOME"] = str(home)
    publication = Publication(lay_out(home), lambda: datetime.now(UTC))
    found = Measured(size)
    with publication, smtp_sink() as port:
        relay(publication, port)
        context = publication.context()
        empty = used(context)
        add(context, *(f"reader{number}@example.org" for number in range(size)))
        found.people = (before := used(context)) - empty
        issue, revision_id = ready(publication, context, "Wirklich gesendet", "2026-11-26")
        begun = time.monotonic()
        send_service.enqueue(context, issue, revision_id)
        found.queue = time.monotonic() - begun
        found.send, found.memory = sent(issue, size)
        found.first = (after := used(context)) - before
        issue, revision_id = ready(publication, context, "Nur das Hauptbuch", "2026-12-03")
        send_service.enqueue(context, issue, revision_id)
        for number in CLAIMERS:
            found.claims[number] = claimed(home, issue, number, size // len(CLAIMERS))
        found.second = used(context) - after
    return found


def ready(
    publication: Publication, context: AppContext, title: str, day: str
) -> tuple[IssueId, str]:
    publication.essay(title, text="\n\n".join([PARAGRAPH] * 55) + "\n")
    return prepared(context, day)


def used(context: AppContext) -> int:
    """The bytes of the store, without what is free inside of SQLite's file."""
    postgres = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    sqlite = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    query = postgres if context.store.dialect == "postgresql" else sqlite
    with context.store.reading() as connection:
        return int(connection.scalar(text(query)) or 0)


def sent(issue: IssueId, size: int) -> tuple[float, float]:
    """Seconds of the whole command, and the most MB it held."""
    program = str(Path(sys.executable).parent / "upcycle-news")
    begun = time.monotonic()
    command = [sys.executable, program, "issue", "resume", str(issue), "--json"]
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, text=True)
        memory = peak_memory(process)
        seconds = time.monotonic() - begun
        told.seek(0)
        text_ = told.read()
    if process.returncode or json.loads(text_.splitlines()[-1])["sent"] != size:
        raise SystemExit(text_)
    return seconds, memory


def claimed(home: Path, issue: IssueId, claimers: int, count: int) -> float:
    """Deliveries leased, marked and recorded a second by so many processes, nothing being sent."""
    spawning = multiprocessing.get_context("spawn")
    together = spawning.Barrier(claimers)
    spans: Any = spawning.Queue()
    crew = [
        spawning.Process(target=claim, args=(home, str(issue), count // claimers, together, spans))
        for _ in range(claimers)
    ]
    for one in crew:
        one.start()
    told = [spans.get(timeout=900) for _ in crew]
    for one in crew:
        one.join()
    seconds = max(last for _, _, last in told) - min(first for _, first, _ in told)
    return float(sum(done for done, _, _ in told) / seconds)


def claim(home: Path, issue: str, count: int, together: Any, spans: Any) -> None:
    """What one claimer does: the ledger's work, in the steps of a process that sends."""
    with AppContext(load_settings(home)) as context:
        ledger = Ledger(context.store, IssueId.parse(issue), worker_identity.register(context))
        records: list[tuple[LeasedDelivery, Verdict]] = []
        done, leased = 0, ledger.lease(LEASE, context.clock())
        together.wait(120)
        begun = time.time()
        while leased and done < count:
            marks, leased = leased[:TURN], leased[TURN:]
            ledger.commit(records, marks, context.clock())
            records = [(one, Verdict(DeliveryState.SENT, code=250)) for one in marks]
            done += len(marks)
            leased = leased or ledger.lease(LEASE, context.clock())
        ledger.commit(records, [], context.clock())
        ledger.release_leases(leased)
        spans.put((done, begun, time.time()))


@dataclass(frozen=True)
class Line:
    """A fixed part and one for each reader."""

    fixed: float
    each: float

    @classmethod
    def through(cls, one: tuple[int, float], two: tuple[int, float]) -> Line:
        each = (two[1] - one[1]) / (two[0] - one[0])
        return cls(one[1] - each * one[0], each)

    def at(self, count: int) -> float:
        return self.fixed + self.each * count


def report(kind: str, found: list[Measured]) -> None:
    """The model from the two smallest sizes, its error at the others, and larger lists."""
    figures = {
        "people, MB": [(one.readers, one.people / 1e6) for one in found],
        "an issue sent, MB": [(one.readers, one.first / 1e6) for one in found],
        "the next issue, MB": [(one.readers, one.second / 1e6) for one in found],
        "queueing, s": [(one.readers, one.queue) for one in found],
        "sending, s": [(one.readers, one.send) for one in found],
    }
    lines = {name: Line.through(told[0], told[1]) for name, told in figures.items()}
    print(f"\n{kind}: | what | readers | predicted | measured | error |")
    for name, told in figures.items():
        for count, value in told[2:]:
            guess = lines[name].at(count)
            print(f"| {name} | {count:,} | {guess:.1f} | {value:.1f} | {guess / value - 1:+.0%} |")
    for one in found:
        speeds = ", ".join(f"{number}: {speed:,.0f}" for number, speed in one.claims.items())
        print(
            f"{one.readers:,} readers: claims a second by so many processes {speeds}; peak {one.memory:.0f} MB"
        )
    # For larger lists all that was measured counts: the line through the smallest and the largest.
    lines = {name: Line.through(told[0], told[-1]) for name, told in figures.items()}
    most = max(found[-1].claims.values())
    person, issue = lines["people, MB"].each * 1e6, lines["the next issue, MB"].each * 1e6
    print(
        f"\n{person:.0f} bytes a reader, {issue:.0f} bytes a reader and issue; the ledger's ceiling {most:,.0f}/s\n"
    )
    print(
        "| readers | queue | "
        + " | ".join(f"{one}/s" for one in QUOTAS)
        + " | no quota, one command | people | a year |"
    )
    print("|--:|--:|" + "--:|" * len(QUOTAS) + "--:|--:|--:|")
    for count in LARGE:
        times = [count / min(quota, most) for quota in QUOTAS]
        print(
            f"| {count:,} | {spoken(lines['queueing, s'].at(count))} | "
            + " | ".join(spoken(max(one, lines["sending, s"].at(count))) for one in times)
            + f" | {spoken(lines['sending, s'].at(count))} | {count * person / 1e9:.2f} GB | "
            f"{count * issue * ISSUES_A_YEAR / 1e9:.1f} GB |"
        )


def spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    told = timedelta(seconds=seconds)
    return f"{told.total_seconds() / 3600:.0f} h" if told.days < 3 else f"{told.days} d"


if __name__ == "__main__":
    sys.exit(main())
