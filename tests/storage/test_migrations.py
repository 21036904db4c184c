"""A store of the first tables comes forward with everything in it, or stays as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

import upcycle_news.storage.database as engine_module
from upcycle_news.errors import StoreError
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import (
    Store,
    migrate,
    current_migration,
    open_store,
)
from upcycle_news.storage.schema import HEAD, metadata
from upcycle_news.subscribers.signing_keys import load_or_create_key

from ..publications import Publication, today
from .sample_rows import queued

FIRST = "0001"
READERS = tuple(f"leserin{number}@example.org" for number in range(5))
THEN = "2026-11-20 06:00:00"


def at_the_first_tables(url: str) -> Store:
    """A store as the first release made it, filled by hand: today's code writes today's columns."""
    store = open_store(url, migrated=False)
    migrate(store, FIRST)
    with store.writing() as connection:
        for address in READERS:
            put(
                connection, "subscribers", email=address, email_key=address,
                domain_key="@example.org", hash_key="", name="", language="de", status="confirmed",
                topics="[]", groups="[]", created_at=THEN,
            )  # fmt: skip
        put(
            connection, "issues", id="2026-11-20", number=1, state="sending", revision_id="ab",
            audience=5, stop_reason="", created_at=THEN, enqueued_at=THEN,
        )  # fmt: skip
        for number in range(1, 6):
            put(
                connection, "deliveries", issue_id="2026-11-20", subscriber_id=number,
                state="sent", attempts=1, enhanced="2.0.0", reason="", queued_at=THEN,
                changed_at=THEN, code=250,
            )  # fmt: skip
        put(connection, "blobs", sha256="0" * 64, data=b"\x00\xff")
    return store


def put(connection: Connection, table: str, **values: Any) -> None:
    names, marks = ", ".join(f'"{name}"' for name in values), ", ".join(f":{n}" for n in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


@pytest.fixture
def old(any_store: str) -> Iterator[Store]:
    store = at_the_first_tables(any_store)
    yield store
    store.close()


def sums(store: Store) -> dict[str, copy.TableSum]:
    """What the tables of the first release hold, by the columns they had."""
    with store.reading() as connection:
        return {
            table.name: copy.table_sum(connection, table, columns)
            for table, columns in copy.existing_tables(connection)
            if table.name in FIRST_TABLES
        }


FIRST_TABLES = {"subscribers", "issues", "deliveries", "blobs", "consents", "suppressions"}


def test_a_store_of_the_first_tables_comes_forward_with_everything_in_it(
    any_store: str, old: Store
) -> None:
    assert current_migration(old) == FIRST
    before = sums(old)
    assert before["deliveries"].rows == 5
    new = open_store(any_store)
    assert current_migration(new) == HEAD
    with new.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert connection.scalar(text("SELECT count(*) FROM pauses")) == 0
    after = sums(new)
    assert {name: one.rows for name, one in after.items()} == {
        name: one.rows for name, one in before.items()
    }
    assert after["blobs"] == before["blobs"]
    queued(new, "neu@example.org")
    new.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    any_store: str, old: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of a later migration fails; what its first steps did is taken back."""
    before = sums(old)
    package = Path(engine_module.__file__).parent
    broken = tmp_path / "broken"
    shutil.copytree(package / "migrations", broken / "migrations")
    (broken / "migrations/versions/v9000.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '9000', '{HEAD}', None, None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE halfway (x INTEGER)')\n"
        "    op.execute(\"UPDATE subscribers SET name = 'x'\")\n"
        "    op.execute('UPDATE nowhere SET x = 1')\n"
    )
    monkeypatch.setattr(engine_module, "__file__", str(broken / "engine.py"))
    with pytest.raises(StoreError, match="refused the operation"):
        migrate(old, "9000")
    assert current_migration(old) == FIRST
    assert sums(old) == before
    with old.reading() as connection:
        assert not {"halfway", "pauses"} & set(inspect(connection).get_table_names())
    monkeypatch.undo()
    migrate(old)
    assert current_migration(old) == HEAD


def test_processes_that_come_at_once_bring_it_forward_once(any_store: str, old: Store) -> None:
    old.close()
    program = (
        "import sys; from upcycle_news.storage.database import migration, open_store\n"
        "sys.stdin.readline(); print(migration(open_store(sys.argv[1])))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, any_store],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    ended = [one.communicate(timeout=60) for one in running]
    assert [out.strip() for out, _ in ended] == [HEAD] * 4, ended


def test_an_operator_upgrades_after_a_backup_of_what_was(
    publication: Publication, any_store: str, old: Store
) -> None:
    there = {"STORE": any_store}
    load_or_create_key(publication.home / "var/secrets/person.key")  # it lay beside the old store
    assert publication.run("store", "info", "--json", **there).json["migration"] == FIRST
    assert "upcycle-news store upgrade" in publication.run("store", "info", **there).out
    assert current_migration(old) == FIRST, "looking changes nothing"
    done = publication.run("store", "upgrade", **there)
    assert f"migrated from {FIRST} to {HEAD}" in done.out
    path = done.out.split("backup: ")[1].splitlines()[0]
    assert current_migration(old) == HEAD
    assert "already" in publication.run("store", "upgrade", **there).out
    # Back to what was, with this program: the backup comes forward when it is restored.
    told = publication.run("restore", path, "--yes", "--json", **there).json
    assert told["unknown"] == {}
    counts = publication.run("store", "info", "--json", **there).json["tables"]
    assert (counts["subscribers"], counts["deliveries"], counts["pauses"]) == (5, 5, 1)
    told = publication.run("issue", "status", "2026-11-20", "--json", **there).json
    assert (told["sent"], told["closed"]) == (5, True)


def test_a_store_newer_than_the_program_is_refused_by_every_command_with_a_cure(
    publication: Publication, any_store: str, old: Store
) -> None:
    with old.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (("issue", "status"), ("store", "upgrade"), ("subscribers", "export")):
        told = publication.run(*command, STORE=any_store, code=1).err
        assert "newer version of upcycle-news (9999" in told
        assert "install the newer version" in told
    assert current_migration(old) == "9999"


def test_info_of_a_store_that_is_not_there_makes_none(publication: Publication) -> None:
    (publication.home / "var/upcycle.db").unlink()
    assert "there is none yet" in publication.run("store", "info").out
    assert publication.run("store", "info", "--json").json["exists"] is False
    assert not (publication.home / "var/upcycle.db").exists()


def test_info_tells_what_is_in_a_store(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "send", "--yes")
    told = publication.run("store", "info", "--json").json
    assert (told["kind"], told["migration"], told["paused"]) == ("sqlite", HEAD, None)
    assert (told["tables"]["deliveries"], told["senders"]) == (2, 0)
    assert told["bytes"] > 100_000
    assert "2 deliveries" in publication.run("store", "info").out
    assert publication.run("issue", "status", "--json").json["issue"] == today()
