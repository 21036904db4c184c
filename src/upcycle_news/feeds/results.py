"""Results of fetching a feed, as values: a failed feed raises no exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Feed


@dataclass(frozen=True)
class Validators:
    """HTTP validators for conditional requests (RFC 9110, 8.8): opaque, quotes included.

    `body_hash` is the SHA-256 of the body, for servers that send no validators.
    """

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True)
class FetchLimits:
    """Limits of fetching. `seconds` is the deadline of a whole request, redirects and body included.

    `wait_seconds` limits each single wait; `spacing_seconds` lie between two requests to one host of
    the public internet.
    """

    body_bytes: int = 15 * 1024 * 1024
    seconds: float = 30.0
    wait_seconds: float = 10.0
    redirects: int = 5
    threads: int = 8
    spacing_seconds: float = 1.0


@dataclass(frozen=True)
class Fetched:
    """A new body. `url` is where it came from, `moved_to` where a permanent redirect led."""

    feed: Feed
    at: datetime
    url: str
    status: int
    body: bytes
    content_type: str
    validators: Validators
    moved_to: str | None = None


@dataclass(frozen=True)
class NotModified:
    """The feed has nothing new; `validators` are those to send next time."""

    feed: Feed
    at: datetime
    url: str
    status: int
    validators: Validators
    moved_to: str | None = None


@dataclass(frozen=True)
class Failed:
    """The feed could not be fetched. `reason` is one sentence; `status` is None without an answer.

    `retry_after` is the earliest time for the next request, if the server named one.
    """

    feed: Feed
    at: datetime
    url: str
    reason: str
    status: int | None = None
    retry_after: datetime | None = None
    moved_to: str | None = None

    @property
    def gone(self) -> bool:
        """True when the publisher says that the feed is closed for good (RFC 9110, 15.5.11)."""
        return self.status == 410


@dataclass(frozen=True)
class Deferred:
    """The feed was not requested, because its host asked for no requests before `until`."""

    feed: Feed
    at: datetime
    until: datetime


FetchResult = Fetched | NotModified | Failed | Deferred


def status_reason(status: int) -> str:
    """Describe an HTTP error status in one sentence."""
    if status == 410:
        return str(localized("status-gone"))
    try:
        named = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        named = str(status)
    if status in (404, 401, 403):
        return str(localized("status-check", status=named))
    return str(localized("status-other", status=named))
