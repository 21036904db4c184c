"""How far each outgoing webhook has got in the log of events."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from upcycle_news.storage.schema.base import UtcDateTime, metadata

# By the name in the settings. All events up to `position` were taken, or are not for it. `attempts` counts the
# failures since the last one that was taken; after too many it is `stopped` until a person tries again. `seen_at`
# is the day on which it was last in the settings: a log is kept for those that are.
webhook_cursors = Table(
    "webhook_cursors",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("reason", Text, nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
)
