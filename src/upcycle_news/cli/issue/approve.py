"""`upcycle-news issue approve|reject|show`: decide about a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from upcycle_news.cli.issue.common import approved_ahead, current_user
from upcycle_news.cli.output import IssueArgument, JsonOption, note, open_publication, print_json

if TYPE_CHECKING:
    from upcycle_news.api.issues import IssueDecision


def approve(issue: IssueArgument = None) -> None:
    """Approve the revision that was previewed last; any change afterwards needs a new approval.

    A run of Prefect that waits for it goes on. Example: upcycle-news issue approve 2026-11-26
    """
    with open_publication() as app:
        decision = app.issues.approve(issue, by=current_user())
        for finding in decision.feed_findings:
            note(f"{finding.where}: {finding.in_language(app.language)}")
        _print_decision(decision)
        if decision.issue.day > app.today:
            note(approved_ahead(str(decision.issue)).in_language(app.language))


def reject(issue: IssueArgument = None) -> None:
    """Reject the revision that was previewed last; a run of Prefect that waits for it ends.

    Example: upcycle-news issue reject 2026-11-26
    """
    with open_publication() as app:
        _print_decision(app.issues.reject(issue, by=current_user()))


def show(issue: IssueArgument = None, as_json: JsonOption = False) -> None:
    """Show what an editor is asked to approve: content, what changed, findings, who waits.

    Example: upcycle-news issue show 2026-11-26
    """
    with open_publication() as app:
        review = app.issues.approval_page(issue)
    if as_json:
        print_json(review.as_dict())
        return
    typer.echo(review.page)
    if (decision := review.decision) is not None:
        verb = "approved" if decision.approved else "rejected"
        note(f"{verb} by {decision.by}, {decision.at:%Y-%m-%d %H:%M} UTC")
    if review.changed:
        note(f"changed since: {review.changed}")


def _print_decision(decision: IssueDecision) -> None:
    verb = "approved" if decision.approved else "rejected"
    typer.echo(f"issue {decision.issue}: revision {decision.revision_id[:12]} is {verb}")
    if decision.runs.problem:
        note(decision.runs.problem)
    elif decision.runs.runs:
        note(f"the waiting run goes on: {', '.join(decision.runs.runs)}")
