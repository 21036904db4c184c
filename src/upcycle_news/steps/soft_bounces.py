"""Subscribers for whom too much failed: reports that came back and refusals at SMTP time alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial

from upcycle_news.audience.scoring import SoftFailures, too_often
from upcycle_news.logs import Log
from upcycle_news.model import IssueId, SmtpReply
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.refusals import RefusalClass, classify_refusal
from upcycle_news.store import bounces, failures
from upcycle_news.store.failures import RefusedDelivery

log = Log(__name__)

REASON = "soft bounces"


def fails_too_often(
    room: Newsroom, subscriber: int, distrusted: Callable[[str], bool] | None = None
) -> bool:
    """True if so much failed for a subscriber that no further issue should be sent.

    `distrusted` tells of an issue whether its refusals say nothing of one subscriber; give it when
    asking for many.
    """
    distrusted = distrusted or partial(failures.mostly_refused, room.store)
    told = room.settings.bounces
    reports = failures.soft_reports(room.store, subscriber)
    refused = [
        one
        for one in failures.refused_deliveries(room.store, subscriber)
        if _of_the_recipient(one) and not distrusted(one.issue)
    ]
    known = {one.issue: one.at for one in reports if one.understood}
    known |= {one.issue: one.at for one in refused}
    return too_often(
        SoftFailures(
            understood=tuple(known.values()),
            unclear=tuple(
                one.at for one in reports if not one.understood and one.issue not in known
            ),
            failed=frozenset(known),
            tried=failures.issues_tried(
                room.store, subscriber, 2 * math.ceil(told.soft_threshold) + 2
            ),
        ),
        now=room.clock(),
        half_life=timedelta(days=told.half_life_days),
        threshold=told.soft_threshold,
    )


def suppress_refused(room: Newsroom, issue: IssueId) -> int:
    """Suppress whom a relay refused in this issue as it did before, too often; returns how many."""
    distrusted = cache(partial(failures.mostly_refused, room.store))
    count = 0
    for subscriber in failures.refused_again(room.store, issue):
        if fails_too_often(room, subscriber, distrusted):
            count += bounces.suppress_person(
                room.store,
                subscriber,
                reason=REASON,
                detail="refused by the relay in several issues",
                now=room.clock(),
            )
    if count:
        log.info("refused in several issues and suppressed", issue=issue, count=count)
    return count


def _of_the_recipient(one: RefusedDelivery) -> bool:
    """True for a refusal that may be the recipient's; what speaks of us is nobody's fault.

    A delivery given up after temporary replies counts where they speak of the mailbox: others are
    the relay's own.
    """
    found = classify_refusal("rcpt", SmtpReply(one.code, one.reason, one.enhanced))
    if one.code < 500:
        return found is RefusalClass.MAILBOX
    return found in (RefusalClass.RECIPIENT, RefusalClass.MAILBOX, RefusalClass.UNCLEAR)
