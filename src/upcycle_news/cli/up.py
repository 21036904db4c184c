"""`upcycle-news up`: Prefect's server and a runner on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import note, open_publication
from upcycle_news.i18n.messages import localized


def up(
    host: Annotated[str, typer.Option(help="Beyond 127.0.0.1 a login is required.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where Prefect's pages and API answer.")
    ] = 4200,
) -> None:
    """Start Prefect's server and run all schedules of prefect.yaml until Ctrl-C.

    Example: upcycle-news up
    """
    with open_publication() as app:
        app.flows.run_schedules(
            host=host,
            port=port,
            on_starting=lambda: note(
                "Prefect's server starts; the first time that takes some 20 seconds …"
            ),
            on_started=lambda url: typer.echo(
                localized("up-started", url=url).in_language(app.language)
            ),
        )
