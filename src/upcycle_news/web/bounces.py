"""`/bounces/NAME`: where providers and mail servers post what came back.

Replies say how many reports of which kind there were, never about whom. A source without a secret in
the settings does not exist.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from upcycle_news.api import App
from upcycle_news.errors import WebhookRefused, WebhookUnreadable
from upcycle_news.web.handlers import Handlers
from upcycle_news.web.rate_limit import read_body

MAX_REPORT = 1024 * 1024
"""Bytes of one request: a returned mail, or a batch of events."""


class BounceWebhooks:
    """Hands requests to the source that the address names."""

    def __init__(self, app: App, handlers: Handlers) -> None:
        self._app, self._handlers = app, handlers

    async def receive(self, request: Request) -> Response:
        """Answer 200 with counts, 403 without the source's secret, 400 to what it cannot read."""
        source = request.path_params["source"]
        if not self._app.bounces.has_webhook(source):
            return self._handlers.error_page(request, "missing", 404)
        try:
            body = await read_body(request, MAX_REPORT)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            counts = await self._handlers.run_in_thread(
                self._app.bounces.accept, source, dict(request.headers), body
            )
        except WebhookRefused as error:
            return JSONResponse({"error": str(error)}, 403)
        except WebhookUnreadable as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(counts.as_dict())
