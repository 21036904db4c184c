"""Back up: the store as of one moment and the secrets, in one file, while everything goes on."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from upcycle_news import __version__
from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import counted
from upcycle_news.models.runs import RunResult
from upcycle_news.services.backup import archive_file as archive
from upcycle_news.storage.backup import snapshot
from upcycle_news.storage.database import Store, open_store

_NAME = "upcycle-news-{:%Y-%m-%dT%H%M%SZ}.tar.gz"
_OURS = re.compile(r"upcycle-news-\d{4}-\d\d-\d\dT\d{6}Z\.tar\.gz")
_DRAFTS = ".upcycle-draft-"
_ABANDONED = timedelta(days=1)
_ENDINGS = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class Backup:
    """A backup that was made; `pruned` are the names of old ones that were deleted for it."""

    file: Path
    bytes: int
    made_at: datetime
    tables: dict[str, int]
    pruned: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(self.tables.values())


def folder(context: AppContext) -> Path:
    """Where backups are put."""
    told = context.settings.backup.folder
    return (
        context.settings.home / Path(told).expanduser()
        if told
        else context.settings.state / "backups"
    )


def existing(context: AppContext, place: Path | None = None) -> list[Path]:
    """The backups in a folder that were named by us, newest first."""
    place = place or folder(context)
    found = place.iterdir() if place.is_dir() else ()
    return sorted((path for path in found if _OURS.fullmatch(path.name)), reverse=True)


def make_backup(
    context: AppContext,
    to: Path | None = None,
    *,
    keep: int | None = None,
    heard: Callable[[int], None] = lambda more: None,
) -> Backup:
    """Back up to a file or a folder (default: the setting's); raises `UpcycleError` with the cure.

    The store is taken as it is, also one that is older than this program. Of the backups that lie
    in a folder, `keep` are kept (default there: the setting's); 0 keeps all.
    """
    now = context.clock()
    named = to is not None and to.name.endswith(_ENDINGS) and not to.is_dir()
    if named and keep:
        raise UpcycleError(f"{to}: is a file; --keep is for a folder of backups")
    if keep is None:
        keep = context.settings.backup.keep if to is None else 0
    target = to if named and to is not None else (to or folder(context)) / _NAME.format(now)
    with opened_as_it_is(context) as store:
        made = write_backup(context, store, target, now=now, heard=heard)
    # Not the one just made, which a clock that was set back would make the oldest.
    others = [path for path in existing(context, target.parent) if path != target]
    old = others[keep - 1 :] if keep and not named else []
    for path in old:
        path.unlink(missing_ok=True)
    return Backup(
        target, target.stat().st_size, now, dict(made.tables), tuple(path.name for path in old)
    )


@contextmanager
def opened_as_it_is(context: AppContext) -> Iterator[Store]:
    """The store without migrating it, and without making one where there is none."""
    url = context.settings.store_url
    file = Path(url.partition(":///")[2]) if url.startswith("sqlite") else None
    if file is not None and not file.is_file():
        raise UpcycleError(f"store {file}: there is none yet; nothing to do")
    store = open_store(url, migrated=False)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def drafts_in(folder: Path, now: datetime) -> Iterator[Path]:
    """A folder for files on their way, readable for nobody else; those of killed runs are deleted."""
    for left in folder.glob(f"{_DRAFTS}*"):
        if left.stat().st_mtime < (now - _ABANDONED).timestamp():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_DRAFTS) as drafts:
        yield Path(drafts)


def write_backup(
    context: AppContext,
    store: Store,
    target: Path,
    *,
    now: datetime,
    heard: Callable[[int], None] = lambda more: None,
) -> archive.Manifest:
    """Write the backup `target`, which must not exist: whole, read back once, or not at all."""
    if target.exists():
        raise UpcycleError(f"{target}: exists already and was left alone")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with drafts_in(target.parent, now) as drafts:
            copy = drafts / archive.STORE
            found = snapshot.snapshot(store, copy, heard=heard)
            files = {archive.STORE: copy, **_secrets(context.secrets)}
            manifest = archive.Manifest(
                version=__version__,
                migration=found.migration,
                made_at=now,
                publication=context.settings.publication.name,
                store=store.dialect,
                tables=found.rows,
                files={name: archive.held(path) for name, path in files.items()},
            )
            draft = drafts / "draft"
            archive.write_archive(draft, manifest, files)
            archive.unpack(draft, None)
            draft.rename(target)
    except OSError as error:
        raise UpcycleError(
            f"{target}: cannot be written ({error.strerror}); make room or make the folder "
            "writable; no half backup was left"
        ) from None
    return manifest


def _secrets(folder: Path) -> dict[str, Path]:
    """The keys: whoever has them can sign links, whoever has not makes every sent link dead."""
    found = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for path in found:
        if not archive.is_secret(f"{archive.SECRETS}{path.name}"):
            raise UpcycleError(
                f"{path}: has a name that a backup does not take: use letters, digits, '.', '-' "
                "and '_', or move it out of there"
            )
    return {f"{archive.SECRETS}{path.name}": path for path in found}


def told(made: Backup) -> RunResult:
    """The state of a run that backed up."""
    pruned = f"; {counted(len(made.pruned), 'old one')} deleted" if made.pruned else ""
    return RunResult(
        "completed",
        "Completed",
        f"{made.file.name}: {counted(made.rows, 'row')} in {made.bytes // 1000} kB{pruned}",
    )
