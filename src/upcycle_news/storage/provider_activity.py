"""What the sources of provider events posted so far, as it was counted (`provider_events`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import provider_event_counts


@dataclass(frozen=True)
class SourceActivity:
    """What a source posted so far: events by (kind, the provider's name), and when the last came."""

    source: str
    counts: Mapping[tuple[str, str], int]
    first_at: datetime
    last_at: datetime


def activity(store: Store) -> tuple[SourceActivity, ...]:
    """Return what each source posted so far, by name; sources that never posted are missing."""
    table = provider_event_counts
    query = select(table).order_by(table.c.source, table.c.kind, table.c.name)
    found: dict[str, SourceActivity] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            before = found.get(row.source)
            found[row.source] = SourceActivity(
                row.source,
                {
                    **(before.counts if before else {}),
                    (row.kind, row.name): int(row._mapping["count"]),
                },
                min(before.first_at, row.first_at) if before else row.first_at,
                max(before.last_at, row.last_at) if before else row.last_at,
            )
    return tuple(found.values())
