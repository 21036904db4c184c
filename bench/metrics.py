"""Cost of a scrape of /metrics with a large ledger: the first one, and the following ones.

    .venv/bin/python bench/metrics.py [--deliveries 1000000] [--store postgresql+psycopg://…]

Makes a year of closed issues that hold half of the deliveries, and one of the other half that is
being sent. Prints seconds of the process (user and system), which other work on the machine does
not change, and of the clock. Postgres's own time is in the clock only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import insert
from tests.publications import Publication, create_publication

from upcycle_news.app.context import AppContext
from upcycle_news.services.monitoring.metrics import MetricsExporter
from upcycle_news.storage.schema import deliveries, issues, subscribers

CLOSED = 52
CHUNK = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--store", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ticks = [0.0]  # seconds by which the clock is advanced
        publication = Publication(
            create_publication(Path(folder) / "p"),
            lambda: datetime.now(UTC) + timedelta(seconds=ticks[0]),
        )
        context = publication.context(**({"STORE": arguments.store} if arguments.store else {}))
        fill(context, arguments.deliveries)
        exporter = MetricsExporter(context, timer=lambda: ticks[0] + time.monotonic())
        for what in ("the first scrape", "ten seconds later", "a minute later", "once more"):
            cpu, clock = time.process_time(), time.monotonic()
            size = len(exporter.text())
            print(
                f"{what:20} {time.process_time() - cpu:7.3f} s of the process "
                f"{time.monotonic() - clock:7.3f} s of the clock {size:7} bytes"
            )
            ticks[0] += 60 if what == "ten seconds later" else 11
        context.__exit__()
    return 0


def fill(context: AppContext, count: int) -> None:
    now = context.clock()
    sizes = [count // 2 // CLOSED] * CLOSED + [count // 2]
    with context.store.writing() as connection:
        for number, size in enumerate(sizes, start=1):
            queued = now - timedelta(weeks=CLOSED - number + 1, hours=1)
            live = number == len(sizes)
            name = f"{queued:%Y-%m-%d}-{number}"
            connection.execute(
                insert(issues).values(
                    id=name, day=queued.date(), number=number, revision_id="", audience=size,
                    state="sending" if live else "closed", stop_reason="", created_at=queued,
                    enqueued_at=queued, closed_at=None if live else now,
                    sent=0 if live else size, rejected=0, unknown=0, suppressed=0, cancelled=0,
                )
            )  # fmt: skip
            for start in range(0, size, CHUNK):
                rows = [
                    {
                        "issue_id": name, "subscriber_id": reader, "attempts": 1, "enhanced": "",
                        "state": "queued" if live and reader % 2 else "sent", "reason": "",
                        "queued_at": queued, "changed_at": now, "worker_id": 0,
                    }
                    for reader in range(start, min(start + CHUNK, size))
                ]  # fmt: skip
                connection.execute(insert(deliveries), rows)
        for start in range(0, count // 2, CHUNK):
            rows = [
                {
                    "email": f"r{n}@example.org", "email_key": f"r{n}@example.org",
                    "domain_key": "@example.org", "hash_key": f"#{n}", "name": "", "language": "de",
                    "status": "confirmed", "topics": [], "groups": [], "created_at": now,
                }
                for n in range(start, start + CHUNK)
            ]  # fmt: skip
            connection.execute(insert(subscribers), rows)


if __name__ == "__main__":
    sys.exit(main())
