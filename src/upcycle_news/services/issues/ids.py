"""Default issue ids: the issue that a command or flow run without an id works on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.storage import issues, revisions
from upcycle_news.storage.issues import IssueRow


def default_issue_id(today: date, known: Collection[IssueId], done: Collection[IssueId]) -> IssueId:
    """Return today's last issue unless it is done, else the next id of today.

    Corrections and digests do not count.
    """
    todays = sorted(issue for issue in known if issue.day == today and issue.is_regular)
    if not todays:
        return IssueId(today)
    last = todays[-1]
    return IssueId(today, last.ordinal + 1) if last in done else last


def current_issue(context: AppContext, day: date | None = None) -> IssueId:
    """Return the default issue of `day` (default: today): the unfinished one, or the next."""
    today = day or context.today
    rows = issues.issues_of_day(context.store, today)
    return default_issue_id(today, [row.id for row in rows], done_issues(context, rows))


def is_ahead(context: AppContext, issue: IssueId) -> bool:
    """Return whether an issue is of a day to come, in the publication's time zone, or of a time today."""
    return ahead_refusal(context, issue) is not None


def ahead_refusal(context: AppContext, issue: IssueId) -> LocalizedText | None:
    """Return that nothing of an issue is sent before its day, or the time in its file; None from then on."""
    if issue.day > context.today:
        return localized("issue-ahead", issue=str(issue), day=issue.day)
    at = _waits_until(context, issue)
    return None if at is None else localized("issue-not-before", issue=str(issue), at=at)


def ahead_waiting(context: AppContext, issue: IssueId) -> LocalizedText | None:
    """Return until when an approved issue waits; None when it does not."""
    if issue.day > context.today:
        return localized("approved-ahead", issue=str(issue), day=issue.day)
    at = _waits_until(context, issue)
    return None if at is None else localized("approved-not-before", issue=str(issue), at=at)


def _waits_until(context: AppContext, issue: IssueId) -> datetime | None:
    """Return the time in the file of an issue, on the publication's clock, while it is to come."""
    at = revisions.not_before(context.store, issue)
    if at is None or at <= context.clock():
        return None
    return at.astimezone(context.settings.publication.zone)


def latest_issue(context: AppContext) -> IssueId | None:
    """Return the newest issue whose deliveries began, else the newest previewed one, or None."""
    store = context.store
    return issues.newest_issue(store, frozen=True) or issues.newest_issue(store)


def done_issues(context: AppContext, rows: Sequence[IssueRow]) -> list[IssueId]:
    """Return the issues that were sent completely or cancelled.

    Also one that is not closed yet because its process died when nothing was left to send. Not one
    that lies in the mailbox when a relay is set: readers do not have it.
    """
    return [
        row.id
        for row in rows
        if (
            row.state.is_ended
            or (row.state is IssueState.SENDING and not issues.has_waiting(context.store, row.id))
        )
        and not is_unsent(context, row.id)
    ]
