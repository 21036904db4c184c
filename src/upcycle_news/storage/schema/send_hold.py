"""Why nothing goes out from this store, until a person says that it may."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# One row each time the store stopped being the whole truth. `kind`: restored, from the backup of
# `as_of` named `place`; or moved, at `as_of`, to the store named `place`. Open without `ended_at`.
pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("place", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", Text, nullable=False),
)
