"""`upcycle-news issue preview`: render an issue, once or after every save."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import (
    CollectOption,
    EssayOption,
    note_feed_failures,
    print_latest_as_json,
)
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    display_path,
    note,
    open_publication,
    print_json,
)
from upcycle_news.errors import NothingNew, UpcycleError

if TYPE_CHECKING:
    from upcycle_news.api import App

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
    with open_publication() as app:
        home = app.settings.home
        stamps = _stamps(home)
        if not watch:
            _preview(app, issue, essay, collect, open_it, as_json, None)
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
            with open_publication() as app:
                _preview(app, issue, essay, collect, open_it, as_json, _REFRESH)
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
    app: App,
    issue: str | None,
    essay: list[str] | None,
    collect: bool,
    open_it: bool,
    as_json: bool,
    refresh: int | None,
) -> None:
    try:
        shown = app.issues.preview(
            issue, essay or (), collect=collect, on_collected=note_feed_failures, refresh=refresh
        )
    except NothingNew:
        if as_json:
            print_latest_as_json(app)
        for finding in app.check_settings():  # they stand against the next issue, whatever it holds
            note(
                f"{finding.where}: {finding.level} {finding.code} {finding.in_language(app.language)}"
            )
        raise
    if as_json:
        print_json(shown.as_dict(app.language))
        return
    content = shown.revision.manifest.issue
    typer.echo(f"issue {shown.issue}  {shown.subject}")
    for number, article in enumerate(content.essays):
        typer.echo(f"  {'leads' if number == 0 else 'then '}  {article.title}")
    for related in content.related:
        because = f" ({', '.join(related.reasons)})" if related.reasons else ""
        typer.echo(f"  item   {related.story.lead.title}{because}")
    for finding in shown.findings:
        message = finding.in_language(app.language)
        typer.echo(f"  {finding.where}: {finding.level} {finding.code} {message}")
    size, revision_id = shown.rendered.html_bytes / 1000, shown.revision.revision_id[:12]
    typer.echo(f"  size   {size:.0f} kB of HTML, revision {revision_id}")
    typer.echo(f"  look   {display_path(shown.files['preview'])}")
    if open_it and sys.stdout.isatty():
        typer.launch(shown.files["preview"].as_uri())
