"""The steps of one run of publish-issue; each may be repeated by a retry or a run that resumes."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.models.runs import RunResult
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.issue_control import take_back_if_unsent
from upcycle_news.services.delivery.test_mail import group_addresses, send_test
from upcycle_news.services.issues.compose import compose_issue, select_essays
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.lock import release_lock
from upcycle_news.services.issues.render import (
    raise_on_errors,
    render_revision,
    write_preview_files,
)
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.storage import alerts, approvals, issues


@dataclass(frozen=True)
class ComposeResult:
    """The id of the composed revision; with `ended` there is none and the run ends."""

    revision_id: str = ""
    ended: RunResult | None = None


@dataclass(frozen=True)
class RenderResult:
    """The subject of a rendered revision, the size of its HTML part, and its warnings."""

    subject: str
    html_bytes: int
    warnings: tuple[str, ...]


def compose(
    context: AppContext, issue: IssueId, essay_filter: EssayFilter, *, run: str
) -> ComposeResult:
    """Compose an issue from the current content.

    An issue whose deliveries began keeps its frozen revision; one that lies in the mailbox is taken back
    when a relay is set. A run that resumes takes the revision of its approval request.
    """
    take_back_if_unsent(context, issue, by=str(localized("by-run", run=run)))
    row = issues.get(context.store, issue)
    if row is not None and row.frozen:
        return ComposeResult(row.revision_id)
    request = approvals.request_of_run(context.store, run)
    if request is not None and request.answer in ("", "send", "reject"):
        return ComposeResult(request.revision_id)
    try:
        essays = select_essays(context, issue, essay_filter)
        return ComposeResult(compose_issue(context, issue, essays).revision_id)
    except NothingNew as error:
        release_lock(context, issue, run)
        return ComposeResult(
            ended=RunResult("completed", "NothingNew", error.in_language(context.language))
        )


def render(context: AppContext, issue: IssueId, revision_id: str) -> RenderResult:
    """Render a revision and write its preview files; raises `IssueError` when preflight refuses it."""
    rendered = render_revision(context, find_revision(context, issue, revision_id))
    write_preview_files(context, rendered)
    raise_on_errors(rendered)
    warnings = tuple(finding.in_language(context.language) for finding in rendered.findings)
    return RenderResult(rendered.content.subject, rendered.html_bytes, warnings)


def send_tests(
    context: AppContext, issue: IssueId, revision_id: str, group: str, *, again: bool = False
) -> int:
    """Send test mails to a group, once a revision unless `again`; return the number accepted."""
    subject = f"{issue} {revision_id} {group}"
    first = alerts.alert_once(context.store, "test", subject, now=context.clock())
    if not group or not (first or again):
        return 0
    try:
        rendered = render_revision(context, find_revision(context, issue, revision_id))
        return send_test(context, rendered, group_addresses(context, group))
    except UpcycleError:
        alerts.clear_alert(context.store, "test", subject)  # a retry of the run tries again
        raise


def send_tests_again(context: AppContext, issue: IssueId, revision_id: str, group: str) -> str:
    """Send test mails to a group, or to the editors without one; return why none went, or nothing.

    The sentence stands above the next question: a run that waits for people does not fail for it.
    """
    group = group or context.settings.cockpit.editors
    if not group:
        return localized("test-again-no-group").in_language(context.language)
    try:
        send_tests(context, issue, revision_id, group, again=True)
    except UpcycleError as error:
        return error.in_language(context.language)
    return ""


def enqueue_once(
    context: AppContext,
    issue: IssueId,
    revision_id: str,
    *,
    run: str,
    senders: int = 1,
    approve: bool = False,
) -> int:
    """Queue the deliveries of an approved issue, unless a try before has; return the audience.

    `approve`: a revision that nobody has decided about is approved with it, and only if it is queued.
    Raises `IssueError` when it is not approved, or SQLite is to serve several `senders`.
    """
    if senders > 1 and context.store.dialect == "sqlite":
        raise IssueError(localized("sqlite-one-sender", senders=senders))
    row = issues.get(context.store, issue)
    if row is not None and row.frozen:
        return row.audience
    rendered = render_revision(context, find_revision(context, issue, revision_id))
    approval = issues.NewApproval("flow") if approve else None
    audience = send.enqueue(
        context, rendered, by=str(localized("by-run", run=run)), approval=approval
    )
    release_lock(context, issue, run)
    return audience


def finish_dry_run(context: AppContext, issue: IssueId, subject: str, *, run: str) -> RunResult:
    """Release the issue and return the result of a dry run."""
    release_lock(context, issue, run)
    return RunResult(
        "completed",
        "DryRun",
        localized("result-dry-run", issue=str(issue), subject=subject).in_language(
            context.language
        ),
    )
