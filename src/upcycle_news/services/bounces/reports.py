"""What reports about deliveries do to the list, wherever they came from: the inbox, a mail server, a provider."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.parser import BounceKind, BounceReport, for_subscriber
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress, IssueId, SuppressionSource
from upcycle_news.observability.logging import Log
from upcycle_news.services.bounces import soft_bounces
from upcycle_news.storage import earlier_addresses, issues, subscribers, suppressions
from upcycle_news.storage.bounces import NewReport, RecordedReport
from upcycle_news.storage.subscriber_suppressions import SubscriberSuppression, suppress_subscriber

log = Log(__name__)

FINAL = {
    BounceKind.HARD: (suppressions.HARD_BOUNCE, SuppressionSource.BOUNCE),
    BounceKind.COMPLAINT: (suppressions.COMPLAINT, SuppressionSource.COMPLAINT),
}
"""The kinds of reports of which one suppresses, with the reason and source of the suppression."""


@dataclass(frozen=True)
class DeliveryReport:
    """A report with the delivery that our own signature in it names, and what became of it in the store."""

    report: BounceReport
    subscriber: int
    recorded: RecordedReport


def for_subscribers(
    context: AppContext, reports: Sequence[tuple[BounceReport, int]]
) -> list[BounceReport]:
    """Return reports as they count for the subscribers with these ids; unchanged for who was erased."""
    ids = {subscriber for _, subscriber in reports}
    addresses = subscribers.addresses_of(context.store, ids)
    earlier = earlier_addresses.hashes_of(context.store, ids)

    def hash_of(address: str) -> str:
        return suppressions.hash_key(context.store, EmailAddress(address))

    return [
        for_subscriber(report, addresses[number], earlier.get(number, ()), hash_of)
        if number in addresses
        else report
        for report, number in reports
    ]


def new_report(
    report: BounceReport, delivery: tuple[int, int], *, identity: bytes, raw: bytes
) -> NewReport:
    """Return what is stored of a report about the delivery (issue number, subscriber id).

    The same `identity` counts once; a complaint counts once for an issue.
    """
    is_complaint = report.kind is BounceKind.COMPLAINT
    content = f"{report.kind}/{delivery}".encode() if is_complaint else identity
    return NewReport(
        report_key=hashlib.sha256(content).hexdigest(),
        issue_number=delivery[0],
        subscriber=delivery[1],
        kind=report.kind,
        code=report.code,
        reason=report.reason,
        raw=raw,
        suppress_for=FINAL.get(report.kind),
        went_to=report.went_to,
    )


def settle(context: AppContext, reports: Sequence[DeliveryReport]) -> Counter[str]:
    """Do what follows from reports that are stored, and return what to count.

    Who failed too often is suppressed, and an issue is stopped whose suppressions are kept back.
    """
    counts: Counter[str] = Counter()
    soft = {
        one.subscriber
        for one in reports
        if one.report.kind is BounceKind.SOFT and one.recorded.is_new
    }
    suspects = soft_bounces.suspects(context, soft) if soft else frozenset()
    stopped: set[str] = set()
    for one in reports:
        kind, recorded = one.report.kind, one.recorded
        is_final = kind in FINAL  # suppresses even if the store does not know the delivery
        if not recorded.is_new and (recorded.delivery is not None or not is_final):
            counts["known"] += 1
            continue
        counts["soft" if kind is BounceKind.UNCLEAR else kind.value] += 1
        suppressed = recorded.suppressed
        if kind is BounceKind.SOFT and one.subscriber in suspects:
            suppressed = _suppress_if_too_often(context, one)
        counts["suppressed"] += suppressed
        if recorded.uncertain:
            counts["uncertain"] += 1
            log.info(
                "the reader's address has changed, and the report names none: nobody suppressed",
                subscriber=one.subscriber,
                issue=recorded.issue,
            )
        if recorded.kept_back:
            counts["pending"] += recorded.kept_back
            counts["suppressed"] -= recorded.kept_back
            if recorded.issue and recorded.issue not in stopped:
                stopped.add(recorded.issue)
                _stop_because_of_reports(context, recorded.issue, one.report)
    return Counter({name: number for name, number in counts.items() if number})


def _suppress_if_too_often(context: AppContext, one: DeliveryReport) -> bool:
    if not soft_bounces.fails_too_often(context, one.subscriber):
        return False
    wanted = SubscriberSuppression(
        one.subscriber,
        suppressions.SOFT_BOUNCES,
        SuppressionSource.BOUNCE,
        detail=" ".join(filter(None, (one.report.code, one.report.reason))),
        issue=one.recorded.issue,
        delivery=one.recorded.delivery,
    )
    return suppress_subscriber(context.store, wanted, now=context.clock())


def _stop_because_of_reports(context: AppContext, issue: str, report: BounceReport) -> None:
    """Stop an issue that is still being sent: what is accepted comes back for everybody.

    Unless a person resumed it past the guard.
    """
    reply = " ".join(filter(None, (report.code, report.reason)))
    reason = localized("guard-stopped-by-reports", reply=reply, issue=issue)
    if issues.stop_unless_past_guard(
        context.store,
        IssueId.parse(issue),
        reason=reason.in_language(context.language),
        now=context.clock(),
    ):
        log.raised("issue stopped", issue=issue, why=reason)
