"""Stores are migrated whole or not at all; those of pre-releases are refused unchanged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

import upcycle_news.storage.database as database_module
from upcycle_news.diagnostics.results import State
from upcycle_news.diagnostics.storage import evaluate
from upcycle_news.errors import StoreError
from upcycle_news.services.backup import create, migrate_store, restore
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import (
    PRE_RELEASES,
    Store,
    current_migration,
    migrate,
    open_store,
)
from upcycle_news.storage.inspect import inspect_store
from upcycle_news.storage.schema import HEAD, metadata
from upcycle_news.subscribers.signing_keys import load_or_create_key

from ..fork_server import ForkedPython
from ..publications import Publication, relay_variables, today
from ..services.delivery.sink_relay import Sink
from .sample_rows import ISSUE, queued

NEXT = "v9000"
SUBSCRIBERS = tuple(f"leserin{number}@example.org" for number in range(5))


@pytest.fixture
def filled(any_store: str) -> Iterator[Store]:
    """A store of this version with an issue for five subscribers."""
    store = open_store(any_store)
    queued(store, *SUBSCRIBERS)
    yield store
    store.close()


@pytest.fixture
def pre_release(filled: Store) -> Store:
    """A store as a version before the first release left it."""
    set_migration(filled, "0005")
    return filled


def set_migration(store: Store, version: str) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})


def add_migration(folder: Path, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Let this program have one more migration, which executes `statement` last."""
    shutil.copytree(Path(database_module.__file__).parent / "migrations", folder / "migrations")
    (folder / f"migrations/versions/{NEXT}.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '{NEXT}', '{HEAD}', None, None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE halfway (x INTEGER)')\n"
        "    op.execute(\"UPDATE subscribers SET name = 'x'\")\n"
        f"    op.execute({statement!r})\n"
    )
    monkeypatch.setattr(database_module, "__file__", str(folder / "database.py"))
    for module in (database_module, create, migrate_store, restore):
        monkeypatch.setattr(module, "HEAD", NEXT)


def sums(store: Store) -> dict[str, copy.TableSum]:
    with store.reading() as connection:
        return {
            table.name: copy.table_sum(connection, table, columns)
            for table, columns in copy.existing_tables(connection)
        }


def table_names(store: Store) -> set[str]:
    with store.reading() as connection:
        return set(inspect(connection).get_table_names())


def test_the_migrations_create_exactly_the_tables_of_the_schema(filled: Store) -> None:
    assert current_migration(filled) == HEAD
    with filled.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        # Alembic does not compare primary keys.
        keys = {
            name: set(inspect(connection).get_pk_constraint(name)["constrained_columns"])
            for name in metadata.tables
        }
    assert keys == {
        name: {column.name for column in table.primary_key}
        for name, table in metadata.tables.items()
    }


def test_numbers_that_large_lists_outgrow_have_eight_bytes_in_postgres(empty_postgres: str) -> None:
    store = open_store(empty_postgres)
    with store.reading() as connection:
        eight_bytes = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE data_type = 'bigint' AND table_schema = 'public'"
            )
        ).all()
        sequence = connection.scalar(
            text("SELECT data_type FROM pg_sequences WHERE sequencename = 'deliveries_id_seq'")
        )
    store.close()
    assert {tuple(row) for row in eight_bytes} == {
        ("deliveries", "id"),
        ("feed_item_marks", "mark"),
        ("packed_deliveries", "first_id"),
        ("packed_deliveries", "last_id"),
        ("bounces", "delivery_id"),
        ("suppressions", "delivery_id"),
        ("provider_event_counts", "count"),
        ("quota_scopes", "count"),
        ("quota_marks", "number"),
        ("pending_suppressions", "delivery_id"),
        ("recent_refusals", "id"),
        ("recent_refusals", "delivery_id"),
        ("events", "id"),
        ("events", "position"),
        ("webhook_cursors", "position"),
    }
    assert sequence == "bigint"


def test_a_store_is_migrated_with_everything_in_it(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sums(filled)
    assert before["deliveries"].rows == 5
    add_migration(tmp_path / "next", monkeypatch, "CREATE TABLE done (x INTEGER)")
    migrate(filled)
    assert current_migration(filled) == NEXT
    assert {"halfway", "done"} <= table_names(filled)
    after = sums(filled)
    assert after.pop("subscribers") != before.pop("subscribers")
    assert after == before


def test_a_failed_migration_leaves_the_store_unchanged(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last statement of a migration fails; the first ones are rolled back."""
    before = sums(filled)
    add_migration(tmp_path / "broken", monkeypatch, "UPDATE nowhere SET x = 1")
    with pytest.raises(StoreError, match="refused the operation"):
        migrate(filled)
    assert current_migration(filled) == HEAD
    assert sums(filled) == before
    assert "halfway" not in table_names(filled)


@pytest.mark.slow
def test_of_several_processes_that_open_a_new_store_one_migrates_it(no_store_yet: str) -> None:
    program = (
        "import sys; from upcycle_news.storage.database import current_migration, open_store\n"
        "sys.stdin.readline(); print(current_migration(open_store(sys.argv[1])))"
    )
    processes = [
        ForkedPython(
            [sys.executable, "-c", program, no_store_yet],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate(timeout=60) for process in processes]
    assert [out.strip() for out, _ in results] == [HEAD] * 4, results


@pytest.mark.slow
def test_store_upgrade_makes_a_backup_and_migrates(
    publication: Publication,
    any_store: str,
    filled: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {"STORE": any_store}
    load_or_create_key(publication.home / "var/secrets/person.key")  # it lay beside the old store
    said = publication.run("store", "upgrade", **environment).out
    assert f"Der Speicher steht schon auf Migration {HEAD}." in said
    with monkeypatch.context() as patch:
        add_migration(tmp_path / "next", patch, "CREATE TABLE done (x INTEGER)")
        result = publication.run("store", "upgrade", **environment)
        assert f"Der Speicher ist von {HEAD} auf {NEXT} gebracht." in result.out
        assert current_migration(filled) == NEXT
        said = publication.run("store", "upgrade", **environment).out
        assert f"Der Speicher steht schon auf Migration {NEXT}." in said
        # The backup of the older version is migrated when it is restored.
        backup = result.out.split("Backup: ")[1].splitlines()[0]
        report = publication.run("restore", backup, "--yes", "--json", **environment).json
        assert report["unknown"] == {str(ISSUE): 5}
        info = publication.run("store", "info", "--json", **environment).json
        assert info["migration"] == NEXT
        tables = info["tables"]
        assert (tables["subscribers"], tables["deliveries"], tables["send_holds"]) == (5, 5, 1)


@pytest.mark.slow
def test_an_older_store_is_backed_up_without_asking_for_what_it_lacks(
    publication: Publication, any_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal knows of an issue that went out, and the older store has fewer columns."""
    publication.write_essay()
    with Sink() as relay:
        environment = {"STORE": any_store, **relay_variables(relay.port)}
        publication.run(
            "subscribers", "add", "anna@example.org", "--consent", "letter", **environment
        )
        publication.run("issue", "send", "--yes", **environment)
        assert relay.count == 1
        store = open_store(any_store)
        with store.writing() as connection:
            connection.execute(text("ALTER TABLE issues DROP COLUMN left_without"))
        store.close()
        add_migration(
            tmp_path / "next", monkeypatch, "ALTER TABLE issues ADD COLUMN left_without JSON"
        )
        result = publication.run("store", "upgrade", **environment)
        assert f"Der Speicher ist von {HEAD} auf {NEXT} gebracht." in result.out
        publication.run("issue", "send", "--yes", code=3, **environment)
        assert relay.count == 1


def test_a_store_of_any_pre_release_is_refused_unchanged(any_store: str, filled: Store) -> None:
    before = sums(filled)
    for version in PRE_RELEASES:
        set_migration(filled, version)
        with pytest.raises(StoreError, match=rf"made by a pre-release .*migration {version}"):
            open_store(any_store)
        assert current_migration(filled) == version
        assert sums(filled) == before


def test_a_backup_of_a_pre_release_is_not_restored(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.add_many_subscribers(2)
    backup = publication.run("backup", "--json").json["file"]
    publication.add_many_subscribers(3)
    with monkeypatch.context() as patch:
        for module in (database_module, restore):
            patch.setattr(module, "PRE_RELEASES", {HEAD})
        error = publication.run("restore", backup, "--yes", code=1).err
    assert f"{backup} stammt von einer Vorabfassung von upcycle-news (Migration {HEAD})" in error
    assert publication.run("store", "info", "--json").json["tables"]["subscribers"] == 3


def test_every_command_refuses_a_store_of_a_pre_release_with_a_way_out(
    publication: Publication, any_store: str, pre_release: Store
) -> None:
    before = sums(pre_release)
    for command in (
        ("issue", "status"),
        ("store", "upgrade"),
        ("subscribers", "export"),
        ("backup",),
    ):
        error = publication.run(*command, STORE=any_store, code=1).err
        assert pre_release.name in error
        assert "stammt von einer Vorabfassung von upcycle-news (Migration 0005)" in error
        assert "„subscribers export“" in error
        assert "„subscribers suppressions“" in error
        assert "es wurde nichts geändert" in error
    assert sums(pre_release) == before
    assert current_migration(pre_release) == "0005"
    assert not list(publication.home.glob("var/backups/*"))


def test_the_doctor_names_a_store_of_a_pre_release(any_store: str, pre_release: Store) -> None:
    facts = inspect_store(any_store, thorough=False)
    [line] = [line for line in evaluate(facts) if line.check == "store-version"]
    assert line.state is State.PROBLEM
    assert "pre-release" in str(line.finding or "")


def test_the_exports_of_a_pre_release_are_imported_into_a_new_store(
    publication: Publication, tmp_path: Path
) -> None:
    """The way out that the refusal names: this version reads what the older one writes."""
    subscribers, suppressions = tmp_path / "subscribers.csv", tmp_path / "suppressions.csv"
    publication.run("subscribers", "add", "anna@example.org", "--consent", "letter")
    publication.run("subscribers", "add", "cem@example.org", "--consent", "letter")
    publication.run("subscribers", "forget", "cem@example.org", "--yes")
    publication.run("subscribers", "suppress", "bert@example.org", "--reason", "complaint")
    publication.run("subscribers", "export", str(subscribers))
    suppressions.write_text(publication.run("subscribers", "suppressions").out)
    new = {"STORE": f"sqlite:///{tmp_path}/state/new.db", "STATE": str(tmp_path / "state")}
    secrets = tmp_path / "state/secrets"
    secrets.mkdir(parents=True, mode=0o700)
    shutil.copy(publication.home / "var/secrets/person.key", secrets)
    publication.run(
        "subscribers", "suppress", "--file", str(suppressions), "--reason", "earlier store", **new
    )
    with subscribers.open("a") as file:
        for address in ("bert@example.org", "cem@example.org"):
            file.write(f"{address}\n")
    report = publication.run(
        "subscribers", "import", str(subscribers), "--consent", "moved", "--json", **new
    ).json
    assert (report["added"], len(report["skipped"])) == (1, 2)


def test_a_store_newer_than_the_program_is_refused_by_every_command(
    publication: Publication, any_store: str, filled: Store
) -> None:
    set_migration(filled, "v9999")
    for command in (("issue", "status"), ("store", "upgrade"), ("subscribers", "export")):
        error = publication.run(*command, STORE=any_store, code=1).err
        assert "stammt von einer neueren Fassung von upcycle-news (v9999" in error
        assert "Installieren Sie die neuere" in error
    assert current_migration(filled) == "v9999"


def test_store_info_creates_no_store(publication: Publication) -> None:
    (publication.home / "var/upcycle.db").unlink()
    assert (
        "Es gibt noch keinen; der erste Befehl legt ihn an" in publication.run("store", "info").out
    )
    assert publication.run("store", "info", "--json").json["exists"] is False
    assert not (publication.home / "var/upcycle.db").exists()


def test_store_info_describes_the_store(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "send", "--yes")
    info = publication.run("store", "info", "--json").json
    assert (info["kind"], info["migration"], info["paused"]) == ("sqlite", HEAD, None)
    assert (info["tables"]["deliveries"], info["senders"]) == (2, 0)
    assert info["bytes"] > 100_000
    assert "2 deliveries" in publication.run("store", "info").out
    assert publication.run("issue", "status", "--json").json["issue"] == today()
