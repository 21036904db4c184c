"""Fetching feeds: the only module of this room that speaks HTTP to the outside.

Politely (conditional requests, one at a time per host, spaced) and carefully (http and https only,
checked addresses on every hop, a cap on decoded bytes, one deadline for all of it).
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar

import httpcore

from upcycle_news.feeds.host_throttle import HostThrottle, host_of, run_in_threads
from upcycle_news.feeds.http_guard import (
    BodyError,
    Deadline,
    GuardedBackend,
    decode_body,
    describe_error,
)
from upcycle_news.feeds.results import (
    Deferred,
    Failed,
    Fetched,
    FetchLimits,
    FetchResult,
    NotModified,
    Validators,
    status_reason,
)
from upcycle_news.models import Feed
from upcycle_news.text.urls import BadLinkError, safe_link

__all__ = [
    "Failed", "FetchLimits", "FetchResult", "Fetched", "NotModified", "Validators", "Waiting",
    "fetch_feeds", "stream_feeds",
]  # fmt: skip

Made = TypeVar("Made")
ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.5"
)
# A host's wish bars all of its feeds, so it is honoured for a day, not for ever.
MAX_RETRY_AFTER = timedelta(days=1)
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

    Like `stream_feeds`, for few feeds: all bodies are held at once.
    """
    wanted = [feed for feed in feeds if feed.active]
    found = {
        result.feed.url: result
        for result in stream_feeds(
            wanted,
            validators,
            lambda result: result,
            user_agent=user_agent,
            allow_private=allow_private,
            now=now,
            limits=limits,
        )
    }
    return [found[feed.url] for feed in wanted]


def stream_feeds(
    feeds: Sequence[Feed],
    validators: Mapping[str, Validators],
    then: Callable[[FetchResult], Made],
    *,
    user_agent: str,
    allow_private: bool,
    now: datetime,
    limits: FetchLimits | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Iterator[Made]:
    """Fetch `feeds` and yield what `then` makes of each result, as they come; no feed raises.

    Hosts are asked in parallel, one host's feeds one after the other; `then` runs in their
    threads. Few bodies are held at a time, because who takes them slowly is waited for.
    `validators`, and in `addresses` where a feed moved to, are kept by `Feed.url`.
    """
    addresses = addresses or {}
    fetcher = _Fetcher(user_agent, allow_private, now, limits or FetchLimits())
    hosts: dict[str, list[Feed]] = defaultdict(list)
    for feed in feeds:
        hosts[host_of(addresses.get(feed.url) or feed.url)].append(feed)

    def ask(group: list[Feed]) -> Iterator[Made]:
        until: datetime | None = None
        for feed in group:
            if until is not None:
                yield then(Deferred(feed, now, until))
                continue
            result = fetcher.fetch(
                feed, validators.get(feed.url, Validators()), addresses.get(feed.url) or feed.url
            )
            until = result.retry_after if isinstance(result, Failed) else None
            yield then(result)

    return run_in_threads(list(hosts.values()), ask, fetcher.limits.threads)


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

    def redirect(self, response: _Reply) -> None:
        try:
            self.url = safe_link(response.headers.get("location", ""), self.url).partition("#")[0]
        except BadLinkError as error:
            raise _RefusedError(
                f"it is redirected to where we cannot go: {error}".replace(
                    "its link", "the target"
                ),
                response.status,
            ) from None
        self.permanent = self.permanent and response.status in _PERMANENT
        if self.permanent:
            self.moved_to = self.url


class _Fetcher:
    """What all requests of one collection share."""

    def __init__(
        self, user_agent: str, allow_private: bool, now: datetime, limits: FetchLimits
    ) -> None:
        self.limits = limits
        self._headers = {
            "User-Agent": user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "Connection": "close",
        }
        self._allow_private = allow_private
        self._now = now
        self._hosts = HostThrottle(limits.spacing_seconds)

    def fetch(self, feed: Feed, known: Validators, address: str) -> Fetched | NotModified | Failed:
        """Fetch one feed from `address`; what goes wrong becomes a `Failed`."""
        trip = _Trip(address, Deadline(self.limits.seconds))
        try:
            return self._follow(feed, known, trip)
        except _RefusedError as refusal:
            reason, status, retry_after = str(refusal), refusal.status, refusal.retry_after
        except Exception as error:
            reason, status, retry_after = describe_error(error, self.limits.seconds), None, None
        return Failed(feed, self._now, trip.url, reason, status, retry_after, trip.moved_to)

    def _follow(self, feed: Feed, known: Validators, trip: _Trip) -> Fetched | NotModified | Failed:
        for _ in range(self.limits.redirects + 1):
            with self._hosts.slot(trip.url):
                # Waiting for one's turn is not the server's fault.
                trip.deadline.restart_once()
                with self._asked(trip, known) as response:
                    if response.status not in _REDIRECTS:
                        return self._result(feed, known, trip, response)
                    trip.redirect(response)
        raise _RefusedError(f"it is redirected more than {self.limits.redirects} times")

    @contextmanager
    def _asked(self, trip: _Trip, known: Validators) -> Iterator[_Reply]:
        """One request over a connection of its own."""
        seconds = dict.fromkeys(("connect", "read", "write", "pool"), self.limits.wait_seconds)
        backend = GuardedBackend(trip.deadline, allow_private=self._allow_private)
        with (
            httpcore.ConnectionPool(
                ssl_context=_tls() if trip.url.startswith("https:") else _NO_TLS,
                network_backend=backend,
            ) as pool,
            pool.stream(
                "GET",
                trip.url,
                headers=list({**self._headers, **_conditions(known)}.items()),
                extensions={"timeout": seconds},
            ) as answer,
        ):
            yield _Reply(answer)

    def _result(
        self, feed: Feed, known: Validators, trip: _Trip, response: _Reply
    ) -> Fetched | NotModified:
        status = response.status
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
            # Only these two speak of a time to come back (RFC 9110, 10.2.3; RFC 6585, 4).
            until = self._retry_after(response) if status in (429, 503) else None
            raise _RefusedError(status_reason(status), status, until)
        body = self._body(response, trip.deadline)
        found = Validators(fresh.etag, fresh.last_modified, hashlib.sha256(body).hexdigest())
        if found.body_hash == known.body_hash:
            return NotModified(feed, self._now, trip.url, status, found, trip.moved_to)
        content_type = response.headers.get("content-type", "")
        return Fetched(feed, self._now, trip.url, status, body, content_type, found, trip.moved_to)

    def _body(self, response: _Reply, deadline: Deadline) -> bytes:
        encoding = response.headers.get("content-encoding", "")

        def chunks() -> Iterator[bytes]:
            for chunk in response.chunks():
                deadline.left()
                yield chunk

        try:
            return decode_body(chunks(), encoding, self.limits.body_bytes)
        except BodyError as error:
            raise _RefusedError(str(error), response.status) from None

    def _retry_after(self, response: _Reply) -> datetime | None:
        """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3), at most a day ahead."""
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


# Never used: a context without certificates, because the pool would load them for http too.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


class _Reply:
    """An answer whose head has arrived: its status, its headers in lower case, its body to come."""

    def __init__(self, answer: httpcore.Response) -> None:
        self.status = answer.status
        self.headers: dict[str, str] = {}
        for name, value in answer.headers:
            self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())
        self.chunks = answer.iter_stream


def _conditions(known: Validators) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _opaque(value: str | None) -> str | None:
    """Keep a validator as it is, unless it could not be sent back."""
    return value if value and re.fullmatch(r"[\x20-\x7e]{1,500}", value) else None
