"""Postgres is started again while we are connected, as every update of it does."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import psycopg
import pytest

from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.errors import StoreError
from upcycle_news.models import ClaimResult, ClaimStatus
from upcycle_news.storage import restarts, subscribers, workers
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.ledger import Ledger
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


def hang_up(url: str) -> None:
    """End all connections to the database, as its server does when it stops."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_whoever_comes_after_a_restart_does_not_notice(
    connected: Store, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "IDLE_SECONDS", 0.0)
    hang_up(empty_postgres)
    assert [person.email.address for person in subscribers.all_subscribers(connected)] == list(
        READERS
    )


def test_a_sender_that_is_cut_off_says_so_in_a_sentence_and_the_next_turn_connects_anew(
    connected: Store, empty_postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    me = workers.register_worker(connected, host="here", pid=1, process_start="1", now=NOW)
    ledger = Ledger(connected, ISSUE, me)
    claims = ledger.lease(2, NOW)
    hang_up(empty_postgres)
    with pytest.raises(StoreError, match="does not answer"):
        ledger.commit([], claims, NOW)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert ledger.commit([], claims, NOW) == [
        ClaimResult(ClaimStatus.GRANTED),
        ClaimResult(ClaimStatus.GRANTED),
    ]


def test_a_restart_in_the_middle_of_a_send_costs_nobody_a_mail(
    connected: Store, empty_postgres: str
) -> None:
    me = workers.register_worker(connected, host="here", pid=1, process_start="1", now=NOW)
    heard: list[DeliveryReport] = []

    def progress(report: DeliveryReport) -> None:
        heard.append(report)
        if len(heard) == 1:  # the relay has taken a message, and the store does not know it yet
            hang_up(empty_postgres)

    clock = Clock()
    with MisbehavingRelay() as relay:
        told = deliver(
            ledger=Ledger(connected, ISSUE, me),
            connect=lambda: open_connection(relay.relay()),
            compose_message=compose,
            clock=clock,
            wait=clock.wait,
            progress=progress,
        )
    assert told == DeliveryReport(sent=len(READERS))
    assert sorted(relay.recipients) == sorted(READERS)
    assert counts(connected) == {"sent": len(READERS)}
    assert clock.waits, "the store was away"
