"""The way to send an issue by hand: from the present content, or the approved revision, to the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.models import IssueId, IssueState
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.issue_control import resume
from upcycle_news.services.delivery.send import enqueue
from upcycle_news.services.feeds.collect import FeedRunReport
from upcycle_news.services.issues.approval import approve
from upcycle_news.services.issues.compose import collect_and_compose, edits_since
from upcycle_news.services.issues.render import RenderedRevision, render_revision
from upcycle_news.storage import (
    approvals,
    issues,
    revisions,
    send_hold,
)
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.revisions import Revision

log = Log(__name__)


@dataclass(frozen=True)
class Approver:
    """Who approves an issue that nobody has approved yet.

    `asks` gets the composed revision and the size of its audience, and returns whether to send it;
    `always` composes the present content and approves it without asking, whatever was approved
    before. With neither, an issue that is not approved is refused.
    """

    name: str = SYSTEM
    asks: Callable[[Revision, int], bool] | None = None
    always: bool = False


@dataclass(frozen=True)
class Queued:
    """A queued issue. `rendered` is its revision if this step had it in hand.

    `joined`: another process queued it in the same moment, and both send it.
    """

    issue: IssueId
    rendered: RenderedRevision | None = None
    joined: bool = False


def queue_issue(
    context: AppContext,
    issue: IssueId,
    essays: Sequence[str] = (),
    *,
    approver: Approver = Approver(),
    collect: bool = True,
    on_collected: Callable[[FeedRunReport], None] = lambda _: None,
) -> Queued:
    """Queue an issue that is approved, or that `approver` approves now; resume one that has begun.

    Raises `IssueError` when it is not approved, has changed since, or is cancelled, `NothingNew`
    when there is nothing to compose, and `SendHoldError` during a send hold.
    """
    row = issues.get(context.store, issue)
    if row is not None and row.frozen:
        if row.state is not IssueState.CANCELLED:  # the delivery refuses a cancelled one
            resume(context, issue, by=approver.name)
        return Queued(issue)
    rendered: RenderedRevision | None = None
    try:
        # Before the approval: one recorded during a send hold would outlive the refusal.
        send_hold.raise_if_store_held(context.store)
        rendered = None if approver.always else _approved(context, issue)
        if rendered is None:
            revision = collect_and_compose(
                context, issue, essays, collect=collect, on_collected=on_collected
            )
            rendered = _approve_now(context, revision, approver)
        enqueue(context, rendered, by=approver.name)
    except IssueError:
        row = issues.get(context.store, issue)
        if row is None or not row.frozen:
            raise
        log.info("issue queued by another process", issue=issue)
        return Queued(issue, rendered, joined=True)
    return Queued(issue, rendered)


def _approved(context: AppContext, issue: IssueId) -> RenderedRevision | None:
    """Return the newest revision, rendered, if it is approved; raises `IssueError` if it is outdated."""
    newest = revisions.load_revision(context.store, issue)
    if newest is None:
        return None
    decision = approvals.last_decision(context.store, issue, newest.revision_id)
    if decision is None or not decision.approved:
        return None
    if changed := edits_since(context, newest):
        raise IssueError(
            f"issue {issue} has changed since it was approved ({', '.join(changed)}): "
            "preview it and approve it again"
        )
    return render_revision(context, newest)


def _approve_now(context: AppContext, revision: Revision, approver: Approver) -> RenderedRevision:
    """Approve a revision that was composed in this step, if its approver agrees."""
    if not approver.always:
        if approver.asks is None:
            raise IssueError(
                f"issue {revision.issue} is not approved: look at it with 'upcycle-news issue "
                "preview', then use 'upcycle-news issue approve', or send it with --yes"
            )
        if not approver.asks(revision, count_audience(context, revision)):
            raise IssueError(f"issue {revision.issue} was not approved: nothing is sent")
    rendered = render_revision(context, revision)
    approve(context, rendered, by=approver.name, composed_now=True)
    return rendered


def count_audience(context: AppContext, revision: Revision) -> int:
    """Return how many deliveries a revision would have now."""
    return issues.count_audience(context.store, revision.manifest.publication.readers_of)
