"""Tell the flow runs that wait for an approval that somebody has decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from upcycle_news.app.context import AppContext
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.storage import approvals
from upcycle_news.storage.approvals import ApprovalRequest


@dataclass(frozen=True)
class ResumedRuns:
    """The flow runs that go on at once; `problem` is a sentence on why others were not reached."""

    runs: tuple[str, ...] = ()
    problem: str = ""


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
        return ResumedRuns(
            problem="the decision is written down; set PREFECT_API_URL to tell the waiting run at once"
        )
    resumed = []
    try:
        for request in requests:
            if client.resume(request.run, {"decision": decision}):
                resumed.append(request.run)
            approvals.answer_request(context.store, request.id, decision, now=context.clock())
    except PrefectApiError as error:
        problem = f"the decision is written down, but the waiting run could not be resumed: {error}"
        return ResumedRuns(tuple(resumed), problem)
    return ResumedRuns(tuple(resumed))
