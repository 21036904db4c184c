"""A ledger in memory that keeps the contract of `dispatch.Ledger`, and a clock that is set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from upcycle_news.model import Claim, DeliveryState, EmailAddress, Verdict

START = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Time that only passes when somebody waits."""

    now: datetime = START
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass
class Row:
    address: str
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    next_at: datetime | None = None
    verdict: Verdict | None = None


class MemoryLedger:
    def __init__(self, addresses: list[str]) -> None:
        self.rows = {number: Row(address) for number, address in enumerate(addresses, 1)}
        self.suppressed: set[str] = set()
        self.left: set[str] = set()
        self.paused = False
        self.beats = 0
        self.log: list[str] = []

    def claim(self, now: datetime) -> Claim | None:
        if self.paused:
            return None
        for number, row in self.rows.items():
            queued = row.state is DeliveryState.QUEUED
            due = row.state is DeliveryState.DEFERRED and row.next_at and row.next_at <= now
            if not queued and not due:
                continue
            if row.address in self.suppressed:
                row.state = DeliveryState.SUPPRESSED
            elif row.address in self.left:
                row.state = DeliveryState.CANCELLED
            else:
                row.state = DeliveryState.SENDING
                row.attempts += 1
                self.log.append(f"claim {number}")
                return Claim(
                    number, number, EmailAddress(row.address), "", row.attempts, queued_at=START
                )
        return None

    def record(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        row = self.rows[claim.delivery]
        row.state, row.next_at, row.verdict = verdict.state, verdict.next_at, verdict
        if verdict.suppress:
            self.suppressed.add(row.address)
        self.log.append(f"record {claim.delivery} {verdict.state}")

    def release(self, claim: Claim, now: datetime) -> None:
        row = self.rows[claim.delivery]
        row.state, row.attempts = DeliveryState.QUEUED, row.attempts - 1
        self.log.append(f"release {claim.delivery}")

    def next_due(self) -> datetime | None:
        waiting = [row for row in self.rows.values() if row.state is DeliveryState.DEFERRED]
        return min((row.next_at for row in waiting if row.next_at), default=None)

    def heartbeat(self, now: datetime) -> None:
        self.beats += 1

    def states(self) -> dict[str, int]:
        return dict(Counter(str(row.state) for row in self.rows.values()))
