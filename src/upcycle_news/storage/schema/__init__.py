"""The tables. A change here needs a migration beside it (a test compares the two)."""

from upcycle_news.storage.schema.base import HEAD, UtcDateTime, metadata
from upcycle_news.storage.schema.coordination import (
    alerts,
    locks,
    notices,
    scheduled_runs,
)
from upcycle_news.storage.schema.deliveries import (
    deliveries,
    quota_marks,
    quota_scopes,
    recent_refusals,
    workers,
)
from upcycle_news.storage.schema.events import events
from upcycle_news.storage.schema.feeds import (
    collected_posts,
    feed_bodies,
    feed_items,
    feed_reports,
    feeds,
)
from upcycle_news.storage.schema.inbox import (
    dmarc_reports,
    dmarc_rows,
    issue_replies,
    reply_marks,
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
    wordings,
)
from upcycle_news.storage.schema.key_fingerprints import key_fingerprints
from upcycle_news.storage.schema.relay_stats import (
    issue_relays,
    relay_stats,
)
from upcycle_news.storage.schema.send_hold import (
    send_holds,
)
from upcycle_news.storage.schema.subscribers import (
    address_changes,
    asked_addresses,
    bounces,
    confirmation_mails,
    consent_proofs,
    consents,
    pending_suppressions,
    request_levels,
    subscribers,
    suppressions,
    unsubscribes,
)
from upcycle_news.storage.schema.webhooks import webhook_cursors

__all__ = [
    "HEAD",
    "UtcDateTime",
    "address_changes",
    "alerts",
    "approval_requests",
    "asked_addresses",
    "blobs",
    "bounces",
    "collected_posts",
    "confirmation_mails",
    "consent_proofs",
    "consents",
    "corrections",
    "deliveries",
    "dmarc_reports",
    "dmarc_rows",
    "events",
    "excluded_items",
    "feed_bodies",
    "feed_items",
    "feed_reports",
    "feeds",
    "issue_events",
    "issue_relays",
    "issue_replies",
    "issues",
    "key_fingerprints",
    "locks",
    "metadata",
    "notices",
    "pending_suppressions",
    "quota_marks",
    "quota_scopes",
    "recent_refusals",
    "relay_stats",
    "renderings",
    "reply_marks",
    "request_levels",
    "revisions",
    "scheduled_runs",
    "send_holds",
    "subscribers",
    "suppressions",
    "unsubscribes",
    "used_content",
    "webhook_cursors",
    "wordings",
    "workers",
]
