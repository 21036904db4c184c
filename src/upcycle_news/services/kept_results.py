"""Results of checks that take long, kept in var/checks until what they depend on changes.

A file holds one result as JSON below a SHA-256 of it, of its inputs, of the program and of the installed
packages, so that a damaged one is none. The folder may be emptied at any time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models import Finding

_PROGRAM = Path(__file__).parents[1]


def kept_json(context: AppContext, name: str, inputs: object, make: Callable[[], Any]) -> Any:
    """Return what `make` returns, or returned for the same `inputs`; JSON can hold both.

    The inputs must be all that the result depends on. Nothing is kept where the publication has no state
    yet, which looking does not begin, or the folder cannot be written to.
    """
    path, key = context.settings.state / "checks" / f"{name}.json", _key(inputs)
    with suppress(OSError, ValueError):
        sha256_of_all, _, data = path.read_bytes().partition(b"\n")
        if sha256_of_all == _sha256(key, data):
            return json.loads(data)
    result = make()
    if not context.settings.state.is_dir():
        return result
    data = json.dumps(result).encode()
    with suppress(UpcycleError):
        write_atomically(path, _sha256(key, data) + b"\n" + data, private=True)
    return result


def kept_findings(
    context: AppContext, name: str, inputs: object, check: Callable[[], Iterable[Finding]]
) -> tuple[Finding, ...]:
    """Return the findings of a check as `kept_json` does."""
    records = kept_json(context, name, inputs, lambda: [_as_record(one) for one in check()])
    return tuple(_finding(record) for record in records)


def _key(inputs: object) -> bytes:
    return json.dumps(
        [sys.version, _program(_PROGRAM), _packages(), inputs], sort_keys=True
    ).encode()


def _sha256(key: bytes, data: bytes) -> bytes:
    return sha256(key + b"\n" + data).hexdigest().encode()


@cache
def _program(folder: Path) -> list[tuple[str, int, int]]:
    """Return the program's files as this process found them first: it runs those, whatever replaced them."""
    return sorted(_files(folder))


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
    assert value is None or type(value) in (str, int, float, bool), "would come back as another"
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        values = tuple((name, _decoded(one)) for name, one in value["values"])
        return LocalizedText(value["key"], values)
    return tuple(map(_decoded, value)) if isinstance(value, list) else value
