"""A folder of files that is replaced as a whole: drafts first, then moves, then what is left over."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.models.archive_paths import IMAGES

LISTING = ".upcycle-news"
"""Names what we wrote, so that nothing else is ever overwritten or removed."""

_DRAFT = ".draft-"
_PICTURE = re.compile(rf"{IMAGES}[0-9a-f]{{32}}\.(?:png|jpg|gif)\Z")


@dataclass(frozen=True)
class FolderChanges:
    """How many files were written, and how many removed."""

    written: int
    removed: int


@contextmanager
def exclusive_lock(lock: Path) -> Iterator[None]:
    """One at a time on this machine: a slower one must not undo what a later one wrote."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = lock.open("w")
    except OSError as error:
        raise _trouble(lock, error) from None
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def replace_files(
    folder: Path, files: Mapping[str, bytes], *, keep: Collection[str], ours: bool
) -> FolderChanges:
    """Make `folder` hold these files, written in their order; what is the same is not touched.

    All of them are written beside their places before the first one takes its own, so a full disk
    changes nothing. What an earlier call wrote and is in neither `files` nor `keep` is removed
    last, pictures included. Raises `UpcycleError` when that fails, or when a file that we did not
    write is in the way and the folder is not `ours`.
    """
    try:
        listed = _listed(folder)
        changed = {path: data for path, data in files.items() if not _is(folder / path, data)}
        if ours:
            for stale in folder.rglob(f"{_DRAFT}*"):  # of a build that was killed
                stale.unlink(missing_ok=True)
        else:
            _refuse_foreign(folder, files, listed)
        drafts = _drafted(folder, changed)
        if changed and not set(files) <= listed:
            _list(folder, listed | set(files))
        for path, draft in drafts.items():
            draft.replace(folder / path)
        left = (listed | _pictures(folder)) - set(files) - set(keep)
        removed = sum(_remove(folder, path) for path in sorted(left))
        if listed != set(files):
            _list(folder, set(files))
    except OSError as error:
        raise _trouble(folder, error) from None
    return FolderChanges(len(changed), removed)


def _trouble(place: Path, error: OSError) -> UpcycleError:
    return UpcycleError(
        f"{place}: the archive cannot be written ({error.strerror}); make room or make the folder "
        "writable"
    )


def _is(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except (FileNotFoundError, NotADirectoryError):
        return False


def _refuse_foreign(folder: Path, files: Mapping[str, bytes], listed: Collection[str]) -> None:
    for path in files:
        if path not in listed and (folder / path).exists():
            raise UpcycleError(
                f"{folder / path}: was not written by upcycle-news and is left alone; name an empty "
                "folder"
            )


def _drafted(folder: Path, changed: Mapping[str, bytes]) -> dict[str, Path]:
    """Everything that can go wrong goes wrong here, and leaves nothing behind."""
    drafts: dict[str, Path] = {}
    made: set[Path] = set()
    try:
        for path, data in changed.items():
            target = folder / path
            made |= {one for one in (target.parent, *target.parent.parents) if not one.exists()}
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=target.parent, prefix=_DRAFT)
            drafts[path] = Path(draft)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            drafts[path].chmod(0o644)
    except BaseException:
        for left in drafts.values():
            left.unlink(missing_ok=True)
        for one in sorted(made, reverse=True):
            if one.is_dir() and not any(one.iterdir()):
                one.rmdir()
        raise
    return drafts


def _listed(folder: Path) -> set[str]:
    try:
        lines = (folder / LISTING).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    # Others may write in a folder that is published; what lies outside of it was never ours.
    return {line for line in lines if not Path(line).is_absolute() and ".." not in Path(line).parts}


def _list(folder: Path, paths: Collection[str]) -> None:
    write_atomically(folder / LISTING, "".join(f"{path}\n" for path in sorted(paths)).encode())


def _pictures(folder: Path) -> set[str]:
    """Also those that a preview published."""
    there = {f"{IMAGES}{one.name}" for one in (folder / IMAGES).glob("*")}
    return {path for path in there if _PICTURE.match(path)}


def _remove(folder: Path, path: str) -> int:
    target = folder / path
    if not target.is_file():
        return 0
    target.unlink()
    for parent in target.parents:
        if parent == folder or any(parent.iterdir()):
            break
        parent.rmdir()
    return 1
