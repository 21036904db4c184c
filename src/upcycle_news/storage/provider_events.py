"""Events that providers posted: taken once, counted by source, and what they said about deliveries stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from upcycle_news.errors import WebhookRefused
from upcycle_news.models import UnsubscribeMethod
from upcycle_news.storage.bounces import NewReport, RecordedReport, record_all
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import provider_event_counts, provider_events
from upcycle_news.storage.subscribers import unsubscribe_ids

REMEMBERED = timedelta(days=30)
"""How long an event is known: longer than any provider repeats one, or than a signed time is taken."""

_CHUNK = 500
_NAMES = 60
"""So many names of one source are told apart: they are the provider's own words."""
OTHER_NAMES = "other"


@dataclass(frozen=True)
class NewEvent:
    """An event to be taken: `key` recognises a repetition, empty for one that changes nothing.

    `kind` is in the words of bounces, `name` the provider's own. Its `report` is stored, and
    `leaves` unsubscribes a subscriber: issue number and subscriber id.
    """

    key: str
    kind: str
    name: str
    report: NewReport | None = None
    leaves: tuple[int, int] | None = None


@dataclass(frozen=True)
class TakenEvents:
    """The indexes of the events that were new, what became of their reports, and who left by them."""

    new: frozenset[int]
    recorded: Mapping[int, RecordedReport]
    left: frozenset[int]


def take(
    store: Store, source: str, events: Sequence[NewEvent], *, once_key: str = "", now: datetime
) -> TakenEvents:
    """Take the events that were not seen before, all of it in one transaction.

    Raises `WebhookRefused`, and takes nothing, when `once_key` was seen before and an event is new.
    """
    with store.writing() as connection:
        keys = [event.key for event in events if event.key]
        fresh = _remember(connection, keys, now)
        if once_key and not _remember(connection, [once_key], now) and fresh:
            raise WebhookRefused("the token of the request was used before, for other events")
        new = []
        for index, event in enumerate(events):
            if not event.key or event.key in fresh:
                fresh.discard(event.key)  # the same event twice in one request
                new.append(index)
        reports = [(index, one) for index in new if (one := events[index].report) is not None]
        results = record_all(connection, [report for _, report in reports], now=now)
        departures = [events[index].leaves for index in new]
        leaving = {one[1]: one[0] for one in departures if one is not None}
        left = unsubscribe_ids(connection, leaving, now=now, method=UnsubscribeMethod.PROVIDER)
        counted = Counter((events[index].kind, events[index].name) for index in new)
        count(connection, source, counted, now=now)
    recorded = {index: result for (index, _), result in zip(reports, results, strict=True)}
    return TakenEvents(frozenset(new), recorded, left)


def _remember(connection: Connection, keys: Sequence[str], now: datetime) -> set[str]:
    """Store the keys; returns those that were not known."""
    ignoring = dialect_insert(connection.dialect.name, provider_events).on_conflict_do_nothing()
    statement = ignoring.returning(provider_events.c.event_key)
    new: set[str] = set()
    unique = sorted(set(keys))  # in one order: two requests with the same events wait, not deadlock
    for start in range(0, len(unique), _CHUNK):
        rows = [{"event_key": key, "seen_at": now} for key in unique[start : start + _CHUNK]]
        new |= set(connection.scalars(statement, rows))
    return new


def count(
    connection: Connection, source: str, counts: Mapping[tuple[str, str], int], *, now: datetime
) -> None:
    """Add to the counts of a source; what has too many names is counted under one."""
    table = provider_event_counts
    known = set(connection.scalars(select(table.c.name).where(table.c.source == source)))
    rows: Counter[tuple[str, str]] = Counter()
    for (kind, name), number in sorted(counts.items()):
        if name not in known and len(known) >= _NAMES:
            name = OTHER_NAMES
        known.add(name)
        rows[kind, name] += number
    for (kind, name), number in rows.items():
        values = {"source": source, "kind": kind, "name": name, "count": number}
        statement = dialect_insert(connection.dialect.name, table).values(
            **values, first_at=now, last_at=now
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.source, table.c.kind, table.c.name],
                set_={"count": table.c.count + number, "last_at": now},
            )
        )


def count_events(
    store: Store, source: str, counts: Mapping[tuple[str, str], int], *, now: datetime
) -> None:
    """Add to the counts of a source, in a transaction of its own."""
    with store.writing() as connection:
        count(connection, source, counts, now=now)


def prune(store: Store, *, before: datetime) -> int:
    """Forget events that were seen before this time; returns how many."""
    with store.writing() as connection:
        return connection.execute(
            delete(provider_events).where(provider_events.c.seen_at < before)
        ).rowcount


def count_remembered(store: Store) -> int:
    """Return how many events are remembered."""
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(provider_events)) or 0)
