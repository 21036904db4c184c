"""The preview of an issue for editors: behind a signed link that expires, kept by nobody."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from upcycle_news.steps.previewing import preview_html
from upcycle_news.web.handlers import Handlers

# The page embeds the mail, whose styles are inline; it loads nothing and runs nothing.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


async def show_preview(handlers: Handlers, request: Request) -> Response:
    """The page a preview link opens; 404 for one that is altered, foreign or has expired."""
    token = request.path_params["token"]
    html = await handlers.in_thread(preview_html, handlers.room, token)
    if html is None:
        return handlers.plain(request, "missing", 404)
    return HTMLResponse(html, headers=_HEADERS)
