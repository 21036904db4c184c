"""How long to leave a relay alone that is slow or does not hold a connection. Pure: time is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.delivery.ports import WaitLimits
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.models import DeliveryState, Verdict

_LONGEST_RECONNECT_WAIT = 60.0  # seconds


@dataclass
class RelayBackoff:
    """The back-off of one run. `failures` counts connections in a row that failed or broke.

    `epoch` changes with every failure, so that connections that break together count once.
    """

    policy: RetryPolicy
    wait_limits: WaitLimits
    failures: int = 0
    epoch: int = 0
    _slow_replies: int = 0
    _until: datetime | None = None
    _duration: timedelta = timedelta(0)

    @property
    def exhausted(self) -> bool:
        """True when the relay has failed so often that the run stops."""
        return self.failures >= self.wait_limits.failures

    def on_reply(self, verdict: Verdict, now: datetime) -> None:
        """The relay is there; back off when it asks for a slower pace."""
        self.failures = 0
        if verdict.slow_relay:
            # Several connections that get such a reply at once back off once.
            if self._until is None or self._until <= now:
                self._slow_replies += 1
                self._begin(self.policy.relay_pause(self._slow_replies), now)
        elif verdict.state is DeliveryState.SENT:
            self._slow_replies = 0

    def on_failure(self, now: datetime) -> None:
        """A connection failed. The first in a row costs nothing: relays close long sessions."""
        self.failures += 1
        self.epoch += 1
        if 1 < self.failures < self.wait_limits.failures:
            doubled = self.wait_limits.reconnect * 2.0 ** (self.failures - 2)
            self._begin(min(doubled, _LONGEST_RECONNECT_WAIT), now)

    def until(self, now: datetime) -> datetime | None:
        """Return when the back-off ends; None when there is none."""
        if self._until is not None:  # a clock set back must not make it longer
            self._until = min(self._until, now + self._duration)
        return self._until

    def covers(self, at: datetime) -> bool:
        """True when a wait until `at` is part of the back-off."""
        return self._until is not None and at <= self._until

    def waited_until(self, at: datetime) -> None:
        """End a back-off that was waited out until `at`, whatever the clock shows now."""
        if self._until is not None and self._until <= at:
            self._until = None

    def _begin(self, seconds: float, now: datetime) -> None:
        self._duration = timedelta(seconds=seconds)
        self._until = now + self._duration
