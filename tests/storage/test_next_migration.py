"""The tool that writes the migration from the last release to the schema."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    text,
)

import upcycle_news.storage.database as database_module
from upcycle_news.errors import StoreError
from upcycle_news.storage.database import Store, migrate, open_store
from upcycle_news.storage.schema import HEAD, UtcDateTime, metadata
from upcycle_news.storage.schema.base import LongNumber

from .sample_rows import queued

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import next_migration  # noqa: E402 - a tool, not a package

NEXT = "v9000"
SUBSCRIBERS = tuple(f"leserin{number}@example.org" for number in range(5))


@pytest.fixture
def filled(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    queued(store, *SUBSCRIBERS)
    yield store
    store.close()


def changed_schema() -> MetaData:
    """Return the schema with a table, columns, an index and a reference more, and an index less."""
    changed = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        table.to_metadata(changed)
    issues, subscribers = changed.tables["issues"], changed.tables["subscribers"]
    Table(
        "parcels",
        changed,
        Column("id", LongNumber, primary_key=True),
        Column("at", UtcDateTime, nullable=False),
        Column("label", String(8), index=True),
    )
    issues.append_column(Column("weight", Integer))
    issues.append_column(Column("parcel_id", LongNumber, ForeignKey("parcels.id"), index=True))
    subscribers.append_column(Column("rhythm", String(8), nullable=False, server_default="each"))
    issues.indexes.remove(next(each for each in issues.indexes if each.name == "ix_issues_state"))
    return changed


def write_migration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, store_url: str, changed: MetaData
) -> None:
    """Let this program have the migration that the tool writes for a changed schema."""
    store = open_store(store_url)
    with store.reading() as connection:
        steps = next_migration.steps_to_schema(connection, changed)
    store.close()
    shutil.copytree(Path(database_module.__file__).parent / "migrations", folder / "migrations")
    (folder / f"migrations/versions/{NEXT}.py").write_text(
        next_migration.TEMPLATE.format(
            words="Next", revision=NEXT, released=HEAD, version="0",
            steps=textwrap.indent(steps, "    "),
        ),
        encoding="utf-8",
    )  # fmt: skip
    monkeypatch.setattr(database_module, "__file__", str(folder / "database.py"))
    monkeypatch.setattr(database_module, "HEAD", NEXT)


def test_released_migrations_are_as_they_were_released() -> None:
    changed = next_migration.changed_migrations(next_migration.previous_release()["migrations"])
    assert not changed, f"run 'python tools/next_migration.py', which brings {changed} back"


def test_the_migrations_lead_to_the_schema(store: Store) -> None:
    with store.reading() as connection:
        assert next_migration.steps_to_schema(connection, metadata) == ""


def test_what_the_tool_writes_leads_to_the_schema_and_keeps_every_row(
    filled: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`issues` is made anew in SQLite, and what refers to it is still there afterwards."""
    changed = changed_schema()
    write_migration(tmp_path / "next", monkeypatch, store_url, changed)
    before = rows(filled)
    assert (before["deliveries"], before["revisions"]) == (5, 1)
    migrate(filled)
    assert rows(filled) == before
    with filled.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, changed) == []
        told = connection.execute(text("SELECT DISTINCT rhythm FROM subscribers")).scalars().all()
        assert told == ["each"]


def test_references_are_followed_again_after_a_migration(
    filled: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_migration(tmp_path / "next", monkeypatch, store_url, changed_schema())
    migrate(filled)
    with pytest.raises(StoreError), filled.writing() as connection:
        connection.execute(text("UPDATE deliveries SET issue_id = '1999-01-01'"))


def test_a_migration_that_loses_what_others_refer_to_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres refuses such a statement by itself."""
    queued(store, *SUBSCRIBERS)
    steps = 'op.execute("DELETE FROM issues")'
    monkeypatch.setattr(next_migration, "steps_to_schema", lambda *_: steps)
    with monkeypatch.context() as patch:
        write_migration(tmp_path / "next", patch, f"sqlite:///{tmp_path}/other.db", metadata)
        with pytest.raises(StoreError, match="would refer to rows that are not there"):
            migrate(store)
    assert rows(store)["issues"] == 1


def test_a_column_without_a_value_for_the_rows_that_are_there_is_refused(store: Store) -> None:
    changed = changed_schema()
    changed.tables["issues"].append_column(Column("colour", String(8), nullable=False))
    with (
        store.reading() as connection,
        pytest.raises(next_migration.MigrationError, match=r"issues\.colour .* server_default"),
    ):
        next_migration.steps_to_schema(connection, changed)


def test_a_changed_check_is_told_since_alembic_does_not_see_it(store: Store) -> None:
    changed = changed_schema()
    changed.tables["issues"].append_constraint(CheckConstraint("day > '2000'"))
    with (
        store.reading() as connection,
        pytest.raises(next_migration.MigrationError, match="a CHECK of issues"),
    ):
        next_migration.steps_to_schema(connection, changed)


def rows(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        return {
            table.name: connection.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()
            for table in metadata.sorted_tables
        }
