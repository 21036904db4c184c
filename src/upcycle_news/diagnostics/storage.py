"""Checks of the store, its send hold, its disk and its backups."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, format_count
from upcycle_news.storage.database import PRE_RELEASES
from upcycle_news.storage.inspect import StoreFacts

_MINIMUM_FREE = 200_000_000  # bytes: below, a large issue with its log may not fit any more
_COMFORTABLE_FREE = 1_000_000_000
_BACKUP_WARNING_AGE = timedelta(hours=36)  # a nightly one that was missed once
_BACKUP_PROBLEM_AGE = timedelta(days=7)


def evaluate(facts: StoreFacts) -> list[CheckResult]:
    """Evaluate whether the store can be read, written and trusted, and its migration."""
    if facts.trouble:
        finding, _, fix = facts.trouble.rpartition("; ")
        return [
            problem(
                "store",
                finding or facts.trouble,
                impact="no mail can be sent, and no subscriber can confirm or unsubscribe",
                fix=fix if finding else "check UPCYCLE_NEWS_STORE",
            )
        ]
    if not facts.exists:
        return [skipped("store", "there is no store yet: the first command that needs it makes it")]
    size = f"{facts.size / 1e6:.1f} MB"
    results = [_access(facts, size), _version(facts)]
    if facts.kind == "sqlite":
        results += [_rights(facts), _integrity(facts)]
    return results


def _rights(facts: StoreFacts) -> CheckResult:
    if not facts.exposed:
        return ok("store-rights", "only its owner can read the store")
    return problem(
        "store-rights",
        f"others on this machine can read {', '.join(facts.exposed)}",
        impact="they hold the addresses of all subscribers",
        fix=f"chmod 600 {facts.name}*, as their owner; the next command of their owner does it, too",
    )


def _access(facts: StoreFacts, size: str) -> CheckResult:
    if facts.busy:
        return warning(
            "store",
            f"the store {facts.name} has been locked by another writer for more than 5 s",
            impact="other programs wait meanwhile; the cause is a large import, or a program that hangs",
            fix="look which other program has it open",
        )
    if not facts.writable:
        return problem(
            "store",
            f"the store {facts.name} can be read, but not written to",
            impact="nothing can be sent, and no subscriber can confirm or unsubscribe",
            fix="check owner and permissions of the file and its folder"
            if facts.kind == "sqlite"
            else "connect to the primary server, not to a replica",
        )
    if facts.kind == "sqlite" and facts.journal != "wal":
        return warning(
            "store",
            f"the store {facts.name} is in journal mode '{facts.journal}', not WAL",
            impact="programs that read and write it block one another",
            fix="keep it on a local disk; the next command that opens it switches to WAL",
        )
    mode = f"SQLite, {facts.journal.upper()}" if facts.kind == "sqlite" else facts.journal
    return ok("store", f"the store can be read and written ({mode}, {size})")


def _version(facts: StoreFacts) -> CheckResult:
    version = facts.version or "none"
    if facts.version == facts.newest:
        return ok("store-version", f"the store is up to date (migration {facts.newest})")
    if facts.version in PRE_RELEASES:
        return problem(
            "store-version",
            f"the store was made by a pre-release (migration {version}), which has no upgrade",
            impact="every command refuses to open it; nothing goes out",
            fix="keep using that version, or import its subscribers and suppressions into a new "
            "store (docs/backup.md, Upgrade)",
        )
    if facts.version is None or facts.version < facts.newest:
        return warning(
            "store-version",
            f"the store is at migration {version}, this program at {facts.newest}",
            impact="the next command that opens it migrates it; older programs then cannot use it",
            fix="make a backup first, and stop what still runs with the older version",
        )
    return problem(
        "store-version",
        f"the store is at migration {version}, this program only knows {facts.newest}",
        impact="this older program refuses to open it",
        fix="install the newer version of upcycle-news, or restore a backup of that time",
    )


def _integrity(facts: StoreFacts) -> CheckResult:
    if facts.damage is None:
        return skipped("store-check", "checking every page took longer than 20 s and was stopped")
    if facts.damage:
        return problem(
            "store-check",
            f"the store is damaged: {facts.damage}",
            impact="rows may be lost; if sending goes on, subscribers may get mails twice or not at all",
            fix="stop everything, keep a copy of the file, and restore the last backup",
        )
    return ok("store-check", "every page of the store is intact (quick_check)")


def evaluate_disk(folder: str, free: int, total: int, store_bytes: int) -> CheckResult:
    """Compare the free space with what the store and a backup of it need; all in bytes."""
    wanted = max(_COMFORTABLE_FREE, 2 * store_bytes)
    finding = f"{free / 1e9:.1f} GB of {total / 1e9:.0f} GB are free on the disk of {folder}"
    if free < _MINIMUM_FREE:
        return problem(
            "disk",
            finding,
            impact="a send stops when the disk is full",
            fix="make room; old issues, mailbox and images below var may be deleted",
        )
    if free < wanted:
        return warning(
            "disk",
            finding,
            impact="a backup needs as much space as the store, and a send needs some more",
            fix="make room; old issues, mailbox and images below var may be deleted",
        )
    return ok("disk", finding)


def evaluate_backup(last: datetime | None, now: datetime, *, has_store: bool) -> CheckResult:
    """Evaluate the time of the newest backup, None when there is none."""
    impact = "without one, a broken disk loses all subscribers, consents and unsubscribe links"
    fix = "run 'upcycle-news backup', and every night"
    if last is None:
        if not has_store:
            return skipped("backup", "there is nothing to back up yet")
        return warning("backup", "there is no backup yet", impact=impact, fix=fix)
    age = now - last
    finding = f"the newest backup is of {last:%Y-%m-%d %H:%M} UTC"
    if age > _BACKUP_PROBLEM_AGE:
        return problem("backup", finding, impact=impact, fix=fix)
    if age > _BACKUP_WARNING_AGE:
        return warning("backup", finding, impact=impact, fix=fix)
    return ok("backup", finding)


def send_hold_active(sentence: str) -> CheckResult:
    """Return the result for a store with a send hold, which lasts until an operator confirms."""
    finding, _, fix = sentence.rpartition("; ")
    return problem(
        "pause", finding, impact="queued issues wait, and planned issues are missed", fix=fix
    )


def evaluate_history(
    contradiction: LocalizedText | None, *, entries: int, places: int
) -> CheckResult:
    """Evaluate whether the store knows what went out; `entries` are those of the journal.

    `places` are the files that hold it.
    """
    if contradiction is not None:
        finding, _, rest = str(contradiction).partition("; nothing is sent, ")
        return problem(
            "journal",
            finding,
            impact="nothing is sent, no old backup and no page of the archive is deleted",
            fix=rest.partition("; ")[2],
        )
    if not entries:
        return ok("journal", "nothing went out that the store does not know")
    where = format_count(places, "place")
    return ok("journal", f"the store knows what the journal says ({entries} lines in {where})")


def history_unreadable(sentence: str) -> CheckResult:
    """Return the result when the journal, the archive or the keys cannot be read or written."""
    finding, _, fix = sentence.partition(": ")
    return problem("journal", finding, impact="nothing is sent until that is mended", fix=fix)
