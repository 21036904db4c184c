"""The steps as the flows call them: plain values in and out, ids and counts, never an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew, UpcycleError
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.models.archive_paths import issue_path
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.services.feeds.collect import collect_feeds
from upcycle_news.services.issues import approval, ids
from upcycle_news.services.issues import compose as compose_service
from upcycle_news.services.issues import render as render_service
from upcycle_news.services.issues.compose import EssayFilter, select_essays
from upcycle_news.services.reports import delivery_report
from upcycle_news.storage import (
    approvals,
    coordination,
    issues,
    revisions,
    send_hold,
)
from upcycle_news.storage.issues import IssueState
from upcycle_news.transports.outcomes import RelayUnreachable

NEXT = "next"


@dataclass(frozen=True)
class RunAdmission:
    """The issue a run is about; `ended` when it has nothing to do with it."""

    issue: str
    ended: RunResult | None = None


def send_hold_result(context: AppContext) -> RunResult | None:
    """Why nothing goes out from this store at all; None as long as it may."""
    pause = send_hold.standing(context.store)
    return RunResult("failed", "Paused", pause.sentence) if pause else None


def begin(
    context: AppContext, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> RunAdmission:
    """Decide once for each planned time: its issue ('next' or an id), and whether it is too late.

    The answer is written down, so that a second run for the same time, a retry or a run that comes
    back after a slow approval gets the same one.
    """
    if paused := send_hold_result(context):
        return RunAdmission(wanted, paused)
    plan = coordination.plan(context.store, planned_at)
    if plan is None:
        limit = timedelta(hours=max_lateness_hours)
        in_time = not max_lateness_hours or context.clock() - planned_at <= limit
        day = planned_at.astimezone(context.settings.publication.zone).date()
        issue = ids.current_issue(context, day) if wanted == NEXT else IssueId.parse(wanted)
        plan = coordination.remember_plan(
            context.store, coordination.Plan(planned_at, issue, in_time)
        )
    issue = plan.issue
    if not plan.in_time:
        return RunAdmission(str(issue), _late(context, issue, planned_at))
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.CANCELLED:
        told = f"issue {issue} was cancelled: nothing is sent"
        return RunAdmission(str(issue), RunResult("cancelled", "Cancelled", told))
    status = issues.status(context.store, issue)
    if status is not None and status.closed:
        sent = status.as_dict()["sent"]
        told = f"issue {issue} went out already: sent to {sent} of {status.audience}"
        return RunAdmission(str(issue), RunResult("completed", "AlreadySent", told))
    if (row is None or row.state is IssueState.OPEN) and not ids.take(context, issue, run):
        told = f"issue {issue} is in the hands of another run: this one does nothing"
        return RunAdmission(str(issue), RunResult("completed", "InOtherHands", told))
    return RunAdmission(str(issue))


def _late(context: AppContext, issue: IssueId, planned_at: datetime) -> RunResult:
    zone = context.settings.publication.zone
    return RunResult(
        "cancelled",
        "Late",
        f"issue {issue} was planned for {planned_at.astimezone(zone):%A, %d %B, %H:%M} and this "
        f"run came at {context.clock().astimezone(zone):%A, %d %B, %H:%M}: nothing was sent; to send "
        "it all the same, by hand: 'upcycle-news issue preview', then 'upcycle-news issue send'",
    )


log = Log(__name__)


def collect(context: AppContext) -> dict[str, Any]:
    """Ask the feeds that are due."""
    return collect_feeds(context).as_dict()


@dataclass(frozen=True)
class Composed:
    """The issue's revision, or in `ended` why there is none."""

    revision: str = ""
    ended: RunResult | None = None


def compose(context: AppContext, issue: str, choice: EssayFilter, *, run: str) -> Composed:
    """Compose an issue from what is there now.

    One that has begun is taken as it is frozen, and a run that comes back with an answer takes the
    revision it asked about.
    """
    chosen = IssueId.parse(issue)
    row = issues.get(context.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return Composed(row.revision_id)
    asked = approvals.asked_by(context.store, run)
    if asked is not None and asked.answer in ("", "send", "reject"):
        return Composed(asked.revision_id)
    try:
        essays = select_essays(context, choice)
        return Composed(compose_service.compose_issue(context, chosen, essays).revision_id)
    except NothingNew as nothing:
        ids.free(context, chosen, run)
        return Composed(
            ended=RunResult("completed", "NothingNew", nothing.in_language(context.language))
        )


def render(context: AppContext, issue: str, revision: str) -> dict[str, Any]:
    """Render a revision and lay out its files; raises `IssueError` when preflight refuses it."""
    rendered = render_service.render_issue(context, IssueId.parse(issue), revision)
    files = render_service.lay_out(context, rendered)
    render_service.raise_on_errors(rendered)
    return {
        "subject": rendered.rendered.subject,
        "bytes": rendered.html_bytes,
        "warnings": [found.in_language(context.language) for found in rendered.findings],
        "files": {kind: str(path) for kind, path in files.items()},
    }


def send_tests(
    context: AppContext, issue: str, revision: str, group: str, *, again: bool = False
) -> int:
    """Send test mails to a group, once for each revision unless `again`; how many were accepted."""
    subject = f"{issue} {revision} {group}"
    first = coordination.ring(context.store, "test", subject, now=context.clock())
    if not group or not (first or again):
        return 0
    try:
        return send.send_test(
            context, IssueId.parse(issue), revision, send.group_addresses(context, group)
        )
    except UpcycleError:
        coordination.silence(context.store, "test", subject)  # a retry of the run tries again
        raise


def ask(
    context: AppContext, issue: str, revision: str, *, run: str, waits: bool, refused: str = ""
) -> approval.Question:
    """What an editor is asked about this revision; nothing when it is decided by now."""
    chosen = IssueId.parse(issue)
    return approval.ask(context, chosen, revision, run=run, waits=waits, refused=refused)


def apply_decision(
    context: AppContext, issue: str, revision: str, question: int, answer: Mapping[str, Any]
) -> approval.ApprovalOutcome:
    """Act on the form an editor sent."""
    return approval.apply_decision(context, IssueId.parse(issue), revision, question, answer)


def approve(context: AppContext, issue: str, revision: str) -> None:
    """Approve what this run composed, because its parameters say so; what a person said stands."""
    chosen = IssueId.parse(issue)
    row = issues.get(context.store, chosen)
    decided = approvals.last_decision(context.store, chosen, revision)
    if decided is None and (row is None or row.state is IssueState.OPEN):
        approval.record_approval(context, chosen, revision, by="flow")


def enqueue(context: AppContext, issue: str, revision: str, *, run: str, senders: int = 1) -> int:
    """Freeze an approved issue and queue its deliveries; the audience.

    Raises `IssueError` when nobody approved it, or `senders` are more than the store can serve.
    """
    if senders > 1 and context.store.dialect == "sqlite":
        raise IssueError(
            f"SQLite takes one sender, not {senders}: move the store to Postgres "
            "(UPCYCLE_NEWS_STORE=postgresql+psycopg://…), or set senders to 1"
        )
    chosen = IssueId.parse(issue)
    row = issues.get(context.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return row.audience
    audience = send.enqueue(context, chosen, revision)
    ids.free(context, chosen, run)
    return audience


def helpers(senders: int) -> list[int]:
    """The numbers of the further senders beside this run."""
    return list(range(2, senders + 1))


def deliver(
    context: AppContext, issue: str, show: delivery_report.Show = lambda percent, text: None
) -> dict[str, Any]:
    """Deliver what is queued or due, together with whoever else does; the closing sum.

    Raises `RelayUnreachable` when the relay is away: everything stays queued.
    """
    chosen = IssueId.parse(issue)
    before = _status(context, chosen)
    progress = _progress(context, before, show)
    try:
        with stop_on_signals() as stopping:
            send.deliver_issue(context, chosen, stopping=stopping, progress=progress)
            while send.wait_for_other_workers(context, chosen, stopping=stopping):
                send.deliver_issue(context, chosen, stopping=stopping, progress=progress)
    except RelayUnreachable as error:
        left = before.audience - _ended(_status(context, chosen))
        waiting = format_count(left, "delivery", "deliveries")
        raise RelayUnreachable(
            f"{error}. Nothing is lost: {waiting} of issue {issue} left to send, and "
            "deliver-pending goes on by itself once the relay answers"
        ) from None
    after = _status(context, chosen)
    ended = _ended(after)
    progress.tell(ended)
    return dict(after.as_dict())


def is_transient(error: object) -> bool:
    """Whether trying again in a minute may help: the relay does not answer just now."""
    return isinstance(error, RelayUnreachable)


def resume_delivery(context: AppContext, issue: str) -> dict[str, Any]:
    """`deliver`, for a run that comes again in a few minutes: a relay that is away is no failure.

    Then `waits` holds the sentence. A send that gets nowhere for long is told as stalled.
    """
    try:
        return {**deliver(context, issue), "waits": ""}
    except RelayUnreachable as error:
        return {**_status(context, IssueId.parse(issue)).as_dict(), "waits": str(error)}


def _progress(
    context: AppContext, before: IssueStatus, show: delivery_report.Show
) -> delivery_report.Progress:
    return delivery_report.Progress(before.audience, _ended(before), show, context.language)


def _ended(status: IssueStatus) -> int:
    return status.audience - status.waiting


def _status(context: AppContext, issue: IssueId) -> IssueStatus:
    status = issues.status(context.store, issue)
    if status is None:
        raise IssueError(f"there is no issue {issue}")
    return status


def pending(context: AppContext, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Issues with deliveries left; those that are approved and due are queued first.

    An approval that is older than `max_lateness_hours` (0: any age) is left to people. Nothing is
    pending while the store stands still. An issue that cannot be queued keeps no other from going
    on: its `IssueError` is raised where nothing else is pending.
    """
    if send_hold.standing(context.store):
        return []
    found: list[str] = []
    refused: list[IssueError] = []
    for row in issues.every(context.store):
        if row.state is IssueState.OPEN and row.id.day <= context.today:
            newest = revisions.revision(context.store, row.id)
            if newest is None or not newest.approved:
                continue
            decided = approvals.last_decision(context.store, row.id, newest.revision_id)
            limit = timedelta(hours=max_lateness_hours)
            if decided and max_lateness_hours and context.clock() - decided.at > limit:
                continue
            try:
                send.enqueue(context, row.id, newest.revision_id)
            except IssueError as error:
                log.error("an approved issue was not queued", issue=row.id, why=error)
                refused.append(error)
                continue
            found.append(str(row.id))
        elif row.state is IssueState.SENDING and not _status(context, row.id).closed:
            found.append(str(row.id))
    if refused and not found:
        raise refused[0]
    return found


def report(context: AppContext, issue: str, collected: Mapping[str, Any]) -> str:
    """The report of an issue in Markdown."""
    return delivery_report.delivery_report(context, IssueId.parse(issue), collected)


def archive_link(context: AppContext, issue: str) -> str:
    """Where readers find the issue on the web."""
    return context.publication.site_address(issue_path(issue))


def dry(context: AppContext, issue: str, subject: str, *, run: str) -> RunResult:
    """The end of a dry run."""
    ids.free(context, IssueId.parse(issue), run)
    return RunResult("completed", "DryRun", f"issue {issue}: {subject}; not sent")
