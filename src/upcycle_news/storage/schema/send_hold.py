"""Send holds: why nothing is sent from this store until an operator confirms it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# One row each time the store stopped being complete. `kind`: restored, from the backup of `as_of`
# named `location`; moved, at `as_of`, to the store named `location`; or outdated, set back in another way
# and settled by a person at `as_of`. Active without `ended_at`.
send_holds = Table(
    "send_holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("location", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", Text, nullable=False),
)
