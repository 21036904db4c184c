"""`upcycle-news alarms apply`: the automations of a file, in Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import open_context

app = typer.Typer(no_args_is_help=True, help="Who is told when something goes wrong.")


@app.callback()
def root() -> None:
    """Who is told when something goes wrong."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as deploy/automations.yaml.")],
) -> None:
    """Create or renew the automations of FILE in Prefect; may be repeated at any time.

    Example: upcycle-news alarms apply deploy/automations.yaml
    """
    from upcycle_news.errors import UpcycleError
    from upcycle_news.prefect_api.client import Cockpit, read_automations

    with open_context() as context:
        cockpit = Cockpit.find(context.settings.state / "prefect")
        if cockpit is None:
            raise UpcycleError("no API is known: start 'upcycle-news up' or set PREFECT_API_URL")
        for automation in read_automations(file, cockpit.deployment):
            new = cockpit.save_automation(automation)
            typer.echo(f"{automation['name']}: {'created' if new else 'renewed'}")
