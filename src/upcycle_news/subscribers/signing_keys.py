"""The token keys as they are now, and what happens to them in the course of years.

A new key signs the links from then on, and the old ones go on reading theirs: a mail of last year
must still let its reader leave. Only a key that others have is dropped, and its links with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.storage import subscribers
from upcycle_news.storage.database import Store
from upcycle_news.subscribers.link_tokens import load_or_make_key, load_or_make_keys, make_key

_LAST = 255  # the key's number is one byte of a token


class KeyRing(Mapping[int, bytes]):
    """The keys in a folder by number, read again when the folder has changed.

    A web door that runs for months must read the links of a key that was made yesterday, and none
    of one that was dropped.
    """

    def __init__(self, folder: Path) -> None:
        """The first key is made when there is none; raises `UpcycleError`."""
        self._folder = folder
        self._keys: Mapping[int, bytes] = load_or_make_keys(folder)
        self._seen = self._changed()

    def _changed(self) -> int:
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return (
                self._seen if hasattr(self, "_seen") else 0
            )  # gone for a moment: keep what we know

    def _now(self) -> Mapping[int, bytes]:
        changed = self._changed()
        # None is made here: where they were moved away, a new one would take an old one's place.
        if changed != self._seen and (keys := load_or_make_keys(self._folder, make=False)):
            self._keys = keys
            self._seen = changed  # what changed while we read is read with the next link
        return self._keys

    def __getitem__(self, number: int) -> bytes:
        return self._now()[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def erasure_key(folder: Path, store: Store) -> bytes:
    """What keys the hashes of the forgotten, made at the first use; raises `UpcycleError`.

    Never made where people are known: their keys lie elsewhere, such as on a volume that is not
    there today, and nobody would notice before a reader's link fails.
    """
    key = folder / "person.key"
    if not key.exists() and subscribers.has_subscribers(store):
        raise UpcycleError(
            f"{folder}: the keys are missing, and the store knows readers; with other keys no link "
            "in a mail that was sent would work: copy the folder from where it is, or from a backup"
        )
    return load_or_make_key(key)


def _file(folder: Path, number: int) -> Path:
    return folder / f"token-{number}.key"


def made_at(folder: Path, number: int) -> datetime:
    """When a key was made here, or restored to here."""
    return datetime.fromtimestamp(_file(folder, number).stat().st_mtime, UTC)


def add_key(folder: Path) -> int:
    """Make the next key, which signs from now on; its number. Raises `UpcycleError`."""
    number = max(load_or_make_keys(folder)) + 1
    if number > _LAST:
        raise UpcycleError(
            f"{folder}: {_LAST} keys are all there can be; drop one that nobody needs"
        )
    try:
        make_key(_file(folder, number))
    except OSError as error:
        raise UpcycleError(f"{folder}: the key cannot be written ({error.strerror})") from None
    return number


def drop_key(folder: Path, number: int) -> None:
    """Delete a key: no link that it signed works any more. Raises `UpcycleError`."""
    keys = load_or_make_keys(folder)
    if number not in keys:
        known = ", ".join(str(one) for one in sorted(keys))
        raise UpcycleError(f"there is no token key {number}; there are: {known}")
    if number == max(keys):
        raise UpcycleError(
            f"token key {number} signs the links of today: make another one with "
            "'upcycle-news secrets rotate', then drop this one"
        )
    try:
        _file(folder, number).unlink()
    except OSError as error:
        raise UpcycleError(f"{folder}: key {number} cannot be deleted ({error.strerror})") from None
