"""`upcycle-news up`: Prefect's server, a runner and the web pages on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import note, open_publication, say
from upcycle_news.i18n.messages import localized


def up(
    host: Annotated[str, typer.Option(help="Beyond 127.0.0.1 a login is required.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where Prefect's pages and API answer.")
    ] = 4200,
    web: Annotated[
        bool,
        typer.Option("--web/--no-web", help="Start the web pages, too, at web.host and web.port."),
    ] = True,
) -> None:
    """Start Prefect's server, all schedules of prefect.yaml and the web pages; Ctrl-C ends them.

    Example: upcycle-news up
    """
    with open_publication() as app:
        address = app.settings.web
        pages = (
            f"http://{f'[{address.host}]' if ':' in address.host else address.host}:{address.port}"
        )

        def tell(url: str, with_web: bool) -> None:
            started = localized("up-web", url=pages)
            if not with_web:
                taken = localized("up-web-taken", url=pages)
                started = taken if web else localized("up-no-web", url=pages)
            say(localized("up-started", url=url, web=started))

        app.flows.run_schedules(
            host=host,
            port=port,
            web=web,
            on_starting=lambda: note(localized("up-starts")),
            on_started=tell,
        )
