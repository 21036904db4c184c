"""`upcycle-news essay …`: scaffold, import and list essays."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    open_publication,
    print_json,
)
from upcycle_news.errors import UpcycleError

Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Its day; default: today.")
]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Who wrote it.")]


def new(
    title: Annotated[str, typer.Argument(help="The title, in quotation marks.")],
    day: Day = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who writes it; default: git's user.name.")
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="TOPIC", help="May be given several times."),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open it in the editor that EDITOR names.")
    ] = False,
) -> None:
    """Make the file of a new essay as a draft, and print its path.

    Example: upcycle-news essay new "Was vom Bahnhof bleibt" --topic bestand
    """
    with open_publication() as app:
        path = app.essays.new(title, day=_day(day), author=author, topics=topic or ())
    typer.echo(display_path(path))
    if open_it:
        _open(path)


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Manuscripts (.docx, .odt, .html, .md, .txt), or a folder of them."
        ),
    ],
    title: Annotated[
        str | None, typer.Option(help="The title; default: the manuscript's own.")
    ] = None,
    day: Day = None,
    author: Author = None,
    language: Annotated[
        str | None, typer.Option(metavar="de|en", help="Default: that of its words.")
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="As drafts, which are in no issue.")
    ] = False,
) -> None:
    """Turn manuscripts into essays in Markdown, and print their paths.

    Headings, emphasis, lists, tables, quotations, notes, links and pictures are carried over; what
    is not, is said. A byline at the end, or below the title ("Von Mathilde Übersee", a line of its
    own), gives the author, the first sentences the summary; quotation marks and dashes are set
    right, no word is changed. It is 'status: ready': the next issue takes it, unless --draft is given.

    Example: upcycle-news essay import kleinstadt.docx
    """
    if language not in (None, "de", "en"):
        raise typer.BadParameter("--language takes de or en")
    with open_publication() as app:
        results = app.essays.import_files(
            files, title=title, day=_day(day), author=author, language=language, draft=draft
        )
        if len(results) == 1 and results[0].error is not None:
            raise results[0].error
        for result in results:
            if result.essay is not None:
                typer.echo(display_path(result.essay))
            for note in result.notes:
                typer.echo(f"{result.file}: {note.in_language(app.language)}", err=True)
            if result.error is not None:
                typer.echo(result.error.in_language(app.language), err=True)
    if any(result.error is not None for result in results):
        raise typer.Exit(1)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--date is not a day: write it as 2026-11-26") from None


def _open(path: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  their own editor
    except (OSError, ValueError, IndexError):
        raise UpcycleError(
            "the essay is written, but no editor opens: name yours in EDITOR, such as "
            "export EDITOR=nano"
        ) from None
    if done.returncode:
        raise UpcycleError(f"the essay is written; the editor ended with {done.returncode}")


def list_(as_json: JsonOption = False) -> None:
    """List the essays: draft, ready, planned or published, and for or in which issue.

    Planned is what the schedule in prefect.yaml would take next. Files that cannot be read are
    named with their line. Example: upcycle-news essay list
    """
    with open_publication() as app:
        listed = app.essays.list()
    for entry in listed.essays:
        if as_json:
            print_json(entry.as_dict())
        else:
            essay, issue = entry.essay, str(entry.issue or "")
            typer.echo(f"{entry.status:<9} {issue:<12} {essay.date}  {essay.title}  {essay.source}")
    for error in listed.errors:
        if as_json:
            place = {"file": error.where, "line": error.line, "problem": error.message}
            print_json({"slug": None, "status": "broken", **place})
        else:
            typer.echo(f"broken    {error}")
    if not listed.essays and not listed.errors and not as_json:
        typer.echo("there is no essay yet: see 'upcycle-news essay new'")
