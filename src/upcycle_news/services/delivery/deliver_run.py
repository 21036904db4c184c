"""The delivery of an issue as a command or a flow run does it: watched, and ended by a signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.services.delivery.send import deliver_issue, wait_for_other_workers
from upcycle_news.services.delivery.status import status_of
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.services.issues.render import RenderedRevision

Progress = Callable[[IssueStatus, DeliveryReport], None]
"""Called with the counts when a delivery began and the report of this run so far: empty at first."""


@dataclass(frozen=True)
class DeliveryResult:
    """The counts after a run, and what the run itself did.

    `interrupted`: SIGTERM, Ctrl-C or SIGHUP ended it; what is left is queued.
    """

    status: IssueStatus
    report: DeliveryReport
    interrupted: bool = False


def run_delivery(
    context: AppContext,
    issue: IssueId,
    *,
    progress: Progress = lambda status, report: None,
    wait_for_others: bool = False,
    rendered: RenderedRevision | None = None,
) -> DeliveryResult:
    """Deliver what is queued or due until nothing is left to do now, or a signal ends it.

    `wait_for_others`: stay until other workers have ended, and take over what they left. `rendered`
    and errors as for `deliver_issue`.
    """
    before = status_of(context, issue)
    progress(before, DeliveryReport())

    def show(report: DeliveryReport) -> None:
        progress(before, report)

    with stop_on_signals() as stopping:
        report = deliver_issue(context, issue, stopping=stopping, progress=show, rendered=rendered)
        while wait_for_others and wait_for_other_workers(context, issue, stopping=stopping):
            report = deliver_issue(
                context, issue, stopping=stopping, progress=show, rendered=rendered
            )
        interrupted = stopping()
    after = status_of(context, issue)
    return DeliveryResult(after, report, interrupted and not after.closed)
