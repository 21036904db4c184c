"""Results of checks that take long, kept in var/checks until what they depend on changes.

A file holds one result and the hash of its inputs, of the program and of the installed packages. The
folder may be emptied at any time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
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
    path = context.settings.state / "checks" / f"{name}.json"
    key = _key(inputs)
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_bytes())
        if kept["inputs"] == key:
            return kept["result"]
    result = make()
    if not context.settings.state.is_dir():
        return result
    with suppress(UpcycleError):
        record = {"inputs": key, "result": result}
        write_atomically(path, json.dumps(record, ensure_ascii=False).encode(), private=True)
    return result


def kept_findings(
    context: AppContext, name: str, inputs: object, check: Callable[[], Iterable[Finding]]
) -> tuple[Finding, ...]:
    """Return the findings of a check as `kept_json` does."""
    records = kept_json(context, name, inputs, lambda: [_as_record(one) for one in check()])
    return tuple(_finding(record) for record in records)


def _key(inputs: object) -> str:
    parts = [sys.version, sorted(_program_files(_PROGRAM)), _package_times(), inputs]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _program_files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of the program's files: a clone changes without another version."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _program_files(Path(entry))
        elif not entry.name.endswith(".pyc"):
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns


def _package_times() -> list[int]:
    """Return when the folders of packages changed: whoever installs or renews one changes its folder."""
    folders = (Path(entry) for entry in sys.path if entry.endswith("-packages"))
    return [folder.stat().st_mtime_ns for folder in folders if folder.is_dir()]


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
