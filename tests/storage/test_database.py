from __future__ import annotations

import os
import re
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, text

import upcycle_news.storage.database as engine_module
from upcycle_news.errors import StoreError
from upcycle_news.storage import subscribers as subscriber_rows
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import HEAD, metadata, subscribers

from .sample_rows import NOW, add, queued

READER = "leserin@example.org"


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_a_missing_store_is_created(tmp_path: Path) -> None:
    path = tmp_path / "var" / "deep" / "upcycle.db"
    store = open_store(f"sqlite:///{path}")
    assert {"subscribers", "deliveries", "revisions", "feed_items"} <= tables(path)
    with store.reading() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    store.close()


def test_a_reopened_store_has_its_contents(store_url: str) -> None:
    first = open_store(store_url)
    add(first, READER)
    first.close()
    second = open_store(store_url)
    assert [subscriber.email.address for subscriber in subscriber_rows.all_subscribers(second)] == [
        READER
    ]
    second.close()


def test_the_migrations_create_exactly_the_tables_of_the_schema(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_partial_indexes_hold_the_rows_that_the_schema_says(store: Store) -> None:
    definitions = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = :name",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = :name",
    }
    partial = [index for table in metadata.tables.values() for index in table.indexes if index.info]
    assert len(partial) == 5
    with store.reading() as connection:
        for index in partial:
            definition = connection.scalar(
                text(definitions[store.dialect]), {"name": str(index.name)}
            )
            found, wanted = (
                _words(str(condition).partition("WHERE")[2] or str(condition))
                for condition in (definition, index.info["where"])
            )
            assert found == wanted


def _words(condition: str) -> str:
    """Return a condition in one spelling: Postgres adds parentheses, casts and drops quotation marks."""
    short = re.sub(r"CAST\((\S+) AS TEXT\)", r"\1", condition)
    return re.sub(r"::[a-z ]+|character varying|[()\s\"]", "", short).lower()


def test_the_newest_migration_is_the_one_the_store_expects() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(engine_module.__file__).parent / "migrations")
    )
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_several_threads_may_create_a_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/upcycle.db"
    barrier, failures = threading.Barrier(6), []

    def open_it() -> None:
        barrier.wait()
        try:
            open_store(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert "deliveries" in tables(tmp_path / "upcycle.db")


def test_a_store_of_a_newer_version_is_refused_unchanged(store_url: str) -> None:
    path = store_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9999'")
    with pytest.raises(StoreError, match=r"newer version of upcycle-news \(v9999"):
        open_store(store_url)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
            "v9999",
        )


def test_the_database_of_another_program_is_refused_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001abc')")
    with pytest.raises(StoreError, match=r"belongs to another program .*0001abc"):
        open_store(f"sqlite:///{path}")
    assert tables(path) == {"alembic_version"}


def test_a_file_that_is_no_store_is_refused_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "upcycle.db"
    path.write_bytes(b"Sehr geehrte Damen und Herren, " * 100)
    with pytest.raises(StoreError, match="is not a store of ours or is damaged"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"Sehr geehrte")


def test_a_folder_that_cannot_be_created_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot make the folder .*var .*UPCYCLE_NEWS_STATE"):
        open_store(f"sqlite:///{tmp_path}/var/upcycle.db")


def test_a_store_that_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "upcycle.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/upcycle.db")


@pytest.mark.parametrize("url", ["", "var/upcycle.db", "mysql://u:Geheim@host/db", "sqlite://"])
def test_an_address_that_is_no_store_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///var/upcycle\.db") as caught:
        open_store(url)
    assert "Geheim" not in str(caught.value)


def test_a_write_to_a_locked_store_names_the_cause(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.01)
    store = open_store(store_url)
    other = sqlite3.connect(store_url.removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another program"):
        add(store, READER)
    other.rollback()
    other.close()
    assert READER in add(store, READER)
    store.close()


def test_on_a_full_disk_a_list_is_added_whole_or_not_at_all(store: Store) -> None:
    with store.writing() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        # The limit belongs to the connection, and the pool hands out the same one again.
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreError, match="the disk is full") as caught:
        add(store, *(f"reader{number}@example.org" for number in range(3000)))
    assert "example.org" not in str(caught.value)
    with store.writing() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert list(subscriber_rows.all_subscribers(store)) == []


def test_a_write_to_a_read_only_store_names_the_cause(store: Store) -> None:
    with store.reading() as connection:
        connection.execute(text("PRAGMA query_only = ON"))
    with pytest.raises(StoreError, match="cannot be written to; check the owner"):
        add(store, READER)


def test_no_error_of_the_store_shows_an_address(store: Store) -> None:
    add(store, READER)
    values = {"email": READER, "email_key": READER, "name": "Anna", "language": "de"}
    values |= {"status": "confirmed", "topics": [], "groups": [], "created_at": NOW}
    with pytest.raises(StoreError) as caught, store.writing() as connection:
        connection.execute(insert(subscribers).values(**values))
    shown = "".join(str(part) for part in (caught.value, repr(caught.value)))
    assert READER not in shown
    assert caught.value.__suppress_context__
    assert "Anna" not in str(caught.value.__context__)
    assert READER not in str(caught.value.__context__)


def test_an_interrupted_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.writing() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        raise KeyboardInterrupt
    with store.reading() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="aware datetimes only"), store.writing() as connection:
        connection.execute(
            insert(subscribers).values(
                email="a", email_key="a", name="", language="de", status="pending",
                topics=[], groups=[], created_at=NOW.replace(tzinfo=None),
            )
        )  # fmt: skip


def test_a_subscriber_cannot_be_queued_twice_for_one_issue(store: Store) -> None:
    queued(store, READER)
    with pytest.raises(StoreError), store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO deliveries (issue_id, subscriber_id, state, attempts, enhanced, "
                "reason, queued_at, changed_at) SELECT issue_id, subscriber_id, 'queued', 0, '', "
                "'', queued_at, changed_at FROM deliveries"
            )
        )


def test_the_id_of_an_erased_subscriber_is_never_used_again(store: Store) -> None:
    first = add(store, READER)[READER]
    with store.writing() as connection:
        connection.execute(subscribers.delete())
    assert add(store, READER)[READER] > first


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_only_its_owner_can_read_a_store_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    before = os.umask(mask)
    try:
        store = open_store(f"sqlite:///{folder}/upcycle.db")
        add(store, READER)
        files = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("upcycle.db", "upcycle.db-wal", "upcycle.db-shm"), 0o600)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_an_older_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "upcycle.db"
    first = open_store(f"sqlite:///{path}")
    add(first, READER)
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    second = open_store(f"sqlite:///{path}")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    first.close()
    second.close()
