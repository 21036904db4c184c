"""Which issue is meant when nobody says: one function for every door."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.storage import coordination, issues


def default_issue_id(today: date, known: Collection[IssueId], done: Collection[IssueId]) -> IssueId:
    """Today's issue that still has something to do, or the next one of today."""
    of_today = sorted(issue for issue in known if issue.day == today)
    if not of_today:
        return IssueId(today)
    last = of_today[-1]
    return IssueId(today, last.ordinal + 1) if last in done else last


def current_issue(context: AppContext, day: date | None = None) -> IssueId:
    """The issue a command without an id works on: today's, or that of the day a run was planned."""
    today = day or context.today
    known = [row.id for row in issues.every(context.store) if row.id.day == today]
    done = [issue for issue in known if is_done(context, issue)]
    return default_issue_id(today, known, done)


def latest_issue(context: AppContext) -> IssueId | None:
    """The newest issue that was previewed, or None; what `issue status` shows."""
    rows = issues.every(context.store)
    begun = [row.id for row in rows if row.state is not issues.IssueState.OPEN]
    return max(begun or [row.id for row in rows], default=None)


def is_done(context: AppContext, issue: IssueId) -> bool:
    """Whether nothing is left to do for an issue: it was sent, or cancelled."""
    row = issues.get(context.store, issue)
    if row is not None and row.state is issues.IssueState.CANCELLED:
        return True
    status = issues.status(context.store, issue)
    return status is not None and status.closed


# Longer than anything between two questions takes, short enough to wait for after a crash.
PREPARING = timedelta(minutes=15)


def take(context: AppContext, issue: IssueId, run: str) -> bool:
    """Take an issue into one's hands, or keep it there; False while another run has it."""
    now = context.clock()
    return coordination.take(context.store, _name(issue), run, until=now + PREPARING, now=now)


def hold_until(context: AppContext, issue: IssueId, run: str, until: datetime) -> None:
    """Keep what one has for as long as a question waits."""
    coordination.take(context.store, _name(issue), run, until=until, now=context.clock())


def free(context: AppContext, issue: IssueId, run: str) -> None:
    """Let others have it."""
    coordination.free(context.store, _name(issue), run)


def _name(issue: IssueId) -> str:
    return f"issue {issue}"
