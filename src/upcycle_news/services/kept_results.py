"""Results that take long to find, kept in var/checks until what they depend on changes.

A file holds one result, or one of each value, as JSON below a SHA-256 of it, of its inputs, of the program and
of the installed packages, so that a damaged one is none. The folder may be emptied at any time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models import Finding

_PROGRAM = Path(__file__).parents[1]
MAX_UNUSED = 5000


def kept_json(context: AppContext, name: str, inputs: object, make: Callable[[], Any]) -> Any:
    """Return what `make` returns, or returned for the same `inputs`; JSON can hold both.

    The inputs must be all that the result depends on. Nothing is kept where the publication has no state
    yet, which looking does not begin, or the folder cannot be written to.
    """
    path, key = _path(context, name), _key(inputs)
    with suppress(OSError, ValueError, KeyError):
        return _read(path, key)
    result = make()
    _write(path, key, result)
    return result


def kept_each(
    context: AppContext,
    name: str,
    inputs: object,
    values: Sequence[Any],
    make: Callable[[Any], Any],
) -> list[Any]:
    """Return what `make` returns for each of the values, of which only those that are new are made.

    All is JSON; `make` may depend on `inputs`. Of the results that this call does not ask for, the file
    keeps the last `MAX_UNUSED`.
    """
    path, key = _path(context, name), _key(inputs)
    kept: dict[str, Any] = {}
    with suppress(OSError, ValueError, KeyError):
        kept = dict(_read(path, key))
    names = [_hash(value) for value in values]
    fresh = {
        one: make(value) for one, value in dict(zip(names, values, strict=True)).items()
        if one not in kept
    }  # fmt: skip
    found = kept | fresh
    if fresh:
        asked = frozenset(names)
        unused = [one for one in kept if one not in asked][-MAX_UNUSED:]
        _write(path, key, {one: found[one] for one in (*unused, *dict.fromkeys(names))})
    return [found[one] for one in names]


def _path(context: AppContext, name: str) -> Path:
    return context.settings.state / "checks" / f"{name}.json"


def _read(path: Path, key: bytes) -> Any:
    """Return the result in a file; raises `KeyError` when it is damaged or of other inputs."""
    sha256_of_all, _, data = path.read_bytes().partition(b"\n")
    if sha256_of_all != _sha256(key, data):
        raise KeyError(path.name)
    return json.loads(data)


def _write(path: Path, key: bytes, result: Any) -> None:
    """Keep a result, unless there is no state yet or the folder cannot be written to."""
    if not path.parents[1].is_dir():
        return
    data = json.dumps(result, separators=(",", ":")).encode()
    with suppress(UpcycleError):
        write_atomically(path, _sha256(key, data) + b"\n" + data, private=True)


def kept_findings(
    context: AppContext, name: str, inputs: object, check: Callable[[], Iterable[Finding]]
) -> tuple[Finding, ...]:
    """Return the findings of a check as `kept_json` does."""
    records = kept_json(context, name, inputs, lambda: [_as_record(one) for one in check()])
    return tuple(_finding(record) for record in records)


def kept_findings_each(
    context: AppContext,
    name: str,
    values: Sequence[Any],
    check: Callable[[Any], Iterable[Finding]],
) -> list[tuple[Finding, ...]]:
    """Return the findings about each of the values as `kept_each` does."""
    records = kept_each(
        context, name, None, values, lambda value: [_as_record(one) for one in check(value)]
    )
    return [tuple(map(_finding, each)) for each in records]


def short_hash(value: object) -> str:
    """Return one of 16 names for a value."""
    return _hash(value)[0]


def _key(inputs: object) -> bytes:
    return _versions(_PROGRAM) + json.dumps(inputs, sort_keys=True).encode()


@cache
def _versions(program: Path) -> bytes:
    """Return Python's version, the program's files and the packages as this process found them first.

    It runs those, whatever replaced them.
    """
    return json.dumps([sys.version, sorted(_files(program)), _packages()]).encode()


def _hash(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(key: bytes, data: bytes) -> bytes:
    return sha256(key + b"\n" + data).hexdigest().encode()


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of files: a clone changes without another version."""
    for entry in os.scandir(folder):
        if entry.name == "__pycache__":  # where other processes write meanwhile
            continue
        if entry.is_dir():
            yield from _files(Path(entry))
            continue
        with suppress(FileNotFoundError):  # the lock of an editor is a link to nothing
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns


def _packages() -> list[tuple[str, int, list[str]]]:
    """Return the folders of packages, when they changed, and the names in them.

    Whoever installs or renews a package changes its folder. Where an image of a container gives all files
    the same time, the names of the folders with metadata (``name-1.2.dist-info``) tell versions apart.
    """
    folders = (Path(entry) for entry in sys.path if entry.endswith("-packages"))
    return [
        (str(folder), folder.stat().st_mtime_ns, sorted(entry.name for entry in folder.iterdir()))
        for folder in folders
        if folder.is_dir()
    ]


def _as_record(finding: Finding) -> list[Any]:
    return [finding.level, finding.code, finding.where, _encoded(finding.text)]


def _finding(record: list[Any]) -> Finding:
    level, code, where, text = record
    return Finding(level, code, where, _decoded(text))


def _encoded(value: object) -> Any:
    """Return a value of a text as JSON."""
    if isinstance(value, LocalizedText):
        return {"key": value.key, "values": [[name, _encoded(one)] for name, one in value.values]}
    if isinstance(value, tuple):
        return [_encoded(one) for one in value]
    if isinstance(value, PurePath):
        return str(value)
    assert value is None or type(value) in (str, int, float, bool), "would come back as another"
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        values = tuple((name, _decoded(one)) for name, one in value["values"])
        return LocalizedText(value["key"], values)
    return tuple(map(_decoded, value)) if isinstance(value, list) else value
