"""The archive over HTTP: the files that a build wrote, and no other file of the machine."""

from __future__ import annotations

import mimetypes
import re
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    HOME,
    INDEX,
    MISSING,
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
# What the system's table may lack, or say otherwise: browsers run no script of another type.
_TYPES_BY_SUFFIX = {
    ".html": _PAGE_TYPE,
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".woff2": "font/woff2",
    ".ics": "text/calendar; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_HEADERS = {
    # The one script is the search, and what it asks for are the files of its index.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "public, no-cache",  # cached, but revalidated: what is withdrawn disappears at once
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Robots-Tag": "all",
}
_REVISION = re.compile(rf"{ARCHIVE}\d{{4}}-\d\d-\d\d(?:-\d{{1,2}})?/{re.escape(REVISION)}\Z")
_EVENT = re.compile(rf"{ESSAYS}[^/\0]+/event-\d+\.ics\Z")
_PAGES = re.compile(
    rf"(?:{ARCHIVE}(?:\d{{4}}-\d\d-\d\d(?:-\d{{1,2}})?(?:-d\d{{1,2}})?/)?|{ESSAYS}(?:[^/\0]+/)?)?\Z"
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
            return _with_slash(request)

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

    def other_files(self, guarded: Guard) -> Route:
        """Return the route of everything that no other route knows; it has to be the last."""

        async def other(request: Request) -> Response:
            return await self.show_other(request)

        return Route("/{path:path}", guarded(other), methods=["GET"])

    async def show(self, request: Request) -> Response:
        """Return a page or a file that has a name of its own; 404 for what is not in the archive."""
        page = await self._handlers.run_in_thread(self._find, str(request.scope["path"]))
        return await self._missing(request) if page is None else self._answer(request, *page)

    async def show_other(self, request: Request) -> Response:
        """Return a file that the archive holds beside its pages; for what is nowhere, its page that says so.

        A folder with a page of its own is found without the slash, too, as on static hosts.
        """
        name = str(request.scope["path"]).removeprefix("/")
        file = await self._handlers.run_in_thread(self._written, name)
        if file is not None:
            return self._answer(request, name, file)
        if await self._handlers.run_in_thread(self._written, f"{name}/"):
            return _with_slash(request)
        if _name(f"/{name}") is not None:  # a page in a further language, which may be in the store
            return await self.show(request)
        return await self._missing(request)

    async def _missing(self, request: Request) -> Response:
        """Return the archive's page for what is missing, which leads on to what there is."""
        page = await self._handlers.run_in_thread(self._handlers.app.archive.file, MISSING)
        if page is None:
            return self._handlers.error_page(request, "missing", 404)
        headers = {**_HEADERS, "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
        return HTMLResponse(await self._handlers.run_in_thread(page.read_bytes), 404, headers)

    def _written(self, name: str) -> Path | None:
        try:
            return self._handlers.app.archive.written_file(name)
        except OSError:
            return None

    def _answer(self, request: Request, name: str, file: Path) -> Response:
        """Return a file with its type and validators, or that it is unchanged."""
        response = FileResponse(
            file, headers=_HEADERS, media_type=_media_type(name, file), stat_result=file.stat()
        )
        request_headers = Headers(scope=request.scope)
        if self._static.is_not_modified(response.headers, request_headers):
            unchanged = NotModifiedResponse(response.headers)
            # Caches update what they stored with these (RFC 9111, 3.2).
            unchanged.headers.update(_HEADERS)
            return unchanged
        return response

    def _find(self, path: str) -> tuple[str, Path] | None:
        name = _name(path)
        if name is None:
            return None
        archive = self._handlers.app.archive
        if archive.file(name) is None:
            self._build(name)
        file = archive.file(name)
        return None if file is None else (name, file)

    def _build(self, name: str) -> None:
        """Build the archive for a name: another machine may have sent an issue that this one does not show yet.

        Never two at once: a build waits for other builds of this machine, for minutes if one hangs,
        and the server has few threads.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock()
            if self._built is None or now - self._built >= REBUILD_SECONDS:
                try:
                    if self._handlers.app.archive.build_for(name):
                        self._built = now
                except UpcycleError as error:  # what is there is shown all the same
                    self._built = now
                    log.error(
                        "archive not built", why=error.in_language(self._handlers.app.language)
                    )
        finally:
            self._lock.release()


def _with_slash(request: Request) -> Response:
    """Return a redirection to the folder that a path names; its query stays."""
    # Relative, because a proxy may serve us below a path that we do not see.
    last = quote(str(request.scope["path"]).rpartition("/")[2])
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{last}/{query}", 308)


def _media_type(name: str, file: Path) -> str:
    """Return the type of a file of the archive by its name."""
    if (own := name.removeprefix(_folder(name))) in _TYPES:
        return _TYPES[own]
    known = _TYPES_BY_SUFFIX.get(file.suffix.lower())
    return known or mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _name(path: str) -> str | None:
    """Return the name of a page within the archive, or None for a path that is none."""
    name = path.removeprefix("/").removesuffix(INDEX)
    own = name.removeprefix(_folder(name))
    if own in _TYPES or _REVISION.match(own) or _EVENT.match(own):
        return name
    return name if _PAGES.match(own) and not re.search(r"(?:^|/)\.", own) else None


def _folder(name: str) -> str:
    """Return the folder of a further language that a name begins with, ``en/``, or an empty text."""
    first, slash, _ = name.partition("/")
    return f"{first}/" if slash and first in LANGUAGES else ""
