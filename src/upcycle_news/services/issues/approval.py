"""Ask for an approval, take the answer, and bind both to one revision of the issue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.services.issues import ids
from upcycle_news.services.issues.approval_form import approval_page, form_labels
from upcycle_news.services.issues.compose import changes_since
from upcycle_news.services.issues.render import refuse_errors, render_issue
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage.issues import IssueState

log = Log(__name__)

# Prefect ends a run on its own this long after ours ended it, should nobody be there to do so.
MARGIN = timedelta(hours=2)


@dataclass(frozen=True)
class Question:
    """What a run asks: `key` names the question, `seconds` is how long Prefect keeps it open.

    `markdown` stands above the form, `labels` are title and words of its fields.

    `ended` is set when there is nothing to ask: approved, rejected or timed out by now.
    """

    number: int = 0
    key: str = ""
    seconds: int = 1
    markdown: str = ""
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    approved: bool = False
    ended: RunResult | None = None


def ask(
    context: AppContext,
    issue: IssueId,
    revision_id: str,
    *,
    run: str,
    waits: bool = True,
    refused: str = "",
) -> Question:
    """The question of this run about a revision; `refused` is why the last answer did not count.

    A run that cannot wait (`waits` false) ends, and says how to approve.
    """
    row = issues.get(context.store, issue)
    if row is not None and row.state is not IssueState.OPEN:
        return Question(approved=True)
    decided = approvals.last_decision(context.store, issue, revision_id)
    if decided is not None:
        if decided.approved:
            return Question(approved=True)
        ids.free(context, issue, run)
        return Question(ended=rejected(issue))
    if not waits:
        ids.free(context, issue, run)
        return Question(ended=how_to_approve(issue))
    now = context.clock()
    until = asked_until(context)
    question = approvals.ask(context.store, issue, revision_id, run=run, until=until, now=now)
    if question.until <= now:
        approvals.answer(context.store, question.id, "timed out", now=now)
        ids.free(context, issue, run)
        return Question(ended=timed_out(issue))
    ids.hold_until(context, issue, run, question.until + MARGIN)
    return Question(
        number=question.id,
        key=f"approval-{question.id}",
        seconds=int((question.until + MARGIN - now).total_seconds()),
        markdown=approval_page(context, issue, revision_id, until=question.until, refused=refused),
        labels=form_labels(context),
    )


def asked_until(context: AppContext) -> datetime:
    """How long a question that is asked now waits."""
    return context.clock() + timedelta(hours=context.settings.cockpit.approval_hours)


@dataclass(frozen=True)
class Answered:
    """What became of an answer: approved, ended, or to be composed and asked again."""

    approved: bool = False
    ended: RunResult | None = None
    test_again: bool = False
    refused: str = ""


def take_answer(
    context: AppContext, issue: IssueId, revision_id: str, number: int, answer: Mapping[str, Any]
) -> Answered:
    """Act on what an editor said in the form: decision, leave_out, name."""
    said, by = str(answer["decision"]), str(answer.get("name") or "cockpit")
    asked = {question.id: question for question in approvals.waiting(context.store, issue)}
    question = asked.get(number)
    now = context.clock()
    if question is not None and question.until <= now:
        approvals.answer(context.store, number, "timed out", now=now)
        ids.free(context, issue, question.run)
        return Answered(ended=timed_out(issue))
    if said == "reject":
        try:
            runs = reject(context, issue, revision_id, by=by)
        except IssueError as error:
            approvals.answer(context.store, number, "refused", now=now)
            return Answered(
                ended=RunResult("failed", "TooLate", error.in_language(context.language))
            )
        for run in runs:
            ids.free(context, issue, run)
        return Answered(ended=rejected(issue))
    if said == "send":
        try:
            approve(context, issue, revision_id, by=by)
        except IssueError as error:
            approvals.answer(context.store, number, "refused", now=now)
            return Answered(refused=error.in_language(context.language))
        return Answered(approved=True)
    if said == "leave items out":
        try:
            leave_out(context, issue, revision_id, str(answer.get("leave_out") or ""))
        except IssueError as error:
            approvals.answer(context.store, number, "refused", now=now)
            return Answered(refused=error.in_language(context.language))
        approvals.answer(context.store, number, said, now=now)
        return Answered()
    approvals.answer(context.store, number, "send test again", now=now)
    return Answered(test_again=True)


def approve(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> tuple[str, ...]:
    """Approve a revision; the runs that waited for it.

    Raises `IssueError` when the content changed since it was shown, or preflight refuses it. New
    subscribers change nothing: an approval is about the content.
    """
    found = revisions.revision(context.store, issue, revision_id)
    if found is None:
        raise IssueError(f"issue {issue} has no revision {revision_id[:12]}: preview it first")
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.OPEN and (changed := difference(context, found)):
        raise IssueError(localized("approval-changed", issue=str(issue), changed=changed))
    record_approval(context, issue, revision_id, by=by)
    return _close(context, issue, revision_id, "send")


def reject(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> tuple[str, ...]:
    """Reject a revision; the runs that waited for it. Raises `IssueError` once it is being sent."""
    record_rejection(context, issue, revision_id, by=by)
    return _close(context, issue, revision_id, "reject")


def difference(context: AppContext, revision: revisions.Revision) -> str:
    """What changed since a revision, as people read it; empty when nothing did."""
    try:
        return ", ".join(changes_since(context, revision))
    except UpcycleError as error:
        return error.in_language(context.language)


def leave_out(context: AppContext, issue: IssueId, revision_id: str, numbers: str) -> None:
    """Keep the items with these numbers, as the preview counts them, out of the issue."""
    found = revisions.revision(context.store, issue, revision_id)
    related = found.manifest.issue.related if found else ()
    chosen = {int(number) for number in re.findall(r"\d+", numbers)}
    if not chosen or not chosen <= set(range(1, len(related) + 1)):
        if not related:
            raise IssueError(localized("leave-out-nothing"))
        raise IssueError(localized("leave-out-numbers", last=len(related)))
    values = set()
    for number in chosen:
        for item in related[number - 1].story.items:
            values |= {item.key, item.canonical}
    approvals.leave_out(context.store, issue, values)


def how_to_approve(issue: IssueId) -> RunResult:
    """The end of a run that cannot wait, and what a person has to do."""
    return RunResult(
        "completed",
        "WaitingForApproval",
        f"issue {issue} is ready and waits: look at it with 'upcycle-news issue preview {issue}', "
        f"then use 'upcycle-news issue approve {issue}'",
    )


def rejected(issue: IssueId) -> RunResult:
    """The end of a run whose revision was rejected."""
    return RunResult(
        "cancelled",
        "Rejected",
        f"issue {issue} was rejected and is not sent; change it, or approve it with 'upcycle-news "
        f"issue approve {issue}', then start publish-issue again",
    )


def timed_out(issue: IssueId) -> RunResult:
    """The end of a run nobody answered."""
    return RunResult(
        "cancelled",
        "TimedOut",
        f"nobody approved issue {issue} in time: nothing was sent; take it up again with "
        f"'upcycle-news issue send {issue}', or start publish-issue for {issue}",
    )


def _close(context: AppContext, issue: IssueId, revision_id: str, said: str) -> tuple[str, ...]:
    runs = []
    for question in approvals.waiting(context.store, issue):
        if question.revision_id == revision_id:
            approvals.answer(context.store, question.id, said, now=context.clock())
            runs.append(question.run)
    return tuple(runs)


def record_approval(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> None:
    """Record that this revision may go out; raises `IssueError` when preflight refuses it."""
    refuse_errors(render_issue(context, issue, revision_id))
    revisions.decide(context.store, issue, revision_id, approved=True, by=by, now=context.clock())
    log.info("an issue was approved", issue=issue, revision=revision_id[:12])


def record_rejection(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> None:
    """Record that this revision must not go out; raises `IssueError` when it does already."""
    revisions.decide(context.store, issue, revision_id, approved=False, by=by, now=context.clock())
    log.info("an issue was rejected", issue=issue, revision=revision_id[:12])
