"""The way to send an issue by hand: from the present content, or the approved revision, to the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.lateness import raise_if_ahead
from upcycle_news.services.issues.ids import is_ahead
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.services.issues.revisions import raise_unless_newest
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.storage import (
    approvals,
    issues,
    revisions,
)
from upcycle_news.storage import audience as audiences
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.issues import NewApproval
from upcycle_news.storage.revisions import Revision

# Composing and rendering are imported where an issue gets so far: most starts end with a refusal or a question.
if TYPE_CHECKING:
    from upcycle_news.services.feeds.collect import FeedRunReport
    from upcycle_news.services.issues.render import RenderedRevision

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
    ahead: bool = False,
) -> Queued:
    """Queue an issue that is approved, or that `approver` approves now; resume one that has begun.

    One that lies in the mailbox is taken back when a relay is set: it is composed and approved anew. What
    `approver` approves is recorded together with the queue, so that nothing is left of it when the issue
    cannot be queued. `ahead` sends an issue of a day to come now.

    Raises `IssueError` when it is not approved, has changed since, is of a day to come, or is cancelled,
    `NothingNew` when there is nothing to compose, and `SendHoldError` during a send hold.
    """
    row = issues.get(context.store, issue)
    unsent = is_unsent(context, issue)
    if row is not None and row.frozen and not unsent:
        if row.state is not IssueState.CANCELLED:  # the delivery refuses a cancelled one
            from upcycle_news.services.delivery.issue_control import resume

            resume(context, issue, by=approver.name)
        return Queued(issue)
    if (
        not ahead and issue.day > context.today
    ):  # a time in its file is asked for once it is composed
        raise_if_ahead(context, issue)
    rendered: RenderedRevision | None = None
    try:
        raise_if_sending_refused(context)
        if unsent:
            _take_back(context, issue, approver)
        rendered = None if approver.always else _approved(context, issue)
        approval: NewApproval | None = None
        if rendered is None:
            from upcycle_news.services.issues.compose import collect_and_compose

            revision = collect_and_compose(
                context, issue, essays, collect=collect, on_collected=on_collected
            )
            rendered = _agreed(context, revision, approver)
            approval = NewApproval(approver.name, overrules=True)
        from upcycle_news.services.delivery.send import enqueue

        enqueue(context, rendered, by=approver.name, approval=approval, ahead=ahead)
    except IssueError:
        row = issues.get(context.store, issue)
        if row is None or not row.frozen or is_unsent(context, issue):
            raise
        log.info("issue queued by another process", issue=issue)
        return Queued(issue, rendered, joined=True)
    return Queued(issue, rendered)


def queue_approved(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> Queued:
    """Queue the revision of an issue that is approved; nothing is composed, and nobody is asked.

    Raises as `queue_issue` does, and `IssueError` for a revision that is not the newest, or not approved.
    """
    row = issues.get(context.store, issue)
    if row is not None and row.frozen and not is_unsent(context, issue):
        if row.state is IssueState.CANCELLED:
            raise IssueError(localized("deliver-cancelled", issue=issue))
        if row.revision_id != revision_id:
            raise IssueError(localized("issue-queued-otherwise", issue=str(issue)))
    else:
        raise_unless_newest(context, issue, revision_id)
        decision = approvals.last_decision(context.store, issue, revision_id)
        if decision is None or not decision.approved:
            raise IssueError(localized("send-not-approved", issue=str(issue)))
    return queue_issue(context, issue, approver=Approver(by), collect=False)


def _approved(context: AppContext, issue: IssueId) -> RenderedRevision | None:
    """Return the newest revision, rendered, if it is approved; raises `IssueError` if it is outdated."""
    newest = revisions.load_revision(context.store, issue)
    if newest is None:
        return None
    decision = approvals.last_decision(context.store, issue, newest.revision_id)
    if decision is None or not decision.approved:
        return None
    from upcycle_news.services.issues.compose import edits_since
    from upcycle_news.services.issues.render import render_revision

    if changed := edits_since(context, newest):
        raise IssueError(localized("send-changed", issue=str(issue), changed=", ".join(changed)))
    return render_revision(context, newest)


def _take_back(context: AppContext, issue: IssueId, approver: Approver) -> None:
    """Take an issue back from the mailbox, unless it could not be queued now anyway."""
    from upcycle_news.services.delivery.issue_control import take_back_if_unsent
    from upcycle_news.services.issues.render import raise_on_settings

    _raise_if_nobody_approves(issue, approver)
    raise_on_settings(context, issue)
    topics, interval = context.publication.readers_of, context.settings.digest.interval or None
    audience = audiences.count_audience(context.store, topics, issue=issue, interval=interval)
    left, _ = audiences.count_left_for_digest(context.store, topics, issue, interval)
    if not audience and not left:
        raise IssueError(issues.nobody_to_send_to(issue))
    take_back_if_unsent(context, issue, by=approver.name)


def _agreed(context: AppContext, revision: Revision, approver: Approver) -> RenderedRevision:
    """Return a revision that was composed in this step, rendered, if its approver agrees to send it."""
    _raise_if_nobody_approves(revision.issue, approver)
    from upcycle_news.services.issues.render import raise_on_errors, render_revision

    rendered = render_revision(context, revision)
    raise_on_errors(rendered)
    from upcycle_news.services.issues.variants import readership

    readers = readership(context, revision)
    if not readers.audience and not readers.left_for_digest:
        raise IssueError(issues.nobody_to_send_to(revision.issue))
    asks = None if approver.always else approver.asks
    if asks is not None and not asks(revision, readers.audience):
        raise IssueError(localized("send-declined", issue=str(revision.issue)))
    return rendered


def _raise_if_nobody_approves(issue: IssueId, approver: Approver) -> None:
    if approver.asks is None and not approver.always:
        raise IssueError(localized("send-not-approved", issue=str(issue)))


def send_question(context: AppContext, revision: Revision, audience: int) -> LocalizedText:
    """Return the question whether to send a revision: to how many, and over which relay or to nobody."""
    issue, subject = revision.issue, revision.manifest.issue.subject
    readers = localized("send-readers", count=audience)
    day: LocalizedText | str = ""
    if is_ahead(context, issue):
        day = localized("send-day-ahead", day=issue.day)
        if issue.day <= context.today:
            day = localized("send-time-ahead")
    relay = context.configured_relay
    if relay is None:
        return localized(
            "send-question-mailbox", issue=str(issue), subject=subject, readers=readers, day=day
        )
    return localized(
        "send-question",
        issue=str(issue),
        subject=subject,
        readers=readers,
        day=day,
        relay=MAIN_RELAY,
        host=relay.host,
    )


def count_audience(context: AppContext, revision: Revision) -> int:
    """Return how many deliveries a revision would have now."""
    from upcycle_news.services.issues.variants import readership

    return readership(context, revision).audience
