"""The issues that have something to deliver, for the run that comes every few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import IssueId, IssueState, IssueStatus
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.services.delivery.issue_relay import time_of_day
from upcycle_news.services.issues.ids import is_ahead
from upcycle_news.services.issues.mailbox import is_unsent, mailbox_text
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.services.journal import record as journal
from upcycle_news.services.runs.admission import send_hold_result
from upcycle_news.storage import approvals, issues, revisions, workers
from upcycle_news.storage.issues import IssueRow

log = Log(__name__)


@dataclass(frozen=True)
class PendingIssues:
    """The issues with deliveries left, and sentences about those that could not be queued."""

    issues: list[str]
    refused: tuple[str, ...] = ()


def pending_issues(context: AppContext, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Return the issues of `find_pending`, which raises and costs the same."""
    return find_pending(context, max_lateness_hours=max_lateness_hours).issues


def find_pending(context: AppContext, *, max_lateness_hours: float = 0.0) -> PendingIssues:
    """Return the issues with deliveries left; queue those that are approved and due first.

    An approval older than `max_lateness_hours` (0: any age) is left to people. Nothing is pending
    while nothing may be sent (`send_hold_result`). An issue that cannot be queued does not keep others from being delivered:
    its `IssueError` is raised only if nothing else is pending. Costs a few look-ups for each issue
    that is approved or not closed yet, however many were sent before.
    """
    if send_hold_result(context) is not None:
        return PendingIssues([])
    journal.catch_up(context)
    refused: list[IssueError] = []
    pending = [row.id for row in issues.unclosed_issues(context.store) if _is_sending(context, row)]
    for row in issues.issues_in(context.store, IssueState.APPROVED, until=context.today):
        try:
            if _queue_approved(context, row.id, max_lateness_hours):
                pending.append(row.id)
        except IssueError as error:
            log.error("approved issue not queued", issue=row.id, why=error)
            refused.append(error)
    if refused and not pending:
        raise refused[0]
    sentences = tuple(error.in_language(context.language) for error in refused)
    return PendingIssues([str(issue) for issue in sorted(pending)], sentences)


def waiting_issues(context: AppContext) -> tuple[LocalizedText, ...]:
    """Return a sentence for each approved issue that waits for its day, or the hour that its file names."""
    waiting = []
    for row in issues.issues_in(context.store, IssueState.APPROVED):
        if not is_ahead(context, row.id):
            continue
        at = revisions.not_before(context.store, row.id)
        if at is not None:
            moment = time_of_day(context, at)
            waiting.append(localized("waits-for-hour", issue=str(row.id), at=moment))
        else:
            waiting.append(localized("waits-for-day", issue=str(row.id), day=row.id.day))
    return tuple(waiting)


def due_issues(context: AppContext, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Return the issues for which `pending_issues` and a delivery would do something now; change nothing.

    They have a delivery that is due while no living worker has any, wait to be closed, or are approved and
    due. Costs a few look-ups for each issue that is approved or not closed yet.
    """
    if send_hold_result(context) is not None:
        return []
    due = [row.id for row in issues.unclosed_issues(context.store) if _is_due(context, row)]
    for row in issues.issues_in(context.store, IssueState.APPROVED, until=context.today):
        revision_id = approvals.approved_revision(context.store, row.id)
        too_old = revision_id and _is_too_old(context, row.id, revision_id, max_lateness_hours)
        if revision_id and not too_old and not is_ahead(context, row.id):
            due.append(row.id)
    return [str(issue) for issue in sorted(due)]


def _is_due(context: AppContext, row: IssueRow) -> bool:
    """Return whether somebody has to go on with an unclosed issue, or to close it."""
    holding = workers.workers_in_flight(context.store, row.id)
    if any(worker_identity.is_alive(worker, context.clock()) for worker in holding):
        return False
    if not issues.has_waiting(context.store, row.id):
        return True
    if row.state is not IssueState.SENDING:
        return row.state is IssueState.CANCELLED and bool(holding)
    if is_unsent(context, row.id):
        return False
    return bool(holding) or issues.has_due(context.store, row.id, now=context.clock())


def _queue_approved(context: AppContext, issue: IssueId, max_lateness_hours: float) -> bool:
    """Queue an approved issue; False when its approval is too old. Raises `IssueError`."""
    revision_id = approvals.approved_revision(context.store, issue)
    if revision_id is None or _is_too_old(context, issue, revision_id, max_lateness_hours):
        return False
    if is_ahead(context, issue):  # its file names a time of today
        return False
    revision = find_revision(context, issue, revision_id)
    send.enqueue(context, render_revision(context, revision), by="deliver-pending")
    return True


def _is_too_old(
    context: AppContext, issue: IssueId, revision_id: str, max_lateness_hours: float
) -> bool:
    """Return whether an approval is too old; one that was given early counts from the issue's day."""
    decision = approvals.last_decision(context.store, issue, revision_id)
    if decision is None or not max_lateness_hours:
        return False
    due = datetime.combine(issue.day, time(), context.settings.publication.zone)
    due = revisions.not_before(context.store, issue) or due
    return context.clock() - max(decision.at, due) > timedelta(hours=max_lateness_hours)


@dataclass(frozen=True)
class HaltedIssue:
    """An issue that waits for a person; `text` says why, and with which command it goes on."""

    issue: str
    text: LocalizedText


def halted_issues(
    context: AppContext, *, max_lateness_hours: float = 0.0
) -> tuple[HaltedIssue, ...]:
    """Return the issues that deliver-pending leaves to people, oldest first.

    They are stopped or paused with deliveries left, lie partly in the mailbox while a relay is set, or
    were approved longer than `max_lateness_hours` (0: any age is fine) ago.
    """
    halted = []
    for row in issues.issues_in(context.store, IssueState.STOPPED, IssueState.PAUSED):
        status = issues.status(context.store, row.id)
        if status is not None and status.waiting:
            halted.append(HaltedIssue(str(row.id), _halted_text(row, status)))
    for row in issues.issues_in(context.store, IssueState.SENDING):
        if is_unsent(context, row.id) and (text := mailbox_text(context, row.id)) is not None:
            halted.append(HaltedIssue(str(row.id), text))
    for row in issues.issues_in(context.store, IssueState.APPROVED, until=context.today):
        revision_id = approvals.approved_revision(context.store, row.id)
        if revision_id and _is_too_old(context, row.id, revision_id, max_lateness_hours):
            text = localized("halted-approved", issue=str(row.id), hours=max_lateness_hours)
            halted.append(HaltedIssue(str(row.id), text))
    return tuple(halted)


def _halted_text(row: IssueRow, status: IssueStatus) -> LocalizedText:
    issue, waiting, audience = str(row.id), status.waiting, status.audience
    if row.state is IssueState.PAUSED:
        return localized("halted-paused", issue=issue, waiting=waiting, audience=audience)
    return localized(
        "halted-stopped",
        issue=issue,
        waiting=waiting,
        audience=audience,
        why=recognise(row.stop_reason, "reasons"),
    )


def _is_sending(context: AppContext, row: IssueRow) -> bool:
    """Return whether an unclosed issue goes on; close it if its last process died before it could.

    One that lies in the mailbox does not, once a relay is set: whether readers get it is for a person.
    """
    if row.state is IssueState.CANCELLED:
        send.reclaim_from_dead_workers(context, row.id)
    if send.close_if_done(context, row.id) or row.state is not IssueState.SENDING:
        return False
    return not is_unsent(context, row.id)
