"""`upcycle-news issue digest`: compose the digest that is due."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.issue.preview import print_preview
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import localized


def digest(
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Compose the digest that is due and render it; files lie under var/issues/ISSUE/.

    It tells the issues of a week, a month or a quarter ([digest] in newsletter.toml) that has ended, to those who
    chose the digest, once, after an approval as for any issue. Exit code 3 when none is due.

    Example: upcycle-news issue digest --no-open
    """
    with open_publication() as app:
        shown = app.issues.preview(app.issues.digest_due(), collect=False)
        if as_json:
            print_json(shown.as_dict(app.language))
            return
        print_preview(app, shown)
        note(
            localized(
                "digest-next",
                issue=str(shown.issue),
                told=", ".join(shown.revision.manifest.issue.digest_of),
                count=app.issues.audience_of(shown.revision),
            )
        )
    if open_it and sys.stdout.isatty():
        typer.launch(shown.files["preview"].as_uri())
