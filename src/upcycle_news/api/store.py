"""`app.store`: the database as such: what it is, its migrations, moving it, its hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext

# Each verb imports what it needs: many commands ask for a contradiction, few for a move or a restore.
if TYPE_CHECKING:
    from upcycle_news.services.backup.migrate_store import MoveReport, StoreInfo
    from upcycle_news.services.backup.pack_store import PackReport
    from upcycle_news.services.backup.restore import ConfirmationReport, PendingConfirmation
    from upcycle_news.services.journal.settle import Difference

__all__ = [
    "ConfirmationReport",
    "Difference",
    "MoveReport",
    "PackReport",
    "PendingConfirmation",
    "StoreAdmin",
    "StoreInfo",
    "StoreUpgrade",
]


@dataclass(frozen=True)
class StoreUpgrade:
    """Migrations before (None: it was empty) and after, and the backup made between them, if one was."""

    before: str | None
    after: str
    backup: Path | None


class StoreAdmin:
    """Describes, upgrades, moves and packs the store, and ends its hold."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.store` is the usual way."""
        self._context = context

    def info(self) -> StoreInfo:
        """Describe the store without making, migrating or changing it; a fault is in the result."""
        from upcycle_news.services.backup import migrate_store

        return migrate_store.inspect_store(self._context)

    def count_rows(self) -> int:
        """Return the number of rows in all tables, which is what `copy` copies."""
        from upcycle_news.services.backup import migrate_store

        return migrate_store.count_all_rows(self._context)

    def upgrade(self, *, with_backup: bool = True) -> StoreUpgrade:
        """Bring the store forward to this version of the program, after a backup.

        Raises `StoreError` for a store of a newer version and `UpcycleError` when there is none, or
        the backup fails; then the store is unchanged.
        """
        from upcycle_news.services.backup import migrate_store

        return StoreUpgrade(*migrate_store.upgrade_store(self._context, with_backup=with_backup))

    def copy(self, url: str, *, on_rows: Callable[[int], None] = lambda count: None) -> MoveReport:
        """Copy the store into the empty one at `url`, verify that both are equal, hold this one.

        Writers wait meanwhile; `on_rows` gets the number of rows of each batch. Raises `StoreError`
        when the target is not empty or cannot be opened and while workers run, `SendHoldError` when
        this store is on hold already; then neither has changed.
        """
        from upcycle_news.services.backup import migrate_store

        return migrate_store.move_store(self._context, url, on_rows=on_rows)

    def pack(self, *, closed_for: int | None = None, shrink: bool = False) -> PackReport:
        """Pack the deliveries of issues that were closed so many days ago; by default as is set.

        Everything that shows, resends or erases a delivery still finds it. The room is used by the next
        issues; with `shrink` it is given back to the disk, while others wait. Raises `UsageError` without days
        where `deliveries.pack_after_days` is 0, and with `shrink` `StoreError` while workers run.
        """
        from upcycle_news.services.backup import pack_store

        return pack_store.pack_by_hand(self._context, closed_for=closed_for, shrink=shrink)

    def pending_confirmation(self) -> PendingConfirmation:
        """Return the send hold (None without one), and what is in doubt: unknown and unsent.

        Also what went out and the store does not know. Raises `UpcycleError` when a place of the
        journal cannot be read, for then nobody can tell.
        """
        from upcycle_news.services.backup import restore

        return restore.pending_confirmation(self._context)

    def contradiction(self) -> str:
        """Return what went out and the store does not know, with what to do; empty when it knows all.

        Then nothing is sent, and no backup and no page of the archive is deleted.
        """
        from upcycle_news.services.journal.consistency import find_contradiction

        text = find_contradiction(self._context, self._context.store, lenient=True)
        return "" if text is None else text.in_language(self._context.language)

    def confirm(self, *, by: str) -> int:
        """End the send holds of a restored or moved store, for `by`; return how many there were.

        Unknown deliveries are not sent again by this. It does what `settle` does, and raises as that.
        """
        return self.settle(by=by).holds

    def settle(self, *, by: str) -> ConfirmationReport:
        """End the send holds, for `by`, and settle what the store does not know; return what was done.

        What went out without it counts as sent from then on. Unknown deliveries are not sent again by
        this. Raises `StoreError` while workers run, and `UpcycleError` when a place of the journal
        cannot be read; then nothing was changed.
        """
        from upcycle_news.services.backup import restore

        return restore.confirm_restore(self._context, by=by)
