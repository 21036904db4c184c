"""The file format of a backup: one archive with a manifest that lists every other file in it.

A `.tar.gz` that common tools open: `manifest.json` first, then `store.db` (SQLite, also for a
Postgres store) and `secrets/…`. It is written completely or not at all, readable by its owner only,
and read back once before it gets its name. Reading trusts nothing: member names are compared with
the manifest, never used as paths.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import open_file, os_reason
from upcycle_news.i18n.messages import localized

FORMAT = 1
MANIFEST = "manifest.json"
STORE = "store.db"
SECRETS = "secrets/"
_LARGEST_MANIFEST = 1_000_000
_COMPRESSION = 3  # of 9: rows shrink well anyway, and a nightly copy should be quick
_SECRET = re.compile(r"secrets/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BROKEN = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True)
class BackupEntry:
    """A file in the archive: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The manifest of a backup. `tables`: row count by table; `store`: sqlite or postgresql."""

    version: str
    migration: str
    made_at: datetime
    publication: str
    store: str
    tables: Mapping[str, int]
    files: Mapping[str, BackupEntry]

    def encode(self) -> bytes:
        """Return the manifest as JSON."""
        values = asdict(self) | {"format": FORMAT, "made_at": self.made_at.isoformat()}
        return json.dumps(values, ensure_ascii=False, indent=2).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Parse a manifest; raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        values: dict[str, Any] = json.loads(data)
        if values.pop("format") != FORMAT:
            raise ValueError("format")
        files = {
            name: BackupEntry(int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in values.pop("files").items()
        }
        made_at = datetime.fromisoformat(values.pop("made_at"))
        if made_at.tzinfo is None or STORE not in files:
            raise ValueError("made_at")
        if any(name != STORE and not is_secret(name) for name in files):
            raise ValueError("files")
        return cls(made_at=made_at, files=files, **values)


def is_secret(name: str) -> bool:
    """True if a file of this name in the archive is one of the secrets."""
    return _SECRET.fullmatch(name) is not None


def describe_file(path: Path) -> BackupEntry:
    """Return the size and the hash of a file."""
    with path.open("rb") as file:
        return BackupEntry(path.stat().st_size, file_digest(file, "sha256").hexdigest())


def write_archive(draft: Path, manifest: Manifest, files: Mapping[str, Path]) -> None:
    """Write the archive to `draft` and sync it to the disk; raises `OSError`."""
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=_COMPRESSION) as archive:
            encoded = manifest.encode()
            archive.addfile(_member(MANIFEST, len(encoded), manifest.made_at), io.BytesIO(encoded))
            for name, path in files.items():
                with path.open("rb") as file:
                    archive.addfile(
                        _member(name, manifest.files[name].bytes, manifest.made_at), file
                    )
        out.flush()
        os.fsync(out.fileno())


def _member(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(at.timestamp()), 0o600
    return member


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a backup; raises `UpcycleError` for any other file."""
    with _translate_errors(path), _open_archive(path) as archive:
        return _manifest(archive)


def unpack(path: Path, into: Path | None) -> Manifest:
    """Check every hash, and write the files below `into` unless it is None.

    Raises `UpcycleError` for an archive that is damaged, truncated, or holds other files.
    """
    with _translate_errors(path), _open_archive(path, whole=True) as archive:
        manifest = _manifest(archive)
        if into is not None:
            needed = sum(entry.bytes for entry in manifest.files.values())
            if shutil.disk_usage(into).free < needed:
                raise UpcycleError(
                    localized(
                        "backup-no-room", into=into, name=path.name, needed=needed // 1000000 + 1
                    )
                )
        missing = dict(manifest.files)
        for member in iter(archive.next, None):
            expected = missing.pop(member.name, None)
            if expected is None or not member.isreg() or member.size != expected.bytes:
                raise UpcycleError(
                    localized("backup-foreign-member", path=path, name=member.name[:80])
                )
            source = archive.extractfile(member)
            assert source is not None
            if _extract(source, None if into is None else into / member.name) != expected.sha256:
                raise ValueError(member.name)
        if missing:
            raise ValueError("not all files")
    return manifest


def _extract(source: IO[bytes], target: Path | None) -> str:
    """Write a member to `target`, or only read it when that is None; returns its SHA-256."""
    digest = sha256()
    with _writer(target) as write:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            write(chunk)
    return digest.hexdigest()


@contextmanager
def _writer(target: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes to a new private file, or nowhere.

    Its errors are about the disk, not about the archive, and so become `UpcycleError` here.
    """
    if target is None:
        yield lambda chunk: None
        return

    def write_error(error: OSError) -> UpcycleError:
        return UpcycleError(localized("backup-not-unpacked", target=target, why=os_reason(error)))

    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        out = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 0)
    except OSError as error:
        raise write_error(error) from None

    def write(chunk: bytes) -> None:
        try:
            while chunk:
                chunk = chunk[out.write(chunk) or 0 :]
        except OSError as error:
            raise write_error(error) from None

    with out:
        yield write


@contextmanager
def _open_archive(path: Path, *, whole: bool = False) -> Iterator[tarfile.TarFile]:
    """Open the archive as a stream; with `whole`, also detect truncation after its last file."""
    try:
        file = open_file(path)
    except OSError as error:
        raise UpcycleError(localized("backup-not-read", path=path, why=os_reason(error))) from None
    with file, gzip.open(file) as plain:
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            yield archive
        while whole and plain.read(1 << 20):
            pass


def _manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg():
        raise KeyError(MANIFEST)
    if first.size > _LARGEST_MANIFEST:
        raise ValueError(MANIFEST)
    source = archive.extractfile(first)
    assert source is not None
    return Manifest.decode(source.read())


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UpcycleError:
        raise
    except _BROKEN:
        raise UpcycleError(localized("backup-not-ours", path=path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UpcycleError(localized("backup-not-as-said", path=path)) from None
