"""`upcycle-news flow`: run one of Prefect's flows by hand."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from upcycle_news.cli.output import open_publication, usage_error
from upcycle_news.i18n.messages import localized


def flow(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as publish_issue, or one of your own.")
    ],
    parameters: Annotated[
        str, typer.Argument(metavar="[JSON]", help="The flow's parameters as one JSON object.")
    ] = "",
) -> None:
    """Run a flow now, with a run in Prefect: the program's, or your own from flows/.

    The last line printed is {"state", "message"}. Exit code 0 when the run completed, 1 when not.

    Example: upcycle-news flow publish_issue '{"dry_run": true}'
    """
    with open_publication() as app:
        if name.replace("-", "_") not in app.flows.names():
            raise usage_error(
                localized("flow-not-there", name=name[:60], names=", ".join(app.flows.names()))
            )
        process = app.flows.process(name, parameters)
    os.chdir(process.folder)
    # This process becomes the run, so that signals reach it.
    os.execve(process.arguments[0], list(process.arguments), process.environment)  # noqa: S606
