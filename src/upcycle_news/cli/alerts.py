"""`upcycle-news alarms apply`: create the automations of a file in Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import open_context
from upcycle_news.errors import UpcycleError
from upcycle_news.prefect_api.client import PrefectClient, read_automations


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as deploy/automations.yaml.")],
) -> None:
    """Create or renew the automations of FILE in Prefect; may be repeated at any time.

    Example: upcycle-news alarms apply deploy/automations.yaml
    """
    with open_context() as context:
        client = PrefectClient.find(context.settings.state / "prefect")
        if client is None:
            raise UpcycleError("no API is known: start 'upcycle-news up' or set PREFECT_API_URL")
        for automation in read_automations(file, client.deployment_id):
            new = client.save_automation(automation)
            typer.echo(f"{automation['name']}: {'created' if new else 'renewed'}")
