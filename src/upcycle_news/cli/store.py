"""`upcycle-news store`: what it is, upgrade it, move it, and let it go on after a restore."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.issue.common import current_user
from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    note,
    open_context,
    print_json,
    progress_bar,
)
from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import format_count
from upcycle_news.services.backup import migrate_store, restore


def info(as_json: JsonOption = False) -> None:
    """Which store this is, its migration, size and rows, and whether it stands still.

    Nothing is changed or migrated by looking. Example: upcycle-news store info
    """
    with open_context() as context:
        found = migrate_store.info(context)
    if as_json:
        print_json(found.as_dict())
        return
    if found.facts.trouble:
        raise StoreError(f"store {found.facts.name}: {found.facts.trouble}")
    if not found.facts.exists:
        typer.echo(f"store {found.facts.name}: there is none yet; the first command makes it")
        return
    for name, told in found.lines():
        typer.echo(f"{name:<10} {told}")


def upgrade(
    with_backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Make a backup before anything changes.")
    ] = True,
) -> None:
    """Bring the store forward to this version of the program, after a backup.

    Any other command would migrate it as well, but without a backup. A migration that fails leaves
    the store as it was. Example: upcycle-news store upgrade
    """
    with open_context() as context:
        before, now, made = migrate_store.upgrade(context, with_backup=with_backup)
    if before == now:
        typer.echo(f"the store is at migration {now} already")
        return
    if made is not None:
        typer.echo(f"backup: {display_path(made)}")
    typer.echo(f"the store was migrated from {before or 'nothing'} to {now}")


def copy(
    to: Annotated[
        str, typer.Option(metavar="URL", help="Such as postgresql+psycopg://user@host/database.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy the store into an empty one, prove that both hold the same, and let this one rest.

    From SQLite to Postgres or back. Stop the services first; writers wait meanwhile.
    Example: upcycle-news store copy --to postgresql+psycopg://news@db.example.org/news
    """
    with open_context() as context, progress_bar("copying rows", migrate_store.rows(context)) as heard:
        moved = migrate_store.move(context, to, heard=heard)
    if as_json:
        sums = {name: {"rows": one.rows, "fingerprint": one.fingerprint} for name, one in
                moved.tables.items()}  # fmt: skip
        print_json({"to": moved.target, "rows": moved.rows, "tables": sums})
        return
    for name, one in moved.tables.items():
        if one.rows:
            typer.echo(f"{name:<14} {one.rows:>9} rows  {one.fingerprint}  the same in both")
    typer.echo(f"{format_count(moved.rows, 'row')} copied to {moved.target}")
    note("to use it: set UPCYCLE_NEWS_STORE to its address wherever this publication runs")
    note("the old store rests, nothing goes out from it; to use it after all: store confirm")


def confirm(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a restored store send again, once you know what is in doubt.

    Nobody in doubt is written to by this: 'issue resend ISSUE --state unknown' does that.
    Example: upcycle-news store confirm
    """
    with open_context() as context:
        found = restore.doubts(context)
        if found.pause is None:
            if as_json:
                print_json({"confirmed": False, "unknown": found.unknown})
            else:
                typer.echo("nothing stands still: there is nothing to confirm")
            return
        note(found.pause.sentence)
        for issue, count in found.unknown.items():
            note(
                f"issue {issue}: {count} unknown ('upcycle-news issue status {issue} --list unknown')"
            )
        for issue in found.unsent:
            note(f"issue {issue} is not sent as far as this store knows")
        if not yes:
            if not sys.stdin.isatty():
                raise StoreError("to let it go on, say 'upcycle-news store confirm --yes'")
            typer.confirm("May this store send again?", abort=True)
        restore.confirm(context, by=current_user())
        if as_json:
            print_json({"confirmed": True, "unknown": found.unknown})
        else:
            typer.echo("confirmed: what is queued from now on goes out")
