"""The tables. Changing one here needs a migration beside it (a test compares the two)."""

from upcycle_news.storage.schema.base import HEAD, UtcDateTime, metadata
from upcycle_news.storage.schema.coordination import (
    alarms,
    left_out,
    locks,
    plans,
    questions,
)
from upcycle_news.storage.schema.deliveries import (
    deliveries,
    quota_marks,
    quota_scopes,
    senders,
)
from upcycle_news.storage.schema.feeds import collections, feed_items, feeds
from upcycle_news.storage.schema.issues import (
    amendments,
    approvals,
    blobs,
    issues,
    renderings,
    revisions,
    used,
)
from upcycle_news.storage.schema.relay_stats import replies
from upcycle_news.storage.schema.send_hold import pauses
from upcycle_news.storage.schema.subscribers import (
    bounces,
    consents,
    departures,
    subscribers,
    suppressions,
)

__all__ = [
    "HEAD",
    "UtcDateTime",
    "alarms",
    "amendments",
    "approvals",
    "blobs",
    "bounces",
    "collections",
    "consents",
    "deliveries",
    "departures",
    "feed_items",
    "feeds",
    "issues",
    "left_out",
    "locks",
    "metadata",
    "pauses",
    "plans",
    "questions",
    "quota_marks",
    "quota_scopes",
    "renderings",
    "replies",
    "revisions",
    "senders",
    "subscribers",
    "suppressions",
    "used",
]
