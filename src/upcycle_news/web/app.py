"""The ASGI application, its routes and security headers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from upcycle_news.api import App, open_app
from upcycle_news.errors import UpcycleError
from upcycle_news.models.archive_paths import QUESTION
from upcycle_news.observability.logging import Log
from upcycle_news.web.archive import ArchivePages
from upcycle_news.web.confirmation_mailer import ConfirmationMailer
from upcycle_news.web.cross_origin import CrossOrigin
from upcycle_news.web.handlers import (
    SIGNUP_SCRIPT,
    Handlers,
    show_picture,
    show_preview,
    show_report,
    signup_script,
)
from upcycle_news.web.http_api.endpoint import HttpApi, below_root
from upcycle_news.web.metrics import MetricsEndpoint, PeerMiddleware
from upcycle_news.web.provider_events import EventEndpoints
from upcycle_news.web.questions import QuestionPages
from upcycle_news.web.rate_limit import BodyTooLarge, NetworkRateLimit
from upcycle_news.web.webhook_sender import WebhookSender

log = Log(__name__)

MAIL_SECONDS = 1.5
"""How long the end of the process waits for the relay: what was not sent is sent later."""

Handler = Callable[[Request], Awaitable[Response]]


def create_app(publication: App | None = None, *, mail_seconds: float = MAIL_SECONDS) -> Any:
    """Return the application for `publication`, or for the one that the environment names.

    At the end it goes on sending confirmation mails for `mail_seconds`. Raises `UpcycleError` when templates or settings do not work, before the first request.
    """
    own = publication is None
    publication = publication or open_app()
    settings = publication.settings.web
    mailer, webhook_sender = ConfirmationMailer(publication), WebhookSender(publication)
    handlers = Handlers(
        app=publication,
        limit=NetworkRateLimit(settings.signups_per_hour, time.monotonic),
        mailer=mailer,
        cross_origin=CrossOrigin(settings.signup_origins),
    )
    headers = _headers(publication.pages.style_hash, publication.settings.publication.public_url)
    publication.check_ready()  # store and keys are opened, migrated and made before the first request

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                response = await handler(request)
            except BodyTooLarge:
                response = handlers.error_page(request, "refused", 413)
            except HTTPException:
                raise
            except Exception as error:
                # Neither the request's path nor the text of an unexpected error: both may name a person.
                reason = str(error) if isinstance(error, UpcycleError) else type(error).__name__
                log.error("page failed", page=handler.__name__, why=reason)
                response = handlers.error_page(request, "trouble", 503)
            for name, value in headers.items():
                response.headers.setdefault(name, value)
            return response

        return answer

    async def subscribe(request: Request) -> Response:
        return handlers.cross_origin.add_headers(
            request, await guarded(handlers.subscribe)(request)
        )

    async def preflight(request: Request) -> Response:
        return handlers.cross_origin.preflight(request)

    async def script(_: Request) -> Response:
        return signup_script()

    async def preview(request: Request) -> Response:
        return await show_preview(handlers, request)

    async def report(request: Request) -> Response:
        return await show_report(handlers, request)

    async def picture(request: Request) -> Response:
        return await show_picture(handlers, request)

    http_api = HttpApi(publication, handlers, per_minute=settings.api_requests_per_minute)
    event_endpoints = EventEndpoints(publication, handlers)

    async def bounces(request: Request) -> Response:
        return await event_endpoints.receive_mail(request)

    async def events(request: Request) -> Response:
        return await event_endpoints.receive_events(request)

    questions = QuestionPages(handlers, NetworkRateLimit(settings.answers_per_hour, time.monotonic))

    async def show_question(request: Request) -> Response:
        return await questions.show(request)

    async def answer_question(request: Request) -> Response:
        return await questions.answer(request)

    endpoint = MetricsEndpoint(handlers, settings.metrics)

    async def metrics(request: Request) -> Response:
        return await endpoint.show(request)

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        view = "missing" if status == 404 else "refused"
        response: HTMLResponse = handlers.error_page(request, view, status)
        response.headers.update(headers)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def healthz(_: Request) -> Response:
        try:
            await handlers.run_in_thread(publication.check_ready)
        except UpcycleError:
            return JSONResponse({"status": "store"}, 503)
        return JSONResponse({"status": "ok"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        mailer.start()
        webhook_sender.start()
        yield
        await asyncio.to_thread(webhook_sender.stop, mail_seconds)
        if not await asyncio.to_thread(mailer.stop, mail_seconds):
            log.warning("confirmation mails wait", why="the relay did not answer before the end")
        handlers.close()
        if own:
            publication.close()

    archive = ArchivePages(handlers)
    show, act = ["GET"], ["POST"]
    app = Starlette(
        routes=[
            *archive.routes(guarded),
            Route("/metrics", guarded(metrics), methods=show),
            Route("/healthz", guarded(healthz), methods=show),
            Route("/preview/{token}", guarded(preview), methods=show),
            Route("/report/{token}", guarded(report), methods=show),
            Route("/images/{name}", guarded(picture), methods=show),
            Route("/bounces/{source}", guarded(bounces), methods=act),
            Route(f"/{QUESTION}/{{issue}}", guarded(show_question), methods=show),
            Route(f"/{QUESTION}/{{issue}}", guarded(answer_question), methods=act),
            Route("/events/{source}/{secret}", guarded(events), methods=act),
            Route("/subscribe", guarded(handlers.show_subscribe), methods=show),
            Route("/subscribe", subscribe, methods=act),
            Route("/subscribe", guarded(preflight), methods=["OPTIONS"]),
            Route(f"/{SIGNUP_SCRIPT}", guarded(script), methods=show),
            # `path`: a slash at the end of a link is one of the signs that mail programs leave there.
            Route("/confirm/{token:path}", guarded(handlers.show_confirm), methods=show),
            Route("/confirm/{token:path}", guarded(handlers.confirm), methods=act),
            Route("/unsubscribe/{token:path}", guarded(handlers.show_unsubscribe), methods=show),
            Route("/unsubscribe/{token:path}", guarded(handlers.unsubscribe), methods=act),
            Route("/preferences/{token:path}", guarded(handlers.show_preferences), methods=show),
            Route("/preferences/{token:path}", guarded(handlers.preferences), methods=act),
            Route("/address/{token:path}", guarded(handlers.show_address), methods=show),
            Route("/address/{token:path}", guarded(handlers.address), methods=act),
            archive.other_files(guarded),
        ],
        exception_handlers={400: missing, 404: missing, 405: missing},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False

    both = _ApiBesidePages(app, http_api)
    believing = ProxyHeadersMiddleware(both, trusted_hosts=list(settings.trusted_proxies))
    return PeerMiddleware(believing)


class _ApiBesidePages:
    """Hands over what is below the API's root: a route of Starlette takes no path with a line break."""

    def __init__(self, app: Starlette, http_api: Any) -> None:
        """`app` has the pages."""
        self.app, self._http_api = app, http_api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_api = scope["type"] == "http" and below_root(scope["path"])
        await (self._http_api if is_api else self.app)(scope, receive, send)


def _headers(style_hash: str, public_url: str) -> dict[str, str]:
    """Return the security headers: nothing is loaded from elsewhere, framed, cached or referred."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; "
        f"style-src 'sha256-{style_hash}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers
