"""`upcycle-news issue correct`: compose a correction for those who got an issue."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.preview import print_preview
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import localized


def correct(
    issue: Annotated[
        str | None,
        typer.Argument(
            metavar="[ISSUE]",
            help="The issue that was sent; default: the latest.",
            autocompletion=issue_ids,
        ),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Compose a correction of an issue and render it; files lie under var/issues/ISSUE-c1/.

    It holds the essays that 'archive correct' has corrected since, and its notes. It goes to those who
    got the issue and are still subscribed, once, after an approval as for any issue.

    Example: upcycle-news issue correct 2026-11-26 --no-open
    """
    with open_publication() as app:
        shown = app.issues.preview(app.issues.correction_of(issue), collect=False)
        if as_json:
            print_json(shown.as_dict(app.language))
            return
        print_preview(app, shown)
        correction = shown.issue
        note(
            localized(
                "correction-next",
                issue=str(correction),
                original=str(correction.original),
                count=app.issues.audience_of(shown.revision),
            )
        )
    if open_it and sys.stdout.isatty():
        typer.launch(shown.files["preview"].as_uri())
