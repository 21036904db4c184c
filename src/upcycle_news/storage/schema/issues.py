"""Issues and their events, revisions and renderings, approval requests, used content, corrections."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# Written by `storage.issue_lifecycle` only. From `closed_at` on the five sums are the deliveries by
# their final states, and nothing counts these deliveries again. `left_without`: how many readers of each
# language got nothing of a queued issue, since it has nothing in it; NULL where nobody was left out.
# `digest_day` is the day of the digest that tells an issue, and `left_for_digest` for how many; NULL where
# no digest does.
issues = Table(
    "issues",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("day", Date, nullable=False, index=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("state", String(24), nullable=False),
    Column("revision_id", String(64), nullable=False),
    Column("audience", Integer, nullable=False),
    Column("stop_reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("enqueued_at", UtcDateTime, index=True),
    Column("closed_at", UtcDateTime),
    Column("sent", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("left_without", JSON(none_as_null=True)),
    Column("digest_day", Date, index=True),
    Column("left_for_digest", Integer),
    Index("ix_issues_state", "state", "closed_at"),
    Index("ix_issues_state_day", "state", "day"),
    CheckConstraint(
        "closed_at IS NULL OR audience = sent + rejected + unknown + suppressed + cancelled",
        name="ck_issues_closing_sum",
    ),
)

# What happened to each issue, by whom and when; rows are only ever added. `revision_id` is that of
# a decision, a request or a new revision; `reason` says why, where there is something to say.
issue_events = Table(
    "issue_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("event", String(24), nullable=False),
    Column("from_state", String(24), nullable=False),
    Column("to_state", String(24), nullable=False),
    Column("revision_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_issue_events_issue", "issue_id", "id"),
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
    # When its pages were first put into the archive, which is before it is queued.
    Column("published_at", UtcDateTime),
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

# The renderings of a revision's variants but the first. `html`, `text` and `mjml` are lists: two numbers
# stand for a piece of the text of variant `base`, and a text for itself.
variant_renderings = Table(
    "variant_renderings",
    metadata,
    Column("revision_id", ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("base", SmallInteger, nullable=False),
    Column("language", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", JSON, nullable=False),
    Column("text", JSON, nullable=False),
    Column("mjml", JSON, nullable=False),
    Column("images", JSON, nullable=False),
)

# Of a queued issue that has several variants: how many deliveries each has, and from `closed_at` of the
# issue on how these ended. Written by `storage.issue_lifecycle` only.
variant_sums = Table(
    "variant_sums",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("audience", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
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

# How often each answer to the question of a revision was given, and nothing else: no time, no network, nobody.
# Answers count from 1.
question_answers = Table(
    "question_answers",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("revision_id", String(64), primary_key=True),
    Column("answer", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)

# Feed items that an editor excluded from an issue: keys and canonical links.
excluded_items = Table(
    "excluded_items",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("value", Text, primary_key=True),
)

# Subject and greeting that an editor wrote for one issue in Prefect's form; `name` says which.
wordings = Table(
    "wordings",
    metadata,
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Content that was in an issue and is not chosen again: `kind` is essay, item or link; `value` its
# slug, key or canonical link.
used_content = Table(
    "used_content",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("issue_id", ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# The days of the issues that a digest tells, from `start` to the day before `end`, which is the digest's.
digest_periods = Table(
    "digest_periods",
    metadata,
    Column("start", Date, primary_key=True),
    Column("end", Date, nullable=False, unique=True),
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
    # The note in further languages, by language.
    Column("notes", JSON, nullable=False),
    Column("content", Text, nullable=False),
    Column("images", JSON, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)
