"""Replaces the files of a folder as a whole: writes drafts, moves them, removes old files."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.models.archive_paths import IMAGES
from upcycle_news.services.archive_listing import LISTING, read_listing

_DRAFT = ".draft-"
_HOSTED_IMAGE = re.compile(rf"{IMAGES}[0-9a-f]{{32}}\.(?:png|jpg|gif)\Z")


@dataclass(frozen=True)
class FolderChanges:
    """Numbers of files written and removed."""

    written: int
    removed: int


@contextmanager
def exclusive_lock(lock: Path) -> Iterator[None]:
    """Hold a lock on this machine: a slower build must not overwrite what a later one wrote."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise _write_error(lock, error) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def replace_files(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    unchanged: Collection[str] = (),
    keep: Collection[str],
    ours: bool,
) -> FolderChanges:
    """Make `folder` hold these files, written in their order, beside the `unchanged` ones that it has.

    Files that have their content already are not touched.

    Drafts of all changed files are written before the first one is moved to its place, so a full
    disk changes nothing. What an earlier call wrote and is in none of these and not in `keep` is removed
    last, images included. Raises `UpcycleError` when that fails, or when a file that we did not
    write is in the way and the folder is not `ours`.
    """
    try:
        listed, all_files = read_listing(folder), {*files, *unchanged}
        changed = {
            path: data for path, data in files.items() if not _has_content(folder / path, data)
        }
        if not ours:
            _refuse_foreign(folder, all_files, listed)
        for stale in _drafts_left(folder, None if ours else listed | all_files):
            stale.unlink(missing_ok=True)
        obsolete = (listed | hosted_images(folder)) - all_files - set(keep)
        in_the_way = {path: _in_the_way(folder, path, obsolete) for path in changed}
        drafts = _write_drafts(folder, changed)
        if changed and not all_files <= listed:
            _write_listing(folder, listed | all_files)
        removed = 0
        for path, draft in drafts.items():
            removed += sum(_remove(folder, old) for old in in_the_way[path])
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            draft.replace(folder / path)
        removed += sum(_remove(folder, path) for path in sorted(obsolete))
        if listed != (ours_now := all_files | (listed & set(keep))):
            _write_listing(folder, ours_now)
    except OSError as error:
        raise _write_error(folder, error) from None
    return FolderChanges(len(changed), removed)


def _write_error(place: Path, error: OSError) -> UpcycleError:
    return UpcycleError(localized("archive-not-written", place=place, why=os_reason(error)))


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def _drafts_left(folder: Path, paths: Collection[str] | None) -> Iterator[Path]:
    """Yield the drafts of a build that was killed: beside `paths`, or anywhere without them."""
    if paths is None:
        yield from folder.rglob(f"{_DRAFT}*")
    else:
        for place in {(folder / path).parent for path in paths}:
            yield from place.glob(f"{_DRAFT}{'[a-z0-9_]' * 8}")  # as mkstemp names them


def _refuse_foreign(folder: Path, files: Collection[str], listed: Collection[str]) -> None:
    for path in sorted(files):
        if path not in listed and (folder / path).is_file():
            raise UpcycleError(localized("archive-foreign", file=folder / path))


def _in_the_way(folder: Path, path: str, obsolete: Collection[str]) -> list[str]:
    """Return the obsolete files whose place is a folder of `path` now, or that are in a folder of its name.

    Raises `UpcycleError` where such a file is not ours.
    """
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents]
    files = [parent for parent in parents if (folder / parent).is_file()]
    if (folder / path).is_dir():
        below = list((folder / path).rglob("*")) or [folder / path]
        last = (one for one in below if not one.is_dir() or not any(one.iterdir()))
        files += [one.relative_to(folder).as_posix() for one in last]
    for file in files:
        if file not in obsolete:
            raise UpcycleError(localized("archive-foreign", file=folder / file))
    return files


def _write_drafts(folder: Path, changed: Mapping[str, bytes]) -> dict[str, Path]:
    """Write each file beside its place; removes all drafts when one cannot be written.

    Where the place needs a folder of the name of an obsolete file, its draft is beside that file.
    """
    drafts: dict[str, Path] = {}
    new_folders: set[Path] = set()
    try:
        for path, data in changed.items():
            target = folder / path
            place = next((one for one in reversed(target.parents) if one.is_file()), target).parent
            new_folders |= {one for one in (place, *place.parents) if not one.exists()}
            place.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=place, prefix=_DRAFT)
            drafts[path] = Path(draft)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            drafts[path].chmod(0o644)
    except BaseException:
        for draft_path in drafts.values():
            draft_path.unlink(missing_ok=True)
        for new_folder in sorted(new_folders, reverse=True):
            if new_folder.is_dir() and not any(new_folder.iterdir()):
                new_folder.rmdir()
        raise
    return drafts


def _write_listing(folder: Path, paths: Collection[str]) -> None:
    write_atomically(folder / LISTING, "".join(f"{path}\n" for path in sorted(paths)).encode())


def hosted_images(folder: Path) -> set[str]:
    """Return the paths of published images, those of previews included."""
    paths = {f"{IMAGES}{file.name}" for file in (folder / IMAGES).glob("*")}
    return {path for path in paths if _HOSTED_IMAGE.match(path)}


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
