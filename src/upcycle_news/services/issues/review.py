"""What an editor is asked to approve, and what was decided about it (`issue show`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.issues.approval import approval_deadline, describe_changes
from upcycle_news.services.issues.approval_form import approval_page
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.revisions import newest_revision
from upcycle_news.storage import approvals
from upcycle_news.storage.issue_lifecycle import Decision


@dataclass(frozen=True)
class Review:
    """The newest revision of an issue as an approval request shows it, in Markdown.

    `decision` is the last one about this revision, None without any. `waiting` are the flow runs
    that wait for one, and `changed` says what editors changed since, empty when nothing.
    """

    issue: IssueId
    revision_id: str
    page: str
    decision: Decision | None
    waiting: tuple[str, ...]
    changed: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `issue show`."""
        decision = self.decision
        return {
            "issue": str(self.issue),
            "hash": self.revision_id,
            "approved": None if decision is None else decision.approved,
            "by": "" if decision is None else decision.by,
            "at": None if decision is None else decision.at.isoformat(timespec="seconds"),
            "waiting": list(self.waiting),
            "changed": self.changed,
        }


def review_issue(context: AppContext, issue: IssueId) -> Review:
    """Return the review of an issue's newest revision; raises `IssueError` when there is none."""
    revision = newest_revision(context, issue)
    requests = [
        request
        for request in approvals.open_requests(context.store, issue)
        if request.revision_id == revision.revision_id
    ]
    until = requests[0].expires_at if requests else approval_deadline(context)
    return Review(
        issue=issue,
        revision_id=revision.revision_id,
        page=approval_page(context, render_revision(context, revision), until=until),
        decision=approvals.last_decision(context.store, issue, revision.revision_id),
        waiting=tuple(request.run for request in requests),
        changed=describe_changes(context, revision),
    )
