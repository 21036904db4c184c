"""Fetching feeds over HTTP: the only module of this package that makes outgoing requests.

Politely (conditional requests, one at a time per host, spaced) and carefully (http and https only,
checked addresses on every hop, a cap on decoded bytes, one deadline for the whole request).
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

import httpcore

from upcycle_news.feeds.cookies import RedirectCookies
from upcycle_news.feeds.host_throttle import HostThrottle, host_of, run_in_threads
from upcycle_news.feeds.http_body import BodyError, decode_body
from upcycle_news.feeds.http_response import Response, ResponseError
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
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Feed
from upcycle_news.text.private_hosts import PrivateAccess
from upcycle_news.text.urls import BadLinkError, safe_link
from upcycle_news.transports.http_guard import Deadline, GuardedBackend, describe_error

Output = TypeVar("Output")
ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.5"
)
# Retry-After holds back all feeds of a host, so it is honoured for a day at most.
MAX_RETRY_AFTER = timedelta(days=1)
_OK = {200, 203}  # 203: a 200 that a proxy changed (RFC 9110, 15.3.4)
_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}


def fetch_feeds(
    feeds: Sequence[Feed],
    validators: Mapping[str, Validators],
    *,
    user_agent: str,
    allow_private: bool | Collection[str],
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
    allow_private: bool | Collection[str],
    now: datetime,
    limits: FetchLimits | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Iterator[Output]:
    """Fetch `feeds` and yield `process(result)` for each as they come; no feed raises.

    Hosts are requested in parallel, the feeds of a host one after the other; `process` runs in the
    fetching threads. Few bodies are in memory at a time, because the threads wait for the consumer.
    `validators`, and in `addresses` where a feed moved to, are keyed by `Feed.url`. `allow_private` are
    the hosts and networks of one's own that may be asked, True for all (`PrivateAccess.parse`).
    """
    addresses = addresses or {}
    access = PrivateAccess.parse(allow_private)
    fetcher = _Fetcher(user_agent, access, now, limits or FetchLimits())
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
        self,
        reason: LocalizedText | str,
        status: int | None = None,
        retry_after: datetime | None = None,
    ) -> None:
        super().__init__(str(reason))
        self.status = status
        self.retry_after = retry_after


@dataclass
class _Exchange:
    """A request and its redirects: the present address, where permanent ones led, and their cookies."""

    url: str
    deadline: Deadline
    moved_to: str | None = None
    permanent: bool = True
    cookies: RedirectCookies = field(default_factory=RedirectCookies)

    def redirect(self, response: Response) -> None:
        location = response.head.first("location")
        if not location:
            raise _FetchError(localized("redirect-nowhere"), response.status)
        self.cookies.store(self.url, response.head.fields.get("set-cookie", ()))
        try:
            self.url = safe_link(_location(location), self.url).partition("#")[0]
        except BadLinkError as error:
            reason = localized("redirect-unusable", reason=error.about(localized("href-target")))
            raise _FetchError(reason, response.status) from None
        self.permanent = self.permanent and response.status in _PERMANENT
        if self.permanent:
            self.moved_to = self.url


class _Fetcher:
    """The settings and the throttle that all requests of a collection share."""

    def __init__(
        self, user_agent: str, access: PrivateAccess, now: datetime, limits: FetchLimits
    ) -> None:
        self.limits = limits
        self._headers = {
            "User-Agent": user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "Connection": "close",
        }
        self._access = access
        self._now = now
        self._throttle = HostThrottle(limits.spacing_seconds)

    def fetch(self, feed: Feed, known: Validators, address: str) -> Fetched | NotModified | Failed:
        """Fetch a feed from `address`; every error becomes a `Failed`."""
        exchange = _Exchange(address, Deadline(self.limits.seconds))
        try:
            return self._follow(feed, known, exchange)
        except _FetchError as error:
            reason, status, retry_after = str(error), error.status, error.retry_after
        except ResponseError as error:
            reason, status, retry_after = str(error), None, None
        except Exception as error:
            reason = str(describe_error(error, self.limits.seconds))
            status, retry_after = None, None
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
        raise _FetchError(localized("redirect-many", count=self.limits.redirects))

    @contextmanager
    def _request(self, exchange: _Exchange, known: Validators) -> Iterator[Response]:
        """Make a request over a connection of its own."""
        seconds = self.limits.wait_seconds
        try:
            url = urlsplit(exchange.url)
            host, secure = url.hostname or "", url.scheme == "https"
            port = url.port or (443 if secure else 80)
        except ValueError:
            raise _FetchError(localized("fetch-address")) from None
        headers = {
            "Host": url.netloc.rpartition("@")[2],
            **self._headers,
            **_conditions(known),
            "Cookie": exchange.cookies.header(exchange.url),
        }
        target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
        request = _request_bytes(target, headers)
        backend = GuardedBackend(exchange.deadline, self._access)
        stream = backend.connect_tcp(host, port, timeout=seconds)
        try:
            if secure:
                stream = stream.start_tls(_tls(), host.rstrip("."), seconds)
            stream.write(request, seconds)
            yield Response(lambda: stream.read(1 << 16, seconds))
        finally:
            stream.close()

    def _result(
        self, feed: Feed, known: Validators, exchange: _Exchange, response: Response
    ) -> Fetched | NotModified:
        status = response.status
        fresh = Validators(
            _usable_validator(response.head.text("etag")),
            _usable_validator(response.head.text("last-modified")),
        )
        if status == 304 and (known.etag or known.last_modified):
            # A server may give a new ETag with a 304 (RFC 9110, 15.4.5).
            updated = Validators(
                fresh.etag or known.etag,
                fresh.last_modified or known.last_modified,
                known.body_hash,
            )
            return NotModified(feed, self._now, exchange.url, status, updated, exchange.moved_to)
        if status not in _OK:
            # Only these two define Retry-After (RFC 9110, 10.2.3; RFC 6585, 4).
            until = self._retry_after(response) if status in (429, 503) else None
            raise _FetchError(status_reason(status), status, until)
        body = self._body(response, exchange.deadline)
        validators = Validators(fresh.etag, fresh.last_modified, hashlib.sha256(body).hexdigest())
        if validators.body_hash == known.body_hash:
            return NotModified(feed, self._now, exchange.url, status, validators, exchange.moved_to)
        content_type = response.head.text("content-type")
        return Fetched(
            feed, self._now, exchange.url, status, body, content_type, validators, exchange.moved_to
        )

    def _body(self, response: Response, deadline: Deadline) -> bytes:
        def chunks() -> Iterator[bytes]:
            for chunk in response.body():
                deadline.remaining()
                yield chunk

        try:
            codings = response.head.members("content-encoding")
            return decode_body(chunks(), codings, self.limits.body_bytes)
        except BodyError as error:
            raise _FetchError(str(error), response.status) from None

    def _retry_after(self, response: Response) -> datetime | None:
        """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3), at most a day ahead."""
        raw = response.head.text("retry-after").strip()
        try:
            if re.fullmatch(r"\d{1,9}", raw, re.ASCII):
                until = self._now + timedelta(seconds=int(raw))
            else:
                until = parsedate_to_datetime(raw)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):
            return None
        return max(self._now, min(until, self._now + MAX_RETRY_AFTER))


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


def _request_bytes(target: str, headers: Mapping[str, str]) -> bytes:
    """Write a request; what is not ASCII or would begin another line is no address of ours."""
    lines = [
        f"GET {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items() if value),
    ]
    if not re.fullmatch(r"[!-~]+", target) or any(re.search(r"[\r\n\0]", line) for line in lines):
        raise _FetchError(localized("fetch-address"))
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1", "replace")


def _location(value: bytes) -> str:
    """Return a Location as browsers read it (WHATWG URL).

    What is not UTF-8 is percent-encoded byte by byte; a backslash in host or path is a slash.
    """
    text = value.decode("utf-8", "surrogateescape")
    text = re.sub(r"^[^?#]*", lambda match: match[0].replace("\\", "/"), text)
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)


def _conditions(known: Validators) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _usable_validator(value: str | None) -> str | None:
    """Return a validator unchanged, or None if it could not be sent back in a header."""
    return value if value and re.fullmatch(r"[\x20-\x7e]{1,500}", value) else None
