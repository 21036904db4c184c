"""What a delivery takes as a row and packed, on both stores, and what packing costs.

    .venv/bin/python bench/pack.py [--issues 100] [--readers 10000] [--stores sqlite,postgres]

Fills a store with closed issues: each row is queued, leased, marked and recorded by an update, as workers do
it, with a reply of its own as Postfix gives (`Ok: queued as …`), and one in a hundred is refused. Then all of them
are packed, one reader's data is read and erased. Seconds are the processor's, of this process. Then it does the arithmetic for a million readers of a weekly.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.scale import store as open_database

from upcycle_news.config.sections import DeliveriesSettings
from upcycle_news.models import EmailAddress
from upcycle_news.storage import packed_deliveries, personal_data, subscribers
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.subscribers import NewSubscriber

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
BATCH = 500  # rows of an update
A_WEEK = timedelta(days=7)
PER_YEAR = 1_000_000 * 52

QUEUE = text(
    "INSERT INTO deliveries (issue_id, subscriber_id, state, attempts, enhanced, reason, queued_at, changed_at)"
    " SELECT :issue, id, 'queued', 0, '', '', :at, :at FROM subscribers ORDER BY id"
)
LEASE = "UPDATE deliveries SET worker_id = :worker WHERE id > :first AND id <= :last"
MARK = "UPDATE deliveries SET state = 'sending', attempts = 1, changed_at = :at WHERE id = :row"
RECORD = (
    "UPDATE deliveries SET state = :state, code = :code, enhanced = :enhanced, reason = :reason,"
    " changed_at = :at WHERE id = :row"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--issues", type=int, default=100)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--stores", default="sqlite,postgres")
    options = parser.parse_args()
    print("| store | a row | packed | ratio | packed a second | a reader's data | forgetting one |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    years = []
    for kind in options.stores.split(","):
        with tempfile.TemporaryDirectory() as folder, open_database(kind, Path(folder)) as url:
            store = open_store(url)
            row, packed = measure(kind, store, options.issues, options.readers)
            years.append((kind, row, packed))
            store.close()
    days = DeliveriesSettings().pack_after_days
    weeks = -(-days // A_WEEK.days) + 1  # issues that are rows, the one of this week with them
    for kind, row, packed in years:
        after = (weeks * row + (52 - weeks) * packed) * 1_000_000
        print(
            f"{kind}: a year of a weekly with a million readers: {PER_YEAR * row / 1e9:.1f} GB as rows,"
            f" {after / 1e9:.1f} GB packed after {days} days"
        )
    return 0


def measure(kind: str, store: Store, issues: int, readers: int) -> tuple[float, float]:
    """Print the figures of one store; returns the bytes a reader and issue before and after."""
    store.erasure_key = b"k" * 32
    new = (NewSubscriber(EmailAddress(f"reader{one}@example.org")) for one in range(readers))
    subscribers.add_subscribers(store, new, source="bench", now=NOW, dry_run=False)
    empty = used(store)
    for number in range(issues):
        add_issue(store, number, NOW - (issues - number) * A_WEEK)
    full = used(store)
    due = packed_deliveries.issues_to_pack(store, closed_before=NOW)
    begun = time.process_time()
    packed = sum(packed_deliveries.pack_issue(store, issue, now=NOW) for issue in due)
    seconds = time.process_time() - begun
    store.shrink("deliveries")
    after = used(store)
    for number in (readers // 3, readers // 2):  # the first one makes the statements
        person = subscribers.find(store, EmailAddress(f"reader{number}@example.org"))
        assert person is not None
        shown = timed(partial(personal_data.personal_data_of, store, person))
        forgotten = timed(partial(personal_data.erase_subscriber, store, person.email, now=NOW))
    each = issues * readers
    row, block = (full - empty) / each, (after - empty) / each
    print(
        f"| {kind} | {row:.0f} bytes | {block:.1f} bytes | {row / block:.0f} : 1 |"
        f" {packed / seconds:,.0f} | {shown * 1000:.0f} ms | {forgotten * 1000:.0f} ms |",
        flush=True,
    )
    return row, block


def timed(work: Callable[[], object]) -> float:
    """Return the processor's seconds of this process, which other work beside it does not change much."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def add_issue(store: Store, number: int, at: datetime) -> None:
    """Add a closed issue to all subscribers, its rows written as often as workers write them."""
    issue = str(at.date())
    stamp = at.strftime("%Y-%m-%d %H:%M:%S.%f") if store.dialect == "sqlite" else at
    with store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO issues (id, day, number, state, revision_id, audience, stop_reason, created_at,"
                " enqueued_at, closed_at, sent, rejected, unknown, suppressed, cancelled) VALUES (:issue, :day,"
                " :number, 'closed', 'r', 0, '', :at, :at, :at, 0, 0, 0, 0, 0)"
            ),
            {"issue": issue, "day": at.date().isoformat(), "number": number + 1, "at": stamp},
        )
        connection.execute(QUEUE, {"issue": issue, "at": stamp})
        first, last = connection.execute(
            text("SELECT min(id) - 1, max(id) FROM deliveries WHERE issue_id = :issue"),
            {"issue": issue},
        ).one()
    for start in range(first, last, BATCH):
        rows = [
            ended(store, row, number, at + timedelta(microseconds=900 * (row - first)))
            for row in range(start + 1, min(start + BATCH, last) + 1)
        ]
        lease = {"worker": number + 1, "first": start, "last": start + BATCH}
        for statement, parameters in ((LEASE, lease), (MARK, rows), (RECORD, rows)):
            with store.writing() as connection:
                connection.execute(text(statement), parameters)


def ended(store: Store, row: int, number: int, at: datetime) -> dict[str, object]:
    # Eight to a commit, which has one time.
    moment = at - timedelta(microseconds=900 * (row % 8))
    refused = row % 100 == 0
    return {
        "row": row,
        "at": moment.strftime("%Y-%m-%d %H:%M:%S.%f") if store.dialect == "sqlite" else moment,
        "state": "rejected" if refused else "sent",
        "code": 550 if refused else 250,
        "enhanced": "5.1.1" if refused else "2.0.0",
        "reason": "user unknown"
        if refused
        else f"Ok: queued as {(row * 0x9E3779B97F4A7C15 + number) % 2**44:011X}",
    }


def used(store: Store) -> int:
    """Return the bytes of the store, without free pages of SQLite."""
    postgres = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    sqlite = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    with store.reading() as connection:
        query = postgres if store.dialect == "postgresql" else sqlite
        return int(connection.scalar(text(query)) or 0)


if __name__ == "__main__":
    sys.exit(main())
