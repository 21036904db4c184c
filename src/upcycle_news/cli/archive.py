"""`upcycle-news archive`: the web pages of all issues."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import AsJson, newsroom, say_json, shown

app = typer.Typer(help="The web pages of all issues that were sent.", no_args_is_help=True)


@app.callback()
def archive() -> None:
    """The web pages of all issues that were sent."""


@app.command()
def build(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write into this folder; default: var/archive."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build the archive: a static site of all issues and essays, with feed and site map.

    Sending an issue builds it, too. Without changes nothing is written. The folder can be
    published by any web server; 'upcycle-news web' serves it.

    Example: upcycle-news archive build --out /srv/www/newsletter
    """
    from upcycle_news.steps.archiving import build_archive

    with newsroom() as room:
        report = build_archive(room, out.resolve() if out else None)
    if as_json:
        say_json(
            {
                "folder": str(report.folder),
                "issues": report.issues,
                "essays": report.essays,
                "files": report.files,
                "written": report.written,
                "removed": report.removed,
            }
        )
        return
    typer.echo(f"{shown(report.folder)}: {report.told}")
