"""How far an issue is: its deliveries by state."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.storage import issues


def status_of(context: AppContext, issue: IssueId) -> IssueStatus:
    """Return the delivery counts of an issue; raises `IssueError` when it does not exist."""
    status = issues.status(context.store, issue)
    if status is None:
        raise IssueError(localized("issue-unknown", issue=issue))
    return status
