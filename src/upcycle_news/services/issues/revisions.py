"""Find a stored revision of an issue; callers load it once and hand it on."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.storage import revisions
from upcycle_news.storage.revisions import Revision


def newest_revision(context: AppContext, issue: IssueId) -> Revision:
    """Return the revision that was previewed last; raises `IssueError` when there is none."""
    revision = revisions.load_revision(context.store, issue)
    if revision is None:
        raise IssueError(localized("issue-not-there", issue=issue))
    return revision


def raise_unless_newest(context: AppContext, issue: IssueId, revision_id: str) -> None:
    """Raise `IssueError` when an issue has no such revision, or has a newer one."""
    find_revision(context, issue, revision_id)
    newest = newest_revision(context, issue).revision_id
    if newest != revision_id:
        raise IssueError(
            localized(
                "revision-not-newest", issue=issue, revision=revision_id[:12], newest=newest[:12]
            )
        )


def find_revision(context: AppContext, issue: IssueId, revision_id: str) -> Revision:
    """Return the revision with this id; raises `IssueError` when the issue has none such."""
    revision = revisions.load_revision(context.store, issue, revision_id)
    if revision is None:
        raise IssueError(localized("revision-not-there", issue=issue, revision=revision_id[:12]))
    return revision
