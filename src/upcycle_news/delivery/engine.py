"""A ledger whose store may be away for some seconds, as a database is that is started again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from upcycle_news.delivery.event_loop import MessageComposer, SmtpEventLoop
from upcycle_news.delivery.ports import (
    DeliveryReport,
    Ledger,
    Record,
    SendLimits,
    Transport,
    WaitLimits,
)
from upcycle_news.delivery.retry_policy import CanaryGuard, RetryPolicy
from upcycle_news.delivery.session import DeliverySession
from upcycle_news.errors import StoreError
from upcycle_news.models import ClaimResult, LeasedDelivery

_T = TypeVar("_T")
# Seconds between the tries. Well below the relay's patience: the answers of messages that are on
# the wire wait meanwhile, and with them whether they arrived.
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 6.0)


class RetryingLedger:
    """Asks the ledger again before a run gives up; raises `StoreError` when it stays away.

    Every call may come twice: a record for a claim of this run counts the last time, and a mark that
    was committed and not answered is not given again, so that nobody gets two mails.
    """

    def __init__(
        self, ledger: Ledger, wait: Callable[[float], None], stopping: Callable[[], bool]
    ) -> None:
        """`wait` gets seconds; who is `stopping` waits no more."""
        self._ledger, self._wait, self._stopping = ledger, wait, stopping
        self._gave_up = False

    def _ask(self, call: Callable[[], _T]) -> _T:
        for pause in PAUSES:
            try:
                return call()
            except StoreError:
                if self._gave_up or self._stopping():
                    raise
                self._wait(pause)
        self._gave_up = True  # what is tidied up afterwards is tried once
        return call()

    def lease(self, limit: int, now: datetime) -> Sequence[LeasedDelivery]:
        """As `Ledger.lease`."""
        return self._ask(lambda: self._ledger.lease(limit, now))

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """As `Ledger.give_back`."""
        self._ask(lambda: self._ledger.release_leases(claims))

    def commit(
        self, records: Sequence[Record], marks: Sequence[LeasedDelivery], now: datetime
    ) -> Sequence[ClaimResult]:
        """As `Ledger.turn`."""
        return self._ask(lambda: self._ledger.commit(records, marks, now))

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """As `Ledger.release`."""
        self._ask(lambda: self._ledger.return_unsent(claim, now))

    def next_due(self) -> datetime | None:
        """As `Ledger.next_due`."""
        return self._ask(self._ledger.next_due)

    def heartbeat(self, now: datetime) -> None:
        """As `Ledger.heartbeat`."""
        self._ask(lambda: self._ledger.heartbeat(now))


def deliver(
    *,
    ledger: Ledger,
    connect: Callable[[], Transport],
    compose_message: MessageComposer,
    policy: RetryPolicy = RetryPolicy(),
    wait_limits: WaitLimits = WaitLimits(),
    send_limits: SendLimits = SendLimits(),
    canary_guard: CanaryGuard = CanaryGuard(),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    jitter: Callable[[], float] = random.random,
    wait: Callable[[float], None] = time.sleep,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
) -> DeliveryReport:
    """Send what `ledger` has to give, over as many connections as `terms` allow.

    Returns when nothing is left to do now, when `stopping` says so (the messages in flight are
    finished) or when something stops the issue; the rest stays queued. One connection goes first
    until the relay has accepted a message; `first_ten` is ``FirstTen(passed=True)`` once
    something of the issue has been sent. `progress` hears the counts after each verdict. Raises
    what `connect` raises when not even the first connection can be made, and what `compose_for`
    and `ledger` raise; the leases are given back first. A store that is away is asked again for
    some seconds.
    """
    lasting = RetryingLedger(ledger, wait, stopping)
    session = DeliverySession(
        lasting,
        policy,
        wait_limits,
        send_limits,
        canary_guard,
        clock,
        jitter,
        wait,
        stopping,
        progress,
    )
    SmtpEventLoop(session, connect, compose_message).work()
    return session.close()
