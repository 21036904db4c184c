"""Nothing of an erased subscriber is left in the bytes of the store's file."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from upcycle_news.models import EmailAddress
from upcycle_news.storage import personal_data, subscribers
from upcycle_news.storage.database import open_store

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def test_no_byte_of_an_erased_address_stays_in_the_file_with_any_build_of_sqlite(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Rows move when pages are split; some builds overwrite the places they leave, others do not."""

    def as_others_build_it(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA secure_delete=OFF")

    event.listen(Pool, "connect", as_others_build_it)
    request.addfinalizer(lambda: event.remove(Pool, "connect", as_others_build_it))
    store = open_store(f"sqlite:///{tmp_path}/upcycle.db")
    store.erasure_key = b"k" * 32
    names = [sha256(str(number).encode()).hexdigest()[:14] for number in range(2000)]
    for start in range(0, len(names), 50):
        emails = [EmailAddress.parse(f"{name}@example.org") for name in names[start : start + 50]]
        subscribers.add_subscribers(
            store, map(subscribers.NewSubscriber, emails), source="x", now=NOW, dry_run=False
        )
    erased = random.Random(1).sample(names, 100)
    for name in erased:
        assert personal_data.erase_subscriber(
            store, EmailAddress.parse(f"{name}@example.org"), now=NOW
        )
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [name for name in erased if name.encode() in data] == []
