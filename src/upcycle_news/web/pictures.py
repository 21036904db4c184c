"""The pictures of issues that host them: the files that sending published, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from upcycle_news.web.handlers import Handlers

# Made by press.images.hosted_name: the name is the content, so it may be kept for ever.
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|gif)\Z")
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",  # web mail shows it on a page of its own
}


async def show_picture(handlers: Handlers, request: Request) -> Response:
    """A published picture; 404 for every other name."""
    path = await handlers.in_thread(_find, handlers.room.hosted_images, request.path_params["name"])
    if path is None:
        return handlers.plain(request, "missing", 404)
    return FileResponse(path, headers=_HEADERS)


def _find(folder: Path, name: str) -> Path | None:
    path = folder / name
    return path if _NAME.match(name) and path.is_file() else None
