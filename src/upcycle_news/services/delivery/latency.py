"""Record how a relay replies to each message, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import Transport
from upcycle_news.errors import StoreError
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import Envelope, IssueId
from upcycle_news.models.relay_stats import RelayReply, RelayStatsCounter
from upcycle_news.observability.logging import Log
from upcycle_news.storage import relay_stats
from upcycle_news.transports.outcomes import (
    Accepted,
    Outcome,
    Refused,
    UnsupportedAddress,
)

log = Log(__name__)

SAVE_INTERVAL = timedelta(seconds=30)  # during a long send


class LatencyRecorder:
    """The relay statistics of one worker of an issue."""

    def __init__(
        self,
        context: AppContext,
        issue: IssueId,
        relay: str,
        worker: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is saved before the first reply; `clock` returns seconds."""
        self.clock = clock
        self._context, self._issue, self._worker = context, issue, worker
        self._counter = RelayStatsCounter(relay)
        self._saved_at: datetime = context.clock()
        self._unsaved = False

    def instrument(self, connect: Callable[[], Transport]) -> Callable[[], Transport]:
        """Return `connect` with each message over its connections timed and recorded."""
        return lambda: _InstrumentedTransport(connect(), self)

    def record(self, outcome: Outcome, seconds: float) -> None:
        """Count an outcome; a message that never was on the wire says nothing about the relay."""
        if isinstance(outcome, UnsupportedAddress):
            return
        self._counter.add(_relay_reply(outcome), seconds)
        self._unsaved = True
        if self._context.clock() - self._saved_at >= SAVE_INTERVAL:
            self.save()

    def save(self) -> None:
        """Save the statistics so far, unless nothing has been recorded since the last time.

        Statistics are no reason to fail: this is called between a relay's reply and its record.
        """
        if not self._unsaved:
            return
        now = self._context.clock()
        stats = self._counter.snapshot()
        self._saved_at, self._unsaved = now, False
        try:
            relay_stats.save(self._context.store, self._issue, self._worker, stats, now=now)
        except StoreError as error:
            self._unsaved = True
            log.warning("relay statistics not saved", issue=self._issue, why=error)


def _relay_reply(outcome: Outcome) -> RelayReply:
    if isinstance(outcome, Accepted):
        return "accepted"
    if isinstance(outcome, Refused):
        return "deferred" if outcome.reply.code < 500 else "refused"
    return "lost"


class _InstrumentedTransport:
    """A connection that is timed from the beginning of a message to its outcome."""

    def __init__(self, transport: Transport, recorder: LatencyRecorder) -> None:
        self._transport, self._recorder = transport, recorder
        self._started_at = 0.0
        self.close = transport.close
        self.fileno = transport.fileno

    @property
    def broken(self) -> bool:
        return self._transport.broken

    @property
    def in_body(self) -> bool:
        return self._transport.in_body

    @property
    def errors(self) -> int:
        return self._transport.errors

    @property
    def writing(self) -> bool:
        return self._transport.writing

    @property
    def deadline(self) -> float:
        return self._transport.deadline

    def begin(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome | None:
        self._started_at = self._recorder.clock()
        return self._recorded(self._transport.begin(envelope, message))

    def advance(self) -> Outcome | None:
        return self._recorded(self._transport.advance())

    def expire(self) -> Outcome | None:
        return self._recorded(self._transport.expire())

    def _recorded(self, outcome: Outcome | None) -> Outcome | None:
        if outcome is not None:
            self._recorder.record(outcome, self._recorder.clock() - self._started_at)
        return outcome
