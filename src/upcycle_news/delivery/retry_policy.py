"""The verdict on a send attempt: for the delivery, the subscriber and the issue. Pure: time is given.

The question behind every refusal: is it about the recipient, about this message to them, or about
us as senders? Wrong in one direction, we mail dead addresses for ever; wrong in the other, one
"554 relay access denied" suppresses a whole list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, SmtpReply, Verdict
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    Stage,
    UnsupportedAddress,
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
    """The schedule by which a deferred delivery is tried again and given up.

    The delays double from `first_seconds` to `max_delay`. `give_up_after` counts from the moment
    the delivery was queued, but no delivery is given up at its first attempt.
    """

    first_seconds: float = 60.0
    max_delay: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(hours=24)

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """Return the delay after the `attempt`-th try (from 1); `jitter` from 0 to 1 adds up to 25 %.

        It only adds: a greylisting relay punishes those who come back too early.
        """
        doubled = self.first_seconds * 2.0 ** min(max(attempt - 1, 0), 40)
        seconds = min(doubled, self.max_delay.total_seconds())
        return timedelta(seconds=seconds * (1 + jitter / 4))

    def relay_pause(self, in_a_row: int) -> float:
        """Return the seconds to pause the whole relay after `in_a_row` replies that ask to slow down.

        Short beside the back-off of each delivery: a greylisting relay replies so to everybody.
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
    """Return the verdict on `outcome` of the `attempt`-th try (from 1)."""
    match outcome:
        case Accepted(reply):
            return Verdict(
                DeliveryState.SENT, code=reply.code, enhanced=reply.enhanced, reason=reply.text
            )
        case LostInBody(reason):
            return Verdict(DeliveryState.UNKNOWN, reason=reason)
        case UnsupportedAddress(reason):
            return Verdict(DeliveryState.REJECTED, reason=reason)
        case LostBeforeBody(reason):
            verdict = Verdict(DeliveryState.DEFERRED, reason=reason)
            if attempt == 1:  # it says nothing about the recipient; the relay's back-off waits
                return replace(verdict, next_at=now)
            return _deferred_or_given_up(verdict, attempt, queued_at, now, policy, jitter)
        case Refused(stage, reply):
            verdict = _with_reply(_refused(stage, reply), reply)
            if verdict.state is DeliveryState.DEFERRED:
                return _deferred_or_given_up(verdict, attempt, queued_at, now, policy, jitter)
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


def _with_reply(verdict: Verdict, reply: SmtpReply) -> Verdict:
    return replace(verdict, code=reply.code, enhanced=reply.enhanced, reason=reply.text)


def _deferred_or_given_up(
    verdict: Verdict,
    attempt: int,
    queued_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> Verdict:
    """Return the verdict with its due time, or as given up; the last try is at the deadline itself."""
    deadline = queued_at + policy.give_up_after
    if attempt > 1 and now >= deadline:
        hours = policy.give_up_after.total_seconds() / 3600
        reason = str(localized("reason-gave-up", hours=hours, reason=verdict.reason)).removesuffix(
            ": "
        )
        return replace(verdict, state=DeliveryState.REJECTED, reason=reason)
    due = now + policy.delay(attempt, jitter)
    return replace(verdict, next_at=min(due, deadline) if now < deadline else due)
