"""A ledger in memory that implements `delivery.ports.Ledger`, and a clock that is set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    EmailAddress,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.models.refusal_wave import Outcome, find_wave

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


@dataclass(frozen=True)
class Stop:
    reason: str
    deliveries: frozenset[int]


class MemoryLedger:
    """Stops at a wave in which nothing was accepted; the real rules are tested with the real ledger."""

    def __init__(self, addresses: list[str]) -> None:
        self.guard_stop: Stop | None = None
        self.outcomes: list[Outcome] = []
        self.rows = {number: Row(address) for number, address in enumerate(addresses, 1)}
        self.suppressed: set[str] = set()
        self.left: set[str] = set()
        self.leased: set[int] = set()
        self.paused = False
        self.beats = 0
        self.log: list[str] = []
        self.full_until: datetime | None = None

    def lease(self, limit: int, now: datetime) -> list[LeasedDelivery]:
        if self.paused:
            return []
        numbers = [
            n for n, row in self.rows.items() if self._is_due(row, now) and n not in self.leased
        ]
        numbers = sorted(numbers, key=lambda n: (self.rows[n].attempts, n))[:limit]
        self.leased.update(numbers)
        return [
            LeasedDelivery(n, n, EmailAddress(row.address), "", row.attempts + 1, queued_at=START)
            for n, row in ((n, self.rows[n]) for n in numbers)
        ]

    def _is_due(self, row: Row, now: datetime) -> bool:
        due = row.state is DeliveryState.DEFERRED and row.next_at and row.next_at <= now
        return bool(due) or row.state is DeliveryState.QUEUED

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        self.leased -= {claim.delivery for claim in claims}

    def commit(
        self,
        records: Sequence[tuple[LeasedDelivery, Verdict]],
        marks: Sequence[LeasedDelivery],
        now: datetime,
    ) -> list[ClaimResult]:
        for claim, verdict in records:
            self.record(claim, verdict, now)
        return [self._mark(claim, now) for claim in marks]

    def _mark(self, claim: LeasedDelivery, now: datetime) -> ClaimResult:
        row = self.rows[claim.delivery]
        if self.paused:
            return ClaimResult(ClaimStatus.ISSUE_HALTED)
        if claim.delivery not in self.leased:
            return ClaimResult(ClaimStatus.LOST)
        if row.address in self.suppressed | self.left:
            gone = row.address in self.suppressed
            row.state = DeliveryState.SUPPRESSED if gone else DeliveryState.CANCELLED
            return ClaimResult(ClaimStatus.LOST)
        if self.full_until is not None and now < self.full_until:
            return ClaimResult(ClaimStatus.RATE_LIMITED, self.full_until)
        row.state, row.attempts = DeliveryState.SENDING, row.attempts + 1
        self.log.append(f"mark {claim.delivery}")
        return ClaimResult(ClaimStatus.GRANTED)

    def record(self, claim: LeasedDelivery, verdict: Verdict, now: datetime) -> None:
        row = self.rows[claim.delivery]
        row.state, row.next_at, row.verdict = verdict.state, verdict.next_at, verdict
        self.leased.discard(claim.delivery)
        if verdict.suppress:
            self.suppressed.add(row.address)
        self._guard(claim, verdict)
        self.log.append(f"record {claim.delivery} {verdict.state}")

    def _guard(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        refused = verdict.state is DeliveryState.REJECTED and (verdict.code or 0) >= 500
        if refused or verdict.state is DeliveryState.SENT:
            domain = claim.address.domain if refused else ""
            self.outcomes.insert(0, Outcome(claim.delivery, domain))
        wave = find_wave(self.outcomes) if refused else None
        if wave is not None and wave.unbroken:
            for number in wave.deliveries:
                self.rows[number].state = DeliveryState.QUEUED
                self.suppressed.discard(self.rows[number].address)
            self.guard_stop = Stop(f"the relay refused {wave.refused}", wave.deliveries)
            self.paused = True

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        row = self.rows[claim.delivery]
        if row.state is not DeliveryState.SENDING:
            return  # as in the store: what was not granted keeps its lease
        row.state, row.attempts = DeliveryState.QUEUED, claim.attempt - 1
        self.leased.discard(claim.delivery)
        self.log.append(f"release {claim.delivery}")

    def next_due(self) -> datetime | None:
        waiting = [row for row in self.rows.values() if row.state is DeliveryState.DEFERRED]
        return min((row.next_at for row in waiting if row.next_at), default=None)

    def heartbeat(self, now: datetime) -> None:
        self.beats += 1

    def states(self) -> dict[str, int]:
        return dict(Counter(str(row.state) for row in self.rows.values()))
