"""Feeds, their health, and their items."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from upcycle_news.storage.schema.base import LongNumber, UtcDateTime, metadata

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
    # How often guids stayed with their items, and how often they did not.
    Column("guids_kept", Integer, nullable=False),
    Column("guids_changed", Integer, nullable=False),
    # Of the last body: its entries, the usable ones of them and those of these with a text, the
    # encoding that was guessed, and the newest date; `entries` is empty until one was read.
    Column("entries", Integer),
    Column("usable", Integer, nullable=False),
    Column("with_text", Integer, nullable=False),
    Column("guessed_encoding", Text, nullable=False),
    Column("newest_at", UtcDateTime),
)

# The keys of the items of a feed's last body, in its order: what disappears is judged by its neighbours.
# `marking` names the rules by which all items of the feed are marked, empty while they are not.
feed_bodies = Table(
    "feed_bodies",
    metadata,
    Column("feed_url", Text, primary_key=True),
    Column("item_keys", JSON, nullable=False),
    Column("marking", String(64), nullable=False, server_default=""),
)

# The report of each collection, so that an approval hours later can still show it.
feed_reports = Table(
    "feed_reports",
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
    Column("guid", Text, nullable=False),
    Column("date_reason", Text, nullable=False),
    Column("own_language", Boolean, nullable=False),
    Column("identity", Text, nullable=False),  # what it was recognised by
    Column("missing", String(24), nullable=False),  # how it left its feed, empty while it is there
    UniqueConstraint("feed_url", "item_key"),
)

# What an item of a feed can be recognised by, as hashes: so those that a body may be about are found, and
# the others are not read.
feed_item_marks = Table(
    "feed_item_marks",
    metadata,
    Column("mark", LongNumber, primary_key=True, autoincrement=False),
    Column(
        "item_id", Integer, ForeignKey("feed_items.id", ondelete="CASCADE"),
        primary_key=True, index=True,
    ),
)  # fmt: skip

# Posts of the organisation's own site, so that each becomes an essay once. `text` is the essay's file as it
# was handed to the editors, `branch_commit` the last commit on its branch, empty without one.
collected_posts = Table(
    "collected_posts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("post_key", Text, nullable=False),
    Column("canonical", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("branch_commit", String(64), nullable=False),
    Column("lacking", JSON, nullable=False),  # addresses of pictures that could not be fetched
    Column("collected_at", UtcDateTime, nullable=False),
    Column("gone", Boolean, nullable=False),  # told that the post is no longer on its site
    UniqueConstraint("source", "post_key"),
)
