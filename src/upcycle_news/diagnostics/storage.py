"""The store, its disk and its backups."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.storage.inspect import StoreFacts

_LITTLE = 200_000_000  # bytes: below, a large issue with its log may not fit any more
_COMFORTABLE = 1_000_000_000
_OLD_BACKUP = timedelta(hours=36)  # a nightly one that was missed once
_VERY_OLD_BACKUP = timedelta(days=7)


def verdict(facts: StoreFacts) -> list[Line]:
    """The store as it lies there."""
    if facts.trouble:
        found, _, cure = facts.trouble.rpartition("; ")
        return [
            problem(
                "store",
                found or facts.trouble,
                meaning="nobody can be written to, confirm or leave",
                cure=cure if found else "check UPCYCLE_NEWS_STORE",
            )
        ]
    if not facts.exists:
        return [skipped("store", "there is no store yet: the first command that needs it makes it")]
    size = f"{facts.size / 1e6:.1f} MB"
    lines = [_writable(facts, size), _version(facts)]
    if facts.kind == "sqlite":
        lines.append(_integrity(facts))
    return lines


def _writable(facts: StoreFacts, size: str) -> Line:
    if facts.busy:
        return warning(
            "store",
            f"the store {facts.name} is being written to for longer than 5 s",
            meaning="others wait meanwhile; a large import does that, or a program that hangs",
            cure="look which other program has it open",
        )
    if not facts.writable:
        return problem(
            "store",
            f"the store {facts.name} can be read, but not written to",
            meaning="nothing can be sent, and nobody can confirm or leave",
            cure="check owner and permissions of the file and its folder"
            if facts.kind == "sqlite"
            else "connect to the primary server, not to a replica",
        )
    if facts.kind == "sqlite" and facts.journal != "wal":
        return warning(
            "store",
            f"the store {facts.name} is in journal mode '{facts.journal}', not WAL",
            meaning="readers and senders wait for one another",
            cure="keep it on a local disk; the next command that opens it switches to WAL",
        )
    how = f"SQLite, {facts.journal.upper()}" if facts.kind == "sqlite" else facts.journal
    return ok("store", f"the store can be read and written ({how}, {size})")


def _version(facts: StoreFacts) -> Line:
    told = facts.version or "none"
    if facts.version == facts.newest:
        return ok("store-version", f"the store is up to date (migration {facts.newest})")
    if facts.version is None or facts.version < facts.newest:
        return warning(
            "store-version",
            f"the store is at migration {told}, this program at {facts.newest}",
            meaning="the next command that opens it migrates it; older programs then cannot use it",
            cure="make a backup first, and stop what still runs with the older version",
        )
    return problem(
        "store-version",
        f"the store is at migration {told}, this program only knows {facts.newest}",
        meaning="this older program refuses to open it",
        cure="install the newer version of upcycle-news, or restore a backup of that time",
    )


def _integrity(facts: StoreFacts) -> Line:
    if facts.damage is None:
        return skipped("store-check", "the look at every page was not finished within 20 s")
    if facts.damage:
        return problem(
            "store-check",
            f"the store is damaged: {facts.damage}",
            meaning="rows may be lost; sending on may write to people twice or not at all",
            cure="stop everything, keep a copy of the file, and restore the last backup",
        )
    return ok("store-check", "every page of the store is sound (quick_check)")


def disk(folder: str, free: int, total: int, store_bytes: int) -> Line:
    """Room for the store to grow and for a copy of it; all in bytes."""
    wanted = max(_COMFORTABLE, 2 * store_bytes)
    said = f"{free / 1e9:.1f} GB of {total / 1e9:.0f} GB are free where {folder} lies"
    if free < _LITTLE:
        return problem(
            "disk",
            said,
            meaning="a send stops when the disk is full",
            cure="make room; old issues, mailbox and images below var may be deleted",
        )
    if free < wanted:
        return warning(
            "disk",
            said,
            meaning="a backup needs as much room as the store, and a send needs some more",
            cure="make room; old issues, mailbox and images below var may be deleted",
        )
    return ok("disk", said)


def backup(last: datetime | None, now: datetime, *, there_is_something: bool) -> Line:
    """The age of the newest backup; None when there is none."""
    meaning = "without one, a broken disk ends the list, every consent and every way to leave"
    cure = "run 'upcycle-news backup', and every night"
    if last is None:
        if not there_is_something:
            return skipped("backup", "there is nothing yet to be kept")
        return warning("backup", "there is no backup yet", meaning=meaning, cure=cure)
    age = now - last
    said = f"the newest backup is of {last:%Y-%m-%d %H:%M} UTC"
    if age > _VERY_OLD_BACKUP:
        return problem("backup", said, meaning=meaning, cure=cure)
    if age > _OLD_BACKUP:
        return warning("backup", said, meaning=meaning, cure=cure)
    return ok("backup", said)


def pause(sentence: str) -> Line:
    """A store that stands still until a person confirms it."""
    found, _, cure = sentence.rpartition("; ")
    return problem("pause", found, meaning="issues wait, and planned ones pass", cure=cure)
