"""Suppress subscribers with too many soft failures: bounce reports and refusals at SMTP time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import cache, partial

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.score import SoftFailures, too_often
from upcycle_news.models import IssueId, SmtpReply, SuppressionSource
from upcycle_news.observability.logging import Log
from upcycle_news.storage import failures, suppressions
from upcycle_news.storage.failures import RefusedDelivery
from upcycle_news.storage.subscriber_suppressions import SubscriberSuppression, suppress_subscriber
from upcycle_news.transports.refusal_classes import RefusalClass, classify_refusal

log = Log(__name__)


def fails_too_often(
    context: AppContext, subscriber: int, distrusted: Callable[[str], bool] | None = None
) -> bool:
    """Return True if a subscriber had so many failures that no further issue should be sent.

    `distrusted` returns True for an issue whose refusals are no evidence against one subscriber;
    pass a cached one when asking for many subscribers.
    """
    distrusted = distrusted or partial(failures.mostly_refused, context.store)
    settings = context.settings.bounces
    reports = failures.soft_reports(context.store, subscriber)
    refused = [
        delivery
        for delivery in failures.refused_deliveries(context.store, subscriber)
        if _concerns_recipient(delivery) and not distrusted(delivery.issue)
    ]
    known = {report.issue: report.at for report in reports if report.understood}
    known |= {delivery.issue: delivery.at for delivery in refused}
    return too_often(
        SoftFailures(
            understood=tuple(known.values()),
            unclear=tuple(
                report.at
                for report in reports
                if not report.understood and report.issue not in known
            ),
            failed=frozenset(known),
            tried=failures.issues_tried(
                context.store, subscriber, 2 * math.ceil(settings.soft_threshold) + 2
            ),
        ),
        now=context.clock(),
        half_life=timedelta(days=settings.half_life_days),
        threshold=settings.soft_threshold,
    )


def suspects(context: AppContext, of: Collection[int]) -> frozenset[int]:
    """Return those of these subscribers with enough failures for `fails_too_often` to be asked.

    Each failure adds one at the most, and a row of failures is longer than the threshold.
    """
    least = math.ceil(context.settings.bounces.soft_threshold)
    return failures.with_failures(context.store, of, at_least=least)


def suppress_refused(context: AppContext, issue: IssueId) -> int:
    """Suppress those refused in this issue and too often before; return how many."""
    distrusted = cache(partial(failures.mostly_refused, context.store))
    count = 0
    for subscriber, delivery in failures.refused_again(context.store, issue):
        if fails_too_often(context, subscriber, distrusted):
            wanted = SubscriberSuppression(
                subscriber,
                suppressions.SOFT_BOUNCES,
                SuppressionSource.SMTP,
                detail="refused by the relay in several issues",
                issue=str(issue),
                delivery=delivery,
            )
            count += suppress_subscriber(context.store, wanted, now=context.clock())
    if count:
        log.info("suppressed after refusals in several issues", issue=issue, count=count)
    return count


def _concerns_recipient(delivery: RefusedDelivery) -> bool:
    """Return True for a refusal that may concern the recipient, not us.

    A delivery given up after temporary replies counts if they concern the mailbox: others are the
    relay's own.
    """
    refusal_class = classify_refusal(
        "rcpt", SmtpReply(delivery.code, delivery.reason, delivery.enhanced)
    )
    if delivery.code < 500:
        return refusal_class is RefusalClass.MAILBOX
    return refusal_class in (RefusalClass.RECIPIENT, RefusalClass.MAILBOX, RefusalClass.UNCLEAR)
