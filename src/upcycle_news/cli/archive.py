"""`upcycle-news archive`: the web pages of all issues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
)
from upcycle_news.i18n.messages import localized


def build(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write into this folder; default: var/archive."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the archive: a static site of all issues and essays, with feed and site map.

    Sending an issue builds it, too. Without changes nothing is written. The folder can be
    published by any web server; 'upcycle-news web' serves it.

    Example: upcycle-news archive build --out /srv/www/newsletter
    """
    with open_publication() as app:
        report = app.archive.build(out.resolve() if out else None)
    if as_json:
        print_json(report.as_dict())
        return
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")


def correct(
    essay: Annotated[str, typer.Argument(metavar="ESSAY", help="The name of its file, undated.")],
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What was corrected; readers see it.")
    ],
) -> None:
    """Show an essay as its corrected file says it now, with a dated note above it.

    The mail stays as it was sent. First correct the file in content/essays.

    Example: upcycle-news archive correct was-vom-bahnhof-bleibt --note "Gebaut 1962, nicht 1926."
    """
    with open_publication() as app:
        report = app.archive.correct(essay, text, by=current_user())
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")
    note(localized("archive-correct-next"))


def withdraw(
    what: Annotated[str, typer.Argument(metavar="ESSAY|ISSUE", help="Its name, or 2026-11-26.")],
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Why; readers see it. May be left out.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Show it again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take an essay or an issue out of the archive, pictures and feed included.

    Links of mails that were sent find a page that says so; the mails themselves stay.

    Example: upcycle-news archive withdraw 2026-11-26 --note "Die Zahlen stimmten nicht."
    """
    with open_publication() as app:
        if not yes and not undo:
            confirm_or_abort(localized("archive-withdraw-question", what=what))
        decide = app.archive.undo if undo else app.archive.withdraw
        report = decide(what, text, by=current_user())
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")
