"""The welcome: the revisions of its steps, and a delivery for each step and subscriber."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# What a step said when it was previewed, as the exact bytes that readers get, personal links aside.
welcome_revisions = Table(
    "welcome_revisions",
    metadata,
    Column("series", String(16), primary_key=True),
    Column("step", String(64), primary_key=True),
    Column("revision_id", String(64), primary_key=True),
    Column("after_days", Integer, nullable=False),
    Column("newest_issue", Boolean, nullable=False),
    Column("language", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("approved_at", UtcDateTime),
    Column("approved_by", Text, nullable=False),
)

# The columns that `deliveries` has as well mean the same. `issue_id` is that of the newest issue, where the
# step is one; it is no delivery of that issue, and counts in none of its sums.
welcome_deliveries = Table(
    "welcome_deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series", String(16), nullable=False),
    Column("step", String(64), nullable=False),
    # No foreign key: a step is still accounted for after a subscriber was erased.
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("revision_id", String(64), nullable=False),
    Column("issue_id", String(16), nullable=False),
    Column("variant", SmallInteger, nullable=False, server_default="0"),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime),
    Column("worker_id", Integer, nullable=False),
    Column("code", Integer),
    Column("enhanced", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("series", "step", "subscriber_id"),
    Index("ix_welcome_deliveries_queue", "state", "step"),
)
