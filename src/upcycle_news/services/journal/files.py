"""The journal in its places: `var/journal`, and the second one of the settings.

Lines are only ever appended, under a lock, and synced to the disk before the call returns. A place that
lacks lines of the other one gets them with the next line: either can be lost.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models.journal import JournalEntry
from upcycle_news.observability.logging import Log

log = Log(__name__)

NAME = "journal"


class JournalError(UpcycleError):
    """A place of the journal cannot be read or written."""


@dataclass(frozen=True)
class Place:
    """A file that holds the journal. The folder of a `fixed` one is never made: it may be a mount."""

    path: Path
    fixed: bool = False


def places(context: AppContext) -> tuple[Place, ...]:
    """Return where the journal lies; raises `JournalError` for a second place that is not there."""
    found = _places(context)
    for place in found:
        _raise_if_missing(place)
    return found


def _places(context: AppContext) -> tuple[Place, ...]:
    own = Place(context.settings.state / NAME)
    configured = context.settings.journal.second
    if not configured:
        return (own,)
    path = context.settings.home / Path(configured).expanduser()
    return (own, Place(path / NAME if path.is_dir() else path, fixed=True))


def _raise_if_missing(place: Place) -> None:
    if place.fixed and not place.path.parent.is_dir():
        raise JournalError(localized("journal-place-missing", place=str(place.path)))
    if place.path.exists() and not place.path.is_file():
        raise JournalError(localized("journal-no-file", place=str(place.path)))


def read_places(context: AppContext, *, lenient: bool = False) -> dict[Place, list[JournalEntry]]:
    """Return the entries of each place in their order.

    Raises `JournalError` for a place that cannot be read; a `lenient` call says so in the log and goes
    on with the others.
    """
    read: dict[Place, list[JournalEntry]] = {}
    for place in _places(context):
        try:
            _raise_if_missing(place)
            lines = _read_lines(place)
        except JournalError as error:
            if not lenient:
                raise
            log.warning("journal not read", why=error.in_language(context.language))
            continue
        read[place] = [entry for line in lines if (entry := JournalEntry.decode(line))]
    return read


def damaged_lines(context: AppContext) -> dict[Place, list[int]]:
    """Return the numbers of the lines of each place that are no entries, of places with such lines.

    Raises `JournalError` for a place that cannot be read.
    """
    found = {
        place: [
            number
            for number, line in enumerate(_read_lines(place), 1)
            if line.strip() and JournalEntry.decode(line) is None
        ]
        for place in places(context)
    }
    return {place: numbers for place, numbers in found.items() if numbers}


def is_readable(context: AppContext) -> bool:
    """Return whether every place of the journal can be read; one that was not written to yet can be."""
    try:
        read_places(context)
    except JournalError:
        return False
    return True


def append(context: AppContext, entry: JournalEntry | None) -> None:
    """Write an entry to every place, and to each what only the other one has; synced when it returns.

    With None only the latter. Raises `JournalError` when a place cannot be written; the others have it.
    """
    lines = _all_lines(context)
    if entry is not None:
        lines.append(entry.encode())
    failed: list[JournalError] = []
    for place in places(context):
        try:
            _append_missing(place, lines)
        except OSError as error:
            failed.append(_unwritable(place, error))
    if failed:
        raise failed[0]


def raise_unless_writable(context: AppContext) -> None:
    """Raise `JournalError` when a place cannot be opened for writing; nothing is written."""
    for place in places(context):
        try:
            with _open(place):
                pass
        except OSError as error:
            raise _unwritable(place, error) from None


def _all_lines(context: AppContext) -> list[str]:
    """Return the lines of all places, each once: the order within a place is kept."""
    lines = [line for place in places(context) for line in _read_lines(place)]
    return [line for line in dict.fromkeys(lines) if JournalEntry.decode(line) is not None]


def _read_lines(place: Place) -> list[str]:
    try:
        return place.path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(
            localized(
                "journal-unreadable", place=str(place.path), reason=error.strerror or str(error)
            )
        ) from None


def _append_missing(place: Place, lines: list[str]) -> None:
    """Append those of `lines` that the place lacks; raises `OSError`, and takes back half a line."""
    with _open(place) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = os.pread(file.fileno(), size := os.fstat(file.fileno()).st_size, 0)
        there = set(content.decode(errors="replace").splitlines())
        missing = [line for line in lines if line not in there]
        if not missing:
            return
        # A line that a full disk or a power cut left without its end stays a line of its own.
        text = "\n" * (bool(content) and not content.endswith(b"\n"))
        text += "".join(f"{line}\n" for line in missing)
        try:
            _write_all(file.fileno(), text.encode())
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise
    if not size:
        _sync_folder(place.path.parent)


def _open(place: Place) -> BinaryIO:
    """Open a place for reading and appending, its owner's only; raises `OSError`."""
    if not place.fixed:
        place.path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return cast(BinaryIO, os.fdopen(os.open(place.path, flags, 0o600), "r+b", buffering=0))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new file in it outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(place: Place, error: OSError) -> JournalError:
    reason = error.strerror or str(error)
    return JournalError(localized("journal-unwritable", place=str(place.path), reason=reason))
