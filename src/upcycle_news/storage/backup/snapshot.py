"""Snapshots: the store as of one moment in one SQLite file, and a restore from such a file.

The file is the same whether the store is SQLite or Postgres, so either can be restored from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, or_, select, update

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import DeliveryState, IssueState
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import packed_deliveries, send_hold
from upcycle_news.storage.backup import copy as copy_rows
from upcycle_news.storage.backup.contents import check_contents
from upcycle_news.storage.backup.merge import BY, MergeReport, merge_newer_data
from upcycle_news.storage.database import (
    Store,
    current_migration,
    describe_error,
    migrate,
    open_store,
    raise_if_unsupported_migration,
)
from upcycle_news.storage.schema import (
    address_changes,
    consents,
    deliveries,
    issue_events,
    issues,
    subscribers,
    suppressions,
)
from upcycle_news.storage.workers import NO_WORKER

_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
# Ids that a lost store may have generated since the backup are not generated again.
_MARGIN = 100_000


@dataclass(frozen=True)
class Snapshot:
    """The migration of a copy of the store, the number of rows of each table, and what is damaged in it."""

    migration: str
    rows: dict[str, int]
    damaged: tuple[LocalizedText, ...] = ()


def write_snapshot(store: Store, file: Path, *, on_rows: Callable[[int], None]) -> Snapshot:
    """Write the store as of now into the new SQLite `file`, while others continue to write.

    Raises `StoreError`; then `file` is incomplete.
    """
    version = current_migration(store)
    if version is None:
        raise StoreError(localized("store-empty", name=store.name))
    raise_if_unsupported_migration(store.name, version)
    if store.dialect == "sqlite":
        # Not sqlite3's backup: pages with data of erased subscribers stay behind, and a writer who
        # commits all the time does not make it begin again.
        store.execute_outside_transaction("VACUUM INTO ?", str(file))
        check_integrity(file)
        return read_contents(file)
    copy = open_store(f"sqlite:///{file}", migrated=False)
    try:
        migrate(copy, version)
        with store.snapshot() as source, copy.writing() as target:
            copy_rows.copy_all(source, target, on_rows=on_rows)
        copy.execute_outside_transaction("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
    check_integrity(file)
    return read_contents(file)


def read_contents(file: Path) -> Snapshot:
    """Return what the SQLite file of a backup holds; raises `StoreError` if it is no store.

    Reads each content once, and decodes it.
    """
    copy = open_store(f"sqlite:///{file}", migrated=False)
    try:
        version = current_migration(copy)
        if version is None:
            raise StoreError(localized("store-foreign", name=file.name))
        with copy.reading() as connection:
            damaged = check_contents(connection).damaged
            return Snapshot(version, copy_rows.count_rows(connection), damaged)
    finally:
        copy.close()


def check_integrity(file: Path) -> None:
    """Check every page of an SQLite file; raises `StoreError` when it is damaged."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(localized("store-fault", file=file, why=describe_error(error))) from None
    if verdict != "ok":
        raise StoreError(localized("store-damaged", file=file))


@dataclass(frozen=True)
class StoreContents:
    """The contents of a store before it is replaced. `changed_at`: the newest time in it."""

    subscribers: int
    issues: int
    changed_at: datetime | None
    suppressions: int

    @property
    def is_new(self) -> bool:
        """True if the store is empty."""
        return not self.subscribers and not self.issues and not self.suppressions


def store_contents(store: Store) -> StoreContents:
    """Return the counts and the newest time of a store."""
    times = (
        deliveries.c.changed_at,
        subscribers.c.created_at,
        subscribers.c.unsubscribed_at,
        consents.c.confirmed_at,
        address_changes.c.confirmed_at,
        suppressions.c.created_at,
        issues.c.created_at,
        issue_events.c.at,
    )
    with store.reading() as connection:
        subscriber_count = connection.scalar(select(func.count()).select_from(subscribers)) or 0
        suppression_count = connection.scalar(select(func.count()).select_from(suppressions)) or 0
        issue_count = connection.scalar(select(func.count()).select_from(issues)) or 0
        newest = [connection.scalar(select(func.max(column))) for column in times]
        newest.append(packed_deliveries.last_change(connection))
    return StoreContents(
        subscriber_count, issue_count, max(filter(None, newest), default=None), suppression_count
    )


@dataclass(frozen=True)
class RestoreResult:
    """The result of replacing a store. `unknown`: deliveries by issue; `unsent`: open issues."""

    merged: MergeReport
    unknown: dict[str, int]
    unsent: tuple[str, ...]
    tables: Mapping[str, copy_rows.TableSum]


def replace_store(
    store: Store,
    copy: Store,
    *,
    as_of: datetime,
    location: str,
    merge: bool,
    now: datetime,
    on_rows: Callable[[int], None],
) -> RestoreResult:
    """Replace the contents of `store` with `copy`, an opened backup of `as_of`.

    One transaction, with every other writer locked out from the beginning: afterwards the store
    holds the backup, newer data of the replaced one (with `merge`), and a send hold; or everything
    is as it was. Raises `StoreError`.
    """
    with store.writing() as connection:
        copy_rows.lock_tables(connection, "ACCESS EXCLUSIVE")
        with copy.writing() as backup:
            ids = copy_rows.highest_ids(backup)
            merged = (
                merge_newer_data(connection, backup, since=as_of, now=now)
                if merge
                else MergeReport()
            )
            replaced_ids = copy_rows.highest_ids(connection)
            reason = f"restored from a backup of {as_of:%Y-%m-%d %H:%M} UTC: whether it was sent "
            unknown = mark_unknown(backup, f"{reason}after that is not known", now)
            lifecycle.close_all_done(backup, now=now)
            unsent = revoke_approvals(backup, now)
            send_hold.start(
                backup, send_hold.HoldKind.RESTORED, as_of=as_of, location=location, now=now
            )
            for table, highest in ids.items():
                ids[table] = max(highest + _MARGIN, replaced_ids.get(table, 0))
        copy_rows.delete_all_rows(connection)
        with copy.reading() as backup:
            tables = copy_rows.copy_all(backup, connection, on_rows=on_rows)
        copy_rows.set_highest_ids(connection, ids)
    store.checkpoint()
    return RestoreResult(merged, unknown, unsent, tables)


def mark_unknown(connection: Connection, reason: str, now: datetime) -> dict[str, int]:
    """Mark all waiting deliveries unknown, as they may have been sent since; how many by issue."""
    waiting = deliveries.c.state.in_(_WAITING)
    query = select(deliveries.c.issue_id, func.count().label("unknown")).where(waiting)
    rows = connection.execute(query.group_by(deliveries.c.issue_id).order_by("issue_id")).all()
    connection.execute(
        update(deliveries)
        .where(waiting)
        .values(
            state=DeliveryState.UNKNOWN,
            code=None,  # an earlier refusal says nothing about what came after it
            enhanced="",
            reason=reason,
            next_at=None,
            worker_id=NO_WORKER,
            changed_at=now,
        )
    )
    return {row.issue_id: row.unknown for row in rows}


def leave_ids_out(connection: Connection) -> None:
    """Let no id be given again that a store may have given since, which is lost."""
    ids = copy_rows.highest_ids(connection)
    copy_rows.set_highest_ids(
        connection, {table: highest + _MARGIN for table, highest in ids.items()}
    )


def unknown_and_unsent(store: Store) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the number of unknown deliveries by issue, and the issues not sent yet."""
    doubtful = select(issues.c.id, issues.c.closed_at, issues.c.unknown).where(
        issues.c.enqueued_at.is_not(None),
        or_(issues.c.closed_at.is_(None), issues.c.unknown > 0),
    )
    with store.reading() as connection:
        unknown = {
            row.id: row.unknown
            if row.closed_at is not None
            else lifecycle.count_deliveries(connection, row.id).get(DeliveryState.UNKNOWN, 0)
            for row in connection.execute(doubtful.order_by(issues.c.id)).all()
        }
        return {issue: count for issue, count in unknown.items() if count}, _unsent(connection)


def _unsent(connection: Connection) -> tuple[str, ...]:
    unsent = issues.c.state.in_([state for state in IssueState if not state.is_frozen])
    return tuple(connection.scalars(select(issues.c.id).where(unsent).order_by(issues.c.number)))


def revoke_approvals(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Reject approved issues that were not queued, as they may have been sent; the unsent issues."""
    approved = select(issues.c.id).where(issues.c.state == IssueState.APPROVED)
    for issue in connection.scalars(approved.order_by(issues.c.number)).all():
        revision_id = lifecycle.approved_revision(connection, issue)
        assert revision_id is not None
        lifecycle.record_decision(connection, issue, revision_id, approved=False, by=BY, now=now)
    return _unsent(connection)
