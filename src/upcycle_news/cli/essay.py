"""`upcycle-news essay …`: scaffold, import and list essays."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from upcycle_news.app.context import AppContext
from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    open_context,
    print_json,
)
from upcycle_news.content.essays import essay_filename, scaffold_essay, slug_of
from upcycle_news.content.plaintext_import import decode_text, import_text
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.services.content.git_sync import git_user_name
from upcycle_news.services.issues.plan import EssayStatus, essay_statuses

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
    with open_context() as context:
        when = _day(context, day)
        by = git_user_name(context.settings.home) if author is None else author
        language = context.settings.publication.language
        text = scaffold_essay(title, by, when, language, topic or ())
        path = _write(context, essay_filename(title, when), text)
    if open_it:
        _open(path)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plain text file.")],
    title: Annotated[str, typer.Option(help="The title; plain text has none.")],
    day: Day = None,
    author: Author = None,
    language: Annotated[
        str | None, typer.Option(metavar="de|en", help="Default: the publication's.")
    ] = None,
) -> None:
    """Turn plain text into an essay in Markdown, and print its path.

    A byline at the end, or below the title ("Von Mathilde Übersee", a line of its own), gives the
    author, the first sentences the summary; quotation marks and dashes are set right, no word is
    changed. It is 'status: ready': the next issue takes it.
    Example: upcycle-news essay import text.txt --title "Kleinstadt"
    """
    with open_context() as context:
        language = language or context.settings.publication.language
        if language not in ("de", "en"):
            raise typer.BadParameter("--language takes de or en")
        when = _day(context, day)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ContentError(
                file, None, f"cannot be read ({error.strerror}); check the path"
            ) from None
        try:
            text = import_text(
                decode_text(data), title=title, day=when, author=author, language=language
            )
        except ContentError as error:
            raise ContentError(file, error.line, error.text) from None
        _write(context, essay_filename(title, when), text)


def _day(context: AppContext, text: str | None) -> date:
    if text is None:
        return context.today
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--date is not a day: write it as 2026-11-26") from None


def _write(context: AppContext, name: str, text: str) -> Path:
    path = context.content_folder / "essays" / name
    for other in sorted(path.parent.glob("*.md")):
        if slug_of(other) == slug_of(path):
            raise ContentError(
                display_path(other), None, "is there already with this title: choose another one"
            )
    write_atomically(path, text.encode(), exclusive=True)
    typer.echo(display_path(path))
    return path


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
    with open_context() as context:
        entries, errors = essay_statuses(context)
        for broken in errors:
            broken.language = context.language
    for entry in entries:
        if as_json:
            print_json(_as_json(entry))
        else:
            essay, issue = entry.essay, str(entry.issue or "")
            typer.echo(f"{entry.status:<9} {issue:<12} {essay.date}  {essay.title}  {essay.source}")
    for error in errors:
        if as_json:
            place = {"file": error.where, "line": error.line, "problem": error.message}
            print_json({"slug": None, "status": "broken", **place})
        else:
            typer.echo(f"broken    {error}")
    if not entries and not errors and not as_json:
        typer.echo("there is no essay yet: see 'upcycle-news essay new'")


def _as_json(entry: EssayStatus) -> dict[str, Any]:
    essay = entry.essay
    return {
        "slug": essay.slug,
        "status": entry.status,
        "issue": str(entry.issue) if entry.issue else None,
        "title": essay.title,
        "author": essay.author,
        "date": essay.date.isoformat(),
        "topics": list(essay.topics),
        "file": essay.source,
    }
