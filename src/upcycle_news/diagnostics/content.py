"""Checks of the content: feeds, the size of the last issue, and the findings of `check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.mail_size import MAX_HTML_BYTES, WARN_HTML_BYTES

if TYPE_CHECKING:
    from upcycle_news.services.feeds.status import FeedStatus

_DEAD_AFTER = 5  # consecutive failures, as in the alert rules
_FEEDS_STALE_AFTER = timedelta(days=2)


@dataclass(frozen=True)
class LastIssue:
    """Sizes of the newest rendered issue in bytes: its HTML part, and the whole message."""

    id: str
    html: int
    message: int


def evaluate_feeds(health: Sequence[FeedStatus], now: datetime) -> list[CheckResult]:
    """Evaluate the rows of `feeds health`, one per feed."""
    active = [feed for feed in health if feed.active]
    if not active:
        return [skipped("feeds", localized("doctor-no-feed"))]
    tried = [feed.tried_at for feed in active if feed.tried_at]
    if not tried:
        return [
            skipped(
                "feeds",
                localized(
                    "doctor-feeds-unasked", feeds=localized("count-feeds", count=len(active))
                ),
                fix=localized("doctor-feeds-collect"),
            )
        ]
    results = []
    if now - max(tried) > _FEEDS_STALE_AFTER:
        results.append(
            warning(
                "feeds",
                localized("doctor-feeds-stale", at=max(tried)),
                impact=localized("doctor-feeds-stale-means"),
                fix=localized("doctor-feeds-stale-cure"),
            )
        )
    dead = [feed for feed in active if feed.stopped or feed.errors >= _DEAD_AFTER]
    failing = [feed for feed in active if feed not in dead and feed.errors]
    moved = [feed for feed in active if feed.asked_at_address != feed.url]
    if dead:
        make = problem if len(dead) == len(active) else warning
        results.append(
            make(
                "feeds",
                localized(
                    "doctor-feeds-dead",
                    dead=len(dead),
                    feeds=localized("count-feeds", count=len(active)),
                    names=_named(dead),
                ),
                impact=localized("doctor-feeds-dead-means"),
                fix=localized("doctor-feeds-dead-cure"),
            )
        )
    if moved:
        results.append(
            warning(
                "feeds",
                localized("doctor-feeds-moved", count=len(moved), names=_named(moved)),
                impact=localized("doctor-feeds-moved-means"),
                fix=localized("doctor-feeds-moved-cure"),
            )
        )
    odd = [feed for feed in active if feed.odd]
    if odd:
        results.append(
            warning(
                "feeds",
                localized(
                    "doctor-feeds-odd",
                    odd=len(odd),
                    feeds=localized("count-feeds", count=len(active)),
                    names=_named(odd),
                ),
                impact=localized("doctor-feeds-odd-means"),
                fix=localized("doctor-feeds-odd-cure"),
            )
        )
    if results:
        return results
    feeds = localized("count-feeds", count=len(active))
    if failing:
        return [ok("feeds", localized("doctor-feeds-retried", feeds=feeds, failing=len(failing)))]
    return [ok("feeds", localized("doctor-feeds-fine", feeds=feeds))]


def _named(feeds: Sequence[FeedStatus]) -> LocalizedText:
    more = localized("doctor-and-more", count=len(feeds) - 4) if len(feeds) > 4 else ""
    names = ", ".join(feed.name for feed in feeds[:4])
    return localized("doctor-names", names=names, more=more)


def evaluate_issue_size(last: LastIssue | None) -> CheckResult:
    """Compare the HTML part of the last issue with the size at which Gmail clips a message."""
    if last is None:
        return skipped("issue-size", localized("doctor-no-issue"))
    finding = localized("doctor-issue-size", issue=last.id, size=last.html / 1000)
    clipped = localized("doctor-gmail-cuts", limit=MAX_HTML_BYTES / 1000)
    fix = localized("doctor-issue-shorter")
    if last.html > MAX_HTML_BYTES:
        return problem("issue-size", finding, impact=clipped, fix=fix)
    if last.html > WARN_HTML_BYTES:
        return warning("issue-size", finding, impact=clipped, fix=fix)
    return ok(
        "issue-size",
        localized("doctor-issue-size-ok", finding=finding, limit=MAX_HTML_BYTES / 1000),
    )


def evaluate_findings(findings: Sequence[Finding]) -> CheckResult:
    """Summarise the findings of `upcycle-news check`."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        count = localized("count-errors", count=len(errors))
        return warning(
            "content",
            localized(
                "doctor-content-errors", errors=count, where=errors[0].where, code=errors[0].code
            ),
            impact=localized("doctor-content-errors-mean"),
            fix=localized("doctor-content-errors-cure"),
        )
    count = localized("count-warnings", count=len(findings))
    hints = localized("doctor-content-hints", count=count) if findings else ""
    return ok("content", localized("doctor-content-ok", hints=hints))
