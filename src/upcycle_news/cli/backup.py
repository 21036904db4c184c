"""`upcycle-news backup` and `upcycle-news restore`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.api.backups import BackupCheck, RestoreReport, StoreState
from upcycle_news.cli.output import (
    JsonOption,
    confirm_or_abort,
    display_path,
    in_language,
    note,
    open_publication,
    print_json,
    progress_bar,
    say,
)
from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized

_MOST_SHOWN = 10  # sentences about what is damaged
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def backup(
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="A folder, or a file that ends in .tar.gz; default: [backup] folder.",
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Delete all but so many backups there; 0: none is deleted."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the store and the secrets into one file, while everything goes on.

    Content, templates and newsletter.toml are not in it: they belong into git.
    Example: upcycle-news backup --to /mnt/backups --keep 14
    """
    with open_publication() as app:
        with progress_bar(localized("bar-copying"), 0) as progress:
            backup_file = app.backups.create(to, keep=keep, on_rows=progress)
        if as_json:
            result = {
                "file": str(backup_file.file),
                "bytes": backup_file.bytes,
                "pruned": list(backup_file.pruned),
                "spared": list(backup_file.spared),
                "damaged": list(map(str, backup_file.damaged)),
            }
            print_json(
                {**result, "at": backup_file.made_at.isoformat(), "tables": backup_file.tables}
            )
            _raise_if_damaged(backup_file.damaged, localized("backup-damaged"))
            return
        rows = in_language(localized("count-rows", count=backup_file.rows))
        typer.echo(f"{display_path(backup_file.file)}: {rows}, {backup_file.bytes // 1000} kB")
        for name in backup_file.pruned:
            note(localized("backup-pruned", name=name))
        for name in backup_file.spared:
            note(localized("backup-spared", name=name))
        note(localized("backup-is-secret"))
        _raise_if_damaged(backup_file.damaged, localized("backup-damaged"))


def _raise_if_damaged(damaged: tuple[LocalizedText, ...], cure: LocalizedText) -> None:
    """Say what is damaged, and raise `StoreError` with what to do; returns where nothing is."""
    if damaged:
        _note_damaged(damaged)
        raise StoreError(cure)


def _note_damaged(damaged: tuple[LocalizedText, ...]) -> None:
    for text in damaged[:_MOST_SHOWN]:
        note(text)
    if len(damaged) > _MOST_SHOWN:
        note(localized("contents-more", count=len(damaged) - _MOST_SHOWN))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    yes: Yes = False,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge/--no-merge",
            help="Take over who left and what was sent since from the store that is replaced.",
        ),
    ] = True,
    check: Annotated[
        bool, typer.Option("--check", help="Only read the whole backup, and say what is in it.")
    ] = False,
    damaged: Annotated[
        bool,
        typer.Option("--damaged", help="Also take a backup in which something cannot be read."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the store; then nothing goes out until you confirm it.

    What was here is kept beside the backups. Deliveries that waited become 'unknown', because no
    store can know what followed its backup. Stop the services first.
    Example: upcycle-news restore var/backups/upcycle-news-2026-11-26T024000Z.tar.gz
    """
    with open_publication() as app:
        if check:
            _show_check(file, app.backups.check(file), as_json=as_json)
            return
        manifest = app.backups.inspect(file)
        current = app.backups.current_store()
        if not current.is_new and not yes:
            _confirm_replacing(current, _moment(manifest.made_at))
        with progress_bar(localized("bar-restoring"), sum(manifest.tables.values())) as progress:
            report = app.backups.restore(file, merge=merge, damaged=damaged, on_rows=progress)
    if as_json:
        print_json(
            {
                "backup_of": manifest.made_at.isoformat(),
                "aside": None if report.aside is None else str(report.aside),
                "secrets": list(report.secrets),
                "unknown": report.unknown,
                "unsent": list(report.unsent),
                "unsent_essays": list(report.unsent_essays),
                "unsent_digests": list(report.unsent_digests),
                "merged": report.merged,
                "learned": report.taken_over.as_dict(),
                "damaged": list(map(str, report.damaged)),
                "paused": True,
            }
        )
    else:
        _print_report(report)
    _note_damaged(report.damaged)
    if report.trouble:
        note(report.trouble)


def _show_check(file: Path, checked: BackupCheck, *, as_json: bool) -> None:
    """Print what is in a backup; raises `StoreError` when something of it is damaged."""
    manifest, damaged = checked.manifest, checked.damaged
    if as_json:
        print_json(
            {
                "at": manifest.made_at.isoformat(),
                "tables": dict(manifest.tables),
                "damaged": list(map(str, damaged)),
            }
        )
    else:
        described = localized(
            "restore-contents",
            name=file.name,
            publication=manifest.publication,
            made_at=manifest.made_at,
            rows=localized("count-rows", count=sum(manifest.tables.values())),
            secrets=localized("count-secrets", count=len(manifest.files) - 1),
            migration=manifest.migration,
        )
        say(described if damaged else localized("restore-checked", contents=described))
    _raise_if_damaged(damaged, localized("restore-check-damaged", name=file.name))


def _confirm_replacing(current: StoreState, made_at: LocalizedText) -> None:
    if current.readable:
        changed = _moment(current.changed_at) if current.changed_at else localized("never")
        description = localized(
            "restore-replaces",
            subscribers=localized("count-subscribers", count=current.subscribers),
            issues=localized("count-issues", count=current.issues),
            changed=changed,
            made_at=made_at,
        )
    else:
        description = localized("restore-replaces-damaged", made_at=made_at)
    if not sys.stdin.isatty():
        raise StoreError(localized("restore-needs-yes", description=description))
    note(description)
    confirm_or_abort(localized("restore-question"))


def _moment(at: datetime) -> LocalizedText:
    return localized("moment-utc", at=at)


def _print_report(report: RestoreReport) -> None:
    made_at = _moment(report.manifest.made_at)
    rows = localized("count-rows", count=sum(report.manifest.tables.values()))
    say(localized("restore-done", made_at=made_at, rows=rows))
    if report.aside is not None:
        say(localized("restore-aside", aside=display_path(report.aside)))
    if report.secrets:
        say(
            localized(
                "restore-secrets", secrets=localized("count-secrets", count=len(report.secrets))
            )
        )
    for issue, count in report.unknown.items():
        say(
            localized(
                "restore-in-doubt",
                issue=issue,
                deliveries=localized("count-deliveries", count=count),
            )
        )
    merged = report.taken_over
    if report.merged:
        say(
            localized(
                "restore-merged",
                unsubscribed=merged.unsubscribed,
                suppressed=merged.suppressed,
                erased=merged.erased,
                issues=localized("count-issues", count=merged.issues),
                results=localized("count-results", count=merged.results),
            )
        )
        if merged.joined:
            say(localized("restore-joined", joined=merged.joined))
    else:
        say(localized("restore-not-merged", made_at=made_at))
    for issue in report.unsent:
        say(localized("restore-unsent", issue=issue))
    if report.unsent_essays:
        say(
            localized(
                "restore-unsent-essays", essays=", ".join(report.unsent_essays), made_at=made_at
            )
        )
    for digest in report.unsent_digests:
        say(localized("restore-unsent-digest", digest=digest, made_at=made_at))
    note(localized("restore-holds"))
