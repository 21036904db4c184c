"""The secret keys on disk: loading, creating, rotating and dropping them.

A new token key signs the links from then on, and the old ones still verify theirs: unsubscribing
must work from a mail of last year. Only a key that leaked is dropped, and its links with it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import ItemsView, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import exists, list_folder, os_reason
from upcycle_news.i18n.messages import localized
from upcycle_news.storage import subscribers
from upcycle_news.storage.database import Store

KEY_BYTES = 32
PERSON_KEY = "person.key"
_LAST = 255  # the key's number is one byte of a token


class KeyRing(Mapping[int, bytes]):
    """The keys in a folder by number, read again when the folder has changed.

    A web server that runs for months must accept the links of a key that was made yesterday, and
    none of one that was dropped.
    """

    def __init__(self, folder: Path) -> None:
        """The first key is made when there is none; raises `UpcycleError`."""
        self._folder = folder
        self._keys: Mapping[int, bytes] = load_or_create_keys(folder)
        self._seen = self._changed()

    def _changed(self) -> int:
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return (
                self._seen if hasattr(self, "_seen") else 0
            )  # not there for a moment: keep the keys in memory

    def _now(self) -> Mapping[int, bytes]:
        changed = self._changed()
        # No key is created here: where the folder was moved away, it would take an old key's number.
        if changed != self._seen and (keys := load_or_create_keys(self._folder, create=False)):
            self._keys = keys
            self._seen = changed  # a change during the reading is noticed at the next access
        return self._keys

    def __getitem__(self, number: int) -> bytes:
        return self._now()[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def items(self) -> ItemsView[int, bytes]:
        """Return all keys by number after one look at the folder."""
        return self._now().items()


def load_or_create_keys(folder: Path, *, create: bool = True) -> dict[int, bytes]:
    """Return the token keys in `folder` (`token-1.key`, …); `create` makes the first if there is none.

    They belong into every backup: without them no link in a mail that was sent works any more.
    Raises `UpcycleError` when the folder cannot be used or a key is damaged.
    """
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not token_key_files(folder):
                create_key(folder / "token-1.key")
        keys = {}
        for path in token_key_files(folder):
            number, text = path.stem.removeprefix("token-"), path.read_text(encoding="ascii")
            key = bytes.fromhex(text.strip())
            if not number.isdigit() or not 1 <= int(number) <= 255 or len(key) != KEY_BYTES:
                raise ValueError
            keys[int(number)] = key
    except ValueError:
        raise UpcycleError(localized("keys-damaged", folder=folder)) from None
    except OSError as error:
        raise UpcycleError(
            localized("keys-not-made", folder=folder, why=os_reason(error))
        ) from None
    return keys


def token_key_files(folder: Path) -> list[Path]:
    """Return the files of the token keys in `folder`; none without it, `OSError` if it cannot be read.

    Not with `Path.glob`, for which a folder that it may not read is an empty one.
    """
    return [
        path
        for path in list_folder(folder)
        if path.name.startswith("token-") and path.suffix == ".key"
    ]


def load_or_create_key(path: Path) -> bytes:
    """Return a secret that never changes, created at its first use; raises `UpcycleError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not exists(path):
            create_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        if len(key) != KEY_BYTES:
            raise ValueError
    except ValueError:
        raise UpcycleError(localized("key-damaged", path=path)) from None
    except OSError as error:
        raise UpcycleError(localized("key-not-made", path=path, why=os_reason(error))) from None
    return key


def create_key(path: Path) -> None:
    """Write a new key atomically; if another process was faster, its key stays.

    The temporary name is unique: processes of two containers may have the same process id.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def erasure_key(folder: Path, store: Store) -> bytes:
    """Return the key for hashes of erased addresses, created at its first use; raises `UpcycleError`.

    Never created in a store with subscribers: then the keys lie elsewhere, such as on a volume that
    is not mounted, and nobody would notice before a link in a mail fails.
    """
    key = folder / PERSON_KEY
    if not _has_person_key(folder) and subscribers.has_subscribers(store):
        raise UpcycleError(localized("keys-missing", folder=folder))
    return load_or_create_key(key)


def key_fingerprint(key: bytes) -> str:
    """Return what a store and a journal remember of a key: it tells two keys apart and opens nothing."""
    return sha256(b"upcycle-news key " + key).hexdigest()[:32]


def person_key_fingerprint(folder: Path) -> str:
    """Return the fingerprint of the person key in `folder`; empty when there is none.

    Raises `UpcycleError` when it cannot be read or is damaged.
    """
    if not _has_person_key(folder):
        return ""
    return key_fingerprint(load_or_create_key(folder / PERSON_KEY))


def _has_person_key(folder: Path) -> bool:
    """True if there is a person key; raises `UpcycleError` when that cannot be seen."""
    try:
        return exists(folder / PERSON_KEY)
    except OSError as error:
        raise UpcycleError(
            localized("keys-not-read", folder=folder, why=os_reason(error))
        ) from None


def _file(folder: Path, number: int) -> Path:
    return folder / f"token-{number}.key"


def key_created_at(folder: Path, number: int) -> datetime:
    """Return when a key was created or restored on this machine (UTC)."""
    return datetime.fromtimestamp(_file(folder, number).stat().st_mtime, UTC)


def add_key(folder: Path) -> int:
    """Create the next key, which signs from now on; returns its number. Raises `UpcycleError`."""
    number = max(load_or_create_keys(folder)) + 1
    if number > _LAST:
        raise UpcycleError(localized("keys-all", folder=folder, last=_LAST))
    try:
        create_key(_file(folder, number))
    except OSError as error:
        raise UpcycleError(
            localized("key-not-written", folder=folder, why=os_reason(error))
        ) from None
    return number


def raise_unless_droppable(folder: Path, number: int) -> None:
    """Raise `UpcycleError` for a key that is not there, or that signs the links of today."""
    keys = load_or_create_keys(folder)
    if number not in keys:
        existing = ", ".join(str(key_number) for key_number in sorted(keys))
        raise UpcycleError(localized("token-key-unknown", number=number, existing=existing))
    if number == max(keys):
        raise UpcycleError(localized("key-signs-today", number=number))


def drop_key(folder: Path, number: int) -> None:
    """Delete a key: no link that it signed works any more. Raises `UpcycleError`."""
    raise_unless_droppable(folder, number)
    try:
        _file(folder, number).unlink()
    except OSError as error:
        raise UpcycleError(
            localized("key-not-deleted", folder=folder, number=number, why=os_reason(error))
        ) from None
