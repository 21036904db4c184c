"""The store in one SQLite file, as of one moment, and back again from such a file.

The file is the same whether the store is SQLite or Postgres, so either can be restored from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from upcycle_news.errors import StoreError
from upcycle_news.models import DeliveryState
from upcycle_news.storage import send_hold
from upcycle_news.storage.backup import copy as copy_rows
from upcycle_news.storage.backup.merge import MergeReport, merge_newer_data
from upcycle_news.storage.database import (
    Store,
    current_migration,
    describe_error,
    migrate,
    open_store,
)
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.schema import (
    approvals,
    consents,
    deliveries,
    issues,
    subscribers,
    suppressions,
)
from upcycle_news.storage.workers import NO_WORKER

_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
# Numbers a lost store may have given since the backup are not given again.
_MARGIN = 100_000
BY = "restore"


@dataclass(frozen=True)
class Snapshot:
    """What a copy of the store holds: its migration, and the rows of each table."""

    migration: str
    rows: dict[str, int]


def write_snapshot(store: Store, file: Path, *, on_rows: Callable[[int], None]) -> Snapshot:
    """Write the store as of now into the new SQLite `file`, while others go on writing.

    Raises `StoreError`; then nothing is worth keeping in `file`.
    """
    found = current_migration(store)
    if found is None:
        raise StoreError(f"{store.name} is empty: there is nothing to back up yet")
    if store.dialect == "sqlite":
        # Not sqlite3's backup: pages that hold forgotten people stay behind, and a writer who
        # commits all the time does not make it begin again.
        store.execute_alone("VACUUM INTO ?", str(file))
        check_integrity(file)
        return read_contents(file)
    copy = open_store(f"sqlite:///{file}", migrated=False)
    try:
        migrate(copy, found)
        with store.snapshot() as source, copy.writing() as target:
            copy_rows.copy_all(source, target, on_rows=on_rows)
        copy.execute_alone("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
    check_integrity(file)
    return read_contents(file)


def read_contents(file: Path) -> Snapshot:
    """What the SQLite file of a backup holds; raises `StoreError` for one that is no store."""
    copy = open_store(f"sqlite:///{file}", migrated=False)
    try:
        found = current_migration(copy)
        if found is None:
            raise StoreError(f"{file.name} is not a store of ours")
        with copy.reading() as connection:
            return Snapshot(found, copy_rows.count_rows(connection))
    finally:
        copy.close()


def check_integrity(file: Path) -> None:
    """Let SQLite look through a whole file; raises `StoreError` when it is damaged."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            told = connection.execute("PRAGMA quick_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"store {file}: {describe_error(error)}") from None
    if told != "ok":
        raise StoreError(f"store {file}: is damaged; restore a backup")


@dataclass(frozen=True)
class StoreContents:
    """What lies in a store before it is replaced. `changed_at`: the newest time in it."""

    subscribers: int
    issues: int
    changed_at: datetime | None
    suppressions: int

    @property
    def is_new(self) -> bool:
        """Whether nobody would miss it."""
        return not self.subscribers and not self.issues and not self.suppressions


def store_contents(store: Store) -> StoreContents:
    """What a store holds that somebody would miss."""
    times = (
        deliveries.c.changed_at,
        subscribers.c.created_at,
        subscribers.c.unsubscribed_at,
        consents.c.confirmed_at,
        suppressions.c.created_at,
        issues.c.created_at,
        approvals.c.decided_at,
    )
    with store.reading() as connection:
        people = connection.scalar(select(func.count()).select_from(subscribers)) or 0
        kept_out = connection.scalar(select(func.count()).select_from(suppressions)) or 0
        known = connection.scalar(select(func.count()).select_from(issues)) or 0
        newest = [connection.scalar(select(func.max(column))) for column in times]
    return StoreContents(people, known, max(filter(None, newest), default=None), kept_out)


@dataclass(frozen=True)
class RestoreResult:
    """What replacing a store came to. `doubts`: deliveries in doubt by issue; `open`: unsent issues."""

    learned: MergeReport
    doubts: dict[str, int]
    open: tuple[str, ...]
    tables: Mapping[str, copy_rows.TableSum]


def replace_store(
    store: Store,
    copy: Store,
    *,
    as_of: datetime,
    place: str,
    merge: bool,
    now: datetime,
    on_rows: Callable[[int], None],
) -> RestoreResult:
    """Put `copy`, an opened backup of `as_of`, in the place of what `store` holds.

    One transaction, with every writer kept out from the first look at what is replaced: afterwards
    the store holds the backup, what the replaced one knew better (with `merge`), and a pause; or
    everything is as it was. Raises `StoreError`.
    """
    with store.writing() as connection:
        copy_rows.lock_tables(connection, "ACCESS EXCLUSIVE")
        with copy.writing() as backup:
            given = copy_rows.highest_ids(backup)
            learned = (
                merge_newer_data(connection, backup, since=as_of, now=now)
                if merge
                else MergeReport()
            )
            known = copy_rows.highest_ids(connection)
            doubts = _doubt(backup, as_of, now)
            unsent = _unapprove(backup, now)
            send_hold.start(backup, send_hold.HoldKind.RESTORED, as_of=as_of, place=place, now=now)
            for table, mark in given.items():
                given[table] = max(mark + _MARGIN, known.get(table, 0))
        copy_rows.delete_all_rows(connection)
        with copy.reading() as backup:
            tables = copy_rows.copy_all(backup, connection, on_rows=on_rows)
        copy_rows.set_highest_ids(connection, given)
    store.checkpoint()
    return RestoreResult(learned, doubts, unsent, tables)


def _doubt(connection: Connection, as_of: datetime, now: datetime) -> dict[str, int]:
    """Whatever waited when the backup was made may have been sent since; how many by issue."""
    waiting = deliveries.c.state.in_(_WAITING)
    query = select(deliveries.c.issue_id, func.count().label("doubts")).where(waiting)
    found = connection.execute(query.group_by(deliveries.c.issue_id).order_by("issue_id")).all()
    connection.execute(
        update(deliveries)
        .where(waiting)
        .values(
            state=DeliveryState.UNKNOWN,
            code=None,  # an earlier refusal says nothing about what came after it
            enhanced="",
            reason=f"restored from a backup of {as_of:%Y-%m-%d %H:%M} UTC: whether it was sent "
            "after that is not known",
            next_at=None,
            worker_id=NO_WORKER,
            changed_at=now,
        )
    )
    return {row.issue_id: row.doubts for row in found}


def unknown_and_unsent(store: Store) -> tuple[dict[str, int], tuple[str, ...]]:
    """The unknown deliveries of each issue that has some, and the issues not sent yet."""
    count = func.count().label("doubts")
    query = select(deliveries.c.issue_id, count).where(deliveries.c.state == DeliveryState.UNKNOWN)
    with store.reading() as connection:
        found = connection.execute(query.group_by(deliveries.c.issue_id).order_by("issue_id"))
        return {row.issue_id: row.doubts for row in found}, _unsent(connection)


def _unsent(connection: Connection) -> tuple[str, ...]:
    query = select(issues.c.id).where(issues.c.state == IssueState.OPEN).order_by(issues.c.number)
    return tuple(connection.scalars(query))


def _unapprove(connection: Connection, now: datetime) -> tuple[str, ...]:
    """An issue that was approved but not queued may have gone out since: a person decides again."""
    ranked = (
        select(
            approvals.c.issue_id,
            approvals.c.revision_id,
            approvals.c.approved,
            func.row_number()
            .over(
                partition_by=(approvals.c.issue_id, approvals.c.revision_id),
                order_by=approvals.c.id.desc(),
            )
            .label("place"),
        )
        .join(issues, issues.c.id == approvals.c.issue_id)
        .where(issues.c.state == IssueState.OPEN)
        .subquery()
    )
    standing = connection.execute(
        select(ranked.c.issue_id, ranked.c.revision_id).where(
            ranked.c.place == 1, ranked.c.approved
        )
    ).all()
    if standing:
        connection.execute(
            insert(approvals),
            [
                {
                    "issue_id": row.issue_id,
                    "revision_id": row.revision_id,
                    "approved": False,
                    "decided_by": BY,
                    "decided_at": now,
                }
                for row in standing
            ],
        )
    return _unsent(connection)
