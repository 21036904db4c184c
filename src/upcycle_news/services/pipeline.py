"""The steps of an issue as the flows call them: plain values in and out, never an address."""

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
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import EssayFilter, compose_issue, select_essays
from upcycle_news.services.issues.ids import current_issue
from upcycle_news.services.issues.lock import acquire_lock, release_lock
from upcycle_news.services.issues.render import (
    raise_on_errors,
    render_issue,
    write_preview_files,
)
from upcycle_news.services.reports.delivery_report import Progress, Show, delivery_report
from upcycle_news.storage import (
    alerts,
    approvals,
    issues,
    revisions,
    scheduled_runs,
    send_hold,
)
from upcycle_news.storage.issues import IssueState
from upcycle_news.transports.outcomes import RelayUnreachable

log = Log(__name__)

NEXT = "next"


@dataclass(frozen=True)
class RunAdmission:
    """The issue of a flow run; with `ended` the run ends with that result instead."""

    issue: str
    ended: RunResult | None = None


def send_hold_result(context: AppContext) -> RunResult | None:
    """Return the result of a run while the store has a send hold, else None."""
    hold = send_hold.active_hold(context.store)
    return RunResult("failed", "Paused", hold.explanation) if hold else None


def admit_run(
    context: AppContext, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> RunAdmission:
    """Decide once per scheduled time which issue it is ('next' or an id) and whether it is too late.

    The decision is stored, so that a second run for the same time, a retry or a run that resumes
    after a slow approval gets the same one. Another run at the same issue, a cancelled and a sent
    issue end the run.
    """
    if hold := send_hold_result(context):
        return RunAdmission(wanted, hold)
    scheduled = scheduled_runs.find_run(context.store, planned_at)
    if scheduled is None:
        limit = timedelta(hours=max_lateness_hours)
        on_time = not max_lateness_hours or context.clock() - planned_at <= limit
        day = planned_at.astimezone(context.settings.publication.zone).date()
        issue = current_issue(context, day) if wanted == NEXT else IssueId.parse(wanted)
        scheduled = scheduled_runs.record_run(
            context.store, scheduled_runs.ScheduledRun(planned_at, issue, on_time)
        )
    issue = scheduled.issue
    if not scheduled.on_time:
        return RunAdmission(str(issue), _late(context, issue, planned_at))
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.CANCELLED:
        message = f"issue {issue} was cancelled: nothing is sent"
        return RunAdmission(str(issue), RunResult("cancelled", "Cancelled", message))
    status = issues.status(context.store, issue)
    if status is not None and status.closed:
        sent = status.as_dict()["sent"]
        message = f"issue {issue} went out already: sent to {sent} of {status.audience}"
        return RunAdmission(str(issue), RunResult("completed", "AlreadySent", message))
    if (row is None or row.state is IssueState.OPEN) and not acquire_lock(context, issue, run):
        message = f"issue {issue} is being prepared by another run: this one does nothing"
        return RunAdmission(str(issue), RunResult("completed", "InOtherHands", message))
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


def collect(context: AppContext) -> dict[str, Any]:
    """Fetch the feeds that are due; return the report as JSON values."""
    return collect_feeds(context).as_dict()


@dataclass(frozen=True)
class ComposeResult:
    """The id of the composed revision; with `ended` there is none and the run ends."""

    revision_id: str = ""
    ended: RunResult | None = None


def compose(
    context: AppContext, issue: str, essay_filter: EssayFilter, *, run: str
) -> ComposeResult:
    """Compose an issue from the current content.

    An issue whose deliveries began keeps its frozen revision; a run that resumes takes the
    revision of its approval request.
    """
    issue_id = IssueId.parse(issue)
    row = issues.get(context.store, issue_id)
    if row is not None and row.state is not IssueState.OPEN:
        return ComposeResult(row.revision_id)
    request = approvals.request_of_run(context.store, run)
    if request is not None and request.answer in ("", "send", "reject"):
        return ComposeResult(request.revision_id)
    try:
        essays = select_essays(context, essay_filter)
        return ComposeResult(compose_issue(context, issue_id, essays).revision_id)
    except NothingNew as error:
        release_lock(context, issue_id, run)
        return ComposeResult(
            ended=RunResult("completed", "NothingNew", error.in_language(context.language))
        )


def render(context: AppContext, issue: str, revision_id: str) -> dict[str, Any]:
    """Render a revision and write its preview files; raises `IssueError` when preflight refuses it."""
    rendered = render_issue(context, IssueId.parse(issue), revision_id)
    files = write_preview_files(context, rendered)
    raise_on_errors(rendered)
    return {
        "subject": rendered.content.subject,
        "bytes": rendered.html_bytes,
        "warnings": [finding.in_language(context.language) for finding in rendered.findings],
        "files": {kind: str(path) for kind, path in files.items()},
    }


def send_tests(
    context: AppContext, issue: str, revision_id: str, group: str, *, again: bool = False
) -> int:
    """Send test mails to a group, once a revision unless `again`; return the number accepted."""
    subject = f"{issue} {revision_id} {group}"
    first = alerts.alert_once(context.store, "test", subject, now=context.clock())
    if not group or not (first or again):
        return 0
    try:
        return send.send_test(
            context, IssueId.parse(issue), revision_id, send.group_addresses(context, group)
        )
    except UpcycleError:
        alerts.clear_alert(context.store, "test", subject)  # a retry of the run tries again
        raise


def request_approval(
    context: AppContext, issue: str, revision_id: str, *, run: str, waits: bool, refused: str = ""
) -> approval.ApprovalForm:
    """Request an approval of the revision; see `approval.request_approval`."""
    return approval.request_approval(
        context, IssueId.parse(issue), revision_id, run=run, waits=waits, refused=refused
    )


def apply_decision(
    context: AppContext, issue: str, revision_id: str, request: int, answer: Mapping[str, Any]
) -> approval.ApprovalOutcome:
    """Apply the form that an editor submitted."""
    return approval.apply_decision(context, IssueId.parse(issue), revision_id, request, answer)


def approve_if_undecided(context: AppContext, issue: str, revision_id: str) -> None:
    """Approve the revision for a run with `approve`, unless an editor has decided already."""
    issue_id = IssueId.parse(issue)
    row = issues.get(context.store, issue_id)
    decision = approvals.last_decision(context.store, issue_id, revision_id)
    if decision is None and (row is None or row.state is IssueState.OPEN):
        approval.record_approval(context, issue_id, revision_id, by="flow")


def enqueue(
    context: AppContext, issue: str, revision_id: str, *, run: str, senders: int = 1
) -> int:
    """Freeze an approved issue and queue its deliveries; return the audience.

    Raises `IssueError` when it is not approved, or SQLite is to serve several `senders`.
    """
    if senders > 1 and context.store.dialect == "sqlite":
        raise IssueError(
            f"SQLite takes one sender, not {senders}: move the store to Postgres "
            "(UPCYCLE_NEWS_STORE=postgresql+psycopg://…), or set senders to 1"
        )
    issue_id = IssueId.parse(issue)
    row = issues.get(context.store, issue_id)
    if row is not None and row.state is not IssueState.OPEN:
        return row.audience
    audience = send.enqueue(context, issue_id, revision_id)
    release_lock(context, issue_id, run)
    return audience


def helper_numbers(senders: int) -> list[int]:
    """Return the numbers of the further runs that deliver beside this one."""
    return list(range(2, senders + 1))


def deliver(
    context: AppContext, issue: str, show: Show = lambda percent, text: None
) -> dict[str, Any]:
    """Deliver what is queued or due, beside other workers; return the delivery counts.

    Raises `RelayUnreachable` when the relay does not answer: everything stays queued.
    """
    issue_id = IssueId.parse(issue)
    before = _status(context, issue_id)
    progress = _progress(context, before, show)
    try:
        with stop_on_signals() as stopping:
            send.deliver_issue(context, issue_id, stopping=stopping, progress=progress)
            while send.wait_for_other_workers(context, issue_id, stopping=stopping):
                send.deliver_issue(context, issue_id, stopping=stopping, progress=progress)
    except RelayUnreachable as error:
        left = before.audience - _ended(_status(context, issue_id))
        waiting = format_count(left, "delivery", "deliveries")
        raise RelayUnreachable(
            f"{error}. Nothing is lost: {waiting} of issue {issue} left to send, and "
            "deliver-pending goes on by itself once the relay answers"
        ) from None
    after = _status(context, issue_id)
    ended = _ended(after)
    progress.show_now(ended)
    return dict(after.as_dict())


def is_transient(error: object) -> bool:
    """True for an error that a retry may cure: the relay does not answer."""
    return isinstance(error, RelayUnreachable)


def resume_delivery(context: AppContext, issue: str) -> dict[str, Any]:
    """Deliver as `deliver` does, for a scheduled run: an unreachable relay is no failure.

    Then `waits` is the sentence. A send without progress raises the alert "stalled" elsewhere.
    """
    try:
        return {**deliver(context, issue), "waits": ""}
    except RelayUnreachable as error:
        return {**_status(context, IssueId.parse(issue)).as_dict(), "waits": str(error)}


def _progress(context: AppContext, before: IssueStatus, show: Show) -> Progress:
    return Progress(before.audience, _ended(before), show, context.language)


def _ended(status: IssueStatus) -> int:
    return status.audience - status.waiting


def _status(context: AppContext, issue: IssueId) -> IssueStatus:
    status = issues.status(context.store, issue)
    if status is None:
        raise IssueError(f"there is no issue {issue}")
    return status


def pending_issues(context: AppContext, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Return the issues with deliveries left; queue those that are approved and due first.

    An approval older than `max_lateness_hours` (0: any age) is left to people. Nothing is pending
    during a send hold. An issue that cannot be queued does not keep others from being delivered:
    its `IssueError` is raised only if nothing else is pending.
    """
    if send_hold.active_hold(context.store):
        return []
    pending: list[str] = []
    refused: list[IssueError] = []
    for row in issues.all_issues(context.store):
        if row.state is IssueState.OPEN and row.id.day <= context.today:
            newest = revisions.load_revision(context.store, row.id)
            if newest is None or not newest.approved:
                continue
            decision = approvals.last_decision(context.store, row.id, newest.revision_id)
            limit = timedelta(hours=max_lateness_hours)
            if decision and max_lateness_hours and context.clock() - decision.at > limit:
                continue
            try:
                send.enqueue(context, row.id, newest.revision_id)
            except IssueError as error:
                log.error("approved issue not queued", issue=row.id, why=error)
                refused.append(error)
                continue
            pending.append(str(row.id))
        elif row.state is IssueState.SENDING and not _status(context, row.id).closed:
            pending.append(str(row.id))
    if refused and not pending:
        raise refused[0]
    return pending


def issue_report(context: AppContext, issue: str, collected: Mapping[str, Any]) -> str:
    """Return the delivery report of an issue in Markdown."""
    return delivery_report(context, IssueId.parse(issue), collected)


def archive_link(context: AppContext, issue: str) -> str:
    """Return the URL of the issue in the archive."""
    return context.publication.site_address(issue_path(issue))


def finish_dry_run(context: AppContext, issue: str, subject: str, *, run: str) -> RunResult:
    """Release the issue and return the result of a dry run."""
    release_lock(context, IssueId.parse(issue), run)
    return RunResult("completed", "DryRun", f"issue {issue}: {subject}; not sent")
