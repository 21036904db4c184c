"""The state of each feed, its items, and the reports of collections."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from upcycle_news.models import FeedItem, IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    feed_items,
    feed_reports,
    feeds,
    used_content,
)

KEPT_REPORTS = 100


@dataclass(frozen=True)
class FeedState:
    """Validators (opaque, quotes included) and health of one feed; `errors` are consecutive.

    `url` is the address in feeds.toml, `address` where the feed is fetched since it moved (or empty),
    `moved_to` where a permanent redirect leads since `moved_since`. `full_at`: when the whole body
    was last sent. `next_at`: not before, after errors; `host_until`: until when its server
    asked to be left alone. `stopped`: closed for good by its publisher.
    """

    url: str
    name: str
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    tried_at: datetime | None = None
    succeeded_at: datetime | None = None
    full_at: datetime | None = None
    errors: int = 0
    last_error: str = ""
    next_at: datetime | None = None
    host_until: datetime | None = None
    stopped: bool = False
    address: str = ""
    moved_to: str = ""
    moved_since: datetime | None = None


def states(store: Store) -> Mapping[str, FeedState]:
    """Return the state of every feed that was ever fetched, by its address."""
    with store.reading() as connection:
        return {
            row.url: FeedState(**row._mapping) for row in connection.execute(select(feeds)).all()
        }


def record(store: Store, state: FeedState, items: Iterable[FeedItem], *, now: datetime) -> int:
    """Store a feed's state and its items together; returns how many items are new.

    An item that is known already is updated in place: that is an update, not news, and it keeps
    the time it was first seen.
    """
    with store.writing() as connection:
        _write(connection, [state])
        known = {
            row.item_key: row
            for row in connection.execute(
                select(feed_items).where(feed_items.c.feed_url == state.url)
            )
        }
        fresh: dict[str, dict[str, Any]] = {}
        for item in items:
            row = known.get(item.key)
            if row is None:
                fresh[item.key] = {
                    **_values(item),
                    "feed_url": state.url,
                    "item_key": item.key,
                    "first_seen_at": now,
                }
            elif changes := _changes(row, item):
                connection.execute(
                    update(feed_items).where(feed_items.c.id == row.id).values(**changes)
                )
        if fresh:
            connection.execute(insert(feed_items), list(fresh.values()))
    return len(fresh)


def record_states(store: Store, states: Iterable[FeedState]) -> None:
    """Store the states of feeds without items, in one transaction."""
    if states := list(states):
        with store.writing() as connection:
            _write(connection, states)


def _write(connection: Connection, states: Iterable[FeedState]) -> None:
    rows = [dict(vars(state)) for state in states]
    connection.execute(delete(feeds).where(feeds.c.url.in_([row["url"] for row in rows])))
    connection.execute(insert(feeds), rows)


def _values(item: FeedItem) -> dict[str, Any]:
    return {
        "feed": item.feed,
        "link": item.link,
        "canonical": item.canonical,
        "title": item.title,
        "summary": item.summary,
        "date": item.date,
        "date_source": item.date_source,
        "language": item.language,
        "topics": list(item.topics),
    }


def _changes(row: Row[Any], item: FeedItem) -> dict[str, Any]:
    values = _values(item)
    if item.date_source == "first seen":  # no date of its own: it keeps the time it was first seen
        del values["date"], values["date_source"]
    return {key: value for key, value in values.items() if getattr(row, key) != value}


def known_items(store: Store, url: str) -> Mapping[str, tuple[str, str]]:
    """Return canonical link and title of every item of one feed, by the item's key."""
    query = select(feed_items.c.item_key, feed_items.c.canonical, feed_items.c.title).where(
        feed_items.c.feed_url == url
    )
    with store.reading() as connection:
        return {row.item_key: (row.canonical, row.title) for row in connection.execute(query)}


def save_report(store: Store, report: Mapping[str, Any], *, now: datetime) -> None:
    """Store the report of a collection; the last hundred are kept."""
    with store.writing() as connection:
        connection.execute(insert(feed_reports).values(at=now, report=dict(report)))
        newest = connection.execute(select(func.max(feed_reports.c.id))).scalar() or 0
        connection.execute(delete(feed_reports).where(feed_reports.c.id <= newest - KEPT_REPORTS))


def last_report(store: Store) -> Mapping[str, Any]:
    """Return the report of the last collection; empty when there was none."""
    query = select(feed_reports.c.report).order_by(feed_reports.c.id.desc()).limit(1)
    with store.reading() as connection:
        return dict(connection.execute(query).scalar() or {})


def content_used_by(store: Store, issue: IssueId) -> frozenset[str]:
    """Return the content of one issue: slugs of essays, keys and canonical links of items."""
    query = select(used_content.c.value).where(used_content.c.issue_id == str(issue))
    with store.reading() as connection:
        return frozenset(connection.execute(query).scalars())


def items_by_link(store: Store, canonicals: Collection[str]) -> tuple[FeedItem, ...]:
    """Return all items with one of these canonical links, whatever their age."""
    query = select(feed_items).where(feed_items.c.canonical.in_(list(canonicals)))
    if not canonicals:
        return ()
    with store.reading() as connection:
        return tuple(map(_item, connection.execute(query.order_by(feed_items.c.id))))


def items_since(store: Store, since: datetime) -> tuple[FeedItem, ...]:
    """Return all items dated `since` or later, newest first."""
    query = (
        select(feed_items)
        .where(feed_items.c.date >= since)
        .order_by(feed_items.c.date.desc(), feed_items.c.canonical, feed_items.c.id)
    )
    with store.reading() as connection:
        return tuple(map(_item, connection.execute(query)))


def _item(row: Row[Any]) -> FeedItem:
    return FeedItem(
        key=row.item_key,
        feed=row.feed,
        link=row.link,
        canonical=row.canonical,
        title=row.title,
        summary=row.summary,
        date=row.date,
        date_source=row.date_source,
        language=row.language,
        topics=tuple(row.topics),
    )
