"""Delivery in a flow run: its progress in Prefect, and what happens when the relay is away."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, IssueId, IssueStatus
from upcycle_news.services.delivery.deliver_run import DeliveryResult, run_delivery
from upcycle_news.services.delivery.issue_relay import away_progress, time_of_day
from upcycle_news.services.delivery.status import status_of
from upcycle_news.services.reports.delivery_report import Progress, Show
from upcycle_news.transports.outcomes import RelayUnreachable


@dataclass(frozen=True)
class ResumedDelivery:
    """The counts after a scheduled run; `waits` says why it waits for the relay, or is empty.

    `goes_on` says when the rest is due, and why not now; empty when nothing waits for a time.
    """

    status: IssueStatus
    waits: str = ""
    goes_on: str = ""


def deliver_with_progress(
    context: AppContext, issue: IssueId, show: Show = lambda percent, text: None
) -> IssueStatus:
    """Deliver what is queued or due, beside other workers; return the delivery counts.

    Raises as `_deliver`.
    """
    return _deliver(context, issue, show).status


def _deliver(context: AppContext, issue: IssueId, show: Show) -> DeliveryResult:
    """Deliver what is queued or due, beside other workers.

    Raises `RelayUnreachable` when the relay does not answer, with a sentence that says how far the
    issue is and how it goes on: everything stays queued.
    """
    before = status_of(context, issue)
    progress = Progress(
        before.audience,
        _ended(before),
        show,
        context.language,
        away=lambda report: away_progress(context, before, report),
    )

    def show_report(_: IssueStatus, report: DeliveryReport) -> None:
        progress(report)

    try:
        result = run_delivery(context, issue, progress=show_report, wait_for_others=True)
    except RelayUnreachable as error:
        after = status_of(context, issue)
        progress.show_text(_ended(after), error.localized_text)
        raise
    progress.show_now(_ended(result.status))
    return result


def resume_delivery(context: AppContext, issue: IssueId) -> ResumedDelivery:
    """Deliver as `deliver_with_progress` does, for a scheduled run: an unreachable relay is no failure.

    A send without progress raises the alert "stalled" elsewhere.
    """
    try:
        result = _deliver(context, issue, lambda percent, text: None)
    except RelayUnreachable as error:
        return ResumedDelivery(status_of(context, issue), error.in_language(context.language))
    return ResumedDelivery(result.status, goes_on=_goes_on(context, result))


def _goes_on(context: AppContext, result: DeliveryResult) -> str:
    """Return when what is left is due: the send window, a quota, or a retry says so."""
    status, due = result.status, result.report.next_due
    if status.closed or due is None or not status.waiting:
        return ""
    at, queued = time_of_day(context, due), status.counts.get(DeliveryState.QUEUED, 0)
    opening = context.send_window(context.settings.publication.timezone)(context.clock())
    if opening is not None:
        text = localized("goes-on-window", at=time_of_day(context, opening))
    elif queued:
        text = localized("goes-on-quota", at=at)
    else:
        text = localized("goes-on-retry", at=at)
    return text.in_language(context.language)


def is_transient(error: object) -> bool:
    """True for an error that a retry may cure: the relay does not answer."""
    return isinstance(error, RelayUnreachable)


def _ended(status: IssueStatus) -> int:
    return status.audience - status.waiting
