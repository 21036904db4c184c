"""The log of events that other programs are told."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, text

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata, partial_index

# Written in the transaction of what happened, by `storage.event_log` only. `position` is given when
# the row is first read (there is said why), and orders the log; `detail` never holds an address. No
# foreign keys: events outlive subscribers.
events = Table(
    "events",
    metadata,
    Column("id", LongNumber, primary_key=True),
    Column("position", BigInteger, unique=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subscriber_id", Integer),
    Column("issue_id", String(16)),
    Column("detail", JSON, nullable=False),
    partial_index("ix_events_unread", "id", where=text("position IS NULL")),
    sqlite_autoincrement=True,
)
