"""Checks of the store, its disk and its backups; checking changes nothing."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upcycle_news.diagnostics import storage
from upcycle_news.diagnostics.results import CheckResult
from upcycle_news.storage import send_hold
from upcycle_news.storage.inspect import StoreFacts, inspect_store
from upcycle_news.storage.schema import HEAD

from ..publications import Publication

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def states(results: list[CheckResult]) -> dict[str, str]:
    return {result.check: str(result.state) for result in results}


def store_url(publication: Publication) -> str:
    return f"sqlite:///{publication.home}/var/upcycle.db"


def test_a_healthy_store_has_only_ok_results(publication: Publication) -> None:
    facts = inspect_store(store_url(publication))
    assert (facts.version, facts.journal, facts.damage) == (HEAD, "wal", "")
    assert states(storage.evaluate(facts)) == {
        "store": "ok",
        "store-version": "ok",
        "store-rights": "ok",
        "store-check": "ok",
    }


def test_checking_creates_and_migrates_no_store(tmp_path: Path) -> None:
    assert states(storage.evaluate(inspect_store(f"sqlite:///{tmp_path}/none.db"))) == {
        "store": "skipped"
    }
    assert list(tmp_path.iterdir()) == []
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
    connection.close()
    before = old.read_bytes()
    facts = inspect_store(f"sqlite:///{old}")
    assert facts.version == "0000"
    checked = states(storage.evaluate(facts))
    assert checked["store-version"] == "warning"
    assert checked["store"] == "warning"  # it is not in WAL mode yet
    assert old.read_bytes() == before


def test_a_store_of_a_newer_version_is_a_problem(publication: Publication) -> None:
    with sqlite3.connect(publication.home / "var/upcycle.db") as store:
        store.execute("UPDATE alembic_version SET version_num = 'v9999'")
    store.close()
    results = storage.evaluate(inspect_store(store_url(publication)))
    assert states(results)["store-version"] == "problem"


def test_a_damaged_store_is_a_problem(publication: Publication) -> None:
    publication.add_many_subscribers(300)
    publication.__exit__()
    path = publication.home / "var/upcycle.db"
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page, root = store.execute(
            "SELECT (SELECT page_size FROM pragma_page_size), rootpage FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = 'subscribers' LIMIT 1"
        ).fetchone()
    store.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page + 8)
        file.write(b"\xff" * 64)
    checked = states(storage.evaluate(inspect_store(store_url(publication))))
    assert checked["store-check"] == "problem"


def test_a_file_that_is_no_store_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Liebe Leserinnen und Leser, " * 100)
    [result] = storage.evaluate(inspect_store(f"sqlite:///{path}"))
    assert (result.check, str(result.state)) == ("store", "problem")
    assert "restore a backup" in str(result.fix or "")


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://u:geheim@h/d", "postgresql+nodriver://u:geheim@h/d"]
)
def test_an_invalid_store_url_is_a_problem_without_the_password(url: str) -> None:
    facts = inspect_store(url)
    assert facts.trouble
    results = storage.evaluate(facts)
    assert states(results)["store"] == "problem"
    assert "geheim" not in str(results)


def test_a_locked_store_is_a_warning(publication: Publication) -> None:
    store = sqlite3.connect(publication.home / "var/upcycle.db", isolation_level=None)
    try:
        store.execute("BEGIN IMMEDIATE")
        facts = inspect_store(store_url(publication), thorough=False)
    finally:
        store.execute("ROLLBACK")
        store.close()
    assert facts.busy
    assert states(storage.evaluate(facts))["store"] == "warning"


def test_a_read_only_store_is_a_problem() -> None:
    for kind in ("sqlite", "postgresql"):
        facts = StoreFacts(kind, "store", version=HEAD, journal="wal", writable=False, damage="")
        assert states(storage.evaluate(facts))["store"] == "problem"


@pytest.mark.parametrize(
    ("free", "store", "state"),
    [(100e6, 0, "problem"), (500e6, 0, "warning"), (5e9, 4e9, "warning"), (9e9, 4e9, "ok")],
)
def test_the_disk_needs_space_for_a_copy_of_the_store(
    free: float, store: float, state: str
) -> None:
    assert storage.evaluate_disk("/var", int(free), int(1e12), int(store)).state == state


@pytest.mark.parametrize(
    ("hours", "state"), [(5, "ok"), (35, "ok"), (40, "warning"), (24 * 8, "problem")]
)
def test_an_old_backup_is_reported(hours: int, state: str) -> None:
    made = NOW - timedelta(hours=hours)
    assert storage.evaluate_backup(made, NOW, has_store=True).state == state


def test_a_missing_backup_is_a_warning_once_there_is_a_store() -> None:
    assert storage.evaluate_backup(None, NOW, has_store=False).state == "skipped"
    assert storage.evaluate_backup(None, NOW, has_store=True).state == "warning"


def test_a_backup_that_was_made_is_recognised(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    [before] = publication.run("doctor", "backup", "--json").json["groups"]["store"]
    assert before["state"] == "warning"
    publication.run("backup")
    [after] = publication.run("doctor", "backup", "--json").json["groups"]["store"]
    assert after["state"] == "ok"


@pytest.mark.slow
def test_a_postgres_store_is_checked_too(publication: Publication, empty_postgres: str) -> None:
    import psycopg

    facts = inspect_store(empty_postgres)
    assert (facts.version, facts.trouble) == (None, None)
    assert states(storage.evaluate(facts)) == {"store": "ok", "store-version": "warning"}
    assert inspect_store(empty_postgres).version is None  # checking made no tables

    publication.run("subscribers", "stats", STORE=empty_postgres)
    done = publication.run("doctor", "store", "content", "--json", STORE=empty_postgres)
    checked = {result["check"]: result["state"] for result in done.json["groups"]["store"]}
    assert checked == {
        "store": "ok", "store-version": "ok", "store-contents": "ok", "journal": "ok", "backup": "warning",
    }  # fmt: skip

    with psycopg.connect(empty_postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER DATABASE trial SET default_transaction_read_only = on")
    assert states(storage.evaluate(inspect_store(empty_postgres)))["store"] == "problem"


def test_a_postgres_that_does_not_answer_is_a_problem() -> None:
    facts = inspect_store("postgresql+psycopg://news:geheim@127.0.0.1:9/news")
    [result] = storage.evaluate(facts)
    assert (result.check, str(result.state)) == ("store", "problem")
    assert "does not answer" in str(result.finding or "")
    assert str(result.fix or "") == "check host, port and that the server runs"
    assert "geheim" not in str(result)


def test_a_send_hold_is_a_problem_until_it_is_confirmed(publication: Publication) -> None:
    context = publication.context()
    assert publication.run("doctor", "pause").out == "Es wurde nichts Falsches gefunden\n"
    with context.store.writing() as connection:
        send_hold.start(
            connection, send_hold.HoldKind.RESTORED, as_of=NOW, location="b.tar.gz", now=NOW
        )
    [result] = publication.run("doctor", "pause", "--json", code=1).json["groups"]["store"]
    assert result["state"] == "problem"
    assert "restored from a backup" in result["found"]
    assert "store confirm" in result["cure"]


def test_a_store_that_others_can_read_is_a_problem(publication: Publication) -> None:
    path = publication.home / "var/upcycle.db"
    path.chmod(0o640)
    [found] = [
        result
        for result in storage.evaluate(inspect_store(store_url(publication)))
        if result.check == "store-rights"
    ]
    assert (str(found.state), "upcycle.db" in str(found.finding or "")) == ("problem", True)
    assert "chmod 600" in str(found.fix or "")
