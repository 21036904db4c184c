"""What an outcome means for a delivery, for the person and for the issue. Pure: time is given.

The question behind every refusal: does it speak of this person, of this delivery alone, or of us?
Whoever gets it wrong in one direction writes to dead addresses for ever, in the other direction
burns a list because of one "554 relay access denied".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from upcycle_news.models import DeliveryState, SmtpReply, Verdict
from upcycle_news.transports.outcomes import (
    Accepted,
    CannotCarry,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    Stage,
)
from upcycle_news.transports.refusal_classes import (
    SLOW_DOWN,
    RefusalClass,
    classify_refusal,
    stop_sentence,
    stops_issue,
)


@dataclass(frozen=True)
class RetryPolicy:
    """When a deferred delivery is tried again and when it is given up.

    The delays double from `first_seconds` to `max_delay`. `give_up_after` counts from the moment
    the delivery was queued, but no delivery is given up at its first attempt.
    """

    first_seconds: float = 60.0
    max_delay: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(hours=24)

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """The pause after the `attempt`-th try (from 1); `jitter` from 0 to 1 adds up to a quarter.

        It only adds: a greylisting relay punishes those who come back too early.
        """
        doubled = self.first_seconds * 2.0 ** min(max(attempt - 1, 0), 40)
        seconds = min(doubled, self.max_delay.total_seconds())
        return timedelta(seconds=seconds * (1 + jitter / 4))

    def relay_pause(self, in_a_row: int) -> float:
        """Seconds to leave the whole relay alone after `in_a_row` replies that ask for slowness.

        Short beside the back-off of each delivery: a greylisting relay answers so to everybody.
        """
        if in_a_row < 1:
            return 0.0
        doubled = self.first_seconds / 600 * 2.0 ** min(in_a_row - 1, 40)
        return float(min(doubled, self.first_seconds / 12))


def decide(
    outcome: Outcome,
    *,
    attempt: int,
    queued_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> Verdict:
    """What `outcome` of the `attempt`-th try (from 1) means."""
    match outcome:
        case Accepted(reply):
            return Verdict(
                DeliveryState.SENT, code=reply.code, enhanced=reply.enhanced, reason=reply.text
            )
        case LostInBody(reason):
            return Verdict(DeliveryState.UNKNOWN, reason=reason)
        case CannotCarry(reason):
            return Verdict(DeliveryState.REJECTED, reason=reason)
        case LostBeforeBody(reason):
            verdict = Verdict(DeliveryState.DEFERRED, reason=reason)
            return _later(verdict, attempt, queued_at, now, policy, jitter)
        case Refused(stage, reply):
            verdict = _told(_refused(stage, reply), reply)
            if verdict.state is DeliveryState.DEFERRED:
                return _later(verdict, attempt, queued_at, now, policy, jitter)
            return verdict


def _refused(stage: Stage, reply: SmtpReply) -> Verdict:
    """Return the verdict on a 4xx or 5xx, without the time of the next try of a deferred delivery.

    A permanent refusal because of a limit, or of us but perhaps by this recipient only, is deferred:
    nothing uncertain is rejected for good, and one recipient's refusal does not stop the issue.
    """
    refusal_class = classify_refusal(stage, reply)
    if reply.code < 500:
        slow = reply.code in SLOW_DOWN or refusal_class is RefusalClass.LIMIT
        return Verdict(DeliveryState.DEFERRED, slow_relay=slow)
    if stops_issue(stage, reply):
        return Verdict(DeliveryState.QUEUED, stop=stop_sentence(stage, reply))
    match refusal_class:
        case RefusalClass.RECIPIENT:
            return Verdict(DeliveryState.REJECTED, suppress=True)
        case RefusalClass.MAILBOX:
            return Verdict(DeliveryState.REJECTED)
        case RefusalClass.UNCLEAR if stage == "rcpt":
            return Verdict(DeliveryState.REJECTED)
        case _:
            return Verdict(DeliveryState.DEFERRED, slow_relay=True)


def _told(verdict: Verdict, reply: SmtpReply) -> Verdict:
    return replace(verdict, code=reply.code, enhanced=reply.enhanced, reason=reply.text)


def _later(
    verdict: Verdict,
    attempt: int,
    queued_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> Verdict:
    """Deferred, or given up. The last try comes at the deadline itself, not after it."""
    deadline = queued_at + policy.give_up_after
    if attempt > 1 and now >= deadline:
        hours = policy.give_up_after.total_seconds() / 3600
        reason = f"gave up after {hours:g} hours: {verdict.reason}".removesuffix(": ")
        return replace(verdict, state=DeliveryState.REJECTED, reason=reason)
    due = now + policy.delay(attempt, jitter)
    return replace(verdict, next_at=min(due, deadline) if now < deadline else due)


@dataclass(frozen=True)
class FirstTen:
    """Guards a list against a relay that refuses everybody with words that blame the person.

    Until the relay has accepted one message of the issue, suppressions wait; if the first
    `limit` answers are all refusals, the issue stops. Deferred and lost deliveries are no answers.
    Make it with ``passed=True`` for an issue of which something has been sent before.
    """

    refused: int = 0
    passed: bool = False
    limit: int = 10

    def after(self, verdict: Verdict) -> FirstTen:
        """The state after one more verdict."""
        if self.passed or verdict.state is DeliveryState.SENT:
            return self if self.passed else replace(self, passed=True)
        # No code: we refused, not the relay.
        if verdict.state is DeliveryState.REJECTED and (verdict.code or 0) >= 500:
            return replace(self, refused=self.refused + 1)
        return self

    @property
    def all_refused(self) -> bool:
        """Whether the issue has to stop."""
        return not self.passed and self.refused >= self.limit
