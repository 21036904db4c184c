"""The delivery engine: sends what a ledger leases, over several SMTP connections, by the retry rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from upcycle_news.delivery.event_loop import MessageComposer, SmtpEventLoop
from upcycle_news.delivery.ports import (
    DeliveryReport,
    GuardStop,
    Ledger,
    Record,
    SendLimits,
    Transport,
    WaitLimits,
)
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.delivery.run_state import RunState
from upcycle_news.errors import StoreError
from upcycle_news.models import ClaimResult, LeasedDelivery

_T = TypeVar("_T")
# Seconds between the attempts. Well below the relay's timeout: the replies to messages that are on
# the wire wait meanwhile, and with them whether they arrived.
STORE_RETRY_DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0, 6.0)


def deliver(
    *,
    ledger: Ledger,
    connect: Callable[[], Transport],
    compose_message: MessageComposer,
    policy: RetryPolicy = RetryPolicy(),
    wait_limits: WaitLimits = WaitLimits(),
    send_limits: SendLimits = SendLimits(),
    accepted_before: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    jitter: Callable[[], float] = random.random,
    wait: Callable[[float], None] = time.sleep,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
) -> DeliveryReport:
    """Send what `ledger` leases, over as many connections as `send_limits` allow.

    Returns when nothing is left to do now, when `stopping` returns True (the messages in flight
    are finished) or when something stops the issue; the rest stays queued. One connection goes
    first until the relay has accepted a message, unless `accepted_before`: something of the issue
    has been sent. `progress` gets the counts whenever replies have come in.
    Raises what `connect` raises when not even the first connection can be opened, and what
    `compose_message` and `ledger` raise; the leases are released first. A store that is away is
    tried again for some seconds.
    """
    session = RunState(
        RetryingLedger(ledger, wait, stopping),
        policy,
        wait_limits,
        send_limits,
        accepted_before,
        clock,
        jitter,
        wait,
        stopping,
        progress,
    )
    SmtpEventLoop(session, connect, compose_message).run()
    return session.close()


class RetryingLedger:
    """A ledger whose store may be away for some seconds, as during a restart of the database.

    Raises `StoreError` when it stays away. Every call may be repeated: a verdict recorded twice for
    a delivery of this run counts once, and a claim that was committed without an answer is undone
    first, so that its delivery does not stay in ``sending`` without a mail on the wire.
    """

    def __init__(
        self, ledger: Ledger, wait: Callable[[float], None], stopping: Callable[[], bool]
    ) -> None:
        """`wait` takes seconds; once `stopping` returns True nothing is waited for."""
        self._ledger, self._wait, self._stopping = ledger, wait, stopping
        self._gave_up = False

    @property
    def guard_stop(self) -> GuardStop | None:
        """As `Ledger.guard_stop`."""
        return self._ledger.guard_stop

    def _retry(self, call: Callable[[], _T]) -> _T:
        for delay in STORE_RETRY_DELAYS:
            try:
                return call()
            except StoreError:
                if self._gave_up or self._stopping():
                    raise
                self._wait(delay)
        self._gave_up = True  # the calls that clean up afterwards are tried once
        return call()

    def lease(self, limit: int, now: datetime) -> Sequence[LeasedDelivery]:
        """As `Ledger.lease`."""
        return self._retry(lambda: self._ledger.lease(limit, now))

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """As `Ledger.release_leases`."""
        self._retry(lambda: self._ledger.release_leases(claims))

    def commit(
        self, records: Sequence[Record], claims: Sequence[LeasedDelivery], now: datetime
    ) -> Sequence[ClaimResult]:
        """As `Ledger.commit`. What is claimed here has not been sent, whatever came of a commit before."""
        repeated = False

        def commit() -> Sequence[ClaimResult]:
            nonlocal repeated
            if repeated:
                for claim in claims:
                    self._ledger.return_unsent(claim, now)
            repeated = True
            return self._ledger.commit(records, claims, now)

        return self._retry(commit)

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """As `Ledger.return_unsent`."""
        self._retry(lambda: self._ledger.return_unsent(claim, now))

    def next_due(self) -> datetime | None:
        """As `Ledger.next_due`."""
        return self._retry(self._ledger.next_due)

    def heartbeat(self, now: datetime) -> None:
        """As `Ledger.heartbeat`."""
        self._retry(lambda: self._ledger.heartbeat(now))
