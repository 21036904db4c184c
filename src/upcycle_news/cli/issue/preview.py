"""`upcycle-news issue preview`: render an issue, once or after every save."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.issue.common import CollectOption, EssayOption, collect_and_compose
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    display_path,
    issue_id,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import UpcycleError

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.services.issues.compose import RevisionRef
    from upcycle_news.services.issues.render import RenderedRevision

_REFRESH = 2  # seconds after which the page in the browser reloads
_POLL = 0.4  # seconds between two checks of the files


def preview(
    issue: IssueArgument = None,
    essay: EssayOption = None,
    collect: CollectOption = True,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Render again at every save, until Ctrl-C; each a revision."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compose and render an issue; files lie under var/issues/ISSUE/.

    Example: upcycle-news issue preview 2026-11-26 --no-open
    """
    with open_context() as context:
        home = context.settings.home
        stamps = _stamps(home)
        if not watch:
            _preview(context, issue, essay, collect, open_it, as_json, None)
            return
    try:
        _watch(home, stamps, issue, essay, collect, open_it, as_json)
    except KeyboardInterrupt:
        note("no longer watching")


def _watch(
    home: Path,
    stamps: Mapping[Path, tuple[int, int]],
    issue: str | None,
    essay: list[str] | None,
    collect: bool,
    open_it: bool,
    as_json: bool,
) -> None:
    """Preview once, and again after every save; errors are printed, and the next save tries again."""
    while True:
        try:
            with open_context() as context:
                _preview(context, issue, essay, collect, open_it, as_json, _REFRESH)
            collect = open_it = False  # once is enough
        except UpcycleError as error:
            note(str(error))
        note("watching content, templates and newsletter.toml; Ctrl-C ends it")
        while (now := _stamps(home)) == stamps:
            time.sleep(_POLL)
        stamps = now


def _stamps(home: Path) -> dict[Path, tuple[int, int]]:
    """Return time (ns) and size of every file that an issue depends on."""
    files = [home / "newsletter.toml"]
    for folder in ("content", "templates"):
        files += (home / folder).rglob("*")
    stamps = {}
    for file in files:
        try:
            stat = file.stat()
        except OSError:  # an editor is replacing it just now
            continue
        if file.is_file() and not file.name.startswith("."):
            stamps[file] = (stat.st_mtime_ns, stat.st_size)
    return stamps


def _preview(
    context: AppContext,
    issue: str | None,
    essay: list[str] | None,
    collect: bool,
    open_it: bool,
    as_json: bool,
    refresh: int | None,
) -> None:
    from upcycle_news.services.issues.render import render_issue, write_preview_files

    composed = collect_and_compose(context, issue_id(context, issue), essay, collect, as_json)
    rendered = render_issue(context, composed.issue, composed.revision_id)
    files = write_preview_files(context, rendered, refresh=refresh)
    if as_json:
        print_json(_as_json(composed, rendered, files, context.language))
        return
    content = composed.manifest.issue
    typer.echo(f"issue {composed.issue}  {rendered.content.subject}")
    for number, article in enumerate(content.essays):
        typer.echo(f"  {'leads' if number == 0 else 'then '}  {article.title}")
    for related in content.related:
        because = f" ({', '.join(related.reasons)})" if related.reasons else ""
        typer.echo(f"  item   {related.story.lead.title}{because}")
    for finding in rendered.findings:
        message = finding.in_language(context.language)
        typer.echo(f"  {finding.where}: {finding.level} {finding.code} {message}")
    size, revision_id = rendered.html_bytes / 1000, composed.revision_id[:12]
    typer.echo(f"  size   {size:.0f} kB of HTML, revision {revision_id}")
    typer.echo(f"  look   {display_path(files['preview'])}")
    if open_it and sys.stdout.isatty():
        typer.launch(files["preview"].as_uri())


def _as_json(
    composed: RevisionRef, rendered: RenderedRevision, files: Mapping[str, Path], language: str
) -> dict[str, Any]:
    return {
        "issue": str(composed.issue),
        "hash": composed.revision_id,
        "subject": rendered.content.subject,
        "essays": [essay.slug for essay in composed.manifest.issue.essays],
        "items": len(composed.manifest.issue.related),
        "bytes": rendered.html_bytes,
        "files": {kind: str(path) for kind, path in files.items() if kind != "preview"},
        "findings": [
            {
                "level": finding.level,
                "code": finding.code,
                "where": finding.where,
                "message": finding.in_language(language),
            }
            for finding in rendered.findings
        ],
    }
