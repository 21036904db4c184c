"""Sending an issue: claim, send, record, until nothing is left or something says stop.

The claim is committed before anything goes on the wire and the verdict after it, so a death in
between leaves one delivery in ``sending`` and nobody forgotten. A claim is only ever held while a
connection is open: a death while connecting must not look like a death on the wire.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from upcycle_news.errors import RelayError
from upcycle_news.model import Claim, DeliveryState, Envelope, Verdict
from upcycle_news.postroom.contract import DeliveryReport, Ledger, Patience, Wire
from upcycle_news.postroom.outcomes import (
    CannotCarry,
    LostBeforeBody,
    LostInBody,
    Outcome,
    RelayUnreachable,
)
from upcycle_news.postroom.rules import FirstTen, RetryPolicy, decide

__all__ = ["DeliveryReport", "Ledger", "Patience", "Wire", "deliver"]

_LOST = (LostBeforeBody, LostInBody)
_BEAT = 30.0  # seconds
_IDLE = 5.0  # seconds: a relay that hears nothing for long hangs up, so we do first


def deliver(
    *,
    ledger: Ledger,
    connect: Callable[[], Wire],
    compose_for: Callable[[Claim], tuple[Envelope, bytes]],
    policy: RetryPolicy = RetryPolicy(),
    patience: Patience = Patience(),
    first_ten: FirstTen = FirstTen(),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    jitter: Callable[[], float] = random.random,
    wait: Callable[[float], None] = time.sleep,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
) -> DeliveryReport:
    """Send what `ledger` has to give, over one connection at a time.

    Returns when nothing is left to do now, when `stopping` says so (the message in flight is
    finished) or when something stops the issue; the rest stays queued. `first_ten` is
    ``FirstTen(passed=True)`` once something of the issue has been sent. `progress` hears the
    counts after each verdict. Raises what `connect` raises when not even the first connection
    can be made, and what `compose_for` and `ledger` raise; the claim is given back first.
    """
    run = _Run(
        ledger, connect, compose_for, policy, patience, first_ten,
        clock, jitter, wait, stopping, progress,
    )  # fmt: skip
    return run.go()


@dataclass
class _Run:
    ledger: Ledger
    connect: Callable[[], Wire]
    compose_for: Callable[[Claim], tuple[Envelope, bytes]]
    policy: RetryPolicy
    patience: Patience
    first_ten: FirstTen
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    wait: Callable[[float], None]
    stopping: Callable[[], bool]
    progress: Callable[[DeliveryReport], None]

    wire: Wire | None = None
    connected_once: bool = False
    failures: int = 0
    slow: int = 0
    waited: float = 0.0
    beat: datetime | None = None
    stopped: str | None = None
    counts: DeliveryReport = field(default_factory=DeliveryReport)
    deferred: set[int] = field(default_factory=set)
    withheld: list[tuple[Claim, Verdict]] = field(default_factory=list)

    def go(self) -> DeliveryReport:
        try:
            while self.stopped is None and not self.stopping():
                self._beat()
                claim = self.ledger.claim(self.clock())
                if claim is None:
                    if self._wait_for_deferred():
                        continue
                    self._suppress_withheld()
                    break
                if self.wire is None:
                    self.ledger.release(claim, self.clock())
                    self._open()
                else:
                    self._attempt(self.wire, claim)
        finally:
            self._hang_up()
        due = self.ledger.next_due()
        return replace(self._report(), stopped=self.stopped, next_due=due)

    # --- one delivery

    def _attempt(self, wire: Wire, claim: Claim) -> None:
        outcome: Outcome | None = None
        composed = False
        try:
            envelope, message = self.compose_for(claim)
            composed = True
            outcome = wire.send(envelope, message)
            verdict = self._verdict(claim, outcome)
            self._record(claim, verdict)
        except BaseException:
            # Also Ctrl-C: whatever the ledger can still take down is better than "sending".
            with suppress(Exception):
                if outcome is None and composed and wire.in_body:
                    outcome = LostInBody("the program was interrupted while the message was sent")
                self._save(claim, outcome)
            raise
        self._count(claim, verdict)
        self._mind_the_first_ten(claim, verdict)
        self._mind_the_relay(wire, outcome, verdict)

    def _save(self, claim: Claim, outcome: Outcome | None) -> None:
        """Leave nothing in sending that has an outcome or was not on the wire."""
        if outcome is None:
            self.ledger.release(claim, self.clock())
        else:
            verdict = self._verdict(claim, outcome)
            self.ledger.record(claim, replace(verdict, suppress=False), self.clock())

    def _verdict(self, claim: Claim, outcome: Outcome) -> Verdict:
        return decide(
            outcome,
            attempt=claim.attempt,
            queued_at=claim.queued_at,
            now=self.clock(),
            policy=self.policy,
            jitter=self.jitter(),
        )

    def _record(self, claim: Claim, verdict: Verdict) -> None:
        """Record the verdict; its suppression waits until the first ten allow it."""
        withhold = not self.first_ten.after(verdict).passed
        written = replace(verdict, suppress=False) if withhold else verdict
        self.ledger.record(claim, written, self.clock())

    def _mind_the_first_ten(self, claim: Claim, verdict: Verdict) -> None:
        before, self.first_ten = self.first_ten, self.first_ten.after(verdict)
        self.stopped = verdict.stop
        if self.first_ten.refused > before.refused:
            self.withheld.append((claim, verdict))
        if self.first_ten.all_refused:
            self._take_back(verdict)
        elif self.first_ten.passed:
            self._suppress_withheld()

    def _suppress_withheld(self) -> None:
        """The relay accepts others, or there are no others: the refusals were meant."""
        while self.withheld:
            claim, verdict = self.withheld[0]
            if verdict.suppress:
                self.ledger.record(claim, verdict, self.clock())
            del self.withheld[0]

    def _take_back(self, last: Verdict) -> None:
        """Nobody was accepted: the relay is to blame, so all of them wait for a better day."""
        said = " ".join(part for part in (str(last.code), last.enhanced, last.reason) if part)
        self.stopped = (
            f"the relay refused the first {self.first_ten.refused} readers, the last with "
            f"{said!r}: check the relay, then resume the issue; nobody was suppressed, and they "
            "are queued again"
        )
        for claim, verdict in self.withheld:
            again = replace(verdict, state=DeliveryState.QUEUED, suppress=False)
            self.ledger.record(claim, again, self.clock())
        self.counts = replace(self.counts, rejected=self.counts.rejected - len(self.withheld))
        self.withheld.clear()

    def _count(self, claim: Claim, verdict: Verdict) -> None:
        self.deferred.discard(claim.delivery)
        counts = self.counts
        match verdict.state:
            case DeliveryState.SENT:
                counts = replace(counts, sent=counts.sent + 1)
            case DeliveryState.REJECTED:
                counts = replace(counts, rejected=counts.rejected + 1)
            case DeliveryState.UNKNOWN:
                counts = replace(counts, unknown=counts.unknown + 1)
            case DeliveryState.DEFERRED:
                self.deferred.add(claim.delivery)
        self.counts = counts
        self.progress(self._report())

    def _report(self) -> DeliveryReport:
        return replace(self.counts, deferred=len(self.deferred))

    # --- the relay

    def _open(self) -> None:
        """Connect, or give up after some failures in a row; the first failure of all is raised."""
        while self.wire is None and self.stopped is None and not self.stopping():
            try:
                self.wire = self.connect()
                self.connected_once = True
            except RelayError as error:
                if not self.connected_once:
                    raise
                self.failures += 1
                lasting = not isinstance(error, RelayUnreachable)
                if lasting or self.failures >= self.patience.failures:
                    self.stopped = str(error)
                else:
                    self._pause_after_failure()

    def _mind_the_relay(self, wire: Wire, outcome: Outcome, verdict: Verdict) -> None:
        """Leave a broken connection; slow down for a relay that struggles; stop for a dead one."""
        if wire.broken:
            self._hang_up()
        if isinstance(outcome, _LOST):
            self._after_a_loss(outcome.reason)
        elif not isinstance(outcome, CannotCarry):
            self.failures = 0
        if verdict.slow_relay:
            self.slow += 1
            self._pause(self.policy.relay_pause(self.slow))
        elif verdict.state is DeliveryState.SENT:
            self.slow = 0

    def _after_a_loss(self, reason: str) -> None:
        self.failures += 1
        if self.failures >= self.patience.failures:
            self.stopped = (
                f"{self.failures} connections in a row broke without an answer, the last one: "
                f"{reason}. Everybody who was not reached stays queued: resume the issue when the "
                "relay is well"
            )
        else:
            self._pause_after_failure()

    def _hang_up(self) -> None:
        if self.wire is not None:
            self.wire.close()
            self.wire = None

    # --- waiting

    def _wait_for_deferred(self) -> bool:
        """Wait until a deferred delivery is due, if patience lasts; False when it does not."""
        due = self.ledger.next_due()
        if due is None:
            return False
        seconds = (due - self.clock()).total_seconds()
        # Due, and yet nothing to claim: somebody else is at it, or the issue is paused.
        seconds = seconds if seconds > 0 else 1.0
        if self.waited + seconds > self.patience.deferred:
            return False
        if seconds > _IDLE:
            self._hang_up()
        self.waited += seconds
        self._pause(seconds)
        return True

    def _pause_after_failure(self) -> None:
        """The first failure in a row costs nothing: relays close idle or long sessions."""
        if self.failures > 1:
            self._pause(min(self.patience.reconnect * 2.0 ** (self.failures - 2), 60.0))

    def _beat(self) -> None:
        """Say that we live, but not so often that it costs; a clock set back does not silence us."""
        now = self.clock()
        if self.beat is None or abs((now - self.beat).total_seconds()) >= _BEAT:
            self.ledger.heartbeat(now)
            self.beat = now

    def _pause(self, seconds: float) -> None:
        """Wait in short pieces, so that a stop is heard and the ledger knows we live."""
        while seconds > 0 and not self.stopping():
            self._beat()
            piece = min(seconds, 1.0)
            self.wait(piece)
            seconds -= piece
