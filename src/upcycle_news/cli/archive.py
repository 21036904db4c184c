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
    usage_error,
)
from upcycle_news.i18n.messages import localized

NotesIn = Annotated[
    list[str] | None,
    typer.Option(
        "--note-in",
        metavar="LANGUAGE=TEXT",
        help="The note in a further language, such as en=…; may be given several times.",
    ),
]


def _notes(written: list[str] | None) -> dict[str, str]:
    """Return the notes of `--note-in` by language."""
    notes = {}
    for entry in written or ():
        language, equals, text = entry.partition("=")
        if not equals or not text.strip():
            raise usage_error(localized("archive-note-in"))
        notes[language.strip()] = text
    return notes


def build(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write into this folder; default: var/archive."),
    ] = None,
    anew: Annotated[
        bool,
        typer.Option("--all", help="Render every page anew, also those that would be the same."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the archive: a static site of all issues and essays, with feed and site map.

    Sending an issue builds it, too. Pages of which nothing has changed are left as they are. The folder can be
    published by any web server; 'upcycle-news web' serves it.

    Example: upcycle-news archive build --out /srv/www/newsletter
    """
    with open_publication() as app:
        report = app.archive.build(out.resolve() if out else None, anew=anew)
    if as_json:
        print_json(report.as_dict())
        return
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")


def correct(
    essay: Annotated[str, typer.Argument(metavar="ESSAY", help="The name of its file, undated.")],
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What was corrected; readers see it.")
    ],
    in_other: NotesIn = None,
) -> None:
    """Show an essay as its corrected file says it now, with a dated note above it.

    The mail stays as it was sent. First correct the file in content/essays, and those of its translations.

    Example: upcycle-news archive correct was-vom-bahnhof-bleibt --note "Gebaut 1962, nicht 1926."
    """
    with open_publication() as app:
        report = app.archive.correct(essay, text, by=current_user(), notes=_notes(in_other))
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")
    note(localized("archive-correct-next"))


def withdraw(
    what: Annotated[str, typer.Argument(metavar="ESSAY|ISSUE", help="Its name, or 2026-11-26.")],
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Why; readers see it. May be left out.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Show it again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    in_other: NotesIn = None,
) -> None:
    """Take an essay or an issue out of the archive, pictures and feed included.

    Links of mails that were sent find a page that says so; the mails themselves stay.

    Example: upcycle-news archive withdraw 2026-11-26 --note "Die Zahlen stimmten nicht."
    """
    with open_publication() as app:
        if not yes and not undo:
            confirm_or_abort(localized("archive-withdraw-question", what=what))
        if undo:
            report = app.archive.undo(what, text, by=current_user())
        else:
            report = app.archive.withdraw(what, text, by=current_user(), notes=_notes(in_other))
    typer.echo(f"{display_path(report.folder)}: {in_language(report.summary)}")
