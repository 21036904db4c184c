"""What the editors' cockpit plans, locks, asks and has told already."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# One row a planned time: which issue it means, and whether the run came early enough. Written once,
# so that a slow approval, a retry or a second run for that time finds the same answer.
plans = Table(
    "plans",
    metadata,
    Column("planned_at", UtcDateTime, primary_key=True),
    Column("issue_id", String(16), nullable=False),
    Column("in_time", Boolean, nullable=False),
)

# Who works on something at the moment; ends by itself.
locks = Table(
    "locks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

# A run of Prefect that waits for an approval; `answer` is empty while it waits.
questions = Table(
    "questions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision_id", String(64), nullable=False),
    Column("run", Text, nullable=False, index=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("reminded_at", UtcDateTime),
    Column("answer", String(24), nullable=False),
    Column("answered_at", UtcDateTime),
)

# Feed items that an editor left out of an issue: keys and canonical links.
left_out = Table(
    "left_out",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("value", Text, primary_key=True),
)

# What was reported, so that an alarm rings once.
alarms = Table(
    "alarms",
    metadata,
    Column("event", String(64), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
