"""Fetching feeds over HTTP: the only module of this package that makes outgoing requests.

Politely (conditional requests, one at a time per host, spaced) and carefully (http and https only,
checked addresses on every hop, a cap on decoded bytes, one deadline for the whole request).
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

Output = TypeVar("Output")
ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.5"
)
# Retry-After holds back all feeds of a host, so it is honoured for a day at most.
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
    """Fetch the active ones of `feeds`, in their order.

    `validators` maps `Feed.url` to the validators of the last response. Like `stream_feeds`, for few feeds: all bodies are in memory at once.
    """
    active = [feed for feed in feeds if feed.active]
    results = {
        result.feed.url: result
        for result in stream_feeds(
            active,
            validators,
            lambda result: result,
            user_agent=user_agent,
            allow_private=allow_private,
            now=now,
            limits=limits,
        )
    }
    return [results[feed.url] for feed in active]


def stream_feeds(
    feeds: Sequence[Feed],
    validators: Mapping[str, Validators],
    process: Callable[[FetchResult], Output],
    *,
    user_agent: str,
    allow_private: bool,
    now: datetime,
    limits: FetchLimits | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Iterator[Output]:
    """Fetch `feeds` and yield `process(result)` for each as they come; no feed raises.

    Hosts are requested in parallel, the feeds of a host one after the other; `process` runs in the
    fetching threads. Few bodies are in memory at a time, because the threads wait for the consumer.
    `validators`, and in `addresses` where a feed moved to, are keyed by `Feed.url`.
    """
    addresses = addresses or {}
    fetcher = _Fetcher(user_agent, allow_private, now, limits or FetchLimits())
    hosts: dict[str, list[Feed]] = defaultdict(list)
    for feed in feeds:
        hosts[host_of(addresses.get(feed.url) or feed.url)].append(feed)

    def fetch_host(group: list[Feed]) -> Iterator[Output]:
        until: datetime | None = None
        for feed in group:
            if until is not None:
                yield process(Deferred(feed, now, until))
                continue
            result = fetcher.fetch(
                feed, validators.get(feed.url, Validators()), addresses.get(feed.url) or feed.url
            )
            until = result.retry_after if isinstance(result, Failed) else None
            yield process(result)

    return run_in_threads(list(hosts.values()), fetch_host, fetcher.limits.threads)


class _FetchError(Exception):
    """A feed cannot be fetched; the message is one sentence."""

    def __init__(
        self, reason: str, status: int | None = None, retry_after: datetime | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


@dataclass
class _Exchange:
    """A request and its redirects: the present address, and where permanent redirects led."""

    url: str
    deadline: Deadline
    moved_to: str | None = None
    permanent: bool = True

    def redirect(self, response: _Response) -> None:
        try:
            self.url = safe_link(response.headers.get("location", ""), self.url).partition("#")[0]
        except BadLinkError as error:
            raise _FetchError(
                f"it is redirected to where we cannot go: {error}".replace(
                    "its link", "the target"
                ),
                response.status,
            ) from None
        self.permanent = self.permanent and response.status in _PERMANENT
        if self.permanent:
            self.moved_to = self.url


class _Fetcher:
    """The settings and the throttle that all requests of a collection share."""

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
        self._throttle = HostThrottle(limits.spacing_seconds)

    def fetch(self, feed: Feed, known: Validators, address: str) -> Fetched | NotModified | Failed:
        """Fetch a feed from `address`; every error becomes a `Failed`."""
        exchange = _Exchange(address, Deadline(self.limits.seconds))
        try:
            return self._follow(feed, known, exchange)
        except _FetchError as error:
            reason, status, retry_after = str(error), error.status, error.retry_after
        except Exception as error:
            reason, status, retry_after = describe_error(error, self.limits.seconds), None, None
        return Failed(feed, self._now, exchange.url, reason, status, retry_after, exchange.moved_to)

    def _follow(
        self, feed: Feed, known: Validators, exchange: _Exchange
    ) -> Fetched | NotModified | Failed:
        for _ in range(self.limits.redirects + 1):
            with self._throttle.slot(exchange.url):
                # The wait for the host's slot does not count against the server.
                exchange.deadline.restart_once()
                with self._request(exchange, known) as response:
                    if response.status not in _REDIRECTS:
                        return self._result(feed, known, exchange, response)
                    exchange.redirect(response)
        raise _FetchError(f"it is redirected more than {self.limits.redirects} times")

    @contextmanager
    def _request(self, exchange: _Exchange, known: Validators) -> Iterator[_Response]:
        """Make a request over a connection of its own."""
        seconds = dict.fromkeys(("connect", "read", "write", "pool"), self.limits.wait_seconds)
        backend = GuardedBackend(exchange.deadline, allow_private=self._allow_private)
        with (
            httpcore.ConnectionPool(
                ssl_context=_tls() if exchange.url.startswith("https:") else _NO_TLS,
                network_backend=backend,
            ) as pool,
            pool.stream(
                "GET",
                exchange.url,
                headers=list({**self._headers, **_conditions(known)}.items()),
                extensions={"timeout": seconds},
            ) as response,
        ):
            yield _Response(response)

    def _result(
        self, feed: Feed, known: Validators, exchange: _Exchange, response: _Response
    ) -> Fetched | NotModified:
        status = response.status
        fresh = Validators(
            _usable_validator(response.headers.get("etag")),
            _usable_validator(response.headers.get("last-modified")),
        )
        if status == 304 and (known.etag or known.last_modified):
            # A server may give a new ETag with a 304 (RFC 9110, 15.4.5).
            updated = Validators(
                fresh.etag or known.etag,
                fresh.last_modified or known.last_modified,
                known.body_hash,
            )
            return NotModified(feed, self._now, exchange.url, status, updated, exchange.moved_to)
        if status != 200:
            # Only these two define Retry-After (RFC 9110, 10.2.3; RFC 6585, 4).
            until = self._retry_after(response) if status in (429, 503) else None
            raise _FetchError(status_reason(status), status, until)
        body = self._body(response, exchange.deadline)
        validators = Validators(fresh.etag, fresh.last_modified, hashlib.sha256(body).hexdigest())
        if validators.body_hash == known.body_hash:
            return NotModified(feed, self._now, exchange.url, status, validators, exchange.moved_to)
        content_type = response.headers.get("content-type", "")
        return Fetched(
            feed, self._now, exchange.url, status, body, content_type, validators, exchange.moved_to
        )

    def _body(self, response: _Response, deadline: Deadline) -> bytes:
        encoding = response.headers.get("content-encoding", "")

        def chunks() -> Iterator[bytes]:
            for chunk in response.chunks():
                deadline.remaining()
                yield chunk

        try:
            return decode_body(chunks(), encoding, self.limits.body_bytes)
        except BodyError as error:
            raise _FetchError(str(error), response.status) from None

    def _retry_after(self, response: _Response) -> datetime | None:
        """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3), at most a day ahead."""
        raw = response.headers.get("retry-after", "").strip()
        try:
            if re.fullmatch(r"\d{1,9}", raw, re.ASCII):
                until = self._now + timedelta(seconds=int(raw))
            else:
                until = parsedate_to_datetime(raw)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):
            return None
        return max(self._now, min(until, self._now + MAX_RETRY_AFTER))


# Never used: a context without certificates, because the pool would load them for http too.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


class _Response:
    """A response whose head has arrived: status, headers in lower case, and the body as chunks."""

    def __init__(self, response: httpcore.Response) -> None:
        self.status = response.status
        self.headers: dict[str, str] = {}
        for name, value in response.headers:
            self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())
        self.chunks = response.iter_stream


def _conditions(known: Validators) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _usable_validator(value: str | None) -> str | None:
    """Return a validator unchanged, or None if it could not be sent back in a header."""
    return value if value and re.fullmatch(r"[\x20-\x7e]{1,500}", value) else None
