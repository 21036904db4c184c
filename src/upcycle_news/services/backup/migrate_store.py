"""Move the store to another database, upgrade it to this version, or describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.journal import JournalEvent
from upcycle_news.services.backup import create, existing
from upcycle_news.services.backup.restore import raise_if_sending
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.journal.consistency import find_contradiction, raise_if_contradicted
from upcycle_news.services.journal.record import record_change
from upcycle_news.storage import inspect, send_hold, workers
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import (
    PRE_RELEASES,
    Store,
    current_migration,
    migrate,
    open_store,
    raise_if_unsupported_migration,
)
from upcycle_news.storage.schema import HEAD
from upcycle_news.storage.send_hold import SendHold


@dataclass(frozen=True)
class MoveReport:
    """The result of moving a store; `target` is its name without the password.

    `trouble` is why the journal could not be written, or empty.
    """

    target: str
    rows: int
    tables: dict[str, copy.TableSum]
    trouble: str = ""


def move_store(
    context: AppContext, url: str, *, on_rows: Callable[[int], None] = lambda more: None
) -> MoveReport:
    """Copy the store into the empty one at `url` and put a send hold on this one.

    Other writers of this store wait meanwhile. Raises `StoreError`; then neither has changed.
    """
    source = context.store
    raise_if_contradicted(context, source)
    raise_if_sending(context, source)
    target = open_store(url)
    try:
        if target.name == source.name:
            raise StoreError(localized("store-copy-itself", name=target.name))
        with source.writing() as source_connection:
            copy.lock_tables(source_connection, "EXCLUSIVE")
            raise_if_sending(context, source)  # again, now that no worker can register any more
            send_hold.raise_if_held(source_connection)
            with target.writing() as target_connection:
                copy.raise_unless_empty(target_connection, target.name)
                tables = copy.copy_all(source_connection, target_connection, on_rows=on_rows)
                now = context.clock()
                # Before the target's commit: a source that cannot be written to is not moved.
                send_hold.start(
                    source_connection,
                    send_hold.HoldKind.MOVED,
                    as_of=now,
                    location=target.name,
                    now=now,
                )
        trouble = record_change(context, JournalEvent.MOVED, at=now, about=target.dialect)
    finally:
        target.close()
    rows = sum(table.rows for table in tables.values())
    return MoveReport(target.name, rows, tables, trouble)


def count_all_rows(context: AppContext) -> int:
    """Return the number of rows in all tables of the store."""
    with context.store.reading() as connection:
        return sum(copy.count_rows(connection).values())


def upgrade_store(context: AppContext, *, with_backup: bool) -> tuple[str | None, str, Path | None]:
    """Migrate the store, after a backup; returns the migration before and after, and the backup.

    Raises `StoreError`; a store that could not be migrated is unchanged.
    """
    with existing.open_unmigrated(context) as store:
        before, backup = current_migration(store), None
        raise_if_unsupported_migration(store.name, before)
        if with_backup and before is not None and before < HEAD:
            backup = create.make_backup(context, keep=0).file
        migrate(store)
    return before, HEAD, backup


@dataclass(frozen=True)
class StoreInfo:
    """A description of the store; `workers` is the number of running registered workers.

    `contradiction` is what went out and the store does not know, or None.
    """

    facts: inspect.StoreFacts
    tables: dict[str, int]
    send_hold: SendHold | None
    workers: int
    contradiction: LocalizedText | None = None

    @property
    def refusal(self) -> LocalizedText | None:
        """Why nothing is sent from the store; None when sending is allowed."""
        return self.send_hold.explanation if self.send_hold else self.contradiction

    def as_dict(self) -> dict[str, Any]:
        """Return the description as `store info --json` prints it."""
        facts = self.facts
        return {
            "store": facts.name,
            "kind": facts.kind,
            "exists": facts.exists,
            "migration": facts.version,
            "newest": facts.newest,
            "bytes": facts.size,
            "trouble": str(facts.trouble or ""),
            "tables": self.tables,
            "senders": self.workers,
            "paused": self.send_hold.kind
            if self.send_hold
            else "outdated"
            if self.refusal
            else None,
            "because": str(self.refusal or ""),
        }

    def lines(self) -> list[tuple[LocalizedText, LocalizedText | str]]:
        """Return the description as pairs of a label and a text."""
        facts = self.facts
        filled = ", ".join(f"{count} {name}" for name, count in self.tables.items() if count)
        version: LocalizedText | str = facts.version or localized("info-none")
        if facts.version != facts.newest:
            version = localized("info-older", version=version, newest=facts.newest)
        return [
            (localized("info-store"), f"{facts.name} ({facts.kind})"),
            (localized("info-migration"), version),
            (localized("info-size"), f"{facts.size / 1e6:.1f} MB"),
            (localized("info-rows"), filled or localized("info-none")),
            (localized("info-workers"), localized("info-running", count=self.workers)),
            (localized("info-sending"), self.refusal or localized("info-allowed")),
        ]


def inspect_store(context: AppContext) -> StoreInfo:
    """Describe the store without creating, migrating or changing it."""
    facts = inspect.inspect_store(context.settings.store_url, thorough=False)
    if facts.trouble or facts.version in PRE_RELEASES:
        return StoreInfo(facts, {}, None, 0)
    if facts.version is None:
        return StoreInfo(facts, {}, None, 0, _contradiction(context, None))
    with existing.open_unmigrated(context) as store:
        with store.reading() as connection:
            tables = copy.count_rows(connection)
        running = [
            worker
            for worker in workers.registered_workers(store)
            if worker_identity.is_alive(worker, context.clock())
        ]
        hold = send_hold.active_hold(store)
        contradiction = _contradiction(context, store) if facts.version == facts.newest else None
    return StoreInfo(facts, tables, hold, len(running), contradiction)


def _contradiction(context: AppContext, store: Store | None) -> LocalizedText | None:
    return find_contradiction(context, store, lenient=True)
