"""The archive over HTTP: the files that a build wrote, and no other file of the machine."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from upcycle_news.errors import UpcycleError
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    HOME,
    INDEX,
    REVISION,
    ROBOTS,
    SITEMAP,
    STYLE,
)
from upcycle_news.observability.logging import Log
from upcycle_news.web.handlers import Handlers

log = Log(__name__)

Guard = Callable[
    [Callable[[Request], Awaitable[Response]]], Callable[[Request], Awaitable[Response]]
]

REBUILD_SECONDS = 60
"""A missing page may be in the store: the archive is rebuilt for it at most this often."""

_TYPES = {
    FEED: "application/atom+xml; charset=utf-8",
    SITEMAP: "application/xml; charset=utf-8",
    ROBOTS: "text/plain; charset=utf-8",
    STYLE: "text/css; charset=utf-8",
}
_PAGE_TYPE = "text/html; charset=utf-8"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "public, no-cache",  # cached, but revalidated: what is withdrawn disappears at once
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Robots-Tag": "all",
}
_REVISION = re.compile(rf"{ARCHIVE}\d{{4}}-\d\d-\d\d(?:-\d{{1,2}})?/{re.escape(REVISION)}\Z")
_EVENT = re.compile(rf"{ESSAYS}[^/\0]+/event-\d+\.ics\Z")
_PAGES = re.compile(
    rf"(?:{ARCHIVE}(?:\d{{4}}-\d\d-\d\d(?:-\d{{1,2}})?/)?|{ESSAYS}(?:[^/\0]+/)?)?\Z"
)


class ArchivePages:
    """Serves the files of the archive, with 304 for unchanged ones."""

    def __init__(self, handlers: Handlers, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._handlers, self._clock = handlers, clock
        self._lock = threading.Lock()
        self._built: float | None = None
        self._static = StaticFiles(check_dir=False)

    def routes(self, guarded: Guard) -> list[Route]:
        """Return a route for every page of the archive and its redirects; pictures have their own."""

        async def show(request: Request) -> Response:
            return await self.show(request)

        async def folder(request: Request) -> Response:
            # Relative, because a proxy may serve us below a path that we do not see.
            last = str(request.scope["path"]).rpartition("/")[2]
            return RedirectResponse(f"./{last}/", 308)

        pages = (HOME, ARCHIVE, ARCHIVE + "{issue}/", ESSAYS, ESSAYS + "{slug}/")
        named = [
            *pages,
            *(page + INDEX for page in pages),
            ARCHIVE + "{issue}/" + REVISION,
            *_TYPES,
            ESSAYS + "{slug}/{event}",
        ]
        without = [page.removesuffix("/") for page in pages if page]
        return [
            *(Route(f"/{path}", guarded(show), methods=["GET"]) for path in named),
            *(Route(f"/{path}", guarded(folder), methods=["GET"]) for path in without),
        ]

    async def show(self, request: Request) -> Response:
        """Return a page or another file; 404 for what is not in the archive."""
        page = await self._handlers.run_in_thread(self._find, str(request.scope["path"]))
        if page is None:
            return self._handlers.error_page(request, "missing", 404)
        name, file = page
        response = FileResponse(
            file,
            headers=_HEADERS,
            media_type=_media_type(name),
            stat_result=file.stat(),
        )
        request_headers = Headers(scope=request.scope)
        if self._static.is_not_modified(response.headers, request_headers):
            unchanged = NotModifiedResponse(response.headers)
            unchanged.headers.update(
                _HEADERS
            )  # caches update what they stored with these (RFC 9111, 3.2)
            return unchanged
        return response

    def _find(self, path: str) -> tuple[str, Path] | None:
        name = _name(path)
        if name is None:
            return None
        archive = self._handlers.app.archive
        if archive.file(name) is None:
            self._build()
        file = archive.file(name)
        return None if file is None else (name, file)

    def _build(self) -> None:
        """Rebuild the archive: another machine may have sent an issue that this one does not show yet.

        Never two at once: a build waits for other builds of this machine, for minutes if one hangs,
        and the server has few threads.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock()
            if self._built is None or now - self._built >= REBUILD_SECONDS:
                self._built = now
                try:
                    self._handlers.app.archive.build()
                except UpcycleError as error:  # what is there is shown all the same
                    log.error(
                        "archive not built", why=error.in_language(self._handlers.app.language)
                    )
        finally:
            self._lock.release()


def _media_type(name: str) -> str:
    """Return the type of a file of the archive by its name."""
    if name.endswith(REVISION):
        return _TYPES[ROBOTS]
    return "text/calendar; charset=utf-8" if _EVENT.match(name) else _TYPES.get(name, _PAGE_TYPE)


def _name(path: str) -> str | None:
    """Return the name of a page within the archive, or None for a path that is none."""
    name = path.removeprefix("/").removesuffix(INDEX)
    if name in _TYPES or _REVISION.match(name) or _EVENT.match(name):
        return name
    return name if _PAGES.match(name) and not re.search(r"(?:^|/)\.", name) else None
