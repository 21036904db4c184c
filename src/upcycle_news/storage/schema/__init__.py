"""The tables. A change here needs a migration beside it (a test compares the two)."""

from upcycle_news.storage.schema.api_tokens import api_tokens, idempotency_keys
from upcycle_news.storage.schema.base import HEAD, UtcDateTime, metadata
from upcycle_news.storage.schema.coordination import (
    alerts,
    locks,
    notices,
    scheduled_runs,
)
from upcycle_news.storage.schema.deliveries import (
    deliveries,
    packed_deliveries,
    packed_issues,
    quota_marks,
    quota_scopes,
    recent_refusals,
    workers,
)
from upcycle_news.storage.schema.events import events
from upcycle_news.storage.schema.feeds import (
    collected_posts,
    feed_bodies,
    feed_item_marks,
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
    digest_periods,
    excluded_items,
    issue_events,
    issues,
    question_answers,
    renderings,
    revisions,
    used_content,
    variant_renderings,
    variant_sums,
    wordings,
)
from upcycle_news.storage.schema.key_fingerprints import key_fingerprints
from upcycle_news.storage.schema.provider_events import (
    provider_event_counts,
    provider_events,
)
from upcycle_news.storage.schema.relay_stats import (
    issue_relays,
    relay_stats,
)
from upcycle_news.storage.schema.send_hold import (
    send_holds,
)
from upcycle_news.storage.schema.subscribers import (
    IN_A_GROUP,
    address_changes,
    asked_addresses,
    bounces,
    confirmation_mails,
    consent_proofs,
    consents,
    pending_suppressions,
    request_levels,
    rhythms,
    subscribers,
    suppressions,
    unsubscribes,
)
from upcycle_news.storage.schema.webhooks import webhook_cursors
from upcycle_news.storage.schema.welcome import welcome_deliveries, welcome_revisions

__all__ = [
    "HEAD",
    "IN_A_GROUP",
    "UtcDateTime",
    "address_changes",
    "alerts",
    "api_tokens",
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
    "digest_periods",
    "dmarc_reports",
    "dmarc_rows",
    "events",
    "excluded_items",
    "feed_bodies",
    "feed_item_marks",
    "feed_items",
    "feed_reports",
    "feeds",
    "idempotency_keys",
    "issue_events",
    "issue_relays",
    "issue_replies",
    "issues",
    "key_fingerprints",
    "locks",
    "metadata",
    "notices",
    "packed_deliveries",
    "packed_issues",
    "pending_suppressions",
    "provider_event_counts",
    "provider_events",
    "question_answers",
    "quota_marks",
    "quota_scopes",
    "recent_refusals",
    "relay_stats",
    "renderings",
    "reply_marks",
    "request_levels",
    "revisions",
    "rhythms",
    "scheduled_runs",
    "send_holds",
    "subscribers",
    "suppressions",
    "unsubscribes",
    "used_content",
    "variant_renderings",
    "variant_sums",
    "webhook_cursors",
    "welcome_deliveries",
    "welcome_revisions",
    "wordings",
    "workers",
]
