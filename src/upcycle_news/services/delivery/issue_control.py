"""Pause, resume and cancel an issue, send again what may be lost, take back what is in the mailbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, UsageError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.observability.logging import Log
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.delivery.issue_relay import raise_if_other_relay
from upcycle_news.services.delivery.send import reclaim_from_dead_workers
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.services.journal.record import record_progress
from upcycle_news.storage import (
    alerts,
    deliveries,
    issues,
)
from upcycle_news.storage.issue_lifecycle import SYSTEM

log = Log(__name__)

REFUSED_EVENT = "upcycle-news.issue.refused"
"""The alert that an issue was stopped; cleared when it is resumed, so that a second stop is told too."""
SENT_EVENT, STALLED_EVENT = "upcycle-news.issue.sent", "upcycle-news.issue.stalled"


@dataclass(frozen=True)
class Cancellation:
    """A cancelled issue. `sent_before_restore`: it was open, and its content counts as published."""

    issue: IssueId
    sent_before_restore: bool = False


def pause(context: AppContext, issue: IssueId, *, by: str = SYSTEM) -> None:
    """Pause an issue until it is resumed; its workers stop by themselves.

    Raises `IssueError` for an issue that is not being sent.
    """
    reclaim_from_dead_workers(context, issue)
    _raise_unless_sending(context, issue)
    issues.pause(
        context.store, issue, by=by, reason=str(localized("reason-paused")), now=context.clock()
    )
    log.info("issue paused", issue=issue)


def cancel(context: AppContext, issue: IssueId, *, by: str = SYSTEM) -> Cancellation:
    """End an issue: what is queued or deferred is sent to nobody. The archive follows.

    After a restore also an issue that is open, for it was sent before as far as an operator knows:
    its essays are not sent again. Raises `IssueError` for any other that is not being sent.
    """
    reclaim_from_dead_workers(context, issue)
    if issues.cancel_sent_before_restore(context.store, issue, by=by, now=context.clock()):
        return Cancellation(issue, sent_before_restore=True)
    _raise_unless_sending(context, issue)
    issues.cancel(
        context.store, issue, by=by, reason=str(localized("reason-cancelled")), now=context.clock()
    )
    record_progress(context, issue)
    log.info("issue cancelled", issue=issue)
    build_archive(context)  # it shows only what was sent
    return Cancellation(issue)


def take_back_if_unsent(context: AppContext, issue: IssueId, *, by: str = SYSTEM) -> bool:
    """Open an issue again that lies in the mailbox, when a relay is set; False for any other issue.

    It can be composed, approved and sent to readers then, and counts as told until that. Raises
    `IssueError` while another process puts it into the mailbox.
    """
    if not is_unsent(context, issue):
        return False
    reclaim_from_dead_workers(context, issue)
    reason = str(localized("reason-lay-in-mailbox"))
    if not issues.take_back_from_mailbox(
        context.store, issue, by=by, reason=reason, now=context.clock()
    ):
        return False
    for event in (SENT_EVENT, STALLED_EVENT, REFUSED_EVENT):  # what was told was of the mailbox
        alerts.clear_alert(context.store, event, str(localized("about-issue", issue=issue)))
    log.info("issue taken back from the mailbox", issue=issue)
    return True


def _raise_unless_sending(context: AppContext, issue: IssueId) -> None:
    row = issues.get(context.store, issue)
    if row is None or not row.frozen or row.state is IssueState.CANCELLED:
        raise IssueError(localized("issue-not-sending", issue=issue))


def resume(
    context: AppContext, issue: IssueId, *, by: str = SYSTEM, past_guard: bool = False
) -> int:
    """Let a paused or stopped issue go on; raises `IssueError` for one that cannot.

    `past_guard`: a person knows that the refusals which stopped it are right. Those deliveries are put
    off, and no wave of refusals stops the issue again; returns how many are put off. Raises
    `SendHoldError`, before anything is changed, during a send hold.
    """
    raise_if_sending_refused(context)
    row = issues.get(context.store, issue)
    if row is None or not row.frozen:
        raise IssueError(localized("resume-not-queued", issue=issue))
    if row.state is IssueState.CANCELLED:
        raise IssueError(localized("resume-cancelled", issue=issue))
    if row.state is not IssueState.CLOSED or is_unsent(context, issue):
        raise_if_other_relay(context, issue)
    if past_guard and row.state is not IssueState.STOPPED:
        raise IssueError(localized("guard-not-stopped", issue=str(issue)))
    now = context.clock()
    until = now + context.retry_policy.max_delay if past_guard else None
    put_off = issues.resume(context.store, issue, by=by, now=now, put_off_until=until)
    alerts.clear_alert(context.store, REFUSED_EVENT, str(localized("about-issue", issue=issue)))
    log.info("issue resumed", issue=issue, put_off=put_off)
    return put_off


@dataclass(frozen=True)
class Requeued:
    """How many deliveries are queued again, and how many stay because they may not be mailed.

    Those are suppressed, or have unsubscribed.
    """

    queued: int
    left_out: int = 0


def requeue(
    context: AppContext,
    issue: IssueId,
    state: DeliveryState,
    *,
    code: str = "",
    since: datetime | None = None,
    by: str = SYSTEM,
) -> Requeued:
    """Queue deliveries again, and resume the issue; a closed one is reopened. Return the counts.

    `state` is unknown (their reply was lost) or rejected (they were refused wrongly); a second copy
    has the same Message-ID. `code` is a reply code or an enhanced status code, `since` when the
    delivery ended at the earliest. Nobody who is suppressed or unsubscribed is queued. Raises
    `UsageError` for another state, or a code that is none, and as `resume` does.
    """
    if state not in (DeliveryState.UNKNOWN, DeliveryState.REJECTED):
        raise UsageError(localized("resend-state"))
    if code and not re.fullmatch(r"[2-5]\d\d|[245]\.\d{1,3}\.\d{1,3}", code):
        raise UsageError(localized("resend-code"))
    raise_if_other_relay(context, issue)
    resume(context, issue, by=by)
    queued = deliveries.requeue(
        context.store, issue, state, code=code, since=since, by=by, now=context.clock()
    )
    left_out = deliveries.count_ended(context.store, issue, state, code=code, since=since)
    log.info("deliveries queued again", issue=issue, state=state, count=queued)
    return Requeued(queued, left_out)
