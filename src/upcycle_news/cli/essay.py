"""`upcycle-news essay …`: scaffold, import and list essays."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    note,
    open_publication,
    print_json,
    say,
    usage_error,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

if TYPE_CHECKING:
    from upcycle_news.api.essays import EssayRunReport, WaitingDraft

Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Its day; default: today.")
]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Who wrote it.")]
Translates = Annotated[
    str | None,
    typer.Option(metavar="ESSAY", help="The essay whose translation it is, by its name."),
]


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
    translates: Translates = None,
    language: Annotated[
        str | None, typer.Option(metavar="de|en", help="Default: the publication's.")
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open it in the editor that EDITOR names.")
    ] = False,
) -> None:
    """Make the file of a new essay as a draft, and print its path.

    A translation lies beside its essay and shares its day, author, topics and links: ESSAY.en.md.

    Example: upcycle-news essay new "Was vom Bahnhof bleibt" --topic bestand
    """
    if language not in (None, "de", "en"):
        raise usage_error(localized("essay-language"))
    with open_publication() as app:
        path = app.essays.new(
            title,
            day=_day(day),
            author=author,
            topics=topic or (),
            translates=translates or "",
            language=language,
        )
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
    translates: Translates = None,
) -> None:
    """Turn manuscripts into essays in Markdown, and print their paths.

    Headings, emphasis, lists, tables, quotations, notes, links and pictures are carried over; what
    is not, is said. A byline at the end, or below the title ("Von Mathilde Übersee", a line of its
    own), gives the author, the first sentences the summary; quotation marks and dashes are set
    right, no word is changed. It is 'status: ready': the next issue takes it, unless --draft is given.

    Example: upcycle-news essay import kleinstadt.docx
    """
    if language not in (None, "de", "en"):
        raise usage_error(localized("essay-language"))
    with open_publication() as app:
        results = app.essays.import_files(
            files,
            title=title,
            day=_day(day),
            author=author,
            language=language,
            draft=draft,
            translates=translates or "",
        )
        if len(results) == 1 and results[0].error is not None:
            raise results[0].error
        for result in results:
            if result.essay is not None:
                typer.echo(display_path(result.essay))
            for text in result.notes:
                note(f"{result.file}: {text.in_language(app.language)}")
            if result.error is not None:
                said = result.error.in_language(app.language)
                named = said.startswith(f"{result.file}:")
                typer.echo(said if named else f"{result.file}: {said}", err=True)
    if any(result.error is not None for result in results):
        raise typer.Exit(1)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise usage_error(localized("essay-date")) from None


def _open(path: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  their own editor
    except (OSError, ValueError, IndexError):
        raise UpcycleError(localized("essay-no-editor")) from None
    if done.returncode:
        raise UpcycleError(localized("essay-editor-ended", code=done.returncode))


def collect(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME…]", help="Only these sources, also those not active."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn new posts of your own site into drafts, each once; changes are shown as a diff.

    The sites are [[sources]] in newsletter.toml. A post that is cut in its feed makes no essay; what
    an essay cannot carry is said. Ends with 1 when a source failed or something was not taken over.

    Example: upcycle-news essay collect
    """
    with open_publication() as app:
        report, language = app.essays.collect(names or ()), app.language
    if as_json:
        print_json(report.as_dict(language))
    else:
        _print_collected(report, language)
    if not report.is_complete:
        raise typer.Exit(1)


def _print_collected(report: EssayRunReport, language: str) -> None:
    done = localized(
        "collect-done",
        new=report.count("new"),
        updated=report.count("updated"),
        changed=report.count("changed"),
        refused=report.count("refused"),
        unchanged=report.unchanged,
    )
    typer.echo(done.in_language(language))
    for post in report.posts:
        said = localized(
            "collect-item", title=post.title, source=post.source, sentence=post.sentence
        )
        typer.echo(said.in_language(language), err=post.failed)
        for text in post.notes:
            note(f"  {text.in_language(language)}")
        if post.diff:
            typer.echo("".join(f"  {line}\n" for line in post.diff.splitlines()), nl=False)
    for name, reason in (*report.failed, *report.problems):
        failed = localized("collect-source-failed", source=name, reason=reason)
        note(failed.in_language(language))
    if report.pull is not None:
        note(report.pull.in_language(language))


def take(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME…]", help="Of the drafts; without one, those there are listed."
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that are there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take drafts of collected posts into content/essays, with their pictures.

    Where the essay is there already and the site changed its text, both are merged; where both changed
    the same lines, the essay stays as it is.

    Example: upcycle-news essay take 2026-11-26-was-vom-bahnhof-bleibt
    """
    with open_publication() as app:
        waiting, language = app.essays.waiting(), app.language
        wanted = [draft.name for draft in waiting] if all_ else names or []
        if not wanted:
            _print_waiting(waiting, language, as_json)
            return
        results = app.essays.take(wanted)
    for result in results:
        if as_json:
            said = result.error.in_language(language) if result.error else ""
            essay = display_path(result.essay) if result.essay else None
            print_json({"name": result.name, "essay": essay, "error": said})
            continue
        if result.essay is not None:
            typer.echo(display_path(result.essay))
        if result.note is not None:
            note(result.note.in_language(language))
        if result.error is not None:
            note(result.error.in_language(language))
    if any(result.error is not None for result in results):
        raise typer.Exit(1)


def _print_waiting(waiting: tuple[WaitingDraft, ...], language: str, as_json: bool) -> None:
    for draft in waiting:
        if as_json:
            print_json(asdict(draft))
        else:
            typer.echo(draft.line.in_language(language))
    if not waiting and not as_json:
        note(localized("take-none").in_language(language))


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
            for one in essay.translations:
                # Below it, in the language of its own: what there is of it, and where.
                status = one.status if one.status != essay.status else ""
                typer.echo(f"{status:<9} {one.language:<12} {'':10}  {one.title}  {one.source}")
    for error in listed.errors:
        if as_json:
            place = {"file": error.where, "line": error.line, "problem": error.message}
            print_json({"slug": None, "status": "broken", **place})
        else:
            say(localized("essay-broken", error=error))
    if not listed.essays and not listed.errors and not as_json:
        say(localized("essay-none"))
