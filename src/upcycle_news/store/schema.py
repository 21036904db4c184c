"""The tables. Changing one here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# The newest migration; `engine.open_store` compares it without loading Alembic.
HEAD = "0001"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC (SQLite keeps no zone, so reading puts it back)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store takes aware datetimes only")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the time back in UTC."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- people -------------------------------------------------------------------------------------

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(320), nullable=False),
    Column("email_key", String(320), nullable=False, unique=True),
    # What a suppression of the whole domain, or of a forgotten person, would be called.
    Column("domain_key", String(320), nullable=False),
    Column("hash_key", String(80), nullable=False),
    Column("name", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("topics", JSON, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("left_at", UtcDateTime),
    sqlite_autoincrement=True,  # an id is in signed links: it must never name a second person
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "subscriber_id",
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("purpose", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("wording", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("ip", String(64), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("mailed_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
)

# `email_key` is an address in lower case, "@domain", or "#" with a keyed hash of a forgotten one.
suppressions = Table(
    "suppressions",
    metadata,
    Column("email_key", String(320), primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# Who left when, and with which issue in hand. No foreign key: the numbers outlive the person.
departures = Table(
    "departures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("issue_number", Integer, nullable=False, index=True),
    Column("way", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# What came back. `delivery_id` and `subscriber_id` are numbers: counts outlive the person.
bounces = Table(
    "bounces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("report_key", String(64), nullable=False, unique=True),
    Column("delivery_id", Integer, nullable=False),
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("issue_id", String(16), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("code", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary),
    Column("received_at", UtcDateTime, nullable=False),
)

# --- feeds --------------------------------------------------------------------------------------

feeds = Table(
    "feeds",
    metadata,
    Column("url", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("last_modified", Text, nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("tried_at", UtcDateTime),
    Column("succeeded_at", UtcDateTime),
    Column("full_at", UtcDateTime),
    Column("errors", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("next_at", UtcDateTime),
    Column("host_until", UtcDateTime),
    Column("stopped", Boolean, nullable=False),
    Column("address", Text, nullable=False),
    Column("moved_to", Text, nullable=False),
    Column("moved_since", UtcDateTime),
)

# What each collection reported, so that an approval hours later can still show it.
collections = Table(
    "collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("report", JSON, nullable=False),
)

feed_items = Table(
    "feed_items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("feed_url", Text, nullable=False),
    Column("item_key", Text, nullable=False),
    Column("feed", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("canonical", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("date", UtcDateTime, nullable=False, index=True),
    Column("date_source", String(16), nullable=False),
    Column("language", String(16), nullable=False),
    Column("topics", JSON, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    UniqueConstraint("feed_url", "item_key"),
)

# --- issues -------------------------------------------------------------------------------------

issues = Table(
    "issues",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("audience", Integer, nullable=False),
    Column("stopped_because", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("enqueued_at", UtcDateTime),
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("git_commit", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("issue_id", "hash"),
)

# The exact bytes that readers get, personal links aside: an upgrade in the middle of a send must
# not change them.
renderings = Table(
    "renderings",
    metadata,
    Column("revision_id", ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True),
    Column("language", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("mjml", Text, nullable=False),
    Column("images", JSON, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)

# What an issue used up: `kind` is essay, item or link; `value` its slug, key or canonical link.
used = Table(
    "used",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
)

# --- deliveries ---------------------------------------------------------------------------------

senders = Table(
    "senders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", Text, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    # No foreign key: the sum still closes after a person was forgotten.
    Column("subscriber_id", Integer, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime),
    # Who holds it: with queued and deferred a lease, with sending the wire; 0 is nobody.
    Column("sender_id", Integer, nullable=False, server_default="0"),
    Column("code", Integer),
    Column("enhanced", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("issue_id", "subscriber_id"),
    Index("ix_deliveries_queue", "issue_id", "state", "sender_id", "attempts", "id"),
)
# Few rows are deferred at a time: the index costs the others nothing.
Index(
    "ix_deliveries_due",
    deliveries.c.issue_id,
    deliveries.c.next_at,
    sqlite_where=deliveries.c.state == literal_column("'deferred'"),
    postgresql_where=deliveries.c.state == literal_column("'deferred'"),
)

# A quota's scope (a relay, the sender, a domain) with the number of messages so far, and the times
# of as many of the last ones as its largest limit asks for.
quota_scopes = Table(
    "quota_scopes",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("count", Integer, nullable=False),
)

quota_marks = Table(
    "quota_marks",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
)

# --- the editors' cockpit -------------------------------------------------------------------------

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
    Column("hash", String(64), nullable=False),
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
