"""Bounds for connections: how many, how slowly a request may arrive, and what stalls.

Uvicorn has a time limit for idle connections only. Clients that send a byte now and then would hold
their connections as long as they like, until the process may open no more files.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from upcycle_news.observability.logging import Log

log = Log(__name__)

ACCEPTED_AT_ONCE = 32
"""Connections that the event loop accepts before it looks at them: the backlog that asyncio is told."""

IDLE_SECONDS = 15.0
"""For the first byte of a request, the first one of a connection or a later one."""

STALLED_SECONDS = 30.0
ANSWER_SECONDS = 300.0
"""In which a client has to read the next bytes of an answer, and all of it."""

BYTES_PER_SECOND = 4096
SWEEP_SECONDS = 1.0
REPORT_SECONDS = 60.0

# Files of the store, of pages that are sent and of threads; and connections on their way: accepted and
# not counted yet, or ended and not closed yet.
_OTHER_FILES = 100
_ON_THEIR_WAY = 4 * ACCEPTED_AT_ONCE
_FEWEST = 16
_DIFFERENT_LINES = 1000

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"  # RFC 9110, 15.5.9


def connection_limit(wanted: int) -> int:
    """Return how many connections may be open: `wanted`, or as many as files may be."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    # Two for each: the connection, and the page or picture that is being sent.
    return max(_FEWEST, min(wanted, (soft - _OTHER_FILES - _ON_THEIR_WAY) // 2))


class ConnectionGuard:
    """Knows all connections of a server and ends those that are late, or in the way of new ones."""

    def __init__(
        self, *, limit: int, request_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit` connections may be open; `clock` returns monotonic seconds."""
        self._limit, self._clock = limit, clock
        self.request_seconds = request_seconds
        # In the order in which they began to wait or to send a request: the first one is the oldest.
        self._idle: dict[GuardedProtocol, float] = {}
        self._reading: dict[GuardedProtocol, float] = {}
        self._answered: dict[GuardedProtocol, float] = {}
        self._late = self._dropped = 0
        self._reported_at = clock()

    def protocol(self) -> Any:
        """Return what uvicorn makes protocols with."""
        return partial(GuardedProtocol, self)

    def __len__(self) -> int:
        return len(self._idle) + len(self._reading) + len(self._answered)

    # --- what happens to a connection

    def opened(self, connection: GuardedProtocol) -> None:
        """Take a new connection; the oldest that sends nothing, sends slowly or does not read makes room."""
        self._idle[connection] = self._clock()
        if len(self) <= self._limit:
            return
        self._dropped += 1
        for waiting in (self._reading, self._idle):
            oldest = next(iter(waiting), None)
            if oldest is not None and oldest is not connection:
                oldest.end_reading()
                return
        blocked = next((one for one in self._answered if one.is_blocked()), connection)
        blocked.abort()  # the new one, if every other one is being answered

    def closed(self, connection: GuardedProtocol) -> None:
        """Forget a connection."""
        for connections in (self._idle, self._reading, self._answered):
            connections.pop(connection, None)

    def idle(self, connection: GuardedProtocol) -> None:
        """Note that the next request has not begun."""
        self._move(connection, self._idle)

    def reading(self, connection: GuardedProtocol) -> None:
        """Note that a request has begun and is not there yet."""
        self._move(connection, self._reading)

    def answering(self, connection: GuardedProtocol) -> None:
        """Note that a request is there."""
        self._move(connection, self._answered)

    def _move(self, connection: GuardedProtocol, to: dict[GuardedProtocol, float]) -> None:
        if connection in to:
            return
        self.closed(connection)
        to[connection] = self._clock()

    # --- time

    async def watch(self) -> None:
        """End connections that are late, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """End the connections that are late by now, and log how many since the last time."""
        now = self._clock()
        late = [one for one, since in self._idle.items() if now - since > IDLE_SECONDS]
        slow = [
            one
            for one, since in self._reading.items()
            if now - since > self.request_seconds + one.received / BYTES_PER_SECOND
        ]
        stalled = [one for one, since in self._answered.items() if one.is_stalled(since, now)]
        for one in late:
            one.abort()
        for one in slow:
            one.end_reading()
        for one in stalled:
            one.abort()
        self._late += len(slow) + len(stalled)
        if now - self._reported_at >= REPORT_SECONDS:
            self._report(now)

    def end_reading(self) -> None:
        """End all connections whose request has not arrived."""
        for one in (*self._reading, *self._idle):
            one.end_reading()

    def _report(self, now: float) -> None:
        """Write a line for all of them: a line for each would be the next flood."""
        if self._late or self._dropped:
            log.warning(
                "slow connections ended", late=self._late, dropped=self._dropped, open=len(self)
            )
        self._late = self._dropped = 0
        self._reported_at = now


class GuardedProtocol(H11Protocol):
    """Uvicorn's protocol for HTTP/1.1, which tells a guard what its connection does."""

    def __init__(self, guard: ConnectionGuard, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guard = guard
        self.received = 0
        self._buffered, self._moved_at = 0, 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._guard.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._guard.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        self.received += len(data)
        super().data_received(data)
        self._tell()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._tell()

    def _tell(self) -> None:
        if self.transport.is_closing():
            self._guard.answering(self)  # what is left has to be read
        elif self.conn.their_state is h11.SEND_BODY:
            self._guard.reading(self)
        elif self.conn.their_state is not h11.IDLE:
            self._guard.answering(self)
        elif self.conn.trailing_data[0]:
            self._guard.reading(self)  # a part of the head
        else:
            self.received = 0
            self._guard.idle(self)

    def is_blocked(self) -> bool:
        """Return True while the client leaves a part of the answer unread."""
        return self.transport.get_write_buffer_size() > 0

    def is_stalled(self, since: float, now: float) -> bool:
        """Return True if the client does not read the answer, or too slowly. `since` it may."""
        buffered = self.transport.get_write_buffer_size()
        if not buffered:
            self._moved_at = now
            return False
        if buffered != self._buffered or not self._moved_at:
            self._buffered, self._moved_at = buffered, now
        return now - self._moved_at > STALLED_SECONDS or now - since > ANSWER_SECONDS

    def end_reading(self) -> None:
        """End a connection whose request has not arrived: with 408 if it has begun."""
        self._guard.closed(self)
        has_begun = self.received > 0
        if self.cycle is not None and not self.cycle.response_complete:
            has_begun = has_begun and not self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if has_begun and not self.transport.get_write_buffer_size():
            self.transport.write(_TIMEOUT)
            self.transport.close()
        else:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        self._guard.closed(self)
        self.transport.abort()


class RepeatedLines(logging.Filter):
    """Lets the same line through once a minute: anybody can cause thousands of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        super().__init__()
        self._clock = clock
        self._seen: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for a warning or an error that was written less than a minute ago."""
        if record.levelno <= logging.INFO:
            return True
        now, line = self._clock(), record.getMessage()
        if now - self._seen.get(line, -REPORT_SECONDS) < REPORT_SECONDS:
            return False
        if len(self._seen) >= _DIFFERENT_LINES:
            self._seen.clear()
        self._seen[line] = now
        return True


class LoopErrors:
    """The event loop's own errors, a line a minute: asyncio writes one for each attempt to accept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock, self._written_at = clock, -REPORT_SECONDS

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Write what kind of error it was; its text may name a person."""
        now = self._clock()
        if now - self._written_at < REPORT_SECONDS:
            return
        self._written_at = now
        error = context.get("exception")
        why = type(error).__name__ if error is not None else "no exception"
        if isinstance(error, OSError) and error.strerror:
            why = error.strerror
        log.error("the event loop failed", why=why)
