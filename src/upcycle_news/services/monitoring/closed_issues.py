"""Which closed issues have their report in Prefect: written once for each time an issue is closed."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.runs.results import publish_result
from upcycle_news.storage import alerts, issues
from upcycle_news.storage.issues import IssueRow

REPORTED = "issue reported"  # among the alerts: what is done once
_LOOK_BACK = timedelta(days=14)


def closing_summary(context: AppContext, issue: IssueId) -> str:
    """Return the closing sum of an issue as a sentence; empty while it is not closed."""
    status = issues.status(context.store, issue)
    if status is None or not status.closed:
        return ""
    return publish_result(status, language=context.language).message


def unreported_issues(context: AppContext) -> list[str]:
    """Return the issues closed in the last two weeks whose report nobody has written since."""
    reported = set(alerts.open_alerts(context.store, REPORTED))
    rows = issues.issues_queued_since(context.store, context.clock() - _LOOK_BACK)
    return [
        str(row.id) for row in rows if row.closed_at is not None and _subject(row) not in reported
    ]


def mark_reported(context: AppContext, issue: IssueId) -> None:
    """Record that the report of a closed issue was written."""
    row = issues.get(context.store, issue)
    if row is not None and row.closed_at is not None:
        alerts.alert_once(context.store, REPORTED, _subject(row), now=context.clock())


def _subject(row: IssueRow) -> str:
    return f"issue {row.id} closed {row.closed_at:%Y-%m-%dT%H:%M:%S.%f}"
