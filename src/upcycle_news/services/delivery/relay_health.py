"""Whether a relay has become slow: its answers beside a limit, and beside those of earlier issues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.storage import relay_stats

ENOUGH = 20  # answers: fewer say nothing about a relay
EARLIER = 5  # issues that say what is usual
UNNOTICED = 0.25  # seconds: below this nobody minds, however fast it was before


def slow_relay(
    now: RelayStats, earlier: Sequence[RelayStats], *, seconds: float, factor: float
) -> LocalizedText | None:
    """Say in what way a relay is slow; None when it is not, or when too little is known.

    It is when half of its answers take longer than `seconds`, or `factor` times as long as was
    usual in `earlier` issues. 0 turns either off.
    """
    if now.timed < ENOUGH:
        return None
    if seconds and now.median > seconds:
        return localized("relay-slow", seconds=now.median, alarm=seconds)
    usual = [one.median for one in earlier if one.timed >= ENOUGH]
    if not factor or not usual or now.median <= UNNOTICED:
        return None
    before = median(usual)
    if now.median > factor * before:
        return localized("relay-slower", seconds=now.median, before=before, factor=factor)
    return None


def slow_relays(context: AppContext, issue: IssueId) -> Iterator[tuple[RelayStats, LocalizedText]]:
    """The relays of an issue that are slow, each with its sentence."""
    told = context.settings.cockpit
    for one in relay_stats.of_issue(context.store, issue):
        before = relay_stats.earlier(context.store, issue, one.relay, EARLIER)
        sentence = slow_relay(
            one, before, seconds=told.slow_relay_seconds, factor=told.slow_relay_factor
        )
        if sentence:
            yield one, sentence
