"""`app.backups`: backups of the store and the secrets, and restoring one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.services.backup import archive_file, create, existing
from upcycle_news.services.backup import restore as restoring
from upcycle_news.services.backup.archive_file import Manifest
from upcycle_news.services.backup.create import Backup
from upcycle_news.services.backup.restore import BackupCheck, RestoreReport, StoreState
from upcycle_news.services.issues import plan

__all__ = ["Backup", "BackupCheck", "Backups", "Manifest", "RestoreReport", "StoreState"]


def _ignore_rows(count: int) -> None:
    pass


class Backups:
    """Makes backups while everything goes on, and puts one in the place of the store."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.backups` is the usual way."""
        self._context = context

    def create(
        self,
        to: Path | None = None,
        *,
        keep: int | None = None,
        on_rows: Callable[[int], None] = _ignore_rows,
    ) -> Backup:
        """Back up to a file (``.tar.gz``) or a folder, default: the folder of the setting.

        Of the backups in a folder, `keep` are kept (default: the setting's number in its folder, all
        elsewhere); 0 keeps all. `on_rows` gets the number of rows of each batch. Raises
        `UpcycleError` when there is no store, or the file exists or cannot be written; then no
        partial backup is left.
        """
        return create.make_backup(self._context, to, keep=keep, on_rows=on_rows)

    def list(self, folder: Path | None = None) -> list[Path]:
        """Return the backups in a folder (default: the setting's) by their dates, newest first."""
        return existing.list_backups(self._context, folder)

    def inspect(self, file: Path) -> Manifest:
        """Read a whole backup, and return what is in it; nothing is changed.

        Raises `UpcycleError` for a file that is no backup, or is damaged. What its store holds is not decoded:
        that does `check`.
        """
        return archive_file.unpack(file, None)

    def check(self, file: Path) -> BackupCheck:
        """Read a whole backup as `inspect` does, and say what is damaged in its store.

        It is unpacked below the state folder meanwhile; nothing else is changed.
        """
        return restoring.check_backup(self._context, file)

    def current_store(self) -> StoreState:
        """Return what a restore would replace; raises `StoreError` when the store does not answer."""
        return restoring.inspect_current(self._context)

    def restore(
        self,
        file: Path,
        *,
        merge: bool = True,
        damaged: bool = False,
        on_rows: Callable[[int], None] = _ignore_rows,
    ) -> RestoreReport:
        """Put a backup in the place of the store; then nothing is sent until `app.store.confirm`.

        The replaced store is kept aside; with `merge`, who left and what was sent since is taken
        over from it. `on_rows` gets the number of rows of each batch. Raises `UpcycleError` for a
        backup that cannot be used, for one that is damaged unless `damaged` says that it may be, for
        keys of another publication, and while workers run; then the store is as it was.
        """
        report = restoring.restore(
            self._context, file, merge=merge, damaged=damaged, on_rows=on_rows
        )
        if report.merged:
            return report
        return replace(
            report,
            unsent_essays=plan.unsent_essays(self._context),
            unsent_digests=tuple(
                digest
                for digest in plan.unsent_digests(self._context)
                if digest not in report.unsent
            ),
        )
