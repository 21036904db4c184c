"""What we remember of each feed, and the items it gave us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from upcycle_news.model import FeedItem
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import feed_items, feeds


@dataclass(frozen=True)
class FeedState:
    """Validators (opaque, quotes included) and health of one feed; `errors` in a row."""

    url: str
    name: str
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    tried_at: datetime | None = None
    succeeded_at: datetime | None = None
    errors: int = 0
    last_error: str = ""


def states(store: Store) -> Mapping[str, FeedState]:
    """Every feed that was ever asked, by its address."""
    with store.reading() as connection:
        return {
            row.url: FeedState(**row._mapping) for row in connection.execute(select(feeds)).all()
        }


def record(store: Store, state: FeedState, items: Iterable[FeedItem], *, now: datetime) -> int:
    """Remember a feed's state and its items together; returns how many items are new.

    An item that is known already is updated in place: that is an update, not news, and it keeps
    the time it was first seen.
    """
    with store.writing() as connection:
        values = {key: value for key, value in vars(state).items() if key != "url"}
        changed = connection.execute(update(feeds).where(feeds.c.url == state.url).values(**values))
        if changed.rowcount == 0:
            connection.execute(insert(feeds).values(url=state.url, **values))
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
    if item.date_source == "first seen":  # no date of its own: the first sight stays its date
        del values["date"], values["date_source"]
    return {key: value for key, value in values.items() if getattr(row, key) != value}


def items_since(store: Store, since: datetime) -> tuple[FeedItem, ...]:
    """All items dated `since` or later, newest first."""
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
