"""`upcycle-news issue approve|reject|show`: decide about a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from upcycle_news.cli.issue.common import current_user
from upcycle_news.cli.output import IssueArgument, JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import localized

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
        _print_decision(decision, app.language)
        if (waits := app.issues.waits_until(decision.issue)) is not None:
            note(waits)


def reject(issue: IssueArgument = None) -> None:
    """Reject the revision that was previewed last; a run of Prefect that waits for it ends.

    Example: upcycle-news issue reject 2026-11-26
    """
    with open_publication() as app:
        _print_decision(app.issues.reject(issue, by=current_user()), app.language)


def show(issue: IssueArgument = None, as_json: JsonOption = False) -> None:
    """Show what an editor is asked to approve: content, what changed, findings, who waits.

    Example: upcycle-news issue show 2026-11-26
    """
    with open_publication() as app:
        review = app.issues.approval_page(issue)
        language, zone = app.language, app.settings.publication.zone
    if as_json:
        print_json(review.as_dict())
        return
    typer.echo(review.page)
    if (decision := review.decision) is not None:
        at = f"{decision.at.astimezone(zone):%Y-%m-%d %H:%M}"
        text = localized("decided-by-rejected", by=decision.by, at=at)
        if decision.approved:
            text = localized("decided-by-approved", by=decision.by, at=at)
        note(text.in_language(language))
    if review.changed:
        note(localized("decided-changed", changed=review.changed).in_language(language))


def _print_decision(decision: IssueDecision, language: str) -> None:
    issue, revision = str(decision.issue), decision.revision_id[:12]
    text = localized("decided-rejected", issue=issue, revision=revision)
    if decision.approved:
        text = localized("decided-approved", issue=issue, revision=revision)
    typer.echo(text.in_language(language))
    if decision.runs.problem:
        note(decision.runs.problem)
    elif decision.runs.runs:
        runs = tuple(decision.runs.runs)
        note(localized("decided-run", runs=runs).in_language(language))
