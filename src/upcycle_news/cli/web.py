"""`upcycle-news web`: the archive, and the pages for subscribing and leaving."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import note, open_publication
from upcycle_news.i18n.messages import localized
from upcycle_news.web.listening import Listener
from upcycle_news.web.server import serve


def web(
    host: Annotated[str | None, typer.Option(help="Default: the setting's, 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: the setting's, 8040.")
    ] = None,
) -> None:
    """Serve the archive and the pages for subscribing and leaving, behind a TLS proxy.

    Example: upcycle-news web --host 127.0.0.1 --port 8040
    """
    with open_publication() as app:
        settings = app.settings.web

        def say(listener: Listener) -> None:
            sentence = (
                localized("web-answers-systemd", url=listener.url)
                if listener.inherited
                else localized("web-answers", url=listener.url)
            )
            note(sentence.in_language(app.language))
            if contradiction := app.store.contradiction():
                note(contradiction)

        serve(
            app,
            host=host or settings.host,
            port=settings.port if port is None else port,
            on_listening=say,
        )
