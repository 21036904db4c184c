"""Approval of one revision: request it, apply an editor's decision, approve and reject."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Issue, IssueId
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.services.browser.pictures import small_pictures
from upcycle_news.services.issues.approval_form import (
    approval_page,
    changed_texts,
    form_labels,
    form_values,
    shows_another,
)
from upcycle_news.services.issues.compose import edits_since
from upcycle_news.services.issues.ids import ahead_waiting, is_ahead
from upcycle_news.services.issues.lock import PREFECT_MARGIN, acquire_lock, release_lock
from upcycle_news.services.issues.render import (
    RenderedRevision,
    check_manifest,
    raise_on_errors,
    render_revision,
)
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.services.issues.settings_findings import errors_of
from upcycle_news.storage import approvals, issues, wordings
from upcycle_news.storage.approvals import ApprovalRequest
from upcycle_news.storage.revisions import Revision

log = Log(__name__)


@dataclass(frozen=True)
class ApprovalForm:
    """The form that a flow run shows in Prefect, or that none is needed.

    `request` is the id of the approval request, `key` names it in Prefect, `seconds` is Prefect's
    timeout. `markdown` is shown above the form; `labels` are title and description of its fields, `values`
    what they hold at first.

    `approved` is set when the revision is approved already, `ended` when the run has to end:
    rejected, timed out, or unable to wait.
    """

    request: int = 0
    key: str = ""
    seconds: int = 1
    markdown: str = ""
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    approved: bool = False
    ended: RunResult | None = None


def request_approval(
    context: AppContext,
    issue: IssueId,
    revision_id: str,
    *,
    run: str,
    waits: bool = True,
    refused: str = "",
    approve: bool = False,
) -> ApprovalForm:
    """Return the form for a revision; `refused` is why the last answer was not accepted.

    A run that cannot wait (`waits` false) ends with a sentence that says how to approve, and one for a
    revision of a day to come that is approved, since deliver-pending queues it on its day. A run that was
    started with `approve` needs no form: what nobody has decided about it approves when it queues it, and
    it ends before an issue of a day to come. The revision is loaded only when there is something to show.
    """
    row = issues.get(context.store, issue)
    if row is not None and row.frozen:
        return ApprovalForm(approved=True)
    decision = approvals.last_decision(context.store, issue, revision_id)
    if decision is not None:
        if decision.approved and not is_ahead(context, issue):
            return ApprovalForm(approved=True)
        release_lock(context, issue, run)
        return ApprovalForm(
            ended=waits_for_its_day(context, issue)
            if decision.approved
            else rejected(context, issue)
        )
    if approve:
        if not is_ahead(context, issue):
            return ApprovalForm(approved=True)
        release_lock(context, issue, run)
        if issue.day > context.today:
            return ApprovalForm(ended=too_early(context, issue))
        approve_if_undecided(context, issue, revision_id, by=f"flow run {run}")
        return ApprovalForm(ended=waits_for_its_day(context, issue))
    if not waits:
        release_lock(context, issue, run)
        return ApprovalForm(ended=waiting_for_approval(context, issue))
    now = context.clock()
    deadline = approval_deadline(context)
    request = approvals.request_approval(
        context.store, issue, revision_id, run=run, until=deadline, now=now
    )
    if request.expires_at <= now:
        approvals.answer_request(context.store, request.id, "timed out", now=now)
        release_lock(context, issue, run)
        return ApprovalForm(ended=timed_out(context, issue))
    release_lock(context, issue, run)  # from here on the request keeps other runs away
    rendered = render_revision(context, find_revision(context, issue, revision_id))
    pictures = small_pictures(rendered.content, context.settings.browser.chromium)
    page = approval_page(
        context, rendered, until=request.expires_at, refused=refused, pictures=pictures
    )
    return ApprovalForm(
        request=request.id,
        key=f"approval-{request.id}",
        seconds=int((request.expires_at + PREFECT_MARGIN - now).total_seconds()),
        markdown=page,
        labels=form_labels(context, page),
        values=form_values(rendered.revision),
    )


def approval_deadline(context: AppContext) -> datetime:
    """Return when an approval request that is made now expires."""
    return context.clock() + timedelta(hours=context.settings.cockpit.approval_hours)


@dataclass(frozen=True)
class ApprovalOutcome:
    """The effect of an editor's answer.

    `approved`: send the revision. `ended`: end the run. Otherwise compose and ask again, with
    `refused` as the reason if the answer was not accepted, and test mails if `test_again`.
    """

    approved: bool = False
    ended: RunResult | None = None
    test_again: bool = False
    refused: str = ""


def apply_decision(
    context: AppContext, issue: IssueId, revision_id: str, number: int, answer: Mapping[str, Any]
) -> ApprovalOutcome:
    """Apply the form's fields to approval request `number`.

    They are `decision`, `leave_out`, `name`, and `subject` and `greeting`, whose change makes another
    revision: nobody has seen it yet, so it is not approved with it. `revision` is what the form showed:
    of another one nothing but a rejection is taken.
    """
    decision, by = str(answer["decision"]), str(answer.get("name") or "cockpit")
    requests = {request.id: request for request in approvals.open_requests(context.store, issue)}
    request = requests.get(number)
    now = context.clock()
    if request is not None and request.expires_at <= now:
        approvals.answer_request(context.store, number, "timed out", now=now)
        release_lock(context, issue, request.run)
        return ApprovalOutcome(ended=timed_out(context, issue))
    if request is not None:
        acquire_lock(context, issue, request.run)  # before the answer ends what the request did
    if decision == "reject":
        return _apply_rejection(context, issue, revision_id, number, by=by)
    revision = find_revision(context, issue, revision_id)
    outcome, recorded = _outcome_of(context, revision, decision, answer, by=by)
    approvals.answer_request(context.store, number, recorded, now=now)
    if outcome.ended is not None and request is not None:
        release_lock(context, issue, request.run)
    return outcome


def _apply_rejection(
    context: AppContext, issue: IssueId, revision_id: str, number: int, *, by: str
) -> ApprovalOutcome:
    """Reject a revision, and end the run; its lock and those of others that wait for it are released."""
    now = context.clock()
    try:
        waiting = reject(context, issue, revision_id, by=by)
    except IssueError as error:
        approvals.answer_request(context.store, number, "refused", now=now)
        return ApprovalOutcome(
            ended=RunResult("failed", "TooLate", error.in_language(context.language))
        )
    approvals.answer_request(context.store, number, "reject", now=now)
    for other in waiting:
        release_lock(context, issue, other.run)
    return ApprovalOutcome(ended=rejected(context, issue))


def _outcome_of(
    context: AppContext, revision: Revision, decision: str, answer: Mapping[str, Any], *, by: str
) -> tuple[ApprovalOutcome, str]:
    """Do what an answer that rejects nothing says; return its effect, and the answer that is recorded."""
    if shows_another(revision, answer):
        outdated = localized("form-outdated").in_language(context.language)
        return ApprovalOutcome(refused=outdated), "refused"
    if changed := changed_texts(revision, answer):
        if wrong := _errors_with(context, revision, changed):
            return ApprovalOutcome(refused=wrong), "refused"
        wordings.set_wording(context.store, revision.issue, changed, by=by, now=context.clock())
    if decision == "send" and changed:
        reworded = _reworded(changed).in_language(context.language)
        return ApprovalOutcome(refused=reworded), "reworded"
    try:
        if decision == "send":
            approve(context, render_revision(context, revision), by=by)
        elif decision == "leave items out":
            exclude_items(context, revision, str(answer.get("leave_out") or ""))
    except IssueError as error:
        return ApprovalOutcome(refused=error.in_language(context.language)), "refused"
    if decision == "leave items out":
        return ApprovalOutcome(), decision
    if decision != "send":
        return ApprovalOutcome(test_again=True), "send test again"
    if is_ahead(context, revision.issue):
        return ApprovalOutcome(ended=waits_for_its_day(context, revision.issue)), decision
    return ApprovalOutcome(approved=True), decision


def _errors_with(context: AppContext, revision: Revision, changed: Mapping[str, str]) -> str:
    """Return what keeps a revision from being sent with these texts, a sentence for each; empty if nothing.

    They would end the run, and with it the form in which they can be written anew.
    """
    content = revision.manifest.issue
    content = replace(
        _with_texts(content, changed),
        translations=tuple(_with_texts(one, changed) for one in content.translations),
    )
    manifest = replace(revision.manifest, issue=content)
    try:
        errors = errors_of(check_manifest(context, manifest))
    except UpcycleError as error:
        return error.in_language(context.language)
    return " ".join(error.in_language(context.language) for error in errors)


def _with_texts(content: Issue, changed: Mapping[str, str]) -> Issue:
    """Return an issue in one language with the texts that were written for it."""
    texts: dict[str, Any] = {
        name: text
        for name in wordings.NAMES
        if (text := changed.get(wordings.name_in(name, content.folder))) is not None
        and (text or name != "subject")
    }
    return replace(content, **texts, overruled=tuple(dict.fromkeys((*content.overruled, *texts))))


def _reworded(changed: Mapping[str, str]) -> LocalizedText:
    if len(changed) > 1:
        return localized("form-changed-texts")
    if any(name.startswith("subject") for name in changed):
        return localized("form-changed-subject")
    return localized("form-changed-greeting")


def approve(
    context: AppContext, rendered: RenderedRevision, *, by: str, composed_now: bool = False
) -> tuple[ApprovalRequest, ...]:
    """Approve a revision; return the requests of flow runs that wait for that.

    They stay open until their runs are told. Raises `IssueError` when preflight refuses it, or the content changed since it was composed: an
    editor decides about what was shown. `composed_now` is for whoever has composed it in this very
    step. New subscribers change nothing: an approval is about the content.
    """
    revision = rendered.revision
    if not composed_now:
        _raise_if_changed(context, revision)
    raise_on_errors(rendered)
    _record_decision(context, revision.issue, revision.revision_id, approved=True, by=by)
    log.info("issue approved", issue=revision.issue, revision=revision.revision_id[:12])
    return _requests_for(context, revision.issue, revision.revision_id)


def reject(
    context: AppContext, issue: IssueId, revision_id: str, *, by: str
) -> tuple[ApprovalRequest, ...]:
    """Reject a revision; return the requests of flow runs that wait for a decision.

    They stay open until their runs are told. Raises `IssueError` once it is being sent.
    """
    _record_decision(context, issue, revision_id, approved=False, by=by)
    log.info("issue rejected", issue=issue, revision=revision_id[:12])
    return _requests_for(context, issue, revision_id)


def approve_if_undecided(context: AppContext, issue: IssueId, revision_id: str, *, by: str) -> None:
    """Approve the revision that a run composed, unless somebody has decided about it already.

    Raises `IssueError` for an issue of a day to come: that takes a person.
    """
    if issue.day > context.today:
        raise IssueError(localized("issue-ahead", issue=str(issue), day=issue.day))
    row = issues.get(context.store, issue)
    decision = approvals.last_decision(context.store, issue, revision_id)
    if decision is None and (row is None or not row.frozen):
        rendered = render_revision(context, find_revision(context, issue, revision_id))
        approve(context, rendered, by=by, composed_now=True)


def _raise_if_changed(context: AppContext, revision: Revision) -> None:
    row = issues.get(context.store, revision.issue)
    if row is not None and row.frozen:
        return  # what is sent is decided: its files no longer matter
    if changed := describe_changes(context, revision):
        raise IssueError(localized("approval-changed", issue=str(revision.issue), changed=changed))


def _record_decision(
    context: AppContext, issue: IssueId, revision_id: str, *, approved: bool, by: str
) -> None:
    approvals.record_decision(
        context.store, issue, revision_id, approved=approved, by=by, now=context.clock()
    )


def describe_changes(context: AppContext, revision: Revision) -> str:
    """Return what changed since a revision as a sentence for editors; empty when nothing did."""
    try:
        return ", ".join(edits_since(context, revision))
    except UpcycleError as error:
        return error.in_language(context.language)


def exclude_items(context: AppContext, revision: Revision, numbers: str) -> None:
    """Exclude the items with these numbers of the preview; raises `IssueError` for others."""
    related = revision.manifest.issue.all_related
    excluded = {int(number) for number in re.findall(r"\d+", numbers)}
    if not excluded or not excluded <= set(range(1, len(related) + 1)):
        if not related:
            raise IssueError(localized("leave-out-nothing"))
        raise IssueError(localized("leave-out-numbers", last=len(related)))
    values = set()
    for number in excluded:
        for item in related[number - 1].story.items:
            values |= {item.key, item.canonical}
    approvals.exclude_items(context.store, revision.issue, values)


def waiting_for_approval(context: AppContext, issue: IssueId) -> RunResult:
    """Return the result of a run that cannot wait, with the command that approves."""
    text = localized("run-waits-for-approval", issue=str(issue))
    return RunResult("completed", "WaitingForApproval", text.in_language(context.language))


def waits_for_its_day(context: AppContext, issue: IssueId) -> RunResult:
    """Return the result of a run whose issue is approved and waits for its day, or a time of today."""
    text = ahead_waiting(context, issue)
    message = "" if text is None else text.in_language(context.language)
    return RunResult("completed", "WaitsForItsDay", message)


def too_early(context: AppContext, issue: IssueId) -> RunResult:
    """Return the result of a run that was to send an issue of a day to come without asking."""
    text = localized("issue-ahead", issue=str(issue), day=issue.day)
    return RunResult("cancelled", "TooEarly", text.in_language(context.language))


def rejected(context: AppContext, issue: IssueId) -> RunResult:
    """Return the result of a run whose revision was rejected."""
    text = localized("run-rejected", issue=str(issue))
    return RunResult("cancelled", "Rejected", text.in_language(context.language))


def timed_out(context: AppContext, issue: IssueId) -> RunResult:
    """Return the result of a run whose approval request expired."""
    text = localized("run-unanswered", issue=str(issue))
    return RunResult("cancelled", "Unanswered", text.in_language(context.language))


def _requests_for(
    context: AppContext, issue: IssueId, revision_id: str
) -> tuple[ApprovalRequest, ...]:
    return tuple(
        request
        for request in approvals.open_requests(context.store, issue)
        if request.revision_id == revision_id
    )
