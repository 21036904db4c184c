"""Findings about feeds that an editor sees before approving: which fail, and which content may be old."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.models import Finding
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.services.content.git_sync import localize_pull_failure
from upcycle_news.services.feeds import health
from upcycle_news.storage import feeds as feed_rows


def feed_findings(context: AppContext) -> tuple[Finding, ...]:
    """Return warnings to show before an approval: failing and odd feeds, and content that may be old."""
    states = feed_rows.states(context.store)
    findings: list[Finding] = []
    for feed in load_publication_feeds(context):
        known = states.get(feed.url)
        if not feed.active or known is None:
            continue
        if message := health.failure_message(known):
            findings.append(Finding("warning", "feed-silent", feed.name, message))
        findings += [
            Finding("warning", "feed-odd", feed.name, oddity)
            for oddity in health.oddities(known, context.clock())
        ]
    if error := feed_rows.last_report(context.store).get("pull"):
        findings.insert(
            0, Finding("warning", "content-old", "content", localize_pull_failure(str(error)))
        )
    return tuple(findings)
