"""`upcycle-news drain`: stop this machine's workers before a service stops."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, say
from upcycle_news.i18n.messages import localized


def drain(
    seconds: Annotated[float, typer.Option(min=0, help="How long to wait for them.")] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Let the workers of this machine finish the mails in transit, and stop; the rest stays queued.

    For ExecStop= of a service, before Prefect's runner or worker is told to stop: that kills its
    runs at once. The next run goes on where they stopped.

    Example: upcycle-news drain --seconds 60
    """
    with open_publication() as app:
        done = app.monitoring.drain(seconds)
    if as_json:
        print_json(asdict(done))
    elif not done.asked:
        say(localized("drain-none"))
    else:
        say(localized("drain-done", stopped=done.asked - done.left, asked=done.asked))
    if done.left:
        note(localized("drain-unfinished", seconds=seconds, left=done.left))
        raise typer.Exit(1)
