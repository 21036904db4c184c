"""Create a backup: a consistent snapshot of the store and the secrets, in one file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.runs import RunResult
from upcycle_news.services.backup import archive_file as archive
from upcycle_news.services.backup.existing import (
    backup_folder,
    has_store_file,
    list_backups,
    open_unmigrated,
)
from upcycle_news.services.journal.consistency import raise_if_contradicted
from upcycle_news.services.journal.files import is_readable
from upcycle_news.storage.backup.snapshot import write_snapshot
from upcycle_news.storage.database import Store, current_migration
from upcycle_news.storage.schema import HEAD
from upcycle_news.version import __version__

_NAME = "upcycle-news-{:%Y-%m-%dT%H%M%SZ}.tar.gz"
_DRAFTS = ".upcycle-draft-"
_ABANDONED = timedelta(days=1)
_ENDINGS = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class Backup:
    """A backup that was created.

    `pruned` are the names of the old ones that were deleted, `spared` of those that were not, since they
    hold issues or readers that the store does not know. `damaged` says what cannot be read in the store, and
    so in this backup: then no old one was deleted.
    """

    file: Path
    bytes: int
    made_at: datetime
    tables: dict[str, int]
    pruned: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    damaged: tuple[LocalizedText, ...] = ()

    @property
    def rows(self) -> int:
        """Return the number of rows in all tables."""
        return sum(self.tables.values())

    def result(self, language: str = "en") -> RunResult:
        """Return the result of a run that created this backup: failed when the store is damaged."""
        rows = localized("count-rows", count=self.rows)
        texts = [localized("backup-done", name=self.file.name, rows=rows, size=self.bytes // 1000)]
        if self.pruned:
            texts.append(localized("backup-done-pruned", count=len(self.pruned)))
        if self.spared:
            texts.append(localized("backup-done-spared", count=len(self.spared)))
        if self.damaged:
            texts = [self.damaged[0], localized("backup-done-damaged"), *texts]
        message = "; ".join(text.in_language(language) for text in texts)
        if self.damaged:
            return RunResult("failed", "Damaged", message)
        return RunResult("completed", "Completed", message)


def make_backup(
    context: AppContext,
    to: Path | None = None,
    *,
    keep: int | None = None,
    on_rows: Callable[[int], None] = lambda more: None,
) -> Backup:
    """Back up to a file or a folder (default: the setting's); raises `UpcycleError`.

    The store is not migrated first. Of the backups in a folder, `keep` are kept (default: the
    setting's for its folder, all elsewhere); 0 keeps all. `on_rows` gets the rows of each batch.
    Of a store that does not know what went out there is no backup: `StoreMismatchError`. It would be
    the newest, and take the place of a good one. While a place of the journal cannot be read, or the store
    is not migrated yet, nobody knows that, and no old one is deleted; nor is one that holds more than the
    store ever has. What is damaged in the store is so in the backup, and was whole in an old one perhaps:
    then none is deleted either.
    """
    now = context.clock()
    is_file = to is not None and to.name.endswith(_ENDINGS) and not to.is_dir()
    if is_file and keep:
        raise UpcycleError(localized("backup-keep-file", to=to))
    if keep is None:
        keep = context.settings.backup.keep if to is None else 0
    target = (
        to if is_file and to is not None else (to or backup_folder(context)) / _NAME.format(now)
    )
    if not has_store_file(context):
        raise_if_contradicted(context, None)
    with open_unmigrated(context) as store:
        # What an older version wrote cannot be asked with the tables of this one.
        is_comparable = current_migration(store) in (None, HEAD)
        if is_comparable:
            raise_if_contradicted(context, store)
        manifest, damaged = write_backup(context, store, target, now=now, on_rows=on_rows)
    if damaged or (keep and not (is_comparable and is_readable(context))):
        keep = 0  # what a place of the journal that is away would say of the store nobody knows
    # Not the new one, which would be the oldest by name if the clock was set back.
    others = [path for path in list_backups(context, target.parent) if path != target]
    old = others[keep - 1 :] if keep and not is_file else []
    spared = tuple(path.name for path in old if _may_be_needed(path, manifest))
    pruned = tuple(path.name for path in old if path.name not in spared)
    for name in pruned:
        (target.parent / name).unlink(missing_ok=True)
    size, tables = target.stat().st_size, dict(manifest.tables)
    return Backup(target, size, now, tables, pruned, spared, damaged)


def _may_be_needed(path: Path, newest: archive.Manifest) -> bool:
    """Tell whether an old backup holds what the newest lacks: more issues, or readers where it has none.

    One that cannot be read says nothing, and is kept.
    """
    try:
        old = archive.read_manifest(path).tables
    except UpcycleError:
        return True
    issues, readers = newest.tables.get("issues", 0), newest.tables.get("subscribers", 0)
    return old.get("issues", 0) > issues or (not readers and old.get("subscribers", 0) > 0)


@contextmanager
def draft_folder(folder: Path, now: datetime) -> Iterator[Path]:
    """Yield a private temporary folder in `folder`; abandoned ones of killed runs are deleted."""
    for draft in folder.glob(f"{_DRAFTS}*"):
        if draft.stat().st_mtime < (now - _ABANDONED).timestamp():
            shutil.rmtree(draft, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_DRAFTS) as drafts:
        yield Path(drafts)


def write_backup(
    context: AppContext,
    store: Store,
    target: Path,
    *,
    now: datetime,
    on_rows: Callable[[int], None] = lambda more: None,
) -> tuple[archive.Manifest, tuple[LocalizedText, ...]]:
    """Write and verify the backup `target`, which must not exist; on an error nothing remains.

    Returns its manifest, and what is damaged in the store and so in the backup.
    """
    if target.exists():
        raise UpcycleError(localized("backup-exists", target=target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft_folder(target.parent, now) as drafts:
            copy = drafts / archive.STORE
            snapshot = write_snapshot(store, copy, on_rows=on_rows)
            files = {archive.STORE: copy, **_secrets(context.secrets_folder)}
            manifest = archive.Manifest(
                version=__version__,
                migration=snapshot.migration,
                made_at=now,
                publication=context.settings.publication.name,
                store=store.dialect,
                tables=snapshot.rows,
                files={name: archive.describe_file(path) for name, path in files.items()},
            )
            draft = drafts / "draft"
            archive.write_archive(draft, manifest, files)
            archive.unpack(draft, None)
            _give_name(draft, target)
    except OSError as error:
        raise UpcycleError(
            localized("backup-not-written", target=target, why=os_reason(error))
        ) from None
    return manifest, snapshot.damaged


def _give_name(draft: Path, target: Path) -> None:
    """Move the draft to `target`; a backup that another process made there meanwhile stays, and is an error."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise UpcycleError(localized("backup-exists", target=target)) from None
    except OSError:  # a file system without hard links
        draft.rename(target)


def _secrets(folder: Path) -> dict[str, Path]:
    """Return the key files by their name in the archive. Without them no link in sent mails works."""
    paths = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for path in paths:
        if not archive.is_secret(f"{archive.SECRETS}{path.name}"):
            raise UpcycleError(localized("backup-name-bad", path=path))
    return {f"{archive.SECRETS}{path.name}": path for path in paths}
