"""Workers, deliveries, and the messages that count against quotas."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata, partial_index

workers = Table(
    "workers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", Text, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", LongNumber, primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    # No foreign key: an issue is still accounted for after a subscriber was erased.
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime),
    # The worker that leased it (queued, deferred) or is sending it (sending); 0: none.
    Column("worker_id", Integer, nullable=False, server_default="0"),
    Column("code", Integer),
    # Which of the revision's variants: decided when it was queued.
    Column("variant", SmallInteger, nullable=False, server_default="0"),
    Column("enhanced", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("issue_id", "subscriber_id"),
    Index("ix_deliveries_queue", "issue_id", "state", "worker_id", "attempts", "id"),
)
# Few rows are deferred at a time: the index costs the others nothing.
partial_index(
    "ix_deliveries_due",
    deliveries.c.issue_id,
    deliveries.c.next_at,
    where=text("state = 'deferred'"),
)

# Deliveries of old issues by blocks of subscriber ids, those of one state and variant together, instead of a
# row each in `deliveries`. Written by `storage.packed_deliveries` only. `number` says how many there are,
# `data` (`storage.delivery_block`) which: whoever was erased since is missing there. The ids are the
# lowest and the highest, 0 without any; `changed_at` is the newest.
packed_deliveries = Table(
    "packed_deliveries",
    metadata,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False, index=True),
    Column("state", String(16), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("first_id", LongNumber, nullable=False),
    Column("last_id", LongNumber, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Issues whose deliveries are packed, and since when: one that was closed again later is packed again.
packed_issues = Table(
    "packed_issues",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("packed_at", UtcDateTime, nullable=False),
)

# The permanent refusals of an issue that is being sent, in the order of their commits, each with the
# number of messages that its worker had accepted since its row before; without a delivery: only that
# number. What the guard against waves of refusals looks at.
recent_refusals = Table(
    "recent_refusals",
    metadata,
    Column("id", LongNumber, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False),
    Column("delivery_id", LongNumber),
    Column("accepted_before", Integer, nullable=False),
    Index("ix_recent_refusals_issue", "issue_id", "id"),
)

# A quota's scope (a relay, the sender, a domain) with the number of messages so far, and the times
# of as many of the last ones as its largest limit asks for. Messages that were counted together have one
# mark, under the number of the last: it holds for all numbers down to the mark before.
quota_scopes = Table(
    "quota_scopes",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("count", LongNumber, nullable=False),
)

quota_marks = Table(
    "quota_marks",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("number", LongNumber, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
)
