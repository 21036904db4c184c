"""Errors of the HTTP API as problem details (RFC 9457): a stable type, never an address, no internals.

`type` and `title` are English and stable: programs compare them. `detail` is English where this API
words it; the product's own sentences (why an issue is not sent) stay as the command line says them, in the
publication's language, which the member `language` names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

TYPE_PREFIX = "urn:upcycle-news:problem:"
CONTENT_TYPE = "application/problem+json"

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthorized": (401, "A valid token is needed"),
    "forbidden": (403, "The token lacks a scope"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "The method is not known here"),
    "refused": (409, "The present state does not allow it"),
    "key-in-use": (409, "A request with this idempotency key is being carried out"),
    "cursor-gone": (410, "Events after this cursor may be missing"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body has to be application/json"),
    "invalid": (422, "The request does not fit its schema"),
    "key-reused": (422, "This idempotency key was used for another request"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "The request failed"),
    "unavailable": (503, "The store does not answer"),
}
"""Status and title of each problem, by the last part of its type."""


class Problem(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An answer that ends a request."""

    def __init__(
        self, kind: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`kind` is a key of `PROBLEMS`; `more` are further members of the answer."""
        super().__init__(kind)
        self.kind, self.detail = kind, detail
        self.headers, self.more = dict(headers or {}), more

    @property
    def status(self) -> int:
        """The status code."""
        return PROBLEMS[self.kind][0]

    def as_dict(self) -> dict[str, Any]:
        """Return the members of the answer."""
        status, title = PROBLEMS[self.kind]
        members: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{self.kind}", "title": title, "status": status,
        }  # fmt: skip
        if self.detail:
            members["detail"] = self.detail
        return members | self.more

    def response(self) -> Response:
        """Return the answer."""
        text = json.dumps(self.as_dict(), ensure_ascii=False)
        return Response(text, self.status, media_type=CONTENT_TYPE, headers=self.headers)


def invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """Return the problem of a request that does not fit: each error names a JSON pointer (RFC 6901)."""
    return Problem("invalid", errors=[dict(error) for error in errors])
