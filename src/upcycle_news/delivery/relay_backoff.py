"""How long to leave a relay alone that is slow or does not hold a connection. Pure: time is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from upcycle_news.delivery.ports import WaitLimits
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.models import DeliveryState, Verdict

_LONGEST_RECONNECT_WAIT = 60.0  # seconds


@dataclass
class RelayBackoff:
    """The back-off of one run. `failures` counts connections in a row that failed or broke.

    `since` is when the first of them did, `lost_bodies` how many broke in a message's body. `epoch`
    changes with every failure, so that connections that break together count once.
    """

    policy: RetryPolicy
    wait_limits: WaitLimits
    failures: int = 0
    lost_bodies: int = 0
    since: datetime | None = None
    epoch: int = 0
    _slow_replies: int = 0
    _until: datetime | None = None
    _duration: timedelta = timedelta(0)

    def is_exhausted(self, now: datetime) -> bool:
        """Return True when the relay has failed so often, and for so long, that the run ends."""
        limits = self.wait_limits
        if self.lost_bodies >= (1 if limits.probing else limits.lost_bodies):
            return True
        return self.failures >= limits.failures and self._seconds_left(now) <= 0

    def _seconds_left(self, now: datetime) -> float:
        waited = timedelta(0) if self.since is None else now - self.since
        return self.wait_limits.relay - waited.total_seconds()

    def on_reply(self, verdict: Verdict, now: datetime) -> None:
        """The relay is there; back off when it asks for a slower pace."""
        self.failures = self.lost_bodies = 0
        self.since = None
        if verdict.state is DeliveryState.SENT and self.wait_limits.probing:
            self.wait_limits = replace(self.wait_limits, probing=False)
        if verdict.slow_relay:
            # Several connections that get such a reply at once back off once.
            if self._until is None or self._until <= now:
                self._slow_replies += 1
                self._begin(self.policy.relay_pause(self._slow_replies), now)
        elif verdict.state is DeliveryState.SENT:
            self._slow_replies = 0

    def on_failure(self, now: datetime, *, in_body: bool = False) -> None:
        """A connection failed. The first in a row costs nothing: relays close long sessions."""
        self.failures += 1
        self.lost_bodies += in_body
        self.epoch += 1
        self.since = self.since or now
        if self.failures > 1 and not self.is_exhausted(now):
            doubled = self.wait_limits.reconnect * 2.0 ** min(self.failures - 2, 40)
            seconds = min(doubled, _LONGEST_RECONNECT_WAIT)
            if self.failures >= self.wait_limits.failures:  # the last try is at the end of the wait
                seconds = min(seconds, self._seconds_left(now))
            self._begin(seconds, now)

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
