"""Restore a backup, and let the store that then stands still go on again.

No store can know what followed its backup. So whatever waited in it is in doubt, nothing goes out
until a person has confirmed it, and what the replaced store still knows is taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError, UpcycleError
from upcycle_news.fileio import write_whole
from upcycle_news.services.backup import archive_file as archive
from upcycle_news.services.backup import create
from upcycle_news.services.delivery import worker_identity
from upcycle_news.storage import send_hold, workers
from upcycle_news.storage.backup import snapshot
from upcycle_news.storage.backup.merge import Learned
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import HEAD

_ENDINGS = ("-wal", "-shm", "")
_ASIDE = "before-restore-{:%Y-%m-%dT%H%M%SZ}"


@dataclass(frozen=True)
class Restored:
    """What a restore came to. `aside`: where what was here before is kept, None when nothing was."""

    manifest: archive.Manifest
    aside: Path | None
    secrets: tuple[str, ...]
    doubts: dict[str, int] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()
    learned: Learned = field(default_factory=Learned)
    merged: bool = False


@dataclass(frozen=True)
class Standing:
    """What a restore would replace; `changed_at` is the newest time in it, None when it is new."""

    readable: bool
    is_new: bool
    subscribers: int = 0
    issues: int = 0
    changed_at: datetime | None = None


def look(context: AppContext) -> Standing:
    """What is here before a restore; raises `StoreError` for a store that does not answer."""
    file = _file(context)
    if file is not None and not file.exists():
        return Standing(readable=False, is_new=True)
    if file is not None and _is_damaged(file):
        return Standing(readable=False, is_new=False)
    store = open_store(context.settings.store_url)
    try:
        here = snapshot.look(store)
    finally:
        store.close()
    return Standing(True, here.is_new, here.subscribers, here.issues, here.changed_at)


def restore(
    context: AppContext,
    path: Path,
    *,
    merge: bool = True,
    heard: Callable[[int], None] = lambda more: None,
) -> Restored:
    """Put a backup in the place of the store and let it stand still; raises `UpcycleError`.

    What was here is kept aside, never deleted. Until the one transaction that replaces the store
    everything can still end as if nothing had been asked.
    """
    now = context.clock()
    here = look(context)
    manifest = archive.read_manifest(path)
    if manifest.migration > HEAD:
        raise UpcycleError(
            f"{path}: was made by a newer version of upcycle-news ({manifest.version}): install "
            "that version; nothing was changed"
        )
    state = context.settings.state
    try:
        state.mkdir(parents=True, exist_ok=True)
        with create.drafts_in(state, now) as draft:
            archive.unpack(path, draft)
            snapshot.check(draft / archive.STORE)
            missing = _secrets(context, draft, manifest, new=here.is_new)
            copy = open_store(f"sqlite:///{draft / archive.STORE}")
            try:
                aside = _keep_aside(context, here, now)
                try:
                    _put_secrets(context, draft, missing, now)
                    done = _replace(
                        context, copy, path.name, manifest, merge and here.readable, heard
                    )
                except BaseException:
                    if aside is not None and not here.readable:
                        _put_back(context, aside)
                    raise
            finally:
                copy.close()
    except OSError as error:
        raise UpcycleError(
            f"{state}: cannot be written ({error.strerror}); make room or make the folder "
            "writable; the store is as it was"
        ) from None
    return Restored(
        manifest=manifest,
        aside=aside,
        secrets=tuple(name for name, _ in missing),
        doubts=done.doubts,
        unsent=done.open,
        learned=done.learned,
        merged=merge and here.readable and not here.is_new,
    )


def _replace(
    context: AppContext,
    copy: Store,
    name: str,
    manifest: archive.Manifest,
    merge: bool,
    heard: Callable[[int], None],
) -> snapshot.Replaced:
    store = open_store(context.settings.store_url)
    try:
        refuse_while_sending(context, store)
        return snapshot.replace(
            store,
            copy,
            as_of=manifest.made_at,
            place=name,
            merge=merge,
            now=context.clock(),
            heard=heard,
        )
    finally:
        store.close()


def refuse_while_sending(context: AppContext, store: Store) -> None:
    """Raise `StoreError` while a living sender is signed on."""
    living = [
        one for one in workers.signed_on(store) if worker_identity.is_alive(one, context.clock())
    ]
    if living:
        raise StoreError(
            f"{store.name}: {len(living)} senders are at work (process {living[0].pid} on "
            f"{living[0].host.partition('/')[0]}): stop them first, 'upcycle-news issue pause ISSUE' "
            "ends a run; nothing was changed"
        )


def _file(context: AppContext) -> Path | None:
    kind, _, file = context.settings.store_url.partition(":///")
    return Path(file) if kind.startswith("sqlite") else None


def _is_damaged(file: Path) -> bool:
    """Whether SQLite cannot read the file any more; a lock or a missing permission is no damage."""
    try:
        snapshot.check(file)
    except StoreError as error:
        if "damaged" not in str(error):
            raise
        return True
    return False


def _free(folder: Path, name: str) -> Path:
    """A name that no backup has: two restores may fall into one second."""
    target, more = folder / f"{name}.tar.gz", 2
    while target.exists():
        target, more = folder / f"{name}-{more}.tar.gz", more + 1
    return target


def _keep_aside(context: AppContext, here: Standing, now: datetime) -> Path | None:
    """Keep what is here: as a backup of its own, or the damaged files as they are."""
    if here.is_new:
        return None
    name = _ASIDE.format(now)
    if here.readable:
        target = _free(create.folder(context), name)
        with create.opened_as_it_is(context) as store:
            refuse_while_sending(context, store)
            create.write_backup(context, store, target, now=now)
        return target
    file = _file(context)
    assert file is not None
    target = file.with_name(f"{file.name}.{name}")
    _move(file, target)
    return target


def _put_back(context: AppContext, aside: Path) -> None:
    """Let the damaged files be found where they were: an empty store there would look like a new one."""
    file = _file(context)
    assert file is not None
    for ending in _ENDINGS:
        file.with_name(file.name + ending).unlink(missing_ok=True)
    _move(aside, file)


def _move(here: Path, there: Path) -> None:
    for ending in _ENDINGS:
        part = here.with_name(here.name + ending)
        if part.exists():
            part.rename(there.with_name(there.name + ending))


def _secrets(
    context: AppContext, draft: Path, manifest: archive.Manifest, *, new: bool
) -> list[tuple[str, Path]]:
    """The secrets that are not here yet, or differ where that may be; refuses another's keys."""
    found = []
    for name in sorted(manifest.files):
        if name == archive.STORE:
            continue
        here, theirs = context.secrets_folder / Path(name).name, draft / name
        if not new and _was_dropped(here):
            continue
        if here.exists() and here.read_bytes() == theirs.read_bytes():
            continue
        if here.exists() and not new and _is_key(here):
            raise UpcycleError(
                f"{here}: is not the key of this backup, which belongs to another publication "
                f"('{manifest.publication}'), or the key was replaced; if you mean it, move "
                f"{context.secrets_folder} and the store away first; nothing was changed"
            )
        found.append((name, here))
    return found


def _was_dropped(path: Path) -> bool:
    """Whether a token key is missing because others had it: then a newer one signs by now."""
    there = {_number(one) for one in path.parent.glob("token-*.key")}
    return not path.exists() and 0 < _number(path) < max(there, default=0)


def _number(path: Path) -> int:
    told = path.name.removeprefix("token-").removesuffix(".key")
    return int(told) if told.isdigit() else 0


def _is_key(path: Path) -> bool:
    """Whether a key is whole; a damaged one may be replaced."""
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
    for name, here in missing:
        if here.exists():
            here.rename(here.with_name(f"{here.name}.{_ASIDE.format(now)}"))
        write_whole(here, (draft / name).read_bytes(), private=True)


# --- going on


@dataclass(frozen=True)
class Doubts:
    """A pause, and what is in doubt: unknown deliveries by issue, and issues not sent yet."""

    pause: send_hold.Pause | None
    unknown: dict[str, int]
    unsent: tuple[str, ...]


def doubts(context: AppContext) -> Doubts:
    """Why the store stands still, and what a person should know before it goes on."""
    return Doubts(send_hold.standing(context.store), *snapshot.in_doubt(context.store))


def confirm(context: AppContext, *, by: str) -> int:
    """Let the store go on; how many pauses ended."""
    return send_hold.end(context.store, by=by, now=context.clock())
