"""`upcycle-news report`: the figures over time as a page for people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import display_path, open_publication
from upcycle_news.i18n.messages import localized


def report(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write this file; default: var/report.html."),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Make a page of the figures: list, issues, relays, feeds and quotas, each chart with its table.

    One file without addresses that loads nothing. The report of each run in Prefect links to the same
    page, which 'upcycle-news web' serves.

    Example: upcycle-news report --no-open
    """
    with open_publication() as app:
        file = app.monitoring.write_report(out.resolve() if out else None)
        written = localized("figures-written", file=display_path(file))
        typer.echo(written.in_language(app.language))
    if open_it and sys.stdout.isatty():
        typer.launch(file.as_uri())
