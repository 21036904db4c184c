"""Restore a backup, and confirm the restored store so that it may send again.

No store can know what happened after its backup. So its pending deliveries become unknown, a send
hold keeps everything back until an operator confirms, and newer data of the replaced store is
merged in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError, StoreMismatchError, UpcycleError
from upcycle_news.fileio import os_reason, write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.models.archive_paths import file_of, page_of
from upcycle_news.models.journal import JournalEvent
from upcycle_news.services.backup import archive_file as archive
from upcycle_news.services.backup import create, existing
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.journal import settle
from upcycle_news.services.journal.record import record_change
from upcycle_news.services.journal.settle import Difference
from upcycle_news.storage import issues, revisions, rhythms, send_hold, workers
from upcycle_news.storage.backup import snapshot
from upcycle_news.storage.backup.merge import MergeReport
from upcycle_news.storage.database import (
    PRE_RELEASES,
    Store,
    open_store,
    raise_if_unsupported_migration,
)
from upcycle_news.storage.key_fingerprints import recorded_fingerprint
from upcycle_news.storage.schema import HEAD
from upcycle_news.storage.send_hold import SendHold

_ENDINGS = ("-wal", "-shm", "")
_ASIDE = "before-restore-{:%Y-%m-%dT%H%M%SZ}"


@dataclass(frozen=True)
class RestoreReport:
    """The result of a restore.

    `aside` is the copy of the replaced store, None for a new one; `unknown` counts the deliveries
    that may have been sent since the backup, by issue; `unsent` are issues not sent by then,
    if nothing was merged, `unsent_essays` are those that no issue of the restored store holds, and
    `unsent_digests` the due ones that it does not know;
    `trouble` is why the journal could not be written, or empty; `damaged` is what was damaged in the backup.
    """

    manifest: archive.Manifest
    aside: Path | None
    secrets: tuple[str, ...]
    unknown: dict[str, int] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()
    taken_over: MergeReport = field(default_factory=MergeReport)
    merged: bool = False
    unsent_essays: tuple[str, ...] = ()
    unsent_digests: tuple[str, ...] = ()
    trouble: str = ""
    damaged: tuple[LocalizedText, ...] = ()


@dataclass(frozen=True)
class StoreState:
    """The store that a restore would replace; `changed_at` is the newest time in it, None if new."""

    readable: bool
    is_new: bool
    subscribers: int = 0
    issues: int = 0
    changed_at: datetime | None = None


def inspect_current(context: AppContext) -> StoreState:
    """Return the state of the current store; raises `StoreError` when it does not answer."""
    file = _file(context)
    if file is not None and not file.exists():
        return StoreState(readable=False, is_new=True)
    if file is not None and _is_damaged(file):
        return StoreState(readable=False, is_new=False)
    store = open_store(context.settings.store_url)
    try:
        contents = snapshot.store_contents(store)
    finally:
        store.close()
    return StoreState(
        True, contents.is_new, contents.subscribers, contents.issues, contents.changed_at
    )


def restore(
    context: AppContext,
    path: Path,
    *,
    merge: bool = True,
    damaged: bool = False,
    on_rows: Callable[[int], None] = lambda more: None,
) -> RestoreReport:
    """Replace the store by a backup and put a send hold on it; raises `UpcycleError`.

    One in which something is damaged only with `damaged`.
    The replaced store is kept aside, never deleted. One transaction replaces the rows: an error
    before its end leaves the store unchanged. `on_rows` gets the number of rows of each batch.
    """
    now = context.clock()
    current = inspect_current(context)
    manifest = archive.read_manifest(path)
    if manifest.migration in PRE_RELEASES:
        raise_if_unsupported_migration(str(path), manifest.migration)
    if manifest.migration > HEAD:
        raise UpcycleError(localized("backup-newer", path=path, version=manifest.version))
    state = context.settings.state
    try:
        with _unpacked(context, path, now) as (draft, contents):
            if contents.damaged and not damaged:
                raise UpcycleError(
                    localized("restore-damaged", path=path, damaged=contents.damaged[0])
                )
            missing = _secrets(context, draft, manifest, new=current.is_new)
            copy = open_store(f"sqlite:///{draft / archive.STORE}")
            try:
                aside = _keep_aside(context, current, now)
                try:
                    _put_secrets(context, draft, missing, now)
                    merge = merge and current.readable and not _is_foreign(context, copy)
                    result = _replace(context, copy, path.name, manifest, merge, on_rows)
                except BaseException:
                    if aside is not None and not current.readable:
                        _put_back(context, aside)
                    raise
            finally:
                copy.close()
    except OSError as error:
        raise UpcycleError(
            localized("restore-not-written", state=state, why=os_reason(error))
        ) from None
    about = f"backup of {manifest.made_at.isoformat(timespec='seconds')}"
    trouble = record_change(context, JournalEvent.RESTORED, at=now, about=about)
    return RestoreReport(
        trouble=trouble,
        manifest=manifest,
        aside=aside,
        secrets=tuple(name for name, _ in missing),
        unknown=result.unknown,
        unsent=result.unsent,
        taken_over=result.merged,
        merged=merge and not current.is_new,
        damaged=contents.damaged,
    )


@dataclass(frozen=True)
class BackupCheck:
    """What is in a backup, and what of that is damaged, a sentence each."""

    manifest: archive.Manifest
    damaged: tuple[LocalizedText, ...]


def check_backup(context: AppContext, path: Path) -> BackupCheck:
    """Read a whole backup and decode what is in it; raises `UpcycleError` for one that is incomplete.

    It is unpacked below the state folder meanwhile.
    """
    try:
        with _unpacked(context, path, context.clock()) as (_, contents):
            return BackupCheck(archive.read_manifest(path), contents.damaged)
    except OSError as error:
        state = context.settings.state
        raise UpcycleError(
            localized("restore-not-written", state=state, why=os_reason(error))
        ) from None


@contextmanager
def _unpacked(
    context: AppContext, path: Path, now: datetime
) -> Iterator[tuple[Path, snapshot.Snapshot]]:
    """Yield a folder with the files of a backup, checked, and what its store holds."""
    state = context.settings.state
    state.mkdir(parents=True, exist_ok=True)
    with create.draft_folder(state, now) as draft:
        archive.unpack(path, draft)
        store = draft / archive.STORE
        snapshot.check_integrity(store)
        yield draft, snapshot.read_contents(store)


def _is_foreign(context: AppContext, copy: Store) -> bool:
    """Return whether the current store belongs to other keys than a backup: its ids are of other people."""
    store = open_store(context.settings.store_url)
    try:
        ours, theirs = recorded_fingerprint(copy), recorded_fingerprint(store)
    finally:
        store.close()
    return None not in (ours, theirs) and ours != theirs


def _replace(
    context: AppContext,
    copy: Store,
    name: str,
    manifest: archive.Manifest,
    merge: bool,
    on_rows: Callable[[int], None],
) -> snapshot.RestoreResult:
    store = open_store(context.settings.store_url)
    try:
        raise_if_sending(context, store)
        return snapshot.replace_store(
            store,
            copy,
            as_of=manifest.made_at,
            location=name,
            merge=merge,
            now=context.clock(),
            on_rows=on_rows,
        )
    finally:
        store.close()


def raise_if_sending(context: AppContext, store: Store) -> None:
    """Raise `StoreError` while a registered worker is running."""
    running = [
        worker
        for worker in workers.registered_workers(store)
        if worker_identity.is_alive(worker, context.clock())
    ]
    if running:
        raise StoreError(
            localized(
                "restore-while-sending",
                name=store.name,
                running=localized("count-senders", count=len(running)),
                pid=running[0].pid,
                host=running[0].host.partition("/")[0],
            )
        )


def _file(context: AppContext) -> Path | None:
    kind, _, file = context.settings.store_url.partition(":///")
    return Path(file) if kind.startswith("sqlite") else None


def _is_damaged(file: Path) -> bool:
    """True if SQLite cannot read the file any more; raises for a lock or a missing permission."""
    try:
        snapshot.check_integrity(file)
    except StoreError as error:
        if "damaged" not in str(error):
            raise
        return True
    return False


def _unused_path(folder: Path, name: str) -> Path:
    """Return a path that no backup has: two restores may happen within one second."""
    target, number = folder / f"{name}.tar.gz", 2
    while target.exists():
        target, number = folder / f"{name}-{number}.tar.gz", number + 1
    return target


def _keep_aside(context: AppContext, current: StoreState, now: datetime) -> Path | None:
    """Keep the current store: as a backup of its own, or the damaged files unchanged."""
    if current.is_new:
        return None
    name = _ASIDE.format(now)
    if current.readable:
        target = _unused_path(existing.backup_folder(context), name)
        with existing.open_unmigrated(context) as store:
            raise_if_sending(context, store)
            create.write_backup(context, store, target, now=now)
        return target
    file = _file(context)
    assert file is not None
    target = file.with_name(f"{file.name}.{name}")
    _move(file, target)
    return target


def _put_back(context: AppContext, aside: Path) -> None:
    """Move the damaged files back: an empty store in their place would look like a new one."""
    file = _file(context)
    assert file is not None
    for ending in _ENDINGS:
        file.with_name(file.name + ending).unlink(missing_ok=True)
    _move(aside, file)


def _move(source: Path, target: Path) -> None:
    for ending in _ENDINGS:
        part = source.with_name(source.name + ending)
        if part.exists():
            part.rename(target.with_name(target.name + ending))


def _secrets(
    context: AppContext, draft: Path, manifest: archive.Manifest, *, new: bool
) -> list[tuple[str, Path]]:
    """Return the secrets to write, as name and target; raises for keys of another publication."""
    secrets = []
    for name in sorted(manifest.files):
        if name == archive.STORE:
            continue
        current, restored = context.secrets_folder / Path(name).name, draft / name
        if not new and _was_dropped(current):
            continue
        if current.exists() and current.read_bytes() == restored.read_bytes():
            continue
        if current.exists() and not new and _is_key(current):
            raise UpcycleError(
                localized(
                    "restore-other-keys",
                    file=current,
                    publication=manifest.publication,
                    folder=context.secrets_folder,
                )
            )
        secrets.append((name, current))
    return secrets


def _was_dropped(path: Path) -> bool:
    """True if a token key was dropped because it had leaked: then there is a newer one."""
    numbers = {_number(key) for key in path.parent.glob("token-*.key")}
    return not path.exists() and 0 < _number(path) < max(numbers, default=0)


def _number(path: Path) -> int:
    number = path.name.removeprefix("token-").removesuffix(".key")
    return int(number) if number.isdigit() else 0


def _is_key(path: Path) -> bool:
    """True if a key file is intact; a damaged one may be replaced."""
    try:
        return bool(path.read_text(encoding="ascii").strip()) and (
            path.suffix != ".key" or bool(bytes.fromhex(path.read_text(encoding="ascii").strip()))
        )
    except ValueError:
        return False


def _put_secrets(
    context: AppContext, draft: Path, missing: list[tuple[str, Path]], now: datetime
) -> None:
    context.secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, target in missing:
        if target.exists():
            target.rename(target.with_name(f"{target.name}.{_ASIDE.format(now)}"))
        write_atomically(target, (draft / name).read_bytes(), private=True)


# --- confirming


@dataclass(frozen=True)
class PendingConfirmation:
    """The active send hold, the unknown deliveries by issue, and the issues not sent yet.

    `difference` is what went out and the store does not know; None when it knows all.
    """

    send_hold: SendHold | None
    unknown: dict[str, int]
    unsent: tuple[str, ...]
    difference: Difference | None = None

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to confirm."""
        return self.send_hold is None and self.difference is None


def pending_confirmation(context: AppContext) -> PendingConfirmation:
    """Return the send hold and what an operator should know before clearing it."""
    difference = settle.find_difference(context)
    try:
        store = context.store
    except (
        StoreMismatchError
    ):  # it belongs to other keys, and is not looked into before that is settled
        return PendingConfirmation(None, {}, (), difference)
    hold = send_hold.active_hold(store)
    return PendingConfirmation(hold, *snapshot.unknown_and_unsent(store), difference)


@dataclass(frozen=True)
class ConfirmationReport:
    """What a confirmation did: holds that ended, unknown deliveries, and issues that count as sent now.

    `trouble` is why the journal could not be written, or empty; `lost_pages` are files of the archive that
    mails of those issues lead to, and that nothing here can make again; `untold` are issues that readers of
    the digest may not have heard of, and that no digest tells from here on.
    """

    holds: int
    unknown: dict[str, int]
    sent: tuple[str, ...]
    trouble: str = ""
    lost_pages: tuple[Path, ...] = ()
    untold: tuple[str, ...] = ()


def confirm_restore(context: AppContext, *, by: str) -> ConfirmationReport:
    """Clear the send holds; what went out and the store does not know counts as sent from now on.

    Raises `StoreError` while workers send from a store that does not know everything, and
    `JournalError` when a place of the journal cannot be read; then nothing was changed.
    """
    difference = settle.find_difference(context)
    if difference is not None:
        with existing.open_unmigrated(context) as store:
            raise_if_sending(context, store)
    holds, settlement, trouble = settle.confirm(context, by=by)
    unknown, _ = snapshot.unknown_and_unsent(context.store)
    lost_pages = tuple(_lost_pages(context, settlement.sent))
    untold = tuple(_untold(context, settlement.sent))
    return ConfirmationReport(holds, unknown, settlement.sent, trouble, lost_pages, untold)


def _untold(context: AppContext, sent: Iterable[str]) -> Iterator[str]:
    """Yield the issues for readers of a digest of which nobody knows its period, or whose text is not here."""
    interval = context.settings.digest.interval or None
    told = {issue for one in issues.told_by_digests(context.store).values() for issue in one}
    here = revisions.issues_with_frozen_revision(context.store)
    for name in sent:
        issue, row = IssueId.parse(name), issues.get(context.store, IssueId.parse(name))
        if row is None or not issue.is_regular or name in told:
            continue
        if (row.digest_day is None or name not in here) and rhythms.has_digest_readers(
            context.store, issue.day, interval
        ):
            yield name


def _lost_pages(context: AppContext, sent: Iterable[str]) -> Iterator[Path]:
    """Yield the files of issues that went out without the store, and whose page is not here either."""
    for issue in sent:
        row = issues.get(context.store, IssueId.parse(issue))
        page = context.archive_folder / file_of(page_of(IssueId.parse(issue)))
        if not page.is_file() and (row is None or not row.revision_id):
            yield page
