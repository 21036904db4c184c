"""The state that all connections of one run share: leases, counts, and reasons to wait or to stop."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from upcycle_news.delivery.ports import (
    DeliveryReport,
    Ledger,
    Record,
    SendLimits,
    WaitLimits,
)
from upcycle_news.delivery.relay_backoff import RelayBackoff
from upcycle_news.delivery.retry_policy import RetryPolicy, decide
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.transports.outcomes import Outcome

_GREYLISTING = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
_HEARTBEAT = 30.0  # seconds
# Leases at a time: one commit for many; few until the relay has accepted a message.
_BATCH, _FIRST_BATCH = 250, 10


@dataclass
class DeliveryCounters:
    """Counts verdicts; a delivery that was deferred counts as such until it ends."""

    sent: int = 0
    unknown: int = 0
    rejected: set[int] = field(default_factory=set)
    deferred: set[int] = field(default_factory=set)

    def add(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        """Count one more verdict."""
        self.deferred.discard(claim.delivery)
        match verdict.state:
            case DeliveryState.SENT:
                self.sent += 1
            case DeliveryState.REJECTED:
                self.rejected.add(claim.delivery)
            case DeliveryState.UNKNOWN:
                self.unknown += 1
            case DeliveryState.DEFERRED:
                self.deferred.add(claim.delivery)

    def withdraw(self, deliveries: Set[int]) -> None:
        """Forget what became of deliveries that were queued again."""
        self.rejected -= deliveries
        self.deferred -= deliveries

    def report(self) -> DeliveryReport:
        """Return the counts so far."""
        return DeliveryReport(
            sent=self.sent,
            deferred=len(self.deferred),
            rejected=len(self.rejected),
            unknown=self.unknown,
        )


@dataclass
class RunState:
    """The shared state of one run, used by the run's event loop alone."""

    ledger: Ledger
    policy: RetryPolicy
    wait_limits: WaitLimits
    send_limits: SendLimits
    accepted_before: bool
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    wait: Callable[[float], None]
    stopping: Callable[[], bool]
    progress: Callable[[DeliveryReport], None]

    stopped: str | None = None
    away: LocalizedText | None = None
    relay_gone: bool = False
    error: BaseException | None = None
    finished: bool = False
    waited: float = 0.0
    quota_until: datetime | None = None
    domain_quota_until: datetime | None = None
    next_due: datetime | None = None
    counters: DeliveryCounters = field(default_factory=DeliveryCounters)
    leases: deque[LeasedDelivery] = field(default_factory=deque)
    backoff: RelayBackoff = field(init=False)

    _has_news: bool = False
    _last_heartbeat: datetime | None = None

    def __post_init__(self) -> None:
        """Begin without a back-off."""
        self.backoff = RelayBackoff(self.policy, self.wait_limits)

    # --- the end of the run

    @property
    def ended(self) -> bool:
        """True when no further message may be started."""
        return (
            self.finished
            or self.stopped is not None
            or self.away is not None
            or self.error is not None
            or self.stopping()
        )

    @property
    def single_connection(self) -> bool:
        """True while one connection may send: nothing was accepted yet, or the relay is unstable."""
        return not self.relay_accepts or self.backoff.failures > 1

    @property
    def relay_accepts(self) -> bool:
        """True once the relay has accepted something of this issue."""
        return self.accepted_before or self.counters.sent > 0

    def fail(self, error: BaseException) -> None:
        """End the run because of an error that is not the relay's."""
        self.error = self.error or error

    def close(self) -> DeliveryReport:
        """Release the leases and return the report; raises the error that ended the run."""
        if self.error is not None:
            with suppress(Exception):
                self.release_leases()
            raise self.error
        self.release_leases()
        dues = [at for at in (self.ledger.next_due(), self.next_due) if at is not None]
        return replace(
            self.counters.report(),
            stopped=self.stopped,
            relay_gone=self.relay_gone,
            away=self.away,
            away_since=self.backoff.since if self.away is not None else None,
            next_due=min(dues, default=None),
        )

    # --- leases and the ledger

    def ensure_leases(self) -> bool:
        """Lease more deliveries when none is left; False when there is nothing to send now."""
        if not self.leases:
            limit = _BATCH if self.relay_accepts else _FIRST_BATCH
            self.leases.extend(self.ledger.lease(limit, self.clock()))
        return bool(self.leases)

    def next_lease(self) -> LeasedDelivery | None:
        """Take the next leased delivery; None when there is nothing to send now."""
        return self.leases.popleft() if self.ensure_leases() else None

    def return_lease(self, claim: LeasedDelivery) -> None:
        """Put a leased delivery that was not used back to the front."""
        self.leases.appendleft(claim)

    def release_leases(self) -> None:
        """End all leases that were not used."""
        leases = list(self.leases)
        self.leases.clear()
        self.ledger.release_leases(leases)

    def commit(
        self, records: Sequence[Record], claims: Sequence[LeasedDelivery]
    ) -> Sequence[ClaimResult]:
        """Commit verdicts and claims together; return the ledger's answer to each claim.

        A wave of refusals ends the run: the ledger has stopped the issue.
        """
        results = self.ledger.commit(records, claims, self.clock())
        if (stop := self.ledger.guard_stop) is not None:
            self.stopped = self.stopped or stop.reason
            self.counters.withdraw(stop.deliveries)
        return results

    def return_unsent(self, claim: LeasedDelivery) -> None:
        """Undo a granted claim of which nothing was on the wire."""
        self.ledger.return_unsent(claim, self.clock())

    def handle_denied(self, claim: LeasedDelivery, answer: ClaimResult) -> None:
        """Handle a claim that the ledger did not grant."""
        if answer.status is ClaimStatus.LOST:
            if answer.until is not None:
                self.domain_quota_until = max(self.domain_quota_until or answer.until, answer.until)
            return
        self.return_lease(claim)
        if answer.status is ClaimStatus.ISSUE_HALTED:
            self.finished = True
        else:
            self.quota_until = answer.until

    # --- verdicts

    def verdict(self, claim: LeasedDelivery, outcome: Outcome) -> Verdict:
        """Decide what an outcome means now."""
        return decide(
            outcome,
            attempt=claim.attempt,
            queued_at=claim.queued_at,
            now=self.clock(),
            policy=self.policy,
            jitter=self.jitter(),
        )

    def count(self, claim: LeasedDelivery, verdict: Verdict) -> None:
        """Add a verdict to the report."""
        self.counters.add(claim, verdict)
        self._has_news = True
        if verdict.stop is not None:
            self.stopped = self.stopped or verdict.stop

    def show_news(self) -> None:
        """Hand on the counts so far if there were verdicts since the last time."""
        if self._has_news:
            self.show_progress()

    def show_progress(self) -> None:
        """Hand on the counts so far, and since when the relay is away if it is."""
        self._has_news = False
        since = self.backoff.since if self.backoff.failures > 1 else None
        self.progress(replace(self.counters.report(), away_since=since))

    # --- the relay

    def on_reply(self, verdict: Verdict, epoch: int) -> None:
        """Handle a reply: the relay is there, and may ask for a slower pace.

        With 421 it closes the connection (RFC 5321, section 3.8): one that does so to everybody is
        away. A greylisting one is not: it says so to each recipient once.
        """
        if verdict.code == 421 and not _GREYLISTING.search(verdict.reason):
            why = localized("reason-said", reply=f"421 {verdict.reason}".strip())
            self.on_connection_lost(epoch, why)
        else:
            self.backoff.on_reply(verdict, self.clock())

    def on_connection_lost(self, epoch: int, why: LocalizedText, *, in_body: bool = False) -> None:
        """Handle a connection that broke without a reply, or was closed with 421; `why` is what happened.

        `epoch` is the back-off's when the message began: connections that break together count as
        one failure.
        """
        if epoch != self.backoff.epoch:
            return
        self._on_failure(
            lambda: localized("relay-hangs-up", count=self.backoff.failures, why=why), in_body
        )

    def on_unreachable(self, error: RelayError, *, permanent: bool) -> None:
        """Handle a connection that could not be opened again; if `permanent`, no retry helps."""
        if permanent:
            self.stopped, self.relay_gone = str(error.localized_text), True
        else:
            self._on_failure(lambda: error.localized_text)

    def _on_failure(self, why: Callable[[], LocalizedText], in_body: bool = False) -> None:
        """Back off, or end the run after too many failures in a row."""
        now = self.clock()
        self.backoff.on_failure(now, in_body=in_body)
        if self.backoff.is_exhausted(now):
            self.away, self.relay_gone = why(), True
        elif self.backoff.failures > 1:
            self.show_progress()

    # --- waiting

    def may_send_at(self) -> datetime | None:
        """Return when the next message may go, None for now; ends the run of an expired issue."""
        now = self.clock()
        if self.send_limits.expires_at is not None and now >= self.send_limits.expires_at:
            self.stopped = str(localized("reason-too-old"))
        times = [self.backoff.until(now), self.quota_until, self.send_limits.next_opening(now)]
        later = [at for at in times if at is not None and at > now]
        return max(later, default=None)

    def wait_until(self, at: datetime) -> bool:
        """Wait for a quota, the send window or the relay; False when that takes too long."""
        seconds = (at - self.clock()).total_seconds()
        if not self.backoff.covers(at) and seconds > self._longest_wait:
            self.finished, self.next_due = True, at
            return False
        self.pause(seconds)
        self.backoff.waited_until(at)
        if self.quota_until is not None and self.quota_until <= at:
            self.quota_until = None
        return True

    def wait_for_deferred(self, before_wait: Callable[[datetime], None]) -> bool:
        """Wait until a deferred delivery is due; False when none is, or the wait is too long.

        `before_wait` is called with the time that is waited for.
        """
        due = self.ledger.next_due()
        if due is None:
            return False
        seconds = (due - self.clock()).total_seconds()
        # Due, and yet nothing to lease: another worker has leased it, or the issue is paused.
        seconds = seconds if seconds > 0 else 1.0
        if self.domain_quota_until is not None and due <= self.domain_quota_until:
            if seconds > self._longest_wait:
                return False
        elif self.waited + seconds > self.wait_limits.deferred:
            return False
        else:
            self.waited += seconds
        before_wait(due)
        self.pause(seconds)
        return True

    @property
    def _longest_wait(self) -> float:
        """Seconds to wait at the most for a quota or the send window."""
        return max(self.wait_limits.quota, self.wait_limits.deferred)

    def pause(self, seconds: float) -> None:
        """Wait in short pieces, so that a stop takes effect and heartbeats go on."""
        while seconds > 0 and not self.ended:
            self.send_heartbeat()
            piece = min(seconds, 1.0)
            self.wait(piece)
            seconds -= piece

    def send_heartbeat(self) -> None:
        """Write a heartbeat, at most every half minute; a clock set back does not suppress it."""
        now, last = self.clock(), self._last_heartbeat
        if last is None or abs((now - last).total_seconds()) >= _HEARTBEAT:
            self.ledger.heartbeat(now)
            self._last_heartbeat = now
