"""The pages as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.templates import load_templates
from upcycle_news.web.archive import ArchivePages
from upcycle_news.web.handlers import Handlers, show_picture, show_preview
from upcycle_news.web.metrics import Metrics, PeerMiddleware
from upcycle_news.web.pages import PageRenderer
from upcycle_news.web.rate_limit import BodyTooLarge, NetworkRateLimit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
import uvicorn

log = Log(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def create_app(context: AppContext | None = None) -> Any:
    """The application for `room`, or for the publication that the environment names.

    Raises `UpcycleError` when templates or settings do not work: better now than for a reader.
    """
    own = context is None
    context = context or AppContext.open()
    settings = context.settings.web
    pages = PageRenderer(load_templates(context.templates_folder), context.publication)
    # Mails leave one after another beside the answers, so that no answer waits for the relay.
    post = ThreadPoolExecutor(max_workers=1, thread_name_prefix="post")
    handlers = Handlers(
        context=context,
        pages=pages,
        limit=NetworkRateLimit(settings.signups_per_hour, time.monotonic),
        post=post,
    )
    headers = _headers(pages, context.settings.publication.public_url)
    _ = context.store, context.link_signer  # opened, migrated and made before the first visitor

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                response = await handler(request)
            except BodyTooLarge:
                response = handlers.plain(request, "refused", 413)
            except HTTPException:
                raise
            except Exception as error:
                # Neither the request's path nor the error's text: both may name a person.
                told = str(error) if isinstance(error, UpcycleError) else type(error).__name__
                log.error("a page failed", page=handler.__name__, why=told)
                response = handlers.plain(request, "trouble", 503)
            for name, value in headers.items():
                response.headers.setdefault(name, value)
            return response

        return answer

    async def preview(request: Request) -> Response:
        return await show_preview(handlers, request)

    async def picture(request: Request) -> Response:
        return await show_picture(handlers, request)

    figures = Metrics(handlers, settings.metrics)

    async def metrics(request: Request) -> Response:
        return await figures.show(request)

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        view = "missing" if status == 404 else "refused"
        response: HTMLResponse = handlers.plain(request, view, status)
        response.headers.update(headers)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def healthz(_: Request) -> Response:
        try:
            await handlers.in_thread(handlers.look_at_store)
        except UpcycleError:
            return JSONResponse({"status": "store"}, 503)
        return JSONResponse({"status": "ok"})

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        post.shutdown(wait=True)
        handlers.close()
        if own:
            context.__exit__()

    show, act = ["GET"], ["POST"]
    app = Starlette(
        routes=[
            *ArchivePages(handlers).routes(guarded),
            Route("/metrics", guarded(metrics), methods=show),
            Route("/healthz", guarded(healthz), methods=show),
            Route("/preview/{token}", guarded(preview), methods=show),
            Route("/images/{name}", guarded(picture), methods=show),
            Route("/subscribe", guarded(handlers.show_subscribe), methods=show),
            Route("/subscribe", guarded(handlers.subscribe), methods=act),
            Route("/confirm/{token}", guarded(handlers.show_confirm), methods=show),
            Route("/confirm/{token}", guarded(handlers.confirm), methods=act),
            Route("/unsubscribe/{token}", guarded(handlers.show_unsubscribe), methods=show),
            Route("/unsubscribe/{token}", guarded(handlers.unsubscribe), methods=act),
            Route("/preferences/{token}", guarded(handlers.show_preferences), methods=show),
            Route("/preferences/{token}", guarded(handlers.preferences), methods=act),
        ],
        exception_handlers={404: missing, 405: missing},
        lifespan=life,
    )
    app.router.redirect_slashes = False
    asgi: Any = app  # Starlette and uvicorn name the same protocol differently
    believing = ProxyHeadersMiddleware(asgi, trusted_hosts=list(settings.trusted_proxies))
    return PeerMiddleware(believing)


def _headers(pages: PageRenderer, public_url: str) -> dict[str, str]:
    """Nothing is loaded, framed, kept or told to others."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; "
        f"style-src 'sha256-{pages.style_hash}'; form-action 'self'; "
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


def serve(context: AppContext, *, host: str, port: int) -> None:
    """Answer until a signal says stop; requests in flight are finished."""
    config = uvicorn.Config(
        create_app(context),
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
