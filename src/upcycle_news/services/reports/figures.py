"""The figures of the report page: what the store, the quotas and the feeds say, in a few statements.

Counted by the store: no row of a reader is loaded, and no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Rate
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.services.feeds.status import FeedStatus, feeds_health
from upcycle_news.services.subscribers.list_health import IssueHealth, list_health
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage import issue_relays, metrics, relay_stats, statistics
from upcycle_news.storage.feeds import CollectionCounts
from upcycle_news.storage.statistics import ListChanges

MONTHS, ISSUES, COLLECTIONS = 36, 60, 60
"""How many of each are shown at most, the newest ones."""


@dataclass(frozen=True)
class Month:
    """What happened to the list in a month that begins on `first`, in the publication's time zone."""

    first: date
    changes: ListChanges


@dataclass(frozen=True)
class QuotaUsage:
    """How much of a rate is used up in its span; `relay` or `domain` says whose, else the sender's."""

    rate: Rate
    used: int
    relay: str = ""
    domain: str = ""

    @property
    def left(self) -> int:
        """How many messages may still go."""
        return max(self.rate.limit - self.used, 0)


@dataclass(frozen=True)
class Figures:
    """What the page shows; months, issues and collections are ordered in time.

    `first_change` is when the list first changed, None if never. `relays` has the statistics by issue,
    without issues that were never timed. `feeds` is None when feeds.toml cannot be read: `feeds_error`
    says why.
    """

    at: datetime
    subscribers: metrics.SubscriberCounts
    first_change: datetime | None
    months: tuple[Month, ...]
    issues: tuple[IssueHealth, ...]
    in_mailbox: frozenset[str]
    relays: Mapping[str, tuple[RelayStats, ...]]
    feeds: tuple[FeedStatus, ...] | None
    feeds_error: str
    collections: tuple[CollectionCounts, ...]
    quotas: tuple[QuotaUsage, ...]


def collect_figures(context: AppContext) -> Figures:
    """Return the figures as they are now; raises `StoreError`."""
    now, store = context.clock(), context.store
    zone = context.settings.publication.zone
    first_change = statistics.first_list_change(store)
    starts = month_starts(first_change, now, zone) if first_change else ()
    instants = [datetime.combine(start, time(), zone) for start in starts]
    # A span has its end in it, a month has not.
    ends = [instant - timedelta(microseconds=1) for instant in instants]
    changes = statistics.list_changes(store, ends) if ends else ()
    issues = list_health(context, ISSUES)[::-1]
    ids = [health.figures.issue for health in issues]
    feeds, feeds_error = _feeds(context)
    return Figures(
        at=now,
        subscribers=metrics.subscriber_counts(store),
        first_change=first_change,
        months=tuple(Month(first, change) for first, change in zip(starts, changes, strict=False)),
        issues=issues,
        in_mailbox=issue_relays.in_mailbox(store, ids),
        relays=relay_stats.for_issues(store, ids),
        feeds=feeds,
        feeds_error=feeds_error,
        collections=feed_rows.collection_counts(store, COLLECTIONS),
        quotas=quota_usage(context),
    )


def month_starts(first_change: datetime, now: datetime, zone: ZoneInfo) -> tuple[date, ...]:
    """Return the first days of the months from `first_change` to `now`, and of the month after.

    Of more than `MONTHS` the newest; a change in the future counts in the present month.
    """
    today = now.astimezone(zone).date()
    first = min(first_change, now).astimezone(zone).date()
    last = 12 * today.year + today.month - 1
    begin = max(12 * first.year + first.month - 1, last - MONTHS + 1)
    return tuple(date(number // 12, number % 12 + 1, 1) for number in range(begin, last + 2))


def quota_usage(context: AppContext) -> tuple[QuotaUsage, ...]:
    """Return the use of each quota that is set: the relays' first, then the sender's and domains' by name.

    Those for any other domain (``*``) are left out: they count each domain on its own.
    """
    sender = context.settings.sender.address
    wanted: list[tuple[str, Rate, str, str]] = []
    for relay in sorted(context.settings.relays, key=lambda name: (name != MAIN_RELAY, name)):
        quotas = context.quotas(relay, sender)
        wanted += [(f"relay {relay}", rate, relay, "") for rate in quotas.relay]
    quotas = context.quotas(MAIN_RELAY, sender)
    wanted += [(f"sender {sender}", rate, "", "") for rate in quotas.sender]
    for domain, rates in quotas.domains:
        if domain != "*":
            wanted += [(f"domain {domain}", rate, "", domain) for rate in rates]
    return tuple(
        QuotaUsage(
            rate,
            statistics.count_sent_within(context.store, scope, rate, now=context.clock()),
            relay,
            domain,
        )
        for scope, rate, relay, domain in wanted
    )


def duration_text(seconds: float) -> LocalizedText:
    """Return a duration in seconds, or in milliseconds below one."""
    if seconds >= 1:
        return localized("report-seconds", seconds=seconds)
    return localized("report-milliseconds", milliseconds=1000 * seconds)


def _feeds(context: AppContext) -> tuple[tuple[FeedStatus, ...] | None, str]:
    try:
        return tuple(feed for feed in feeds_health(context) if feed.active), ""
    except ContentError as error:  # an editor's file; the rest is still worth telling
        return None, error.in_language(context.language)
