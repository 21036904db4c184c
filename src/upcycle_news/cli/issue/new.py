"""`upcycle-news issue new`: begin the file of an issue."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.output import display_path, open_publication


def new(
    issue: Annotated[
        str | None,
        typer.Argument(
            metavar="[ISSUE]",
            help="Such as 2026-11-26; default: the next issue of the schedule.",
            autocompletion=issue_ids,
        ),
    ] = None,
) -> None:
    """Begin the file of an issue, content/issues/ISSUE.md, and print its path.

    It may hold subject, preheader, greeting, closing note, essays in their order, what is left out or
    pinned, the heading of the feed items, and a time before which nothing is sent. All of it is optional.

    Example: upcycle-news issue new 2026-11-26
    """
    with open_publication() as app:
        path = app.issues.new_file(issue)
    typer.echo(display_path(path))
