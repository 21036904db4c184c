"""Move the store to another place, or forward to this version of the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError
from upcycle_news.services.backup import create
from upcycle_news.services.backup.restore import refuse_while_sending
from upcycle_news.services.delivery import worker_identity
from upcycle_news.storage import inspect, send_hold, workers
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import migrate, migration, open_store
from upcycle_news.storage.schema import HEAD


@dataclass(frozen=True)
class Moved:
    """A store that was copied; `target` is named without its password."""

    target: str
    rows: int
    tables: dict[str, copy.TableSum]


def move(
    context: AppContext, url: str, *, heard: Callable[[int], None] = lambda more: None
) -> Moved:
    """Copy the store into the empty one at `url` and let this one stand still.

    Writers of this one wait meanwhile. Raises `StoreError`; then neither has changed.
    """
    source = context.store
    refuse_while_sending(context, source)
    target = open_store(url)
    try:
        if target.name == source.name:
            raise StoreError(f"{target.name}: is the store itself; name another one")
        with source.writing() as here:
            copy.hold(here, "EXCLUSIVE")
            refuse_while_sending(context, source)  # again, now that nobody can sign on any more
            send_hold.refuse(here)
            with target.writing() as there:
                copy.refuse_unless_empty(there, target.name)
                tables = copy.copy_all(here, there, heard=heard)
                now = context.clock()
                # Before the target's commit: a source that cannot be written to is not moved.
                send_hold.begin(
                    here, send_hold.PauseKind.MOVED, as_of=now, place=target.name, now=now
                )
    finally:
        target.close()
    return Moved(target.name, sum(one.rows for one in tables.values()), tables)


def rows(context: AppContext) -> int:
    """How many rows the store holds."""
    with context.store.reading() as connection:
        return sum(copy.count_rows(connection).values())


def upgrade(context: AppContext, *, with_backup: bool) -> tuple[str | None, str, Path | None]:
    """Bring the store forward, after a backup: its migration before and after, the backup's file.

    Raises `StoreError`; a store that could not be migrated is as it was.
    """
    with create.opened_as_it_is(context) as store:
        before, made = migration(store), None
        if with_backup and before is not None and before < HEAD:
            made = create.make_backup(context, keep=0).file
        migrate(store)
    return before, HEAD, made


@dataclass(frozen=True)
class Info:
    """What the store is. `senders`: those that live and are signed on."""

    facts: inspect.StoreFacts
    tables: dict[str, int]
    pause: send_hold.Pause | None
    senders: int

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        told = self.facts
        return {
            "store": told.name,
            "kind": told.kind,
            "exists": told.exists,
            "migration": told.version,
            "newest": told.newest,
            "bytes": told.size,
            "trouble": told.trouble,
            "tables": self.tables,
            "senders": self.senders,
            "paused": None if self.pause is None else self.pause.kind,
            "because": "" if self.pause is None else self.pause.sentence,
        }

    def lines(self) -> list[tuple[str, str]]:
        """For people: a name and what is told."""
        told = self.facts
        filled = ", ".join(f"{count} {name}" for name, count in self.tables.items() if count)
        newest = told.version == told.newest
        cure = "" if newest else f", this program's is {told.newest}: upcycle-news store upgrade"
        return [
            ("store", f"{told.name} ({told.kind})"),
            ("migration", f"{told.version or 'none'}{cure}"),
            ("size", f"{told.size / 1e6:.1f} MB"),
            ("rows", filled or "none"),
            ("senders", f"{self.senders} at work"),
            ("sending", self.pause.sentence if self.pause else "allowed"),
        ]


def info(context: AppContext) -> Info:
    """Look at the store as it lies there; nothing is made, migrated or written."""
    facts = inspect.look(context.settings.store_url, thorough=False)
    if facts.trouble or not facts.exists or facts.version is None:
        return Info(facts, {}, None, 0)
    with create.opened_as_it_is(context) as store:
        with store.reading() as connection:
            tables = copy.count_rows(connection)
        living = [
            one
            for one in workers.signed_on(store)
            if worker_identity.is_alive(one, context.clock())
        ]
        pause = send_hold.standing(store) if facts.version >= "0002" else None
    return Info(facts, tables, pause, len(living))
