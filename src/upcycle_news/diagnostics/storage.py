"""Checks of the store, its send hold, its disk and its backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, split_cure, warning
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage.backup.contents import ContentsReport
from upcycle_news.storage.database import PRE_RELEASES
from upcycle_news.storage.inspect import StoreFacts

_MINIMUM_FREE = 200_000_000  # bytes: below, a large issue with its log may not fit any more
_COMFORTABLE_FREE = 1_000_000_000
_BACKUP_WARNING_AGE = timedelta(hours=36)  # a nightly one that was missed once
_BACKUP_PROBLEM_AGE = timedelta(days=7)


def evaluate(facts: StoreFacts) -> list[CheckResult]:
    """Evaluate whether the store can be read, written and trusted, and its migration."""
    if facts.trouble:
        finding, fix = split_cure(facts.trouble, localized("doctor-semicolon"))
        return [
            problem(
                "store",
                finding,
                impact=localized("doctor-store-means"),
                fix=fix or localized("doctor-store-address-cure"),
            )
        ]
    if not facts.exists:
        return [skipped("store", localized("doctor-store-none"))]
    size = f"{facts.size / 1e6:.1f} MB"
    results = [_access(facts, size), _version(facts)]
    if facts.kind == "sqlite":
        results += [_rights(facts), _integrity(facts)]
    return results


def _rights(facts: StoreFacts) -> CheckResult:
    if not facts.exposed:
        return ok("store-rights", localized("doctor-rights-ok"))
    return problem(
        "store-rights",
        localized("doctor-exposed", names=", ".join(facts.exposed)),
        impact=localized("doctor-rights-mean"),
        fix=localized("doctor-rights-cure", name=facts.name),
    )


def _access(facts: StoreFacts, size: str) -> CheckResult:
    if facts.busy:
        return warning(
            "store",
            localized("doctor-store-locked", name=facts.name),
            impact=localized("doctor-store-locked-means"),
            fix=localized("doctor-store-locked-cure"),
        )
    if not facts.writable:
        return problem(
            "store",
            localized("doctor-store-read-only", name=facts.name),
            impact=localized("doctor-store-read-only-means"),
            fix=localized("doctor-store-rights-cure")
            if facts.kind == "sqlite"
            else localized("doctor-store-primary-cure"),
        )
    if facts.kind == "sqlite" and facts.journal != "wal":
        return warning(
            "store",
            localized("doctor-store-journal", name=facts.name, journal=facts.journal),
            impact=localized("doctor-store-journal-means"),
            fix=localized("doctor-store-journal-cure"),
        )
    mode = (
        localized("doctor-mode", journal=facts.journal.upper())
        if facts.kind == "sqlite"
        else facts.journal
    )
    return ok("store", localized("doctor-store-ok", mode=mode, size=size))


def _version(facts: StoreFacts) -> CheckResult:
    version = facts.version or "none"
    if facts.version == facts.newest:
        return ok("store-version", localized("doctor-store-current", newest=facts.newest))
    if facts.version in PRE_RELEASES:
        return problem(
            "store-version",
            localized("doctor-store-pre-release", version=version),
            impact=localized("doctor-store-pre-release-means"),
            fix=localized("doctor-store-pre-release-cure"),
        )
    if facts.version is None or facts.version < facts.newest:
        return warning(
            "store-version",
            localized("doctor-store-older", version=version, newest=facts.newest),
            impact=localized("doctor-store-older-means"),
            fix=localized("doctor-store-older-cure"),
        )
    return problem(
        "store-version",
        localized("doctor-store-newer", version=version, newest=facts.newest),
        impact=localized("doctor-store-newer-means"),
        fix=localized("doctor-store-newer-cure"),
    )


def _integrity(facts: StoreFacts) -> CheckResult:
    if facts.damage is None:
        return skipped("store-check", localized("doctor-store-check-slow"))
    if facts.damage:
        return problem(
            "store-check",
            localized("doctor-store-damaged", damage=facts.damage),
            impact=localized("doctor-store-damaged-means"),
            fix=localized("doctor-store-damaged-cure"),
        )
    return ok("store-check", localized("doctor-store-intact"))


def evaluate_contents(contents: ContentsReport) -> CheckResult:
    """Evaluate what the store holds: whether packed deliveries and the newest revisions can be read."""
    blocks, total = contents.blocks, contents.all_blocks
    looked_at = localized("doctor-contents-looked", blocks=blocks, total=total)
    if not contents.damaged:
        whole = localized("doctor-contents-ok", blocks=total)
        return ok("store-contents", whole if blocks == total else looked_at)
    first, *others = contents.damaged
    finding = first
    if others:
        finding = localized("doctor-contents-more", first=first, count=len(others))
    if blocks < total:
        finding = localized("doctor-contents-sampled", finding=finding, blocks=blocks, total=total)
    return problem(
        "store-contents",
        finding,
        impact=localized("doctor-contents-mean"),
        fix=localized("doctor-contents-cure"),
    )


def evaluate_disk(folder: str, free: int, total: int, store_bytes: int) -> CheckResult:
    """Compare the free space with what the store and a backup of it need; all in bytes."""
    wanted = max(_COMFORTABLE_FREE, 2 * store_bytes)
    finding = localized("doctor-disk", free=free / 1e9, total=total / 1e9, folder=folder)
    if free < _MINIMUM_FREE:
        return problem(
            "disk",
            finding,
            impact=localized("doctor-disk-full-means"),
            fix=localized("doctor-disk-cure"),
        )
    if free < wanted:
        return warning(
            "disk",
            finding,
            impact=localized("doctor-disk-low-means"),
            fix=localized("doctor-disk-cure"),
        )
    return ok("disk", finding)


def evaluate_backup(last: datetime | None, now: datetime, *, has_store: bool) -> CheckResult:
    """Evaluate the time of the newest backup, None when there is none."""
    impact = localized("doctor-backup-means")
    fix = localized("doctor-backup-cure")
    if last is None:
        if not has_store:
            return skipped("backup", localized("doctor-backup-nothing"))
        return warning("backup", localized("doctor-backup-none"), impact=impact, fix=fix)
    age = now - last
    finding = localized("doctor-backup-newest", at=last)
    if age > _BACKUP_PROBLEM_AGE:
        return problem("backup", finding, impact=impact, fix=fix)
    if age > _BACKUP_WARNING_AGE:
        return warning("backup", finding, impact=impact, fix=fix)
    return ok("backup", finding)


def send_hold_active(sentence: LocalizedText) -> CheckResult:
    """Return the result for a store with a send hold, which lasts until an operator confirms."""
    finding, fix = split_cure(sentence, localized("doctor-semicolon"))
    return problem("pause", finding, impact=localized("doctor-pause-means"), fix=fix)


def evaluate_history(
    contradiction: LocalizedText | None,
    *,
    entries: int,
    places: int,
    damaged: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> CheckResult:
    """Evaluate whether the store knows what went out; `entries` are those of the journal.

    `places` are the files that hold it, `damaged` the numbers of the lines in them that cannot be read.
    """
    if contradiction is not None:
        finding, fix = split_cure(contradiction, localized("doctor-hold-mark"))
        return problem(
            "journal",
            finding,
            impact=localized("doctor-journal-means"),
            fix=fix,
        )
    for place, lines in damaged.items():
        return warning(
            "journal",
            localized("doctor-journal-lines", place=place, line=lines[0], count=len(lines)),
            impact=localized("doctor-journal-lines-mean"),
            fix=localized("doctor-journal-lines-cure"),
        )
    if not entries:
        return ok("journal", localized("doctor-journal-fine"))
    where = localized("count-places", count=places)
    return ok("journal", localized("doctor-journal-ok", entries=entries, places=where))


def history_unreadable(sentence: LocalizedText) -> CheckResult:
    """Return the result when the journal, the archive or the keys cannot be read or written."""
    finding, fix = split_cure(sentence, localized("doctor-colon"))
    return problem("journal", finding, impact=localized("doctor-journal-broken-means"), fix=fix)
