"""Restore backups taken during a send, and measure backups of a large store.

    python bench/restore.py --readers 600                  # counted at the relay
    python bench/restore.py --deliveries 1000000           # seconds and memory of each step
    python bench/restore.py --deliveries 1000000 --store postgresql+psycopg://…/empty

Figures are printed, nothing is written outside of a temporary folder and the store that is named.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import insert
from tests.services.backup.mid_send_trial import command, trial

from upcycle_news.scaffold.layout import init_publication
from upcycle_news.storage.database import open_store
from upcycle_news.storage.schema import (
    consents,
    deliveries,
    issues,
    subscribers,
)
from upcycle_news.subscribers.signing_keys import load_or_create_key

CHUNK = 20_000
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=600)
    parser.add_argument("--deliveries", type=int, default=0)
    parser.add_argument("--store", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.deliveries:
            measure(Path(folder), options.deliveries, options.store)
        else:
            trials(Path(folder), options.readers, options.store)


def trials(folder: Path, readers: int, store: str) -> None:
    print("| store after the backup | sent in it | in doubt | while paused | resent | twice |")
    print("|---|---|---|---|---|---|")
    for fate in ("lost", "replaced"):
        for killed in (False, True):
            home = folder / f"{fate}-{killed}"
            outcome = trial(home, readers=readers, fate=fate, store=store, killed=killed)
            twice = {address for address, ids in outcome.copies.items() if len(ids) > 1}
            wrong = twice & outcome.in_backup
            assert not wrong and outcome.sent_while_held == 0 and outcome.final_status["closed"]
            name = f"{fate}, sender {'killed' if killed else 'ended'}"
            print(
                f"| {name} | {len(outcome.in_backup)} of {readers} | {len(outcome.unknown)} "
                f"| {outcome.sent_while_held} | {len(outcome.resent)} | {len(twice)} |"
            )


def measure(folder: Path, count: int, store: str) -> None:
    home = folder / "home"
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    url = store or f"sqlite:///{home}/var/upcycle.db"
    load_or_create_key(home / "var/secrets/person.key")
    fill(url, count)
    environment = {**os.environ, "UPCYCLE_NEWS_HOME": str(home), "UPCYCLE_NEWS_STORE": url}
    new_machine = {**environment, "UPCYCLE_NEWS_STORE": f"sqlite:///{folder}/other.db"}
    print(f"{count} deliveries in {url.partition(':')[0]}")
    print("| step | seconds | processor | memory at most |")
    print("|---|---|---|---|")
    backup = json.loads(step("backup", environment, "backup", "--json"))
    print(f"| the backup's size: {backup['bytes'] / 1e6:.0f} MB |")
    step("restore --check", environment, "restore", "--check", backup["file"])
    step("restore (new machine)", new_machine, "restore", backup["file"])
    step("restore (merged)", environment, "restore", "--yes", backup["file"])
    step("store confirm", environment, "store", "confirm", "--yes")
    step("store copy (SQLite)", environment, "store", "copy", "--to", f"sqlite:///{folder}/c.db")


def step(name: str, environment: dict[str, str], *arguments: str) -> str:
    """Run a command as a process; prints time and memory."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command(*arguments), env=environment, stdout=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, out
    seconds = time.monotonic() - begun
    print(
        f"| {name} | {seconds:.1f} | {used.ru_utime + used.ru_stime:.1f} s "
        f"| {used.ru_maxrss / 1024:.0f} MB |",
        flush=True,
    )
    return out


def fill(url: str, count: int) -> None:
    """Write two issues with half as many subscribers: one sent, one partly queued."""
    store, size = open_store(url), max(1, count // 2)
    with store.writing() as connection:
        for number, name in ((1, "2026-11-19"), (2, "2026-11-26")):
            connection.execute(
                insert(issues).values(
                    id=name, day=date.fromisoformat(name), number=number, revision_id="ab",
                    audience=size, state="closed" if number == 1 else "sending", stop_reason="",
                    created_at=NOW, enqueued_at=NOW, closed_at=NOW if number == 1 else None,
                    sent=size if number == 1 else 0, rejected=0, unknown=0, suppressed=0,
                    cancelled=0,
                )
            )  # fmt: skip
        for start in range(1, size + 1, CHUNK):
            numbers = range(start, min(start + CHUNK, size + 1))
            connection.execute(insert(subscribers), [subscriber(number) for number in numbers])
            connection.execute(insert(consents), [consent(number) for number in numbers])
            for issue in ("2026-11-19", "2026-11-26"):
                rows = [delivery(issue, number) for number in numbers]
                connection.execute(insert(deliveries), rows)
    store.close()


def subscriber(number: int) -> dict[str, Any]:
    address = f"reader{number}@example.org"
    return {
        "email": address, "email_key": address, "domain_key": "@example.org",
        "hash_key": f"#{number:064x}", "name": "Anna Beispiel", "language": "de",
        "status": "confirmed", "topics": [], "groups": [], "created_at": NOW,
    }  # fmt: skip


def consent(number: int) -> dict[str, Any]:
    return {
        "subscriber_id": number, "purpose": "newsletter", "source": "web", "wording": "de-1",
        "token_hash": f"{number:064x}", "ip": "", "given_at": NOW, "confirmed_at": NOW,
    }  # fmt: skip


def delivery(issue: str, number: int) -> dict[str, Any]:
    waits = issue == "2026-11-26" and number % 2
    return {
        "issue_id": issue, "subscriber_id": number, "state": "queued" if waits else "sent",
        "attempts": 0 if waits else 1, "enhanced": "2.0.0", "reason": "", "queued_at": NOW,
        "changed_at": NOW,
    }  # fmt: skip


if __name__ == "__main__":
    main()
