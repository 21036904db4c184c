"""Issues that are too late or too early to be queued, and sends that make no progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.services.delivery.issue_relay import away_status
from upcycle_news.services.issues.ids import ahead_refusal
from upcycle_news.storage import issues, statistics
from upcycle_news.storage.revisions import Revision


def raise_if_late(context: AppContext, revision: Revision) -> None:
    """Raise `IssueError` for an issue that is too old, such as an approved one of a restored backup.

    A correction comes after its issue's day, and a digest may: they are of the day on which they were composed.
    """
    hours, issue = context.settings.retry.max_lateness_hours, revision.issue
    zone = context.settings.publication.zone
    day = issue.day if issue.is_regular else revision.created_at.astimezone(zone).date()
    ended = datetime.combine(day + timedelta(days=1), time(), zone)
    if hours and context.clock() > ended + timedelta(hours=hours):
        raise IssueError(localized("issue-late", issue=str(issue), hours=hours))


def raise_if_ahead(context: AppContext, issue: IssueId) -> None:
    """Raise `IssueError` for an issue of a day to come, or of a time in its file: it waits for that."""
    if (ahead := ahead_refusal(context, issue)) is not None:
        raise IssueError(ahead)


def stalled_since(context: AppContext, issue: IssueId) -> datetime | None:
    """Return since when a running send has made no progress; None while it does."""
    row = issues.get(context.store, issue)
    if row is None or row.state is not IssueState.SENDING:
        return None
    if not issues.has_waiting(context.store, issue):
        return None
    last = statistics.last_delivery_change(context.store, issue) or row.enqueued_at
    allowed = timedelta(minutes=context.settings.retry.stalled_minutes)
    return last if last is not None and context.clock() - last > allowed else None


@dataclass(frozen=True)
class Standstill:
    """Why an issue does not get on: it is paused, or stopped for a `reason`, or stalls since then.

    `away` is a sentence when its relay is away: then it goes on by itself.
    """

    state: str
    reason: str = ""
    stalled_since: datetime | None = None
    away: LocalizedText | None = None


def standstill(context: AppContext, issue: IssueId) -> Standstill | None:
    """Return why an issue whose deliveries have begun does not get on; None when it does."""
    row = issues.get(context.store, issue)
    if row is None:
        return None
    if row.state is IssueState.PAUSED:
        return Standstill(row.state.value)
    if row.state is IssueState.STOPPED:
        return Standstill(row.state.value, row.stop_reason)
    status = issues.status(context.store, issue)
    if status is not None and (away := away_status(context, status)) is not None:
        return Standstill(row.state.value, away=away)
    since = stalled_since(context, issue)
    return Standstill(row.state.value, stalled_since=since) if since else None
