"""`upcycle-news store`: inspect, upgrade, copy, and confirm after a restore."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.issue.common import current_user
from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    note,
    open_publication,
    print_json,
    progress_bar,
)
from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import format_count


def info(as_json: JsonOption = False) -> None:
    """Show which store this is, its migration, size and rows, and whether sending is on hold.

    Nothing is changed or migrated by looking. Example: upcycle-news store info
    """
    with open_publication() as app:
        store_info = app.store.info()
    if as_json:
        print_json(store_info.as_dict())
        return
    if store_info.facts.trouble:
        raise StoreError(f"store {store_info.facts.name}: {store_info.facts.trouble}")
    if not store_info.facts.exists:
        typer.echo(f"store {store_info.facts.name}: there is none yet; the first command makes it")
        return
    for name, text in store_info.lines():
        typer.echo(f"{name:<10} {text}")


def upgrade(
    with_backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Make a backup before anything changes.")
    ] = True,
) -> None:
    """Bring the store forward to this version of the program, after a backup.

    Any other command would migrate it as well, but without a backup. A migration that fails leaves
    the store as it was. Example: upcycle-news store upgrade
    """
    with open_publication() as app:
        done = app.store.upgrade(with_backup=with_backup)
    if done.before == done.after:
        typer.echo(f"the store is at migration {done.after} already")
        return
    if done.backup is not None:
        typer.echo(f"backup: {display_path(done.backup)}")
    typer.echo(f"the store was migrated from {done.before or 'nothing'} to {done.after}")


def copy(
    to: Annotated[
        str, typer.Option(metavar="URL", help="Such as postgresql+psycopg://user@host/database.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy the store into an empty one, verify that both are equal, and put this one on hold.

    From SQLite to Postgres or back. Stop the services first; writers wait meanwhile.
    Example: upcycle-news store copy --to postgresql+psycopg://news@db.example.org/news
    """
    with (
        open_publication() as app,
        progress_bar("copying rows", app.store.count_rows()) as progress,
    ):
        moved = app.store.copy(to, on_rows=progress)
    if as_json:
        sums = {name: {"rows": table.rows, "fingerprint": table.fingerprint} for name, table in
                moved.tables.items()}  # fmt: skip
        print_json({"to": moved.target, "rows": moved.rows, "tables": sums})
        return
    for name, table in moved.tables.items():
        if table.rows:
            typer.echo(f"{name:<14} {table.rows:>9} rows  {table.fingerprint}  equal in both")
    typer.echo(f"{format_count(moved.rows, 'row')} copied to {moved.target}")
    note("to use it: set UPCYCLE_NEWS_STORE to its address wherever this publication runs")
    note("sending from the old store is on hold; to use it after all: store confirm")


def confirm(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a restored store send again, once you know what is in doubt.

    Unknown deliveries are not sent again by this: 'issue resend ISSUE --state unknown' does that.
    Example: upcycle-news store confirm
    """
    with open_publication() as app:
        pending = app.store.pending_confirmation()
        if pending.send_hold is None:
            if as_json:
                print_json({"confirmed": False, "unknown": pending.unknown})
            else:
                typer.echo("sending is not on hold: there is nothing to confirm")
            return
        note(pending.send_hold.explanation)
        for issue, count in pending.unknown.items():
            note(
                f"issue {issue}: {count} unknown ('upcycle-news issue status {issue} --list unknown')"
            )
        for issue in pending.unsent:
            note(f"issue {issue} is not sent as far as this store knows")
        if not yes:
            if not sys.stdin.isatty():
                raise StoreError("to end the hold, say 'upcycle-news store confirm --yes'")
            typer.confirm("May this store send again?", abort=True)
        app.store.confirm(by=current_user())
        if as_json:
            print_json({"confirmed": True, "unknown": pending.unknown})
        else:
            typer.echo("confirmed: what is queued from now on is sent")
