"""`upcycle-news alarms`: what operators were told, and the automations in Prefect that tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, open_publication, print_json


def list_(as_json: JsonOption = False) -> None:
    """List what operators were told of and what has not passed since, oldest first.

    Example: upcycle-news alarms list
    """
    with open_publication() as app:
        alerts = app.alerts.list()
    for alert in alerts:
        if as_json:
            print_json({"event": alert.event, "subject": alert.subject, "at": alert.at.isoformat()})
        else:
            typer.echo(f"{alert.at:%Y-%m-%d %H:%M} UTC  {alert.event}: {alert.subject}")
    if not alerts and not as_json:
        typer.echo("nothing is the matter that operators were told of")


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as deploy/automations.yaml.")],
) -> None:
    """Create or renew the automations of FILE in Prefect; may be repeated at any time.

    Example: upcycle-news alarms apply deploy/automations.yaml
    """
    with open_publication() as app:
        for automation in app.alerts.apply(file):
            typer.echo(f"{automation.name}: {'created' if automation.is_new else 'renewed'}")
