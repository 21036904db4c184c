"""`upcycle-news backup` and `upcycle-news restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.api.backups import RestoreReport, StoreState
from upcycle_news.cli.output import (
    JsonOption,
    confirm_or_abort,
    display_path,
    note,
    open_publication,
    print_json,
    progress_bar,
)
from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import format_count

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
        with progress_bar("copying rows", 0) as progress:
            backup_file = app.backups.create(to, keep=keep, on_rows=progress)
        if as_json:
            result = {
                "file": str(backup_file.file),
                "bytes": backup_file.bytes,
                "pruned": list(backup_file.pruned),
                "spared": list(backup_file.spared),
            }
            print_json(
                {**result, "at": backup_file.made_at.isoformat(), "tables": backup_file.tables}
            )
            return
        typer.echo(
            f"{display_path(backup_file.file)}: {format_count(backup_file.rows, 'row')}, {backup_file.bytes // 1000} kB"
        )
        for name in backup_file.pruned:
            note(f"deleted the old backup {name}")
        for name in backup_file.spared:
            note(f"kept the old backup {name}: it holds issues or readers that this store lacks")
        note("it holds addresses and keys: keep a copy elsewhere, encrypted")


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
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the store; then nothing goes out until you confirm it.

    What was here is kept beside the backups. Deliveries that waited become 'unknown', because no
    store can know what followed its backup. Stop the services first.
    Example: upcycle-news restore var/backups/upcycle-news-2026-11-26T024000Z.tar.gz
    """
    with open_publication() as app:
        manifest = app.backups.inspect(file)
        if check:
            rows = sum(manifest.tables.values())
            description = (
                f"{file.name}: backup of '{manifest.publication}' of "
                f"{manifest.made_at:%Y-%m-%d %H:%M} UTC, {format_count(rows, 'row')}, "
                f"{format_count(len(manifest.files) - 1, 'secret')}, migration {manifest.migration}; the backup is complete"
            )
            if as_json:
                print_json({"at": manifest.made_at.isoformat(), "tables": dict(manifest.tables)})
            else:
                typer.echo(description)
            return
        current = app.backups.current_store()
        if not current.is_new and not yes:
            _confirm_replacing(current, f"{manifest.made_at:%Y-%m-%d %H:%M} UTC")
        with progress_bar("restoring rows", sum(manifest.tables.values())) as progress:
            report = app.backups.restore(file, merge=merge, on_rows=progress)
    if as_json:
        print_json(
            {
                "backup_of": manifest.made_at.isoformat(),
                "aside": None if report.aside is None else str(report.aside),
                "secrets": list(report.secrets),
                "unknown": report.unknown,
                "unsent": list(report.unsent),
                "unsent_essays": list(report.unsent_essays),
                "merged": report.merged,
                "learned": report.taken_over.as_dict(),
                "paused": True,
            }
        )
    else:
        _print_report(report)
    if report.trouble:
        note(report.trouble)


def _confirm_replacing(current: StoreState, made_at: str) -> None:
    if current.readable:
        changed = f"{current.changed_at:%Y-%m-%d %H:%M} UTC" if current.changed_at else "never"
        description = (
            f"the store here holds {format_count(current.subscribers, 'subscriber')} and "
            f"{format_count(current.issues, 'issue')} and changed last on {changed}; the backup is of {made_at}"
        )
    else:
        description = f"the store here is damaged; the backup is of {made_at}"
    if not sys.stdin.isatty():
        raise StoreError(f"{description}: to replace it (it is kept aside), say --yes")
    note(description)
    confirm_or_abort("Keep it aside and restore the backup?")


def _print_report(report: RestoreReport) -> None:
    made_at = f"{report.manifest.made_at:%Y-%m-%d %H:%M} UTC"
    rows = format_count(sum(report.manifest.tables.values()), "row")
    typer.echo(f"restored the backup of {made_at}: {rows}")
    if report.aside is not None:
        typer.echo(f"what was here before: {display_path(report.aside)}")
    if report.secrets:
        typer.echo(f"{format_count(len(report.secrets), 'secret')} restored")
    for issue, count in report.unknown.items():
        typer.echo(
            f"issue {issue}: {format_count(count, 'delivery', 'deliveries')} in doubt "
            f"('upcycle-news issue status {issue} --list unknown' names them)"
        )
    merged = report.taken_over
    if report.merged:
        typer.echo(
            f"taken over from the replaced store: {merged.unsubscribed} who left, {merged.suppressed} "
            f"suppressed, {merged.erased} forgotten, {format_count(merged.issues, 'issue')}, "
            f"{format_count(merged.results, 'result')} of deliveries"
        )
        if merged.joined:
            typer.echo(f"{merged.joined} who joined since are not in the restored store")
    else:
        typer.echo(
            f"who unsubscribed after {made_at} is unknown, and would get mail again; unsubscribe "
            "those you know of before you confirm"
        )
    for issue in report.unsent:
        typer.echo(
            f"issue {issue} was not sent when the backup was made; if it was sent since: "
            f"'upcycle-news issue cancel {issue}'"
        )
    if report.unsent_essays:
        typer.echo(
            f"ready, and in no issue that this store knows: {', '.join(report.unsent_essays)}; what went out after "
            f"{made_at} would go out again: say 'upcycle-news issue preview ISSUE --essay ESSAY' and "
            "'upcycle-news issue cancel ISSUE' with the number of the issue it was in"
        )
    note("nothing goes out until you say 'upcycle-news store confirm'")
