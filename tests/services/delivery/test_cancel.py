"""Cancelling and sending lock deliveries in the same order, or Postgres would end one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from upcycle_news.errors import StoreError
from upcycle_news.storage import issues, workers
from upcycle_news.storage.database import open_store
from upcycle_news.storage.ledger import Ledger

from ...storage.sample_rows import ISSUE, NOW, queued
from ...waiting import wait_until

READERS = tuple(f"reader{number}@example.org" for number in range(4))


@pytest.mark.parametrize("what", ["claim", "release", "cancel"])
def test_a_transaction_that_waits_for_the_first_delivery_has_locked_no_other(
    empty_postgres: str, what: str
) -> None:
    store = open_store(empty_postgres)
    queued(store, *READERS)
    worker_row = workers.register_worker(store, host="here", pid=1, process_start="1", now=NOW)
    ledger = Ledger(store, ISSUE, worker_row)
    claims = sorted(ledger.lease(4, NOW), key=lambda claim: -claim.delivery)
    does: dict[str, Callable[[], object]] = {
        "claim": lambda: ledger.commit([], claims, NOW),
        "release": lambda: ledger.release_leases(claims),
        "cancel": lambda: issues.cancel(store, ISSUE, by="test", reason="", now=NOW),
    }
    first, last = claims[-1].delivery, claims[0].delivery
    failures: list[StoreError] = []

    def work() -> None:
        try:
            does[what]()
        except StoreError as error:
            failures.append(error)

    plain = empty_postgres.replace("+psycopg", "")
    with psycopg.connect(plain) as other, psycopg.connect(plain, autocommit=True) as looking:
        # It lies last now, in the table and in the index of the queue.
        looking.execute("UPDATE deliveries SET attempts = 5 WHERE id = %s", [first])
        other.execute("SELECT id FROM deliveries WHERE id = %s FOR UPDATE", [first])
        worker = threading.Thread(target=work)
        worker.start()
        wait_until(
            lambda: looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone(),
            "nothing waits for the lock", interval=0.01,
        )  # fmt: skip
        other.execute("SELECT id FROM deliveries WHERE id = %s FOR UPDATE NOWAIT", [last])
        other.rollback()
        worker.join(60)
    assert failures == []
    store.close()
