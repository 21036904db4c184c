"""What the connections of one run share: the leases, the counts, and every reason to wait or stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from upcycle_news.delivery.ports import (
    DeliveryReport,
    Ledger,
    Record,
    SendLimits,
    WaitLimits,
)
from upcycle_news.delivery.retry_policy import CanaryGuard, RetryPolicy, decide
from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.transports.outcomes import Outcome


@dataclass
class DeliveryCounters:
    """Counts verdicts; a delivery that was deferred counts as such until it ends."""

    sent: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: set[int] = field(default_factory=set)

    def add(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        """Count one more verdict."""
        self.deferred.discard(claim.delivery)
        match verdict.state:
            case DeliveryState.SENT:
                self.sent += 1
            case DeliveryState.REJECTED:
                self.rejected += 1
            case DeliveryState.UNKNOWN:
                self.unknown += 1
            case DeliveryState.DEFERRED:
                self.deferred.add(claim.delivery)

    def take_back(self, rejected: int) -> None:
        """So many were not rejected after all."""
        self.rejected -= rejected

    def report(self) -> DeliveryReport:
        """The counts so far."""
        return DeliveryReport(
            sent=self.sent,
            deferred=len(self.deferred),
            rejected=self.rejected,
            unknown=self.unknown,
        )


_BEAT = 30.0  # seconds
_BATCH, _FEW = 100, 10  # leases at a time: one commit for many; few while the first ten are out


@dataclass
class DeliverySession:
    """One for a run, used by its switchboard alone."""

    ledger: Ledger
    policy: RetryPolicy
    wait_limits: WaitLimits
    send_limits: SendLimits
    canary_guard: CanaryGuard
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    wait: Callable[[float], None]
    stopping: Callable[[], bool]
    progress: Callable[[DeliveryReport], None]

    stopped: str | None = None
    relay_gone: bool = False
    error: BaseException | None = None
    failures: int = 0
    epoch: int = 0
    slow: int = 0
    waited: float = 0.0
    quiet_until: datetime | None = None
    closed_until: datetime | None = None
    aside_until: datetime | None = None
    over: bool = False
    next_due: datetime | None = None
    counters: DeliveryCounters = field(default_factory=DeliveryCounters)
    leases: deque[LeasedDelivery] = field(default_factory=deque)
    withheld: list[Record] = field(default_factory=list)

    _beaten: datetime | None = None
    _quiet_for: timedelta = timedelta(0)

    # --- going on

    @property
    def ended(self) -> bool:
        """Whether nobody may begin another message."""
        return self.over or self.stopped is not None or self.error is not None or self.stopping()

    @property
    def alone(self) -> bool:
        """Whether only one connection may send: nobody was accepted yet, or the relay staggers."""
        return not self.canary_guard.passed or self.failures > 1

    def fail(self, error: BaseException) -> None:
        """Something broke that is not the relay: everybody ends."""
        self.error = self.error or error

    def anything(self) -> bool:
        """Whether there is anything to send now; leases more when nothing is left."""
        if not self.leases:
            limit = _BATCH if self.canary_guard.passed else _FEW
            self.leases.extend(self.ledger.lease(limit, self.clock()))
        return bool(self.leases)

    def take(self) -> LeasedDelivery | None:
        """The next leased delivery; None when there is nothing to be had now."""
        return self.leases.popleft() if self.anything() else None

    def put_back(self, claim: LeasedDelivery) -> None:
        """It was taken and not used."""
        self.leases.appendleft(claim)

    def release_leases(self) -> None:
        """End all leases."""
        leases = list(self.leases)
        self.leases.clear()
        self.ledger.release_leases(leases)

    def commit(
        self, records: Sequence[Record], marks: Sequence[LeasedDelivery]
    ) -> Sequence[ClaimResult]:
        """Commit verdicts and marks together; the marks' answers."""
        return self.ledger.commit(records, marks, self.clock())

    def return_unsent(self, claim: LeasedDelivery) -> None:
        """It was marked, and nothing of it was on the wire."""
        self.ledger.return_unsent(claim, self.clock())

    def told_no(self, claim: LeasedDelivery, answer: ClaimResult) -> None:
        """The ledger did not let a delivery go."""
        if answer.status is ClaimStatus.LOST:
            if answer.until is not None:
                self.aside_until = max(self.aside_until or answer.until, answer.until)
            return
        self.put_back(claim)
        if answer.status is ClaimStatus.ISSUE_HALTED:
            self.over = True
        else:
            self.closed_until = answer.until

    # --- verdicts

    def verdict(self, claim: LeasedDelivery, outcome: Outcome) -> Verdict:
        """What an outcome means now."""
        return decide(
            outcome,
            attempt=claim.attempt,
            queued_at=claim.queued_at,
            now=self.clock(),
            policy=self.policy,
            jitter=self.jitter(),
        )

    def written(self, verdict: Verdict) -> Verdict:
        """The verdict as it is recorded: suppressions wait until the first ten allow them."""
        if not verdict.suppress or self.canary_guard.after(verdict).passed:
            return verdict
        return replace(verdict, suppress=False)

    def count(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        """Add a verdict to the report."""
        self.counters.add(claim, verdict)
        if verdict.stop is not None:
            self.stopped = self.stopped or verdict.stop
        self.progress(self.counters.report())

    def mind_the_first_ten(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        """Stop when nobody is accepted, and suppress the refused as soon as somebody is."""
        before, self.canary_guard = self.canary_guard, self.canary_guard.after(verdict)
        if self.canary_guard.refused > before.refused:
            self.withheld.append((claim, verdict))
        if self.canary_guard.all_refused:
            self._take_back(verdict)
        elif self.canary_guard.passed and self.withheld:
            self.suppress_withheld()

    def suppress_withheld(self) -> None:
        """The relay accepts others, or there are no others: the refusals were meant."""
        self.commit([record for record in self.withheld if record[1].suppress], [])
        self.withheld.clear()

    def _take_back(self, last: Verdict) -> None:
        """Nobody was accepted: the relay is to blame, so all of them wait for a better day."""
        said = " ".join(part for part in (str(last.code), last.enhanced, last.reason) if part)
        self.stopped = (
            f"the relay refused the first {self.canary_guard.refused} readers, the last with "
            f"{said!r}: check the relay, then resume the issue; nobody was suppressed, and they "
            "are queued again"
        )
        again = [
            (claim, replace(verdict, state=DeliveryState.QUEUED, suppress=False))
            for claim, verdict in self.withheld
        ]
        self.commit(again, [])
        self.counters.take_back(len(self.withheld))
        self.withheld.clear()

    # --- the relay

    def answered(self, verdict: Verdict) -> None:
        """The relay is there; slow down for one that struggles."""
        self.failures = 0
        if verdict.slow_relay:
            # Several connections that hear it at once are told it once.
            if self.quiet_until is None or self.quiet_until <= self.clock():
                self.slow += 1
                self._be_quiet(self.policy.relay_pause(self.slow))
        elif verdict.state is DeliveryState.SENT:
            self.slow = 0

    def lost(self, reason: str, epoch: int) -> None:
        """A connection broke without an answer; `epoch` is that of the message's beginning.

        Connections that break together count as one failure.
        """
        if epoch != self.epoch:
            return
        self._failed()
        if self.failures >= self.wait_limits.failures:
            self.stopped = (
                f"{self.failures} connections in a row broke without an answer, the last one: "
                f"{reason}. Everybody who was not reached stays queued: resume the issue when "
                "the relay is well"
            )
            self.relay_gone = True

    def unreachable(self, sentence: str, lasting: bool) -> None:
        """A connection could not be opened again."""
        self._failed()
        if lasting or self.failures >= self.wait_limits.failures:
            self.stopped, self.relay_gone = sentence, True

    def _failed(self) -> None:
        """The first failure in a row costs nothing: relays close idle or long sessions."""
        self.failures += 1
        self.epoch += 1
        if 1 < self.failures < self.wait_limits.failures:
            self._be_quiet(min(self.wait_limits.reconnect * 2.0 ** (self.failures - 2), 60.0))

    def _be_quiet(self, seconds: float) -> None:
        self._quiet_for = timedelta(seconds=seconds)
        self.quiet_until = self.clock() + self._quiet_for

    # --- waiting

    def may_send_at(self) -> datetime | None:
        """When the next message may go; None when it may go now. Ends the run when it is late."""
        now = self.clock()
        if self.send_limits.expires_at is not None and now >= self.send_limits.expires_at:
            self.stopped = (
                "the issue has become too old to be sent (retry.max_lateness_hours): cancel it, "
                "or allow more and resume it"
            )
        if self.quiet_until is not None:  # a clock set back must not make a pause longer
            self.quiet_until = min(self.quiet_until, now + self._quiet_for)
        times = [self.quiet_until, self.closed_until, self.send_limits.next_opening(now)]
        later = [at for at in times if at is not None and at > now]
        return max(later, default=None)

    def wait_until(self, at: datetime) -> bool:
        """Wait for a quota, the window or a relay that struggles; False when that takes too long."""
        seconds = (at - self.clock()).total_seconds()
        relay = self.quiet_until is not None and at <= self.quiet_until
        if not relay and seconds > max(self.wait_limits.quota, self.wait_limits.deferred):
            self.over, self.next_due = True, at
            return False
        self.pause(seconds)
        if self.quiet_until is not None and self.quiet_until <= at:
            self.quiet_until = None  # waited out, whatever the clock says now
        if self.closed_until is not None and self.closed_until <= at:
            self.closed_until = None
        return True

    def wait_for_deferred(self, rest: Callable[[datetime], None]) -> bool:
        """Wait until a deferred delivery is due, if patience lasts; False when it does not.

        `rest` hears until when.
        """
        due = self.ledger.next_due()
        if due is None:
            return False
        seconds = (due - self.clock()).total_seconds()
        # Due, and yet nothing to claim: somebody else is at it, or the issue is paused.
        seconds = seconds if seconds > 0 else 1.0
        if self.aside_until is not None and due <= self.aside_until:
            if seconds > max(self.wait_limits.quota, self.wait_limits.deferred):
                return False
        elif self.waited + seconds > self.wait_limits.deferred:
            return False
        else:
            self.waited += seconds
        rest(due)
        self.pause(seconds)
        return True

    def pause(self, seconds: float) -> None:
        """Wait in short pieces, so that a stop is heard and the ledger knows we live."""
        while seconds > 0 and not self.ended:
            self.beat()
            piece = min(seconds, 1.0)
            self.wait(piece)
            seconds -= piece

    def beat(self) -> None:
        """Say that we live, but not so often that it costs; a clock set back does not silence us."""
        now = self.clock()
        if self._beaten is None or abs((now - self._beaten).total_seconds()) >= _BEAT:
            self.ledger.heartbeat(now)
            self._beaten = now

    def close(self) -> DeliveryReport:
        """Give everything back and say how it went; raises what broke."""
        if self.error is not None:
            with suppress(Exception):
                self.release_leases()
            raise self.error
        self.release_leases()
        if not self.ended and self.withheld:
            self.suppress_withheld()
        dues = [at for at in (self.ledger.next_due(), self.next_due) if at is not None]
        return replace(
            self.counters.report(),
            stopped=self.stopped,
            relay_gone=self.relay_gone,
            next_due=min(dues, default=None),
        )
