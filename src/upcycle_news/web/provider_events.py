"""`/events/NAME/SECRET` and `/bounces/NAME`: where providers and mail servers post what became of our mail.

Replies say how many events of which kind there were, never about whom. A source without a secret in the
settings does not exist, and before the secret was right nothing is read. The secret is part of the path,
which nothing here logs.
"""

from __future__ import annotations

import asyncio
import time

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from upcycle_news.api import App
from upcycle_news.errors import ProviderUnavailable, WebhookRefused, WebhookUnreadable
from upcycle_news.web.handlers import Handlers
from upcycle_news.web.rate_limit import RateLimit, read_body

MAX_MAIL = 1024 * 1024
"""Bytes of a returned mail."""
MAX_EVENTS = 8 * 1024 * 1024
"""Bytes of a batch: ten thousand events of some hundred bytes each."""
AT_ONCE = 2
"""Requests that are read and applied at the same time; further ones wait without being read."""


class EventEndpoints:
    """Hands what was posted to the source that the address names."""

    def __init__(self, app: App, handlers: Handlers) -> None:
        self._app, self._handlers = app, handlers
        self._limits = {
            name: RateLimit(limit, 60.0, time.monotonic)
            for name, limit in app.bounces.requests_per_minute().items()
        }
        self._places = asyncio.Semaphore(AT_ONCE)

    async def receive_events(self, request: Request) -> Response:
        """Answer 404 unless the path ends in the source's secret, else as `_accept` does."""
        name, secret = request.path_params["source"], request.path_params["secret"]
        if not self._app.bounces.admits(name, secret):
            return self._handlers.error_page(request, "missing", 404)
        return await self._accept(request, name, MAX_EVENTS)

    async def receive_mail(self, request: Request) -> Response:
        """Answer 404 for an unknown source, 403 without ``Authorization: Bearer SECRET``."""
        name = request.path_params["source"]
        if name not in self._limits:
            return self._handlers.error_page(request, "missing", 404)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._app.bounces.admits(name, secret):
            return JSONResponse({"error": "the request lacks the secret of this source"}, 403)
        return await self._accept(request, name, MAX_MAIL)

    async def _accept(self, request: Request, name: str, limit: int) -> Response:
        """Answer 200 with counts, 403 to what is not the provider's, 400 to what it cannot read.

        429 to too many, and 503 to what cannot be verified now: these come again.
        """
        if not self._limits[name].allows(name):
            return Response(status_code=429, headers={"Retry-After": "60"})
        async with self._places:
            try:
                body = await read_body(request, limit)
            except ClientDisconnect:
                return Response(status_code=400)
            try:
                counts = await self._handlers.run_in_thread(
                    self._app.bounces.accept, name, dict(request.headers), body
                )
            except WebhookRefused as error:
                return JSONResponse({"error": str(error)}, 403)
            except WebhookUnreadable as error:
                return JSONResponse({"error": str(error)}, 400)
            except ProviderUnavailable as error:
                return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "60"})
        return JSONResponse(counts.as_dict())
