"""Run the pages with uvicorn. No access log: the paths are people's keys."""

from __future__ import annotations

import uvicorn

from upcycle_news.newsroom import Newsroom
from upcycle_news.web.app import create_app


def serve(room: Newsroom, *, host: str, port: int) -> None:
    """Answer until a signal says stop; requests in flight are finished."""
    config = uvicorn.Config(
        create_app(room),
        host=host,
        port=port,
        access_log=False,
        log_config=None,  # its loggers are ours to route (logs.py)
        server_header=False,
        proxy_headers=False,  # the application does it, with the settings' own list
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=16 * 1024,
    )
    uvicorn.Server(config).run()
