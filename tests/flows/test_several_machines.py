"""Prefect and the store on Postgres, a pool, and two machines of which one vanishes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ..postgres_server import REQUIRED, DebianPostgres, skip_without_postgres
from ..publications import Publication, lay_out
from ..services.delivery.sink_relay import Sink
from .delivery_counts import (
    Books,
    counted,
    most_in,
    relay,
    working_helper,
)
from .worker_pool import Pool, can_part

READERS, RATE = 2400, 150  # enough for the second machine to come while the first is at it
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def postgres() -> Iterator[DebianPostgres]:
    skip_without_postgres()
    if not can_part() and not REQUIRED:
        pytest.skip("this user may not make namespaces for processes (unshare)")
    with DebianPostgres("fsync=off") as server:
        yield server


@pytest.mark.timeout(900)  # a database, a server, two workers and four runs on a busy machine
def test_one_of_two_machines_vanishes_and_everybody_gets_the_issue_once(
    postgres: DebianPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgres.database("store")
    monkeypatch.setenv("UPCYCLE_NEWS_STORE", store.replace("postgresql:", "postgresql+psycopg:"))
    publication = Publication(lay_out(tmp_path / "umbaupost"), lambda: datetime.now(UTC))
    monkeypatch.chdir(publication.home)
    publication.essay()
    readers = set(publication.crowd(READERS))
    prefect = postgres.database("prefect")
    with (
        publication,
        Sink() as sink,
        Pool(publication.home, {}, prefect) as pool,
        Books(store) as books,
    ):
        relay(publication, sink.port, f"{RATE}/s", "10000/d")
        pool.need(2)
        run = pool.start("publish-issue/thursday", approve=True, senders=2)
        victim = pool.machine_of(working_helper(pool, books, run, before=""))
        assert victim is not None
        sink.wait_for(READERS // 3, None, 60)
        victim.kill()
        books.until(lambda: books.left(victim)[1] == 0)
        held, _ = books.left(victim)
        assert held > 0  # nobody touches what another machine may be sending
        assert len(sink.accepted) < READERS
        books.let_time_pass(victim)
        state = pool.until(run, *ENDED)
        found = counted(publication, sink, readers)
        assert state["type"] == "COMPLETED", state["message"]
        assert (found.lost, found.doubled, found.status["closed"]) == (0, 0, True), str(found)
        assert found.unknown <= 4  # one for each connection of the machine that died
        marks = books.marks()
        assert len(marks) == READERS
        assert most_in(1, marks) <= RATE
    assert b"@example.org" not in postgres.dump("prefect")
