"""Sending an issue: lease, mark, send, record, until nothing is left or something says stop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from upcycle_news.postroom.contract import DeliveryReport, Ledger, Patience, Terms, Wire
from upcycle_news.postroom.desk import Desk
from upcycle_news.postroom.enduring import Enduring
from upcycle_news.postroom.rules import FirstTen, RetryPolicy
from upcycle_news.postroom.switchboard import Compose, Switchboard

__all__ = ["DeliveryReport", "Ledger", "Patience", "Terms", "Wire", "deliver"]


def deliver(
    *,
    ledger: Ledger,
    connect: Callable[[], Wire],
    compose_for: Compose,
    policy: RetryPolicy = RetryPolicy(),
    patience: Patience = Patience(),
    terms: Terms = Terms(),
    first_ten: FirstTen = FirstTen(),
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
    lasting = Enduring(ledger, wait, stopping)
    desk = Desk(
        lasting, policy, patience, terms, first_ten, clock, jitter, wait, stopping, progress
    )
    Switchboard(desk, connect, compose_for).work()
    return desk.close()
