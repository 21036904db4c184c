"""Events that providers posted: which ones were seen, and how many of which kind."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata

# Events and one-time tokens that were taken, so that a repetition changes nothing. The key is a hash;
# rows are deleted after a time in which every provider has given up repeating.
provider_events = Table(
    "provider_events",
    metadata,
    Column("event_key", String(64), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_provider_events_seen_at", "seen_at"),
)

# How many events a source posted, by their kind (in the words of bounces) and the provider's own name.
provider_event_counts = Table(
    "provider_event_counts",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("count", LongNumber, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
