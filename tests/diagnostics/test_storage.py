"""The store as it lies there, its disk, its backups; looking changes nothing."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upcycle_news.diagnostics import storage
from upcycle_news.diagnostics.results import Line
from upcycle_news.storage import send_hold
from upcycle_news.storage.inspect import StoreFacts, look
from upcycle_news.storage.schema import HEAD

from ..publications import Publication

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def states(lines: list[Line]) -> dict[str, str]:
    return {line.check: str(line.state) for line in lines}


def at(publication: Publication) -> str:
    return f"sqlite:///{publication.home}/var/upcycle.db"


def test_a_store_in_order(publication: Publication) -> None:
    facts = look(at(publication))
    assert (facts.version, facts.journal, facts.damage) == (HEAD, "wal", "")
    assert states(storage.verdict(facts)) == {
        "store": "ok",
        "store-version": "ok",
        "store-check": "ok",
    }


def test_looking_makes_no_store_and_migrates_none(tmp_path: Path) -> None:
    assert states(storage.verdict(look(f"sqlite:///{tmp_path}/none.db"))) == {"store": "skipped"}
    assert list(tmp_path.iterdir()) == []
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as made:
        made.execute("CREATE TABLE alembic_version (version_num TEXT)")
        made.execute("INSERT INTO alembic_version VALUES ('0000')")
    made.close()
    before = old.read_bytes()
    facts = look(f"sqlite:///{old}")
    assert facts.version == "0000"
    told = states(storage.verdict(facts))
    assert told["store-version"] == "warning"
    assert told["store"] == "warning"  # it is not in WAL mode yet
    assert old.read_bytes() == before


def test_a_store_of_a_newer_program_is_red(publication: Publication) -> None:
    with sqlite3.connect(publication.home / "var/upcycle.db") as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    lines = storage.verdict(look(at(publication)))
    assert states(lines)["store-version"] == "problem"


def test_a_damaged_store_is_red(publication: Publication) -> None:
    publication.crowd(300)
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
    told = states(storage.verdict(look(at(publication))))
    assert told["store-check"] == "problem"


def test_what_is_no_store_is_red(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Liebe Leserinnen und Leser, " * 100)
    [line] = storage.verdict(look(f"sqlite:///{path}"))
    assert (line.check, str(line.state)) == ("store", "problem")
    assert "restore a backup" in line.cure


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://u:geheim@h/d", "postgresql+nodriver://u:geheim@h/d"]
)
def test_an_address_that_is_none_is_red_and_hides_the_password(url: str) -> None:
    facts = look(url)
    assert facts.trouble
    lines = storage.verdict(facts)
    assert states(lines)["store"] == "problem"
    assert "geheim" not in str(lines)


def test_a_locked_store_is_a_warning_and_no_traceback(publication: Publication) -> None:
    store = sqlite3.connect(publication.home / "var/upcycle.db", isolation_level=None)
    try:
        store.execute("BEGIN IMMEDIATE")
        facts = look(at(publication), thorough=False)
    finally:
        store.execute("ROLLBACK")
        store.close()
    assert facts.busy
    assert states(storage.verdict(facts))["store"] == "warning"


def test_a_store_that_cannot_be_written_to_is_red() -> None:
    for kind in ("sqlite", "postgresql"):
        facts = StoreFacts(kind, "store", version=HEAD, journal="wal", writable=False, damage="")
        assert states(storage.verdict(facts))["store"] == "problem"


@pytest.mark.parametrize(
    ("free", "store", "state"),
    [(100e6, 0, "problem"), (500e6, 0, "warning"), (5e9, 4e9, "warning"), (9e9, 4e9, "ok")],
)
def test_the_disk_needs_room_for_a_copy_of_the_store(free: float, store: float, state: str) -> None:
    assert storage.disk("/var", int(free), int(1e12), int(store)).state == state


@pytest.mark.parametrize(
    ("hours", "state"), [(5, "ok"), (35, "ok"), (40, "warning"), (24 * 8, "problem")]
)
def test_a_backup_gets_old(hours: int, state: str) -> None:
    made = NOW - timedelta(hours=hours)
    assert storage.backup(made, NOW, there_is_something=True).state == state


def test_no_backup_matters_once_there_is_something() -> None:
    assert storage.backup(None, NOW, there_is_something=False).state == "skipped"
    assert storage.backup(None, NOW, there_is_something=True).state == "warning"


def test_a_real_backup_is_seen(publication: Publication) -> None:
    publication.crowd(1)
    [before] = publication.run("doctor", "backup", "--json").json["groups"]["store"]
    assert before["state"] == "warning"
    publication.run("backup")
    [after] = publication.run("doctor", "backup", "--json").json["groups"]["store"]
    assert after["state"] == "ok"


@pytest.mark.slow
def test_a_store_in_postgres_is_looked_at_likewise(
    publication: Publication, empty_postgres: str
) -> None:
    import psycopg

    facts = look(empty_postgres)
    assert (facts.version, facts.trouble) == (None, "")
    assert states(storage.verdict(facts)) == {"store": "ok", "store-version": "warning"}
    assert look(empty_postgres).version is None  # looking made no tables

    publication.run("subscribers", "stats", STORE=empty_postgres)
    done = publication.run("doctor", "store", "content", "--json", STORE=empty_postgres)
    told = {line["check"]: line["state"] for line in done.json["groups"]["store"]}
    assert told == {"store": "ok", "store-version": "ok", "backup": "warning"}

    with psycopg.connect(empty_postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER DATABASE trial SET default_transaction_read_only = on")
    assert states(storage.verdict(look(empty_postgres)))["store"] == "problem"


def test_a_postgres_that_does_not_answer_is_red() -> None:
    facts = look("postgresql+psycopg://news:geheim@127.0.0.1:9/news")
    [line] = storage.verdict(facts)
    assert (line.check, str(line.state)) == ("store", "problem")
    assert "does not answer" in line.found
    assert line.cure == "check host, port and that the server runs"
    assert "geheim" not in str(line)


def test_a_store_that_stands_still_is_red_until_somebody_confirms(publication: Publication) -> None:
    context = publication.context()
    assert publication.run("doctor", "pause").out == "nothing was found wrong\n"
    with context.store.writing() as connection:
        send_hold.begin(
            connection, send_hold.PauseKind.RESTORED, as_of=NOW, place="b.tar.gz", now=NOW
        )
    [line] = publication.run("doctor", "pause", "--json", code=1).json["groups"]["store"]
    assert line["state"] == "problem"
    assert "restored from a backup" in line["found"]
    assert "store confirm" in line["cure"]
