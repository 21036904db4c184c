"""Pause, resume and cancel an issue that is being sent, and send again what may be lost."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.observability.logging import Log
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.delivery.send import reclaim_from_dead_workers
from upcycle_news.storage import deliveries, issues, send_hold
from upcycle_news.storage.issue_lifecycle import SYSTEM

log = Log(__name__)


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
    issues.pause(context.store, issue, by=by, reason="was paused by hand", now=context.clock())
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
    issues.cancel(context.store, issue, by=by, reason="was cancelled by hand", now=context.clock())
    log.info("issue cancelled", issue=issue)
    build_archive(context)  # it shows only what was sent
    return Cancellation(issue)


def _raise_unless_sending(context: AppContext, issue: IssueId) -> None:
    row = issues.get(context.store, issue)
    if row is None or not row.frozen or row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} is not being sent")


def resume(context: AppContext, issue: IssueId, *, by: str = SYSTEM) -> None:
    """Let a paused or stopped issue go on; raises `IssueError` for one that cannot.

    Raises `SendHoldError`, before anything is changed, during a send hold.
    """
    send_hold.raise_if_store_held(context.store)
    row = issues.get(context.store, issue)
    if row is None or not row.frozen:
        raise IssueError(f"issue {issue} has not been queued: there is nothing to resume")
    if row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} was cancelled: there is nothing to resume")
    issues.resume(context.store, issue, by=by, now=context.clock())
    log.info("issue resumed", issue=issue)


def requeue_unknown(context: AppContext, issue: IssueId, *, by: str = SYSTEM) -> int:
    """Queue again the deliveries whose reply was lost, and resume the issue; return how many.

    A second copy has the same Message-ID. Raises as `resume` does.
    """
    resume(context, issue, by=by)
    return deliveries.requeue(
        context.store, issue, DeliveryState.UNKNOWN, by=by, now=context.clock()
    )
