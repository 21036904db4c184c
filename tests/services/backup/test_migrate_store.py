"""Copying a store: the same rows in another one, compared by counts and fingerprints."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from upcycle_news.errors import SendHoldError, StoreError
from upcycle_news.services.backup import migrate_store
from upcycle_news.services.delivery import worker_identity
from upcycle_news.storage import issues, send_hold
from upcycle_news.storage import subscribers as subscriber_rows
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import (
    feed_items,
    feed_reports,
    locks,
    quota_scopes,
    subscribers,
)
from upcycle_news.storage.schema import workers as workers_table

from ...publications import Publication
from ...storage.sample_rows import (
    ISSUE,
    NOW,
    add,
    approved,
    load,
    queued,
)

READERS = tuple(f"leserin{number}@example.org" for number in range(7))

# What Postgres takes: no NUL, no lone surrogates, and integers of 32 bits.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
times = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | words
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
reports = st.lists(st.tuples(times, values), max_size=4)
holders = st.dictionaries(words.filter(bool).map(lambda word: word[:64]), st.tuples(words, times))


@pytest.fixture(params=["sqlite", "postgres"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("empty_postgres"))
    return f"sqlite:///{tmp_path}/target.db"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/source.db")
    yield store
    store.close()


@pytest.fixture(scope="module")
def sqlite_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("copies")
    stores = open_store(f"sqlite:///{folder}/a.db"), open_store(f"sqlite:///{folder}/b.db")
    yield stores
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def postgres_store(postgres_server: str) -> Iterator[Store]:
    store = open_store(postgres_server)
    yield store
    store.close()


def sums(store: Store) -> dict[str, copy.TableSum]:
    with store.reading() as connection:
        return {
            table.name: copy.table_sum(connection, table, columns)
            for table, columns in copy.existing_tables(connection)
        }


def copied(source: Store, target: Store) -> dict[str, copy.TableSum]:
    with source.snapshot() as source_connection, target.writing() as target_connection:
        copy.delete_all_rows(target_connection)
        return copy.copy_all(source_connection, target_connection)


def filled(store: Store) -> None:
    queued(store, *READERS)
    add(store, "später@example.org")


def test_a_copy_has_the_same_rows_and_continues_with_the_next_ids(
    source: Store, target_url: str
) -> None:
    filled(source)
    with source.writing() as connection:  # the subscriber with the highest id is erased
        connection.execute(subscribers.delete().where(subscribers.c.email.like("sp%")))
    target = open_store(target_url)
    copied_sums = copied(source, target)
    assert copied_sums == sums(source) == sums(target)
    assert copied_sums["deliveries"].rows == len(READERS)
    assert copied_sums["subscribers"].rows == len(READERS)
    assert issues.status(target, ISSUE) == issues.status(source, ISSUE)
    assert add(target, "neu@example.org")["neu@example.org"] == len(READERS) + 2
    target.close()


def test_copying_to_postgres_and_back_gives_the_same_store(
    source: Store, empty_postgres: str, tmp_path: Path
) -> None:
    filled(source)
    middle, end = open_store(empty_postgres), open_store(f"sqlite:///{tmp_path}/end.db")
    copied(source, middle)
    assert copied(middle, end) == sums(source)
    assert [str(subscriber.email) for subscriber in subscriber_rows.all_subscribers(end)] == [
        str(subscriber.email) for subscriber in subscriber_rows.all_subscribers(source)
    ]
    middle.close()
    end.close()


EXAMPLES = [12, pytest.param(500, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_row_is_copied_unchanged(sqlite_stores: tuple[Store, Store], examples: int) -> None:
    assert_any_row_is_copied(*sqlite_stores, examples)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_row_is_copied_unchanged_to_postgres(
    sqlite_stores: tuple[Store, Store], postgres_store: Store, examples: int
) -> None:
    assert_any_row_is_copied(sqlite_stores[0], postgres_store, examples)


def assert_any_row_is_copied(source: Store, target: Store, examples: int) -> None:
    @given(reports, holders)
    @settings(max_examples=examples, deadline=None)
    def check(
        reports: list[tuple[datetime, Any]], holders: dict[str, tuple[str, datetime]]
    ) -> None:
        write(source, reports, holders)
        assert copied(source, target) == sums(source)
        assert read(target) == read(source)

    check()


def write(
    store: Store, reports: list[tuple[datetime, Any]], holders: dict[str, tuple[str, datetime]]
) -> None:
    with store.writing() as connection:
        copy.delete_all_rows(connection)
        if reports:
            connection.execute(
                insert(feed_reports), [{"at": at, "report": report} for at, report in reports]
            )
        if holders:
            rows = [{"name": n, "holder": h, "expires_at": u} for n, (h, u) in holders.items()]
            connection.execute(insert(locks), rows)


def read(store: Store) -> list[Any]:
    with store.reading() as connection:
        reports = [tuple(row) for row in connection.execute(select(feed_reports).order_by("id"))]
        holders = sorted(tuple(row) for row in connection.execute(select(locks)))
    return [reports, holders]


@given(st.lists(st.tuples(words, st.integers()), min_size=1, unique=True), st.randoms())
def test_a_fingerprint_ignores_the_order_and_detects_every_change(
    rows: list[tuple[str, int]], chance: Any
) -> None:
    mixed = list(rows)
    chance.shuffle(mixed)
    assert total(mixed) == total(rows)
    name, number = mixed[0]
    assert total([(name, number + 1), *mixed[1:]]) != total(rows)
    assert total(mixed[1:]) != total(rows)
    assert total([*mixed, mixed[0]]) != total(rows)


def total(rows: list[tuple[str, int]]) -> int:
    return sum(int.from_bytes(copy.row_hash(row), "big") for row in rows)


def test_a_copy_that_differs_is_rolled_back(source: Store, tmp_path: Path) -> None:
    """A trigger stands for anything that might change a row while it is inserted."""
    filled(source)
    target = open_store(f"sqlite:///{tmp_path}/target.db")
    with sqlite3.connect(tmp_path / "target.db") as connection:
        connection.execute(
            "CREATE TRIGGER altered AFTER INSERT ON subscribers BEGIN "
            "UPDATE subscribers SET name = 'x' WHERE id = new.id; END"
        )
    with pytest.raises(StoreError, match="the copy of the table subscribers differs"):
        copied(source, target)
    assert {table.rows for table in sums(target).values()} == {0}
    target.close()


def test_text_that_postgres_cannot_store_ends_the_copy_with_an_error(
    source: Store, empty_postgres: str
) -> None:
    with source.writing() as connection:
        connection.execute(insert(locks).values(name="a\0b", holder="", expires_at=NOW))
    target = open_store(empty_postgres)
    with pytest.raises(StoreError, match=r"^store postgresql"):
        copied(source, target)
    assert {table.rows for table in sums(target).values()} == {0}
    target.close()


# --- the commands


def test_moving_the_store_puts_a_send_hold_on_the_old_one(
    publication: Publication, target_url: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(5)
    before = publication.run("issue", "send", "--yes", "--json").json
    done = publication.run("store", "copy", "--to", target_url)
    assert "UPCYCLE_NEWS_STORE" in done.err
    assert "in beiden gleich" in done.out
    target = {"STORE": target_url}
    assert publication.run("issue", "status", "--json", **target).json == before
    publication.write_essay("Der naechste")
    refused = publication.run("issue", "send", "--yes", "--no-collect", code=1).err
    assert "Es geht nichts hinaus: Dieser Speicher zog am" in refused
    assert "dass dieser wieder gilt" in refused
    assert publication.run("issue", "send", "--yes", "--json", **target).json["sent"] == 5
    confirmed = publication.run("store", "confirm", "--yes", "--json").json
    assert len(confirmed["sent"]) == 1, "what the other store sent meanwhile"
    publication.run("issue", "send", "--yes", "--json", code=3)
    publication.write_essay("Der uebernaechste")
    assert publication.run("issue", "send", "--yes", "--json").json["sent"] == 5


def test_a_store_is_never_copied_over_another_store(
    publication: Publication, tmp_path: Path
) -> None:
    publication.add_many_subscribers(2)
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    add(other, "fremd@example.org")
    other.close()
    error = publication.run("store", "copy", "--to", f"sqlite:///{tmp_path}/other.db", code=1).err
    assert "ist nicht leer (events, subscribers" in error
    own = f"sqlite:///{publication.home}/var/upcycle.db"
    error = publication.run("store", "copy", "--to", own, code=1).err
    assert "Das ist der Speicher selbst; nennen Sie einen anderen" in error
    assert send_hold.active_hold(publication.context().store) is None


def test_a_store_that_cannot_get_a_send_hold_is_not_moved(
    publication: Publication, target_url: str
) -> None:
    publication.add_many_subscribers(2)
    context = publication.context()
    with context.store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON send_holds BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(StoreError):
        migrate_store.move_store(context, target_url)
    target = open_store(target_url)
    assert list(subscriber_rows.all_subscribers(target)) == []
    target.close()


def test_a_store_is_not_moved_while_a_worker_is_sending(
    publication: Publication, tmp_path: Path
) -> None:
    publication.add_many_subscribers(2)
    worker_identity.register(publication.context())
    error = publication.run("store", "copy", "--to", f"sqlite:///{tmp_path}/b.db", code=1).err
    assert "1 Sender verschickt gerade" in error
    assert "es wurde nichts geändert" in error


def test_a_worker_that_registers_during_the_move_is_noticed(
    publication: Publication, tmp_path: Path
) -> None:
    """It would go on sending from the old store what is queued in the new one as well."""
    publication.add_many_subscribers(2)
    context, target = publication.context(), tmp_path / "b.db"
    refused: list[str] = []

    def move() -> None:
        with pytest.raises(StoreError) as error:
            migrate_store.move_store(context, f"sqlite:///{target}")
        refused.append(str(error.value))

    mover = threading.Thread(target=move)
    with context.store.writing() as connection:
        connection.execute(
            insert(workers_table).values(
                host=worker_identity.this_host(),
                pid=os.getpid(),
                process_start=worker_identity.process_start(os.getpid()),
                heartbeat_at=context.clock(),
            )
        )
        mover.start()  # it sees no worker yet, and waits for this transaction
        while not target.exists():
            assert mover.is_alive()
    mover.join()
    assert "1 worker is sending" in refused[0]
    assert send_hold.active_hold(context.store) is None
    assert {table.rows for table in sums(open_store(f"sqlite:///{target}")).values()} == {0}


def test_copying_prints_json(publication: Publication, tmp_path: Path) -> None:
    publication.add_many_subscribers(3)
    url = f"sqlite:///{tmp_path}/b.db"
    report = publication.run("store", "copy", "--to", url, "--json").json
    assert report["tables"]["subscribers"]["rows"] == 3
    assert len(report["tables"]["subscribers"]["fingerprint"]) == 32
    assert json.dumps(report).count("example.org") == 0


def test_a_send_hold_refuses_workers_issues_and_requeueing(source: Store) -> None:
    from upcycle_news.models import DeliveryState
    from upcycle_news.storage import deliveries, workers

    add(source, *READERS)
    revision_id = approved(source)
    with source.writing() as connection:
        send_hold.start(connection, send_hold.HoldKind.RESTORED, as_of=NOW, location="x", now=NOW)
    for attempt in (
        lambda: issues.enqueue(source, load(source, revision_id), now=NOW),
        lambda: workers.register_worker(source, host="h", pid=1, process_start="", now=NOW),
        lambda: deliveries.requeue(source, ISSUE, DeliveryState.UNKNOWN, now=NOW),
    ):
        with pytest.raises(SendHoldError, match="nothing goes out"):
            attempt()
    assert send_hold.clear(source, by="Anna", now=NOW) == 1
    assert issues.enqueue(source, load(source, revision_id), now=NOW) == len(READERS)


def test_a_long_table_is_copied_in_batches(source: Store, tmp_path: Path) -> None:
    with source.writing() as connection:
        rows = [{"scope": f"domain:{n}.example", "count": n} for n in range(2500)]
        connection.execute(insert(quota_scopes), rows)
    target, on_rows = open_store(f"sqlite:///{tmp_path}/target.db"), []
    with source.snapshot() as source_connection, target.writing() as target_connection:
        copy.copy_all(source_connection, target_connection, on_rows=on_rows.append)
    assert on_rows == [1000, 1000, 500]
    assert sums(target)[quota_scopes.name].rows == 2500
    assert sums(target)[feed_items.name].rows == 0
    target.close()
