"""Issues, their revisions and renderings, approvals, used content, and corrections."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from upcycle_news.storage.schema.base import UtcDateTime, metadata

issues = Table(
    "issues",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("revision_id", String(64), nullable=False),
    Column("audience", Integer, nullable=False),
    Column("stop_reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("enqueued_at", UtcDateTime),
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False),
    Column("revision_id", String(64), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("git_commit", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("issue_id", "revision_id"),
)

# The exact bytes that subscribers get, personal links aside: an upgrade in the middle of a send
# must not change them.
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
    Column("revision_id", String(64), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)

# A flow run that waits for an approval of a revision; `answer` is empty while it waits.
approval_requests = Table(
    "approval_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision_id", String(64), nullable=False),
    Column("run", Text, nullable=False, index=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("reminded_at", UtcDateTime),
    Column("answer", String(24), nullable=False),
    Column("answered_at", UtcDateTime),
)

# Feed items that an editor excluded from an issue: keys and canonical links.
excluded_items = Table(
    "excluded_items",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("value", Text, primary_key=True),
)

# Content that was in an issue and is not chosen again: `kind` is essay, item or link; `value` its
# slug, key or canonical link.
used_content = Table(
    "used_content",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
)

# Corrections and withdrawals after an issue was sent; `essay` is a slug, or empty for the whole
# issue, `content` the corrected essay as JSON.
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("essay", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("images", JSON, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)
