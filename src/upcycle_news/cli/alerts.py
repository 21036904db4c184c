"""`upcycle-news alarms`: what operators were told, and the automations in Prefect that tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, in_language, open_publication, print_json, say
from upcycle_news.i18n.messages import localized
from upcycle_news.i18n.recognition import recognise


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
            subject = in_language(recognise(alert.subject, "subjects"))
            typer.echo(f"{alert.at:%Y-%m-%d %H:%M} UTC  {alert.event}: {subject}")
    if not alerts and not as_json:
        say(localized("alarms-none"))


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as deploy/automations.yaml.")],
) -> None:
    """Create or renew the automations of FILE in Prefect; may be repeated at any time.

    Example: upcycle-news alarms apply deploy/automations.yaml
    """
    with open_publication() as app:
        for automation in app.alerts.apply(file):
            is_new = automation.is_new
            done = localized("alarm-created") if is_new else localized("alarm-renewed")
            typer.echo(f"{automation.name}: {in_language(done)}")
