"""Default issue ids: the issue that a command or flow run without an id works on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.storage import issues


def default_issue_id(today: date, known: Collection[IssueId], done: Collection[IssueId]) -> IssueId:
    """Return today's last issue unless it is done, else the next id of today."""
    todays = sorted(issue for issue in known if issue.day == today)
    if not todays:
        return IssueId(today)
    last = todays[-1]
    return IssueId(today, last.ordinal + 1) if last in done else last


def current_issue(context: AppContext, day: date | None = None) -> IssueId:
    """Return the default issue of `day` (default: today): the unfinished one, or the next."""
    today = day or context.today
    known = [row.id for row in issues.all_issues(context.store) if row.id.day == today]
    done = [issue for issue in known if is_done(context, issue)]
    return default_issue_id(today, known, done)


def latest_issue(context: AppContext) -> IssueId | None:
    """Return the newest issue whose deliveries began, else the newest previewed one, or None."""
    rows = issues.all_issues(context.store)
    started = [row.id for row in rows if row.frozen]
    return max(started or [row.id for row in rows], default=None)


def is_done(context: AppContext, issue: IssueId) -> bool:
    """True if an issue was sent completely, or cancelled."""
    row = issues.get(context.store, issue)
    if row is not None and row.state is issues.IssueState.CANCELLED:
        return True
    status = issues.status(context.store, issue)
    return status is not None and status.closed
