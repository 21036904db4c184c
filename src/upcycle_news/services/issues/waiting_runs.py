"""Tell the flow runs that wait for an approval that somebody has decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.services.issues.lock import lock_holder, release_lock
from upcycle_news.storage import approvals, issues
from upcycle_news.storage.approvals import ApprovalRequest

_BY_RUN = "flow run "  # how the history of an issue says that a run did something: key by-run


@dataclass(frozen=True)
class ResumedRuns:
    """The flow runs that go on at once; `problem` is a sentence on why others were not reached."""

    runs: tuple[str, ...] = ()
    problem: str = ""


def run_page(context: AppContext, run: str) -> str:
    """Return the address of a run in Prefect's pages, or its id where no server is known."""
    client = PrefectClient.find(context.settings.state / "prefect")
    return run if client is None else client.run_page(run)


def run_of_issue(context: AppContext, issue: IssueId) -> str:
    """Return the address of the run that worked on an issue last; empty when only people did."""
    requests = approvals.open_requests(context.store, issue)
    runs = [event.by for event in issues.history(context.store, issue)]
    runs = [by.removeprefix(_BY_RUN) for by in runs if by.startswith(_BY_RUN)]
    runs += [request.run for request in requests]
    return run_page(context, runs[-1]) if runs else ""


@dataclass(frozen=True)
class ReleasedRuns:
    """The runs that had ended, so that they hold their issues no more; `problem` is why others are unknown."""

    runs: tuple[str, ...] = ()
    problem: str = ""


def release_ended_runs(
    context: AppContext, client: PrefectClient, issue: IssueId | None = None
) -> ReleasedRuns:
    """Close the approval requests, and release the issues, of runs that were cancelled, deleted or lost.

    A run about which Prefect says nothing certain counts as waiting. What somebody has decided about
    its revision holds: then the request stays, and the flow watch settles it.
    """
    released, problem = [], ""
    for run, issue_of_run in _holders(context, issue):
        try:
            if not client.has_ended(run):
                continue
        except PrefectApiError as error:
            problem = error.in_language(context.language)
            continue
        for request in approvals.open_requests(context.store, issue_of_run):
            if request.run == run and not _is_decided(context, request):
                approvals.answer_request(
                    context.store, request.id, "run ended", now=context.clock()
                )
        release_lock(context, issue_of_run, run)
        released.append(run)
    return ReleasedRuns(tuple(released), problem)


def _holders(context: AppContext, issue: IssueId | None) -> list[tuple[str, IssueId]]:
    """Return the runs that wait for an approval, or prepare this issue, each with its issue."""
    holders = [
        (request.run, request.issue) for request in approvals.open_requests(context.store, issue)
    ]
    if issue is not None and (run := lock_holder(context, issue)):
        holders.append((run, issue))
    return list(dict.fromkeys(holders))


def _is_decided(context: AppContext, request: ApprovalRequest) -> bool:
    decision = approvals.last_decision(context.store, request.issue, request.revision_id)
    row = issues.get(context.store, request.issue)
    return decision is not None or (row is not None and row.frozen)


def resume_waiting_runs(
    context: AppContext,
    requests: Sequence[ApprovalRequest],
    decision: Literal["send", "reject"],
) -> ResumedRuns:
    """Resume the runs of these approval requests, and close the requests of those that were resumed.

    The others stay open, and the flow watch resumes their runs. The decision holds without them:
    deliver-pending reads it, too.
    """
    if not requests:
        return ResumedRuns()
    client = PrefectClient.find(context.settings.state / "prefect")
    if client is None:
        return ResumedRuns(problem=localized("decided-unheard").in_language(context.language))
    resumed = []
    try:
        for request in requests:
            if client.resume(request.run, {"decision": decision}):
                resumed.append(request.run)
            approvals.answer_request(context.store, request.id, decision, now=context.clock())
    except PrefectApiError as error:
        problem = localized("decided-not-resumed", why=error.localized_text).in_language(
            context.language
        )
        return ResumedRuns(tuple(resumed), problem)
    return ResumedRuns(tuple(resumed))
