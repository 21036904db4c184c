"""Which keys a store belongs to: the fingerprints of keys that never change."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# `name` is that of the key's file. Written when the store is opened for the first time, and by a person
# who says that other keys belong to it.
key_fingerprints = Table(
    "key_fingerprints",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)
