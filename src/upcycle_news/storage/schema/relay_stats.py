"""Over which relay an issue goes, and how relays answered, by issue and worker."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, String, Table

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# One row for each issue, relay and worker, written by that worker alone; queries add them up.
relay_stats = Table(
    "relay_stats",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("relay", String(64), primary_key=True),
    Column("worker_id", Integer, primary_key=True, autoincrement=False),
    Column("accepted", Integer, nullable=False),
    Column("deferred", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("slowest", Float, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# The relay that an issue was queued for (the embedded mailbox is one, too; empty before), and since
# when its relay is away, if it is.
issue_relays = Table(
    "issue_relays",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("first_relay", String(64), nullable=False),
    Column("away_since", UtcDateTime),
)
