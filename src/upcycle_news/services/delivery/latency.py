"""A connection with a stopwatch: how long the relay takes for a message, and what it says."""

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

EVERY = timedelta(seconds=30)  # so often the figures of a long send are written down


class LatencyRecorder:
    """The figures of one sender of an issue; `connect` is wrapped, so that each message is timed."""

    def __init__(
        self,
        context: AppContext,
        issue: IssueId,
        relay: str,
        sender: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is written down before the first answer; `clock` in seconds."""
        self.counting = RelayStatsCounter(relay)
        self.clock = clock
        self._room, self._issue, self._sender = context, issue, sender
        self._saved: datetime = context.clock()
        self._news = False

    def timed(self, connect: Callable[[], Transport]) -> Callable[[], Transport]:
        """`connect`, whose connections tell this stopwatch what they hear."""
        return lambda: _Timed(connect(), self)

    def heard(self, outcome: Outcome, seconds: float) -> None:
        """Count an outcome; what never was on the wire says nothing about the relay."""
        if isinstance(outcome, UnsupportedAddress):
            return
        self.counting.add(_answer(outcome), seconds)
        self._news = True
        if self._room.clock() - self._saved >= EVERY:
            self.save()

    def save(self) -> None:
        """Write down what was heard so far, if anything was.

        Figures are no reason to fail: this is called between a relay's answer and its record.
        """
        if not self._news:
            return
        now = self._room.clock()
        told = self.counting.snapshot()
        self._saved, self._news = now, False
        try:
            relay_stats.save(self._room.store, self._issue, self._sender, told, now=now)
        except StoreError as error:
            self._news = True
            log.warning("a relay's figures were not written down", issue=self._issue, why=error)


def _answer(outcome: Outcome) -> RelayReply:
    if isinstance(outcome, Accepted):
        return "accepted"
    if isinstance(outcome, Refused):
        return "deferred" if outcome.reply.code < 500 else "refused"
    return "lost"


class _Timed:
    """A connection that is timed from the beginning of a message to its outcome."""

    def __init__(self, wire: Transport, watch: LatencyRecorder) -> None:
        self._wire, self._watch = wire, watch
        self._began = 0.0
        self.close = wire.close
        self.fileno = wire.fileno

    @property
    def broken(self) -> bool:
        return self._wire.broken

    @property
    def in_body(self) -> bool:
        return self._wire.in_body

    @property
    def writing(self) -> bool:
        return self._wire.writing

    @property
    def deadline(self) -> float:
        return self._wire.deadline

    def begin(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome | None:
        self._began = self._watch.clock()
        return self._told(self._wire.begin(envelope, message))

    def advance(self) -> Outcome | None:
        return self._told(self._wire.advance())

    def expire(self) -> Outcome | None:
        return self._told(self._wire.expire())

    def _told(self, outcome: Outcome | None) -> Outcome | None:
        if outcome is not None:
            self._watch.heard(outcome, self._watch.clock() - self._began)
        return outcome
