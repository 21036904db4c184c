"""The tables. Changing one here needs a migration beside it (a test compares the two)."""

from upcycle_news.store.schema.base import HEAD, UtcDateTime, metadata
from upcycle_news.store.schema.cockpit import alarms, left_out, locks, plans, questions
from upcycle_news.store.schema.deliveries import deliveries, quota_marks, quota_scopes, senders
from upcycle_news.store.schema.feeds import collections, feed_items, feeds
from upcycle_news.store.schema.issues import (
    amendments,
    approvals,
    blobs,
    issues,
    renderings,
    revisions,
    used,
)
from upcycle_news.store.schema.pauses import pauses
from upcycle_news.store.schema.people import (
    bounces,
    consents,
    departures,
    subscribers,
    suppressions,
)
from upcycle_news.store.schema.replies import replies

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
