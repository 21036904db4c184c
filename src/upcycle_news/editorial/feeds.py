"""Fetching feeds: the only module of this room that speaks HTTP to the outside.

Politely (conditional requests, one at a time per host, spaced) and carefully (http and https only,
checked addresses on every hop, a cap on decoded bytes, one deadline for all of it).
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlsplit

import httpcore
import httpx

from upcycle_news.editorial.dialling import (
    Deadline,
    ForbiddenError,
    GuardedBackend,
    OutOfTimeError,
)
from upcycle_news.editorial.fetched import (
    Failed,
    Fetched,
    FetchLimits,
    FetchResult,
    NotModified,
    Validators,
    status_reason,
)
from upcycle_news.editorial.links import BadLinkError, safe_link
from upcycle_news.editorial.turns import Hosts
from upcycle_news.editorial.unpacking import BadBodyError, unpack
from upcycle_news.model import Feed

__all__ = [
    "Failed",
    "FetchLimits",
    "FetchResult",
    "Fetched",
    "NotModified",
    "Validators",
    "fetch_feeds",
]

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.5"
)
MAX_RETRY_AFTER = timedelta(days=7)
_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}


def fetch_feeds(
    feeds: Sequence[Feed],
    validators: Mapping[str, Validators],
    *,
    user_agent: str,
    allow_private: bool,
    now: datetime,
    limits: FetchLimits | None = None,
) -> list[FetchResult]:
    """Fetch the active ones of `feeds`, in their order; `validators` are kept by `Feed.url`.

    Hosts are asked in parallel, one host's feeds one after the other. Never raises for a feed.
    """
    fetcher = _Fetcher(user_agent, allow_private, now, limits or FetchLimits())
    hosts: dict[str, list[Feed]] = defaultdict(list)
    wanted = [feed for feed in feeds if feed.active]
    for feed in wanted:
        hosts[urlsplit(feed.url).netloc.lower()].append(feed)

    def ask(group: list[Feed]) -> list[FetchResult]:
        return [fetcher.fetch(feed, validators.get(feed.url, Validators())) for feed in group]

    if not hosts:
        return []
    with ThreadPoolExecutor(max_workers=min(fetcher.limits.threads, len(hosts))) as pool:
        results = {
            result.feed.url: result for group in pool.map(ask, hosts.values()) for result in group
        }
    return [results[feed.url] for feed in wanted]


class _RefusedError(Exception):
    """Why a feed cannot be had, in one sentence."""

    def __init__(
        self, reason: str, status: int | None = None, retry_after: datetime | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


@dataclass
class _Trip:
    """One request on its way through redirects."""

    url: str
    deadline: Deadline
    moved_to: str | None = None
    permanent: bool = True

    def redirect(self, response: httpx.Response) -> None:
        try:
            self.url = safe_link(response.headers.get("location", ""), self.url).partition("#")[0]
        except BadLinkError as error:
            raise _RefusedError(
                f"it is redirected to where we cannot go: {error}".replace(
                    "its link", "the target"
                ),
                response.status_code,
            ) from None
        self.permanent = self.permanent and response.status_code in _PERMANENT
        if self.permanent:
            self.moved_to = self.url


class _Fetcher:
    """What all requests of one collection share."""

    def __init__(
        self, user_agent: str, allow_private: bool, now: datetime, limits: FetchLimits
    ) -> None:
        self.limits = limits
        self._headers = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Encoding": "gzip"}
        self._allow_private = allow_private
        self._now = now
        self._hosts = Hosts(limits.spacing_seconds)

    def fetch(self, feed: Feed, known: Validators) -> FetchResult:
        """Fetch one feed; what goes wrong becomes a `Failed`."""
        trip = _Trip(feed.url, Deadline(self.limits.seconds))
        try:
            return self._follow(feed, known, trip)
        except _RefusedError as refusal:
            reason, status, retry_after = str(refusal), refusal.status, refusal.retry_after
        except Exception as error:
            reason, status, retry_after = _reason(error, self.limits), None, None
        return Failed(feed, self._now, trip.url, reason, status, retry_after, trip.moved_to)

    def _follow(self, feed: Feed, known: Validators, trip: _Trip) -> FetchResult:
        for _ in range(self.limits.redirects + 1):
            with self._hosts.turn(trip.url), self._client(trip.deadline) as client:
                # Waiting for one's turn is not the server's fault.
                trip.deadline.restart_once()
                with client.stream("GET", trip.url, headers=_conditions(known)) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._result(feed, known, trip, response)
                    trip.redirect(response)
        raise _RefusedError(f"it is redirected more than {self.limits.redirects} times")

    def _client(self, deadline: Deadline) -> httpx.Client:
        return httpx.Client(
            transport=_Transport(deadline, allow_private=self._allow_private),
            headers=self._headers,
            timeout=self.limits.wait_seconds,
            trust_env=False,
            follow_redirects=False,
        )

    def _result(
        self, feed: Feed, known: Validators, trip: _Trip, response: httpx.Response
    ) -> FetchResult:
        status = response.status_code
        fresh = Validators(
            _opaque(response.headers.get("etag")), _opaque(response.headers.get("last-modified"))
        )
        if status == 304 and (known.etag or known.last_modified):
            # A server may give a new ETag with a 304 (RFC 9110, 15.4.5).
            kept = Validators(
                fresh.etag or known.etag,
                fresh.last_modified or known.last_modified,
                known.body_hash,
            )
            return NotModified(feed, self._now, trip.url, status, kept, trip.moved_to)
        if status != 200:
            raise _RefusedError(status_reason(status), status, self._retry_after(response))
        body = self._body(response, trip.deadline)
        found = Validators(fresh.etag, fresh.last_modified, hashlib.sha256(body).hexdigest())
        if found.body_hash == known.body_hash:
            return NotModified(feed, self._now, trip.url, status, found, trip.moved_to)
        content_type = response.headers.get("content-type", "")
        return Fetched(feed, self._now, trip.url, status, body, content_type, found, trip.moved_to)

    def _body(self, response: httpx.Response, deadline: Deadline) -> bytes:
        encoding = response.headers.get("content-encoding", "")

        def chunks() -> Iterator[bytes]:
            for chunk in response.iter_raw():
                deadline.left()
                yield chunk

        try:
            return unpack(chunks(), encoding, self.limits.body_bytes)
        except BadBodyError as error:
            raise _RefusedError(str(error), response.status_code) from None

    def _retry_after(self, response: httpx.Response) -> datetime | None:
        """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3), at most a week ahead."""
        raw = response.headers.get("retry-after", "").strip()
        try:
            if re.fullmatch(r"\d{1,9}", raw, re.ASCII):
                wanted = self._now + timedelta(seconds=int(raw))
            else:
                wanted = parsedate_to_datetime(raw)
                wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):
            return None
        return max(self._now, min(wanted, self._now + MAX_RETRY_AFTER))


class _Transport(httpx.BaseTransport):
    """httpx over a connection pool of our own, because only that takes a network backend."""

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            network_backend=GuardedBackend(deadline, allow_private=allow_private),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _conditions(known: Validators) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _opaque(value: str | None) -> str | None:
    """Keep a validator as it is, unless it could not be sent back."""
    return value if value and re.fullmatch(r"[\x20-\x7e]{1,500}", value) else None


def _reason(error: Exception, limits: FetchLimits) -> str:
    """Say in one sentence what a failed request means, without quoting what a server sent."""
    if isinstance(error, ForbiddenError):
        return "its name leads into a private network (feeds.allow_private would allow that)"
    if isinstance(error, OutOfTimeError):
        return f"it did not arrive within {limits.seconds:g} seconds"
    if isinstance(error, httpcore.TimeoutException):
        return "the server did not answer in time"
    if isinstance(error, httpcore.ConnectError):
        if "CERTIFICATE" in str(error).upper() or isinstance(error.__cause__, ssl.SSLError):
            return "its certificate cannot be trusted"
        return "the server cannot be reached"
    if isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError):
        return "the reply broke off"
    return f"it cannot be fetched ({type(error).__name__})"
