"""Prefect and the store on Postgres, a pool, and two machines of which one dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.version import __version__

from ..postgres_server import REQUIRED, DebianPostgres, skip_without_postgres
from ..publications import Publication, create_publication, today
from ..services.delivery.sink_relay import Sink
from ..waiting import wait_until
from .delivery_counts import (
    StoreQueries,
    configure_relay,
    count_deliveries,
    max_in_span,
    wait_for_helper,
)
from .test_watch import WATCH, approve_an_issue, begin_standby_now, wait_until_sent, watching
from .worker_pool import WorkerPool, can_unshare

READERS, RATE = 2400, 150  # enough for the second machine to come while the first is at it
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def postgres() -> Iterator[DebianPostgres]:
    skip_without_postgres()
    if not can_unshare() and not REQUIRED:
        pytest.skip("this user may not make namespaces for processes (unshare)")
    with DebianPostgres("fsync=off") as server:
        yield server


@pytest.mark.timeout(900)  # a database, a server, two workers and four runs on a busy machine
def test_one_of_two_machines_dies_and_each_subscriber_gets_one_mail(
    postgres: DebianPostgres, warm_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgres.database("store")
    monkeypatch.setenv("UPCYCLE_NEWS_STORE", store.replace("postgresql:", "postgresql+psycopg:"))
    publication = Publication(create_publication(tmp_path / "umbaupost"), lambda: datetime.now(UTC))
    monkeypatch.chdir(publication.home)
    publication.write_essay()
    readers = set(publication.add_many_subscribers(READERS))
    prefect = postgres.database("prefect")
    with (
        publication,
        Sink() as sink,
        WorkerPool(publication.home, {}, prefect, python=warm_python) as pool,
        StoreQueries(store) as queries,
    ):
        configure_relay(publication, sink.port, f"{RATE}/s", "10000/d")
        pool.ensure_machines(2)
        run = pool.start("publish-issue/thursday", approve=True, senders=2)
        victim = pool.machine_of(wait_for_helper(pool, queries, run, before=""))
        assert victim is not None
        sink.wait_for(READERS // 3, 60)
        victim.kill()
        wait_until(lambda: queries.pending(victim)[1] == 0, "others still deliver", seconds=300)
        leased, _ = queries.pending(victim)
        assert leased > 0  # nothing takes over what another machine may be sending
        assert len(sink.accepted) < READERS
        queries.expire_heartbeats(victim)
        state = pool.wait_for_state(run, *ENDED)
        counts = count_deliveries(publication, sink, readers)
        # What the dead machine had on the wire is in doubt, and no run with doubts is green.
        expected = ("FAILED", "Unknown") if counts.unknown else ("COMPLETED", state["name"])
        assert (state["type"], state["name"]) == expected, state["message"]
        assert (counts.lost, counts.doubled, counts.status["closed"]) == (0, 0, True), str(counts)
        assert counts.unknown <= 4  # one for each connection of the machine that died
        marks = queries.quota_marks()
        assert len(marks) == READERS
        assert max_in_span(1, marks) <= RATE
    assert b"@example.org" not in postgres.dump("prefect")


@pytest.mark.timeout(900)  # a database, a server, two workers and four runs on a busy machine
def test_the_watch_goes_on_on_another_machine_when_its_own_vanishes(
    postgres: DebianPostgres, warm_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgres.database("store")
    monkeypatch.setenv("UPCYCLE_NEWS_STORE", store.replace("postgresql:", "postgresql+psycopg:"))
    publication = Publication(create_publication(tmp_path / "umbaupost"), lambda: datetime.now(UTC))
    monkeypatch.chdir(publication.home)
    publication.add_many_subscribers(1)
    prefect = postgres.database("prefect")
    with publication, WorkerPool(publication.home, {}, prefect, python=warm_python) as pool:
        queues = pool.request("POST", "/work_pools/newsletter/queues/filter", {})
        assert min(queues, key=lambda queue: queue["priority"])["name"] == "alarms"
        operators = pool.request("GET", "/deployments/name/notify/operators")
        assert (operators["work_queue_name"], operators["version"]) == (
            "alarms", f"upcycle-news {__version__}",
        )  # fmt: skip
        pool.runs_at_once = 2
        pool.ensure_machines(2)
        pool.start(WATCH, stay_minutes=65)
        first = watching(pool)
        victim = pool.machine_of(first)
        assert victim is not None
        victim.kill()
        approve_an_issue(publication, "Was vom Bahnhof bleibt", today())
        second = begin_standby_now(pool)
        wait_until_sent(pool, publication, 1)
        assert pool.machine_of(second) in pool.machines
        assert pool.machine_of(second) is not victim
        assert pool.state(first)["type"] == "RUNNING", "Prefect does not know, and need not"
