"""`upcycle-news bounces …`: collect and inspect bounces and complaints."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, say


def collect(as_json: JsonOption = False) -> None:
    """Read the inbox: hard bounces and complaints suppress, soft ones count, people's mail stays.

    Example: upcycle-news bounces collect
    """
    with open_publication() as app:
        counts = app.bounces.collect()
    if as_json:
        print_json(counts.as_dict())
    else:
        say(counts.summary)
    if counts.notice:
        note(counts.notice)


def list_(
    issue: Annotated[str, typer.Option(help="Only of this issue.")] = "",
    kind: Annotated[str, typer.Option(help="hard, soft, blocked or complaint.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the reports, newest first, without addresses.

    Example: upcycle-news bounces list --kind hard
    """
    with open_publication() as app:
        for bounce in app.bounces.list(issue=issue, kind=kind):
            row = bounce.as_dict()
            if as_json:
                print_json(row)
            else:
                keys = ("id", "at", "issue", "kind", "code", "reason")
                typer.echo(" ".join(str(row[key]) for key in keys))


def show(number: Annotated[int, typer.Argument(metavar="NUMBER")]) -> None:
    """Show one raw report as it came, while it is kept.

    Example: upcycle-news bounces show 12
    """
    with open_publication() as app:
        report = app.bounces.raw_report(number)
    sys.stdout.write(report.decode("utf-8", "replace"))
