"""Prometheus metrics of a publication: counts and times, never an address."""

from __future__ import annotations

import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError
from upcycle_news.models import DeliveryState, IssueState, SubscriberStatus
from upcycle_news.observability.logging import Log
from upcycle_news.observability.redaction import redact
from upcycle_news.services.backup.existing import list_backups
from upcycle_news.services.delivery.worker_identity import HEARTBEAT_TIMEOUT
from upcycle_news.services.feeds.status import FeedStatus, feeds_health
from upcycle_news.services.journal.consistency import find_contradiction
from upcycle_news.storage import metrics, send_hold
from upcycle_news.version import __version__

log = Log(__name__)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
NEWEST = 5  # issues with series of their own: more would be series that nobody looks at
FRESH, SLOW = 10.0, 60.0  # seconds a value is cached: of the queue, and of what is slow to count
COST_FACTOR = 20  # a value that took a second is cached for so many seconds
MAX_FEEDS = 200  # feeds with series of their own

T = TypeVar("T")


def needs_recount(counted_at: datetime, cost: float, now: datetime) -> bool:
    """True if an issue's deliveries have to be counted again; `cost` is the last count's seconds."""
    return (now - counted_at).total_seconds() >= max(FRESH, COST_FACTOR * cost)


@dataclass
class _CachedValue(Generic[T]):
    """A value that is computed again after a while, later when it was costly."""

    compute: Callable[[], T]
    seconds: float
    timer: Callable[[], float]
    value: T | None = None
    until: float = 0.0

    def get(self) -> T:
        began = self.timer()
        if self.value is None or began >= self.until:
            self.value = self.compute()
            ended = self.timer()
            self.until = ended + max(self.seconds, COST_FACTOR * (ended - began))
        return self.value


@dataclass
class MetricsExporter:
    """The metrics of one application context. Keep it: its cache makes the next scrape cheap."""

    context: AppContext
    timer: Callable[[], float] = time.monotonic
    _counted: dict[str, tuple[Mapping[str, int], datetime, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Set up the cached values; nothing is computed yet."""
        store = self.context.store
        self._text = _CachedValue(self._write, FRESH, self.timer)
        self._subscribers = _CachedValue(lambda: metrics.subscriber_counts(store), SLOW, self.timer)
        self._feeds = _CachedValue(self._feed_families, SLOW, self.timer)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format 0.0.4; raises `StoreError`.

        One thread computes at a time: scrapes that come together share the result.
        """
        with self._lock:
            return self._text.get()

    def _write(self) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_FixedCollector(list(self._families())))
        return generate_latest(registry)

    def _families(self) -> Iterator[GaugeMetricFamily]:
        began, now, store = self.timer(), self.context.clock(), self.context.store
        yield _gauge(
            "build_info",
            "Always 1; installed versions.",
            {(__version__, platform.python_version(), store.dialect): 1},
            ("version", "python", "store"),
        )
        queues = metrics.issue_queues(store, NEWEST)
        yield from self._issues(queues, now)
        yield from _queue(queues, now)
        yield _gauge(
            "senders",
            "Workers with a recent heartbeat.",
            metrics.count_workers_since(store, now - HEARTBEAT_TIMEOUT),
        )
        yield _gauge(
            "approvals_waiting",
            "Flow runs that wait for an editor's approval.",
            metrics.count_open_approval_requests(store),
        )
        yield _gauge(
            "paused",
            "1 while nothing is sent, as the store was restored or moved, or does not know what went out.",
            int(
                send_hold.active_hold(store) is not None
                or find_contradiction(self.context, store, lenient=True) is not None
            ),
        )
        yield from _subscriber_families(self._subscribers.get())
        yield from self._feeds.get()
        if (made := self._last_backup()) is not None:
            yield _gauge("last_backup_timestamp_seconds", "When the newest backup was made.", made)
        yield _gauge(
            "state_free_bytes",
            "Free bytes on the disk of the state folder.",
            shutil.disk_usage(self.context.settings.state).free,
        )
        yield _gauge(
            "metrics_duration_seconds", "How long these metrics took.", self.timer() - began
        )

    def _issues(
        self, queues: tuple[metrics.IssueQueue, ...], now: datetime
    ) -> Iterator[GaugeMetricFamily]:
        sums = {queue.issue: self._sums(queue, now) for queue in queues}
        self._counted = {issue: self._counted[issue] for issue in sums if issue in self._counted}
        newest, states = queues[:NEWEST], [state.value for state in DeliveryState]
        yield _gauge(
            "deliveries",
            f"Deliveries of the {NEWEST} newest issues by state.",
            {
                (queue.issue, state): sums[queue.issue].get(state, 0)
                for queue in newest
                for state in states
            },
            ("issue", "state"),
        )
        yield _gauge(
            "audience",
            "Subscribers each of the newest issues was queued for.",
            {(queue.issue,): queue.audience for queue in newest},
            ("issue",),
        )
        parts = [sums[queue.issue] for queue in queues if queue.sums is None]
        parts.append(metrics.closed_deliveries(self.context.store))
        yield _gauge(
            "ledger_deliveries",
            "Deliveries of all issues by state.",
            {(state,): sum(counts.get(state, 0) for counts in parts) for state in states},
            ("state",),
        )
        by_state = metrics.queued_issues_by_state(self.context.store)
        yield _gauge(
            "issues", "Queued issues by state.", {(k,): n for k, n in by_state.items()}, ("state",)
        )
        if queues:
            yield _gauge(
                "last_issue_timestamp_seconds",
                "When the newest issue was queued.",
                queues[0].enqueued_at.timestamp(),
            )

    def _sums(self, queue: metrics.IssueQueue, now: datetime) -> Mapping[str, int]:
        """Return an issue's deliveries by state: those of a closed one are stored."""
        if queue.sums is not None:
            return queue.sums
        known = self._counted.get(queue.issue)
        if known is not None and not needs_recount(known[1], known[2], now):
            return known[0]
        began = self.timer()
        counts = metrics.deliveries_by_state(self.context.store, queue.issue)
        self._counted[queue.issue] = (counts, now, self.timer() - began)
        return counts

    def _last_backup(self) -> float | None:
        try:
            backups = list_backups(self.context)
            return backups[0].stat().st_mtime if backups else None
        except OSError:  # another disk, which is away: the figure's absence is the alarm
            return None

    def _feed_families(self) -> list[GaugeMetricFamily]:
        try:
            health = [feed for feed in feeds_health(self.context) if feed.active]
        except ContentError as error:  # feeds.toml is an editor's; the queue is still worth telling
            log.warning("feeds.toml cannot be read", why=error)
            return []
        return list(_feeds(health))


def _queue(queues: tuple[metrics.IssueQueue, ...], now: datetime) -> Iterator[GaugeMetricFamily]:
    going = [queue for queue in queues if queue.state == IssueState.SENDING]
    moments = [at for queue in going for at in (queue.oldest, queue.due) if at is not None]
    ages = [(now - at) / timedelta(seconds=1) for at in moments if at <= now]
    yield _gauge(
        "queue_age_seconds",
        "How long the oldest delivery that is due has waited; 0 without one.",
        max(ages, default=0.0),
    )


def _subscriber_families(totals: metrics.SubscriberCounts) -> Iterator[GaugeMetricFamily]:
    statuses = {status.value: 0 for status in SubscriberStatus} | dict(totals.subscribers)
    kinds = {"hard": 0, "soft": 0, "blocked": 0} | dict(totals.bounces)
    complaints = kinds.pop("complaint", 0)
    for name, description, label, counts in (
        ("subscribers", "Subscribers by state.", "state", statuses),
        ("suppressions", "Addresses never written to, by reason.", "reason", totals.suppressions),
        ("bounces", "Bounce reports by kind.", "kind", kinds),
        ("departures", "Unsubscriptions by method.", "way", totals.unsubscribes),
    ):
        yield _gauge(name, description, {(redact(key),): n for key, n in counts.items()}, (label,))
    yield _gauge("complaints", "Complaints: reports that the mail is spam.", complaints)


def _feeds(health: list[FeedStatus]) -> Iterator[GaugeMetricFamily]:
    counts: dict[str, int] = dict.fromkeys(("ok", "failing", "stopped", "new"), 0)
    for feed in health:
        counts[feed.condition] += 1
    yield _gauge(
        "feeds", "Active feeds by health.", {(k,): n for k, n in counts.items()}, ("health",)
    )
    listed = health[:MAX_FEEDS]
    yield _gauge(
        "feed_errors",
        "Failures in a row of each feed.",
        {(redact(feed.name),): feed.errors for feed in listed},
        ("feed",),
    )
    yield _gauge(
        "feed_last_success_timestamp_seconds",
        "When each feed last answered as it should.",
        {
            (redact(feed.name),): feed.succeeded_at.timestamp()
            for feed in listed
            if feed.succeeded_at
        },
        ("feed",),
    )


def _gauge(
    name: str,
    description: str,
    value: float | Mapping[tuple[str, ...], float],
    labels: tuple[str, ...] = (),
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"upcycle_news_{name}", description, labels=labels)
    for key, number in value.items() if isinstance(value, Mapping) else [((), value)]:
        family.add_metric(key, number)
    return family


class _FixedCollector(Collector):
    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterator[GaugeMetricFamily]:
        return iter(self._families)
