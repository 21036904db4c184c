"""Which other sites' scripts may read what the sign-up answers (the CORS protocol of the Fetch standard).

Only origins that the settings name, letter by letter, and only at `/subscribe`. A plain form needs none of it.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response

FORM_HEADER = "upcycle-news-form"
"""Sent by our script: a header of one's own makes a browser ask first, so that nothing is sent in vain."""

_ASK_AGAIN_SECONDS = 600


class CrossOrigin:
    """The origins whose pages may send a form by script and read the answer."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def origin(self, request: Request) -> str:
        """Return the origin of the page that asks if it is a named one, else an empty text."""
        origin = request.headers.get("origin", "")
        return origin if origin in self._origins else ""

    def preflight(self, request: Request) -> Response:
        """Answer what a browser asks before a request; 405 as ever where a page may not ask."""
        asked = request.headers.get("access-control-request-method", "")
        if not self.origin(request) or asked != "POST":
            return self.add_headers(
                request, Response(status_code=405, headers={"Allow": "GET, POST"})
            )
        headers = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": f"accept, content-type, {FORM_HEADER}",
            "Access-Control-Max-Age": str(_ASK_AGAIN_SECONDS),
        }
        return self.add_headers(request, Response(status_code=204, headers=headers))

    def add_headers(self, request: Request, response: Response) -> Response:
        """Let the page of a named origin read the response; caches are told that others may not."""
        if self._origins:
            response.headers["Vary"] = "Origin"
        if origin := self.origin(request):
            response.headers["Access-Control-Allow-Origin"] = origin
        return response
