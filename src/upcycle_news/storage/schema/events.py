"""The log of events that other programs are told."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, text

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata

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
    Index(
        "ix_events_unread",
        "id",
        sqlite_where=text("position IS NULL"),
        postgresql_where=text("position IS NULL"),
    ),
    sqlite_autoincrement=True,
)
