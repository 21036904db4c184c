"""The tables. A change here needs a migration beside it (a test compares the two)."""

from upcycle_news.storage.schema.base import HEAD, UtcDateTime, metadata
from upcycle_news.storage.schema.coordination import (
    alerts,
    locks,
    scheduled_runs,
)
from upcycle_news.storage.schema.deliveries import (
    deliveries,
    quota_marks,
    quota_scopes,
    workers,
)
from upcycle_news.storage.schema.feeds import (
    feed_items,
    feed_reports,
    feeds,
)
from upcycle_news.storage.schema.issues import (
    approval_requests,
    blobs,
    corrections,
    excluded_items,
    issue_events,
    issues,
    renderings,
    revisions,
    used_content,
)
from upcycle_news.storage.schema.relay_stats import (
    relay_stats,
)
from upcycle_news.storage.schema.send_hold import (
    send_holds,
)
from upcycle_news.storage.schema.subscribers import (
    bounces,
    consents,
    subscribers,
    suppressions,
    unsubscribes,
)

__all__ = [
    "HEAD",
    "UtcDateTime",
    "alerts",
    "approval_requests",
    "blobs",
    "bounces",
    "consents",
    "corrections",
    "deliveries",
    "excluded_items",
    "feed_items",
    "feed_reports",
    "feeds",
    "issue_events",
    "issues",
    "locks",
    "metadata",
    "quota_marks",
    "quota_scopes",
    "relay_stats",
    "renderings",
    "revisions",
    "scheduled_runs",
    "send_holds",
    "subscribers",
    "suppressions",
    "unsubscribes",
    "used_content",
    "workers",
]
