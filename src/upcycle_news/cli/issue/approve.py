"""`upcycle-news issue approve|reject|show`: decide about a revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from upcycle_news.cli.issue.common import current_user
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    issue_id,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import IssueError

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.models import IssueId


def approve(issue: IssueArgument = None) -> None:
    """Approve the revision that was previewed last; any change afterwards needs a new approval.

    A run of Prefect that waits for it goes on. Example: upcycle-news issue approve 2026-11-26
    """
    from upcycle_news.services.feeds.collect import feed_findings
    from upcycle_news.services.issues import approval

    with open_context() as context:
        chosen, revision_id = _newest_revision(context, issue)
        runs = approval.approve(context, chosen, revision_id, by=current_user())
        for finding in feed_findings(context):
            note(f"{finding.where}: {finding.in_language(context.language)}")
        typer.echo(f"issue {chosen}: revision {revision_id[:12]} is approved")
        _resume_runs(context, runs, "send")


def reject(issue: IssueArgument = None) -> None:
    """Reject the revision that was previewed last; a run of Prefect that waits for it ends.

    Example: upcycle-news issue reject 2026-11-26
    """
    from upcycle_news.services.issues import approval

    with open_context() as context:
        chosen, revision_id = _newest_revision(context, issue)
        runs = approval.reject(context, chosen, revision_id, by=current_user())
        typer.echo(f"issue {chosen}: revision {revision_id[:12]} is rejected")
        _resume_runs(context, runs, "reject")


def show(issue: IssueArgument = None, as_json: JsonOption = False) -> None:
    """Show what an editor is asked to approve: content, what changed, findings, who waits.

    Example: upcycle-news issue show 2026-11-26
    """
    from upcycle_news.services.issues import approval
    from upcycle_news.services.issues.approval_form import approval_page
    from upcycle_news.storage import approvals, revisions

    with open_context() as context:
        chosen, revision_id = _newest_revision(context, issue)
        revision = revisions.load_revision(context.store, chosen, revision_id)
        assert revision is not None
        decision = approvals.last_decision(context.store, chosen, revision_id)
        open_requests = [
            request
            for request in approvals.open_requests(context.store, chosen)
            if request.revision_id == revision_id
        ]
        until = (
            open_requests[0].expires_at if open_requests else approval.approval_deadline(context)
        )
        changed = approval.describe_changes(context, revision)
        if as_json:
            print_json(
                {
                    "issue": str(chosen),
                    "hash": revision_id,
                    "approved": None if decision is None else decision.approved,
                    "by": "" if decision is None else decision.by,
                    "at": None if decision is None else decision.at.isoformat(timespec="seconds"),
                    "waiting": [request.run for request in open_requests],
                    "changed": changed,
                }
            )
            return
        typer.echo(approval_page(context, chosen, revision_id, until=until))
        if decision is not None:
            verb = "approved" if decision.approved else "rejected"
            note(f"{verb} by {decision.by}, {decision.at:%Y-%m-%d %H:%M} UTC")
        if changed:
            note(f"changed since: {changed}")


def _newest_revision(context: AppContext, issue: str | None) -> tuple[IssueId, str]:
    from upcycle_news.storage import revisions

    chosen = issue_id(context, issue)
    newest = revisions.load_revision(context.store, chosen)
    if newest is None:
        raise IssueError(f"there is no issue {chosen} yet: see 'upcycle-news issue preview'")
    return chosen, newest.revision_id


def _resume_runs(context: AppContext, runs: Sequence[str], decision: str) -> None:
    """Resume the flow runs that wait. The decision holds without them: deliver-pending reads it, too."""
    from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient

    if not runs:
        return
    client = PrefectClient.find(context.settings.state / "prefect")
    try:
        resumed = [run for run in runs if client and client.resume(run, {"decision": decision})]
    except PrefectApiError as error:
        note(f"the decision is written down, but the waiting run was not told: {error}")
        return
    if resumed:
        note(f"the waiting run goes on: {', '.join(resumed)}")
    elif client is None:
        note("the decision is written down; set PREFECT_API_URL to tell the waiting run at once")
