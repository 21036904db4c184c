"""`upcycle-news essay …`: begin an essay, take one over from plain text, see where all of them stand."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.output import (
    AsJson,
    open_context,
    say_json,
    shown,
)

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.services.issues.plan import Standing

app = typer.Typer(
    no_args_is_help=True, help="Begin an essay, take one over, see where all of them stand."
)

Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Its day; default: today.")
]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Who wrote it.")]


@app.command()
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
    from upcycle_news.content.essays import essay_filename, scaffold_essay
    from upcycle_news.services.content.git_sync import user_name

    with open_context() as context:
        when = _day(context, day)
        by = user_name(context.settings.home) if author is None else author
        language = context.settings.publication.language
        text = scaffold_essay(title, by, when, language, topic or ())
        path = _write(context, essay_filename(title, when), text)
    if open_it:
        _open(path)


@app.command("import")
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
    from upcycle_news.content.essays import essay_filename
    from upcycle_news.content.plaintext_import import decode_text, import_text
    from upcycle_news.errors import ContentError

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
            raise ContentError(file, error.line, error.said) from None
        _write(context, essay_filename(title, when), text)


def _day(context: AppContext, text: str | None) -> date:
    if text is None:
        return context.today
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--date is not a day: write it as 2026-11-26") from None


def _write(context: AppContext, name: str, text: str) -> Path:
    from upcycle_news.content.essays import slug_of
    from upcycle_news.errors import ContentError
    from upcycle_news.fileio import write_whole

    path = context.content / "essays" / name
    for other in sorted(path.parent.glob("*.md")):
        if slug_of(other) == slug_of(path):
            raise ContentError(
                shown(other), None, "is there already with this title: choose another one"
            )
    write_whole(path, text.encode(), exclusive=True)
    typer.echo(shown(path))
    return path


def _open(path: Path) -> None:
    from upcycle_news.errors import UpcycleError

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


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the essays: draft, ready, planned or published, and for or in which issue.

    Planned is what the schedule in prefect.yaml would take next. Files that cannot be read are
    named with their line. Example: upcycle-news essay list
    """
    from upcycle_news.services.issues.plan import where_essays_stand

    with open_context() as context:
        standings, errors = where_essays_stand(context)
        for broken in errors:
            broken.language = context.language
    for one in standings:
        if as_json:
            say_json(_standing(one))
        else:
            essay, issue = one.essay, str(one.issue or "")
            typer.echo(f"{one.status:<9} {issue:<12} {essay.date}  {essay.title}  {essay.source}")
    for error in errors:
        if as_json:
            place = {"file": error.where, "line": error.line, "problem": error.message}
            say_json({"slug": None, "status": "broken", **place})
        else:
            typer.echo(f"broken    {error}")
    if not standings and not errors and not as_json:
        typer.echo("there is no essay yet: see 'upcycle-news essay new'")


def _standing(one: Standing) -> dict[str, Any]:
    essay = one.essay
    return {
        "slug": essay.slug,
        "status": one.status,
        "issue": str(one.issue) if one.issue else None,
        "title": essay.title,
        "author": essay.author,
        "date": essay.date.isoformat(),
        "topics": list(essay.topics),
        "file": essay.source,
    }
