"""Postgres restarts while connections are open, as with every update of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits
from upcycle_news.errors import StoreError
from upcycle_news.models import ClaimResult, ClaimStatus, Rate
from upcycle_news.storage import subscribers, workers
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.quotas import Quotas
from upcycle_news.transports.smtp import open_connection

from ..delivery.memory_ledger import Clock
from ..delivery.test_engine import compose
from ..transports.bad_relays import MisbehavingRelay
from .sample_rows import ISSUE, NOW, queued
from .test_ledger import counts

READERS = ("anna@example.org", "bert@example.org")


@pytest.fixture
def connected(empty_postgres: str) -> Iterator[Store]:
    store = open_store(empty_postgres)
    queued(store, *READERS)
    yield store
    store.close()


def end_all_connections(url: str) -> None:
    """End all connections to the database, as its server does when it stops."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_query_after_a_restart_succeeds_at_the_first_try(
    connected: Store, empty_postgres: str
) -> None:
    end_all_connections(empty_postgres)
    addresses = [row.email.address for row in subscribers.all_subscribers(connected)]
    assert addresses == list(READERS)


def test_a_write_after_a_restart_succeeds_at_the_first_try(
    connected: Store, empty_postgres: str
) -> None:
    [anna, _] = subscribers.all_subscribers(connected)
    end_all_connections(empty_postgres)
    assert subscribers.unsubscribe(connected, anna, now=NOW)


def test_a_commit_of_a_worker_after_a_restart_raises_once_and_then_reconnects(
    connected: Store, empty_postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = workers.register_worker(connected, host="here", pid=1, process_start="1", now=NOW)
    ledger = Ledger(connected, ISSUE, worker)
    granted = [ClaimResult(ClaimStatus.GRANTED)]
    first, second = ledger.lease(2, NOW)
    assert ledger.commit([], [first], NOW) == granted
    end_all_connections(empty_postgres)
    with pytest.raises(StoreError, match="does not answer"):
        ledger.commit([], [second], NOW)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert ledger.commit([], [second], NOW) == granted


class UnansweredLedger(Ledger):
    """Its store commits, and is away before it says so: every third time."""

    commits = 0

    def commit(self, *arguments: Any) -> list[ClaimResult]:
        results = super().commit(*arguments)
        self.commits += 1
        if self.commits % 3 == 0:
            raise StoreError("server closed the connection unexpectedly")
        return results


@pytest.mark.parametrize("quotas", [Quotas(), Quotas((Rate.parse("1000/s"),), "main")])
def test_a_commit_whose_answer_was_lost_leaves_nothing_in_sending(
    any_store: str, quotas: Quotas
) -> None:
    readers = [f"leser{number}@example.org" for number in range(30)]
    store = open_store(any_store)
    queued(store, *readers)
    worker = workers.register_worker(store, host="here", pid=1, process_start="1", now=NOW)
    clock = Clock()
    with MisbehavingRelay() as relay:
        result = deliver(
            ledger=UnansweredLedger(store, ISSUE, worker, quotas=quotas),
            connect=lambda: open_connection(relay.relay()),
            compose_message=compose,
            send_limits=SendLimits(connections=4),
            clock=clock,
            wait=clock.wait,
        )
    assert result == DeliveryReport(sent=len(readers))
    assert sorted(relay.recipients) == sorted(readers)
    assert counts(store) == {"sent": len(readers)}
    store.close()


def test_a_restart_during_a_send_loses_and_repeats_no_mail(
    connected: Store, empty_postgres: str
) -> None:
    worker = workers.register_worker(connected, host="here", pid=1, process_start="1", now=NOW)
    reports: list[DeliveryReport] = []

    def progress(report: DeliveryReport) -> None:
        reports.append(report)
        if len(reports) == 1:  # the relay has accepted a message that is not recorded yet
            end_all_connections(empty_postgres)

    clock = Clock()
    with MisbehavingRelay() as relay:
        result = deliver(
            ledger=Ledger(connected, ISSUE, worker),
            connect=lambda: open_connection(relay.relay()),
            compose_message=compose,
            clock=clock,
            wait=clock.wait,
            progress=progress,
        )
    assert result == DeliveryReport(sent=len(READERS))
    assert sorted(relay.recipients) == sorted(READERS)
    assert counts(connected) == {"sent": len(READERS)}
    assert clock.waits, "the store was away"
