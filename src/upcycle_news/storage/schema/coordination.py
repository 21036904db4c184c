"""What processes agree on: scheduled runs, locks, open alerts, and notices not delivered yet."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# The issue that a scheduled time stands for, and whether its first run was on time. Written once,
# so that a slow approval, a retry or a second run for that time finds the same answer.
scheduled_runs = Table(
    "scheduled_runs",
    metadata,
    Column("scheduled_at", UtcDateTime, primary_key=True),
    Column("makes_digest", Boolean, primary_key=True, server_default=text("false")),
    Column("issue_id", String(16), nullable=False),
    Column("on_time", Boolean, nullable=False),
)

# Named locks. They expire, so that a dead holder blocks nobody.
locks = Table(
    "locks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Alerts that were reported and are not over, so that each is reported once.
alerts = Table(
    "alerts",
    metadata,
    Column("event", String(64), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

# Notices to operators that are not delivered yet; a row is deleted once no way is pending.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("mail_pending", Boolean, nullable=False),
    Column("webhook_pending", Boolean, nullable=False),
    Index("ix_notices_next_at", "next_at"),
)
