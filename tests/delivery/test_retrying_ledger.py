"""A store that is away for a moment, as Postgres is during an update, loses no mail and doubles none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from upcycle_news.delivery.engine import STORE_RETRY_DELAYS
from upcycle_news.delivery.ports import DeliveryReport, SendLimits
from upcycle_news.errors import StoreError
from upcycle_news.models import (
    ClaimResult,
    DeliveryState,
    LeasedDelivery,
    Verdict,
)

from ..transports.bad_relays import MisbehavingRelay
from .memory_ledger import Clock, MemoryLedger
from .test_engine import readers, run


class AwayLedger(MemoryLedger):
    """Its store is away at every `often`th call, for `calls` of them; some are done all the same."""

    def __init__(self, addresses: list[str], *, often: int, calls: int, done: bool) -> None:
        super().__init__(addresses)
        self.often, self.calls, self.done = often, calls, done
        self.asked = self.missing = 0

    def _maybe_away(self) -> bool:
        if self.missing:
            self.missing -= 1
            raise StoreError("store: the connection is lost")
        self.asked += 1
        away = self.asked % self.often == 0
        if away:
            self.missing = self.calls - 1
        return away

    def lease(self, limit: int, now: datetime) -> list[LeasedDelivery]:
        if self._maybe_away():
            raise StoreError("store: the connection is lost")
        return super().lease(limit, now)

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        marks: Sequence[LeasedDelivery],
        now: datetime,
    ) -> list[ClaimResult]:
        away = self._maybe_away()
        if away and not (self.done and not marks):
            raise StoreError("store: the connection is lost")
        answers = super().commit(records, marks, now)
        if away:  # committed, but the answer was lost
            raise StoreError("store: the connection is lost")
        return answers


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("often", [2, 3, 7])
def test_every_subscriber_gets_the_issue_once_though_the_store_fails_now_and_then(
    often: int, done: bool, connections: int
) -> None:
    ledger, clock = AwayLedger(readers(30), often=often, calls=3, done=done), Clock()
    with MisbehavingRelay() as server:
        report = run(ledger, server, clock, send_limits=SendLimits(connections=connections))
    assert report == DeliveryReport(sent=30)
    assert sorted(server.recipients) == sorted(readers(30))
    assert ledger.states() == {str(DeliveryState.SENT): 30}
    assert clock.waits


def test_a_store_that_stays_away_ends_the_run_after_some_seconds() -> None:
    ledger, clock = AwayLedger(readers(5), often=2, calls=10**6, done=False), Clock()
    with MisbehavingRelay() as server, pytest.raises(StoreError):
        run(ledger, server, clock)
    assert clock.waits == list(STORE_RETRY_DELAYS)
    assert server.recipients == []


def test_a_run_that_is_stopping_does_not_wait_for_the_store() -> None:
    ledger, clock = AwayLedger(readers(5), often=2, calls=10**6, done=False), Clock()
    with MisbehavingRelay() as server, pytest.raises(StoreError):
        run(ledger, server, clock, stopping=lambda: ledger.asked > 1)
    assert clock.waits == []
