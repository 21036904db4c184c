"""Detect a slow relay: its replies compared with a limit, and with those to earlier issues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.storage import relay_stats

MIN_REPLIES = 20  # fewer say nothing about a relay
EARLIER_ISSUES = 5  # the issues that say what is usual
NEGLIGIBLE_SECONDS = 0.25  # a median below this is no problem, however fast it was before


def slow_relay(
    now: RelayStats, earlier: Sequence[RelayStats], *, seconds: float, factor: float
) -> LocalizedText | None:
    """Return the sentence that says how a relay is slow; None when it is not, or too little is known.

    A relay is slow when half of its replies take longer than `seconds`, or `factor` times as long
    as was usual in `earlier` issues. 0 turns either off.
    """
    if now.timed < MIN_REPLIES:
        return None
    if seconds and now.median > seconds:
        return localized("relay-slow", seconds=now.median, alarm=seconds)
    medians = [stats.median for stats in earlier if stats.timed >= MIN_REPLIES]
    if not factor or not medians or now.median <= NEGLIGIBLE_SECONDS:
        return None
    usual = median(medians)
    if now.median > factor * usual:
        return localized("relay-slower", seconds=now.median, before=usual, factor=factor)
    return None


def slow_relays(context: AppContext, issue: IssueId) -> Iterator[tuple[RelayStats, LocalizedText]]:
    """Yield the relays of an issue that are slow, each with its sentence."""
    settings = context.settings.cockpit
    for stats in relay_stats.for_issue(context.store, issue):
        earlier = relay_stats.for_earlier_issues(context.store, issue, stats.relay, EARLIER_ISSUES)
        sentence = slow_relay(
            stats, earlier, seconds=settings.slow_relay_seconds, factor=settings.slow_relay_factor
        )
        if sentence:
            yield stats, sentence
