"""Tokens of the HTTP API, and the answers that a repeated request gets again."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Date, ForeignKey, Index, Integer, String, Table, Text

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# `token_hash` is the SHA-256 of the token: a random one of 256 bits, so that there is nothing to guess
# that a slow hash would make slower. A revoked token keeps its row, and its name.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_on", Date),
    sqlite_autoincrement=True,
)

# Requests that carried an Idempotency-Key. Key and request are keyed hashes (both may hold an address);
# `status` is empty while the request is carried out, `body` never holds personal data.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("token_id", ForeignKey("api_tokens.id", ondelete="CASCADE"), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_idempotency_keys_at", "at"),
)
