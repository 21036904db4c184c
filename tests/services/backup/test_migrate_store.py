"""The same rows in another store, proved by counts and fingerprints."""

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

from upcycle_news.errors import PausedError, StoreError
from upcycle_news.services.backup import migrate_store
from upcycle_news.services.delivery import worker_identity
from upcycle_news.storage import issues, send_hold
from upcycle_news.storage import subscribers as subscriber_rows
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import (
    collections,
    feed_items,
    locks,
    quota_scopes,
    subscribers,
)
from upcycle_news.storage.schema import senders as senders_table

from ...publications import Publication
from ...storage.sample_rows import (
    ISSUE,
    NOW,
    add,
    queued,
    save,
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
def two_in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("copies")
    stores = open_store(f"sqlite:///{folder}/a.db"), open_store(f"sqlite:///{folder}/b.db")
    yield stores
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def in_postgres(_postgres: str) -> Iterator[Store]:
    store = open_store(_postgres)
    yield store
    store.close()


def sums(store: Store) -> dict[str, copy.TableSum]:
    with store.reading() as connection:
        return {
            table.name: copy.table_sum(connection, table, columns)
            for table, columns in copy.tables_here(connection)
        }


def copied(source: Store, target: Store) -> dict[str, copy.TableSum]:
    with source.still() as here, target.writing() as there:
        copy.clear(there)
        return copy.copy_all(here, there)


def filled(store: Store) -> None:
    queued(store, *READERS)
    add(store, "später@example.org")


def test_a_copy_holds_the_same_rows_and_goes_on_with_the_next_numbers(
    source: Store, target_url: str
) -> None:
    filled(source)
    with source.writing() as connection:  # the highest number belongs to somebody who is forgotten
        connection.execute(subscribers.delete().where(subscribers.c.email.like("sp%")))
    target = open_store(target_url)
    told = copied(source, target)
    assert told == sums(source) == sums(target)
    assert told["deliveries"].rows == len(READERS)
    assert told["subscribers"].rows == len(READERS)
    assert issues.status(target, ISSUE) == issues.status(source, ISSUE)
    assert add(target, "neu@example.org")["neu@example.org"] == len(READERS) + 2
    target.close()


def test_there_and_back_again_is_the_same_store(
    source: Store, empty_postgres: str, tmp_path: Path
) -> None:
    filled(source)
    middle, end = open_store(empty_postgres), open_store(f"sqlite:///{tmp_path}/end.db")
    copied(source, middle)
    assert copied(middle, end) == sums(source)
    assert [str(one.email) for one in subscriber_rows.all_people(end)] == [
        str(one.email) for one in subscriber_rows.all_people(source)
    ]
    middle.close()
    end.close()


@given(reports, holders)
@settings(max_examples=40, deadline=None)
def test_whatever_is_in_the_rows_comes_back_as_it_was(
    two_in_sqlite: tuple[Store, Store],
    told: list[tuple[datetime, Any]],
    held: dict[str, tuple[str, datetime]],
) -> None:
    source, target = two_in_sqlite
    write(source, told, held)
    assert copied(source, target) == sums(source)
    assert read(target) == read(source)


@given(reports, holders)
@settings(max_examples=25, deadline=None)
def test_postgres_gives_back_whatever_sqlite_gave_it(
    two_in_sqlite: tuple[Store, Store],
    in_postgres: Store,
    told: list[tuple[datetime, Any]],
    held: dict[str, tuple[str, datetime]],
) -> None:
    source, target = two_in_sqlite[0], in_postgres
    write(source, told, held)
    assert copied(source, target) == sums(source)
    assert read(target) == read(source)


def write(
    store: Store, told: list[tuple[datetime, Any]], held: dict[str, tuple[str, datetime]]
) -> None:
    with store.writing() as connection:
        copy.clear(connection)
        if told:
            connection.execute(insert(collections), [{"at": at, "report": it} for at, it in told])
        if held:
            rows = [{"name": n, "holder": h, "until": u} for n, (h, u) in held.items()]
            connection.execute(insert(locks), rows)


def read(store: Store) -> list[Any]:
    with store.reading() as connection:
        reports = [tuple(row) for row in connection.execute(select(collections).order_by("id"))]
        held = sorted(tuple(row) for row in connection.execute(select(locks)))
    return [reports, held]


@given(st.lists(st.tuples(words, st.integers()), min_size=1, unique=True), st.randoms())
def test_a_fingerprint_knows_no_order_and_every_change(
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


def test_a_copy_that_differs_is_taken_back(source: Store, tmp_path: Path) -> None:
    """A trigger stands for whatever might change a row on its way in."""
    filled(source)
    target = open_store(f"sqlite:///{tmp_path}/target.db")
    with sqlite3.connect(tmp_path / "target.db") as connection:
        connection.execute(
            "CREATE TRIGGER bent AFTER INSERT ON subscribers BEGIN "
            "UPDATE subscribers SET name = 'x' WHERE id = new.id; END"
        )
    with pytest.raises(StoreError, match="the copy of the table subscribers differs"):
        copied(source, target)
    assert {one.rows for one in sums(target).values()} == {0}
    target.close()


def test_text_that_postgres_cannot_hold_ends_the_copy_with_a_sentence(
    source: Store, empty_postgres: str
) -> None:
    with source.writing() as connection:
        connection.execute(insert(locks).values(name="a\0b", holder="", until=NOW))
    target = open_store(empty_postgres)
    with pytest.raises(StoreError, match=r"^store postgresql"):
        copied(source, target)
    assert {one.rows for one in sums(target).values()} == {0}
    target.close()


# --- by command


def test_an_operator_moves_the_store_and_the_old_one_rests(
    publication: Publication, target_url: str
) -> None:
    publication.essay()
    publication.crowd(5)
    before = publication.run("issue", "send", "--yes", "--json").json
    done = publication.run("store", "copy", "--to", target_url)
    assert "UPCYCLE_NEWS_STORE" in done.err
    assert "the same in both" in done.out
    there = {"STORE": target_url}
    assert publication.run("issue", "status", "--json", **there).json == before
    publication.essay("Der naechste")
    refused = publication.run("issue", "send", "--yes", "--no-collect", code=1).err
    assert "this store was moved to" in refused
    assert publication.run("issue", "send", "--yes", "--json", **there).json["sent"] == 5
    publication.run("store", "confirm", "--yes")
    assert publication.run("issue", "send", "--yes", "--json").json["sent"] == 5


def test_a_store_is_never_copied_over_another_one(publication: Publication, tmp_path: Path) -> None:
    publication.crowd(2)
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    add(other, "fremd@example.org")
    other.close()
    told = publication.run("store", "copy", "--to", f"sqlite:///{tmp_path}/other.db", code=1).err
    assert "is not empty (subscribers" in told
    own = f"sqlite:///{publication.home}/var/upcycle.db"
    assert "is the store itself" in publication.run("store", "copy", "--to", own, code=1).err
    assert send_hold.standing(publication.context().store) is None


def test_a_store_that_cannot_be_paused_is_not_moved(
    publication: Publication, target_url: str
) -> None:
    publication.crowd(2)
    context = publication.context()
    with context.store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON pauses BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(StoreError):
        migrate_store.move(context, target_url)
    target = open_store(target_url)
    assert list(subscriber_rows.all_people(target)) == []
    target.close()


def test_a_store_is_not_moved_while_somebody_sends(
    publication: Publication, tmp_path: Path
) -> None:
    publication.crowd(2)
    worker_identity.register(publication.context())
    told = publication.run("store", "copy", "--to", f"sqlite:///{tmp_path}/b.db", code=1).err
    assert "1 senders are at work" in told
    assert "nothing was changed" in told


def test_a_sender_that_signs_on_while_the_store_is_looked_at_is_seen(
    publication: Publication, tmp_path: Path
) -> None:
    """It would go on sending from the old store what the new one has queued."""
    publication.crowd(2)
    context, target = publication.context(), tmp_path / "b.db"
    refused: list[str] = []

    def move() -> None:
        with pytest.raises(StoreError) as told:
            migrate_store.move(context, f"sqlite:///{target}")
        refused.append(str(told.value))

    mover = threading.Thread(target=move)
    with context.store.writing() as connection:
        connection.execute(
            insert(senders_table).values(
                host=worker_identity.this_host(),
                pid=os.getpid(),
                process_start=worker_identity._start_of(os.getpid()),
                beat_at=context.clock(),
            )
        )
        mover.start()  # it sees no sender yet, and waits for this transaction
        while not target.exists():
            assert mover.is_alive()
    mover.join()
    assert "1 senders are at work" in refused[0]
    assert send_hold.standing(context.store) is None
    assert {one.rows for one in sums(open_store(f"sqlite:///{target}")).values()} == {0}


def test_copying_tells_a_program_the_same(publication: Publication, tmp_path: Path) -> None:
    publication.crowd(3)
    url = f"sqlite:///{tmp_path}/b.db"
    told = publication.run("store", "copy", "--to", url, "--json").json
    assert told["tables"]["subscribers"]["rows"] == 3
    assert len(told["tables"]["subscribers"]["fingerprint"]) == 32
    assert json.dumps(told).count("example.org") == 0


def test_a_paused_store_takes_no_sender_no_issue_and_no_second_try(source: Store) -> None:
    from upcycle_news.models import DeliveryState
    from upcycle_news.storage import deliveries, workers

    add(source, *READERS)
    revision_id = save(source)
    with source.writing() as connection:
        send_hold.begin(connection, send_hold.PauseKind.RESTORED, as_of=NOW, place="x", now=NOW)
    for attempt in (
        lambda: issues.enqueue(source, ISSUE, revision_id, now=NOW),
        lambda: workers.register_sender(source, host="h", pid=1, process_start="", now=NOW),
        lambda: deliveries.requeue(source, ISSUE, DeliveryState.UNKNOWN, now=NOW),
    ):
        with pytest.raises(PausedError, match="nothing goes out"):
            attempt()
    assert send_hold.end(source, by="Anna", now=NOW) == 1
    assert issues.enqueue(source, ISSUE, revision_id, now=NOW) == len(READERS)


def test_a_long_table_is_copied_in_batches(source: Store, tmp_path: Path) -> None:
    with source.writing() as connection:
        rows = [{"scope": f"domain:{n}.example", "count": n} for n in range(2500)]
        connection.execute(insert(quota_scopes), rows)
    target, heard = open_store(f"sqlite:///{tmp_path}/target.db"), []
    with source.still() as here, target.writing() as there:
        copy.copy_all(here, there, heard=heard.append)
    assert heard == [1000, 1000, 500]
    assert sums(target)[quota_scopes.name].rows == 2500
    assert sums(target)[feed_items.name].rows == 0
    target.close()
