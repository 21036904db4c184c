"""Checks of the content: feeds, the size of the last issue, and the findings of `check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import Finding
from upcycle_news.rendering.render import MAX_HTML_BYTES, WARN_HTML_BYTES
from upcycle_news.services.feeds.collect import FeedStatus

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
        return [skipped("feeds", "no feed is listed: issues are made of essays alone")]
    tried = [feed.tried_at for feed in active if feed.tried_at]
    if not tried:
        return [
            skipped(
                "feeds",
                f"none of {format_count(len(active), 'feed')} was asked yet",
                fix="run 'upcycle-news feeds collect'",
            )
        ]
    results = []
    if now - max(tried) > _FEEDS_STALE_AFTER:
        results.append(
            warning(
                "feeds",
                f"no feed was asked since {max(tried):%Y-%m-%d %H:%M} UTC",
                impact="issues are made of old news",
                fix="look whether the schedule of collect-feeds runs, or collect by hand",
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
                f"{len(dead)} of {format_count(len(active), 'feed')} dead: {_named(dead)}",
                impact="nothing of them gets into an issue",
                fix="'upcycle-news feeds health' says why; correct the url in feeds.toml, or remove the feed",
            )
        )
    if moved:
        results.append(
            warning(
                "feeds",
                f"{format_count(len(moved), 'feed has', 'feeds have')} moved: {_named(moved)}",
                impact="they are fetched from the new address; once the redirect ends they are lost",
                fix="write the new url into feeds.toml; 'upcycle-news feeds health' names it",
            )
        )
    odd = [feed for feed in active if feed.odd]
    if odd:
        results.append(
            warning(
                "feeds",
                f"{len(odd)} of {format_count(len(active), 'feed')} odd: {_named(odd)}",
                impact="they answer, but little or nothing of them gets into an issue, or not as it was written",
                fix="'upcycle-news feeds health' says of each what is odd and what to do",
            )
        )
    if results:
        return results
    retried = f"; {len(failing)} failed lately and are tried again" if failing else ""
    return [ok("feeds", f"{format_count(len(active), 'feed')}{retried or ', all well'}")]


def _named(feeds: Sequence[FeedStatus]) -> str:
    more = f" and {len(feeds) - 4} more" if len(feeds) > 4 else ""
    return ", ".join(feed.name for feed in feeds[:4]) + more


def evaluate_issue_size(last: LastIssue | None) -> CheckResult:
    """Compare the HTML part of the last issue with the size at which Gmail clips a message."""
    if last is None:
        return skipped("issue-size", "no issue was rendered yet")
    finding = f"the HTML part of issue {last.id} has {last.html / 1000:.0f} kB"
    clipped = f"Gmail cuts mails off above {MAX_HTML_BYTES / 1000:.0f} kB, and with it imprint and unsubscribe link"
    fix = 'fewer essays or items, or issue.length = "teaser"'
    if last.html > MAX_HTML_BYTES:
        return problem("issue-size", finding, impact=clipped, fix=fix)
    if last.html > WARN_HTML_BYTES:
        return warning("issue-size", finding, impact=clipped, fix=fix)
    return ok("issue-size", f"{finding}; Gmail shows up to {MAX_HTML_BYTES / 1000:.0f} kB")


def evaluate_findings(findings: Sequence[Finding]) -> CheckResult:
    """Summarise the findings of `upcycle-news check`."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        count = format_count(len(errors), "error")
        return warning(
            "content",
            f"{count} in the content, the first: {errors[0].where}: {errors[0].code}",
            impact="until they are corrected the next issue is refused, or its scheduled run fails",
            fix="'upcycle-news check' lists all of them with file and line",
        )
    count = format_count(len(findings), "warning")
    hints = f"; {count}, see 'upcycle-news check'" if findings else ""
    return ok("content", f"essays, feeds.toml and templates are in order{hints}")
