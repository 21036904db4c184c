"""The issues that have something to deliver, for the run that comes every few minutes."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.deliver_run import status_of
from upcycle_news.services.issues.render import render_revision
from upcycle_news.storage import approvals, issues, revisions, send_hold
from upcycle_news.storage.issues import IssueState

log = Log(__name__)


def pending_issues(context: AppContext, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Return the issues with deliveries left; queue those that are approved and due first.

    An approval older than `max_lateness_hours` (0: any age) is left to people. Nothing is pending
    during a send hold. An issue that cannot be queued does not keep others from being delivered:
    its `IssueError` is raised only if nothing else is pending.
    """
    if send_hold.active_hold(context.store):
        return []
    pending: list[str] = []
    refused: list[IssueError] = []
    for row in issues.all_issues(context.store):
        if row.state is IssueState.OPEN and row.id.day <= context.today:
            newest = revisions.load_revision(context.store, row.id)
            if newest is None or not newest.approved:
                continue
            decision = approvals.last_decision(context.store, row.id, newest.revision_id)
            limit = timedelta(hours=max_lateness_hours)
            if decision and max_lateness_hours and context.clock() - decision.at > limit:
                continue
            try:
                send.enqueue(context, render_revision(context, newest))
            except IssueError as error:
                log.error("approved issue not queued", issue=row.id, why=error)
                refused.append(error)
                continue
            pending.append(str(row.id))
        elif row.state is IssueState.SENDING and not status_of(context, row.id).closed:
            pending.append(str(row.id))
    if refused and not pending:
        raise refused[0]
    return pending
