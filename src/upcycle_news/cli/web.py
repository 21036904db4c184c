"""`upcycle-news web`: the archive, and the pages for subscribing and leaving."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import note, open_publication
from upcycle_news.web.app import serve


def web(
    host: Annotated[str | None, typer.Option(help="Default: the setting's, 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: the setting's, 8040.")] = None,
) -> None:
    """Serve the archive and the pages for subscribing and leaving, behind a TLS proxy.

    Example: upcycle-news web --host 127.0.0.1 --port 8040
    """
    with open_publication() as app:
        settings = app.settings.web
        where = host or settings.host
        number = settings.port if port is None else port
        note(f"the pages answer at http://{where}:{number}/ (Ctrl-C ends it)")
        serve(app, host=where, port=number)
