"""Runs the pages: uvicorn on sockets that are bound before anything is said, with bounds of our own."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from upcycle_news.api import App
from upcycle_news.web.app import create_app
from upcycle_news.web.connection_guard import (
    ACCEPTED_AT_ONCE,
    IDLE_SECONDS,
    ConnectionGuard,
    LoopErrors,
    RepeatedLines,
    connection_limit,
)
from upcycle_news.web.listening import KERNEL_QUEUE, Listener, listen

GRACE_SECONDS = 2
"""How long the end waits for requests in flight; the mails have as long (`app.MAIL_SECONDS`)."""


def serve(
    publication: App,
    *,
    host: str,
    port: int,
    on_listening: Callable[[Listener], None] = lambda _: None,
) -> None:
    """Serve the pages of a publication until a signal stops it; requests in flight are finished.

    `on_listening` is called once connections are queued. Raises `UpcycleError` when the pages cannot
    listen there, or do not work.
    """
    listener = listen(host, port)
    try:
        settings = publication.settings.web
        guard = ConnectionGuard(
            limit=connection_limit(settings.connections), request_seconds=settings.request_seconds
        )
        config = uvicorn.Config(
            create_app(publication),
            http=guard.protocol(),
            ws="none",
            access_log=False,
            log_config=None,  # observability.logging routes its loggers
            server_header=False,
            proxy_headers=False,  # the application does it, with the settings' own list
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=16 * 1024,
        )
        for name in ("uvicorn.error", "upcycle_news.web.app"):
            logging.getLogger(name).addFilter(RepeatedLines())
        on_listening(listener)
        _Server(config, guard).run(list(listener.sockets))
    finally:
        for one in listener.sockets:
            one.close()


class _Server(uvicorn.Server):
    """Uvicorn's server with a guard over its connections."""

    def __init__(self, config: uvicorn.Config, guard: ConnectionGuard) -> None:
        super().__init__(config)
        self._guard = guard
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(LoopErrors())
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(KERNEL_QUEUE)  # asyncio has set it to what it accepts at once
        self._watch = loop.create_task(self._guard.watch())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish what is in flight, and end."""
        # Requests that have not arrived by then are ended by us: uvicorn logs a traceback for each.
        asyncio.get_running_loop().call_later(GRACE_SECONDS / 2, self._guard.end_reading)
        await super().shutdown(sockets)
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
