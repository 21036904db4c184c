"""`upcycle-news store`: inspect, upgrade, copy, pack, and confirm after a restore."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import current_user
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

if TYPE_CHECKING:
    from upcycle_news.api.store import PendingConfirmation


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
        raise StoreError(
            localized("store-trouble", name=store_info.facts.name, trouble=store_info.facts.trouble)
        )
    if not store_info.facts.exists:
        say(localized("store-none", name=store_info.facts.name))
        return
    for name, text in store_info.lines():
        typer.echo(f"{in_language(name):<11} {in_language(text)}")


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
        say(localized("store-up-to-date", after=done.after))
        return
    if done.backup is not None:
        say(localized("store-backup", backup=display_path(done.backup)))
    say(localized("store-migrated", before=done.before or localized("nothing"), after=done.after))


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
        progress_bar(localized("bar-copying"), app.store.count_rows()) as progress,
    ):
        moved = app.store.copy(to, on_rows=progress)
    if as_json:
        sums = {name: {"rows": table.rows, "fingerprint": table.fingerprint} for name, table in
                moved.tables.items()}  # fmt: skip
        print_json({"to": moved.target, "rows": moved.rows, "tables": sums})
        return
    for name, table in moved.tables.items():
        if table.rows:
            say(
                localized(
                    "store-copied-table", name=name, rows=table.rows, fingerprint=table.fingerprint
                )
            )
    say(
        localized(
            "store-copied", rows=localized("count-rows", count=moved.rows), target=moved.target
        )
    )
    note(localized("store-copied-use"))
    note(localized("store-copied-hold"))
    if moved.trouble:
        note(moved.trouble)


def pack(
    days: Annotated[
        int | None,
        typer.Option(
            min=0, help="Issues closed so many days ago; default: deliveries.pack_after_days."
        ),
    ] = None,
    shrink: Annotated[
        bool,
        typer.Option(
            "--shrink", help="Give the room back to the disk: nobody else can write meanwhile."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pack the deliveries of old issues, which takes a fraction of the room.

    The flow tidy does it every night. They are shown, resent, erased and matched with bounces as before.
    Example: upcycle-news store pack --shrink
    """
    with open_publication() as app:
        report = app.store.pack(closed_for=days, shrink=shrink)
    if as_json:
        print_json(report.as_dict())
        return
    say(
        localized(
            "store-packed",
            deliveries=localized("count-deliveries", count=report.deliveries),
            issues=localized("count-issues", count=report.issues),
        )
    )
    if report.deliveries and not shrink:
        note(localized("store-packed-room"))


def confirm(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a restored store send again, or one that was set back, once you know what is in doubt.

    Issues that went out and that the store does not know count as sent then. Unknown deliveries are not sent again by this: 'issue resend ISSUE --state unknown' does that.
    Example: upcycle-news store confirm
    """
    with open_publication() as app:
        pending = app.store.pending_confirmation()
        if pending.is_empty:
            if as_json:
                values = {"unknown": pending.unknown, "sent": [], "untold": []}
                print_json({"confirmed": False, **values})
            else:
                say(localized("store-no-hold"))
            return
        language = app.language
        _show(pending, language)
        if not yes:
            if not sys.stdin.isatty():
                raise StoreError(localized("store-needs-yes"))
            confirm_or_abort(localized("store-question"))
        report = app.store.settle(by=current_user())
    if report.trouble:
        note(report.trouble)
    for page in report.lost_pages:
        note(localized("confirm-lost-page", page=display_path(page)).in_language(language))
    for issue in report.untold:
        note(localized("confirm-untold", issue=issue).in_language(language))
    if as_json:
        values = {"unknown": report.unknown, "sent": report.sent, "untold": report.untold}
        print_json({"confirmed": True, **values})
        return
    for issue in report.sent:
        say(localized("confirmed-as-sent", issue=issue))
    for issue, count in report.unknown.items():
        if count != pending.unknown.get(issue):
            say(_unknown(issue, count))
    say(localized("store-confirmed"))


def _show(pending: PendingConfirmation, language: str) -> None:
    """Say what an operator should know before the answer."""
    if pending.send_hold is not None:
        note(pending.send_hold.explanation)
    if pending.difference is not None:
        note(pending.difference.text.in_language(language))
        for issue in pending.difference.issues:
            note(localized("confirm-will-count", issue=issue).in_language(language))
    for issue, count in pending.unknown.items():
        note(_unknown(issue, count))
    for issue in pending.unsent:
        if pending.difference is None or issue not in pending.difference.issues:
            note(localized("store-unsent", issue=issue))


def _unknown(issue: str, count: int) -> LocalizedText:
    return localized("store-unknown", issue=issue, count=count)
