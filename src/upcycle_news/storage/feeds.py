"""The state of each feed, its items, and the reports of collections."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, insert, or_, select, update

from upcycle_news.models import FeedItem
from upcycle_news.observability.logging import Log
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import DamagedValueError, Store
from upcycle_news.storage.feed_item_marks import (
    Marking,
    mark_anew,
    marked_items,
    two_marked_items,
)
from upcycle_news.storage.schema import (
    feed_bodies,
    feed_items,
    feed_reports,
    feeds,
)

log = Log(__name__)

KEPT_REPORTS = 100


@dataclass(frozen=True)
class FeedState:
    """Validators (opaque, quotes included) and health of one feed; `errors` are consecutive.

    `url` is the address in feeds.toml, `address` where the feed is fetched since it moved (or empty),
    `moved_to` where a permanent redirect leads since `moved_since`. `full_at`: when the whole body
    was last sent. `next_at`: not before, after errors; `host_until`: until when its server
    asked to be left alone. `stopped`: closed for good by its publisher. `guids_kept` and
    `guids_changed` count how often guids that are no addresses stayed with their items. The last fields
    are about the last body that was read: its `entries` (None until there was one), how many of them are
    `usable` items, how many of these have a text, the encoding if it is not the declared one, and the
    newest date that the feed gave.
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
    guids_kept: int = 0
    guids_changed: int = 0
    entries: int | None = None
    usable: int = 0
    with_text: int = 0
    guessed_encoding: str = ""
    newest_at: datetime | None = None


def states(store: Store) -> Mapping[str, FeedState]:
    """Return the state of every feed that was ever fetched, by its address."""
    with store.reading() as connection:
        return {
            row.url: FeedState(**row._mapping) for row in connection.execute(select(feeds)).all()
        }


def record(
    store: Store,
    state: FeedState,
    items: Sequence[FeedItem],
    *,
    now: datetime,
    identities: Mapping[str, str] | None = None,
    missing: Mapping[str, str] | None = None,
    marking: Marking | None = None,
) -> int:
    """Store a feed's state and the items of its body together; returns how many items are new.

    An item that is known already is updated in place: that is an update, not news, and it keeps
    the time it was first seen. `identities` says by key what an item was recognised by, `missing`
    how items that are gone left the feed. Without `marking` the items are not marked, and
    `items_sought` returns all.
    """
    identities, missing = identities or {}, missing or {}
    keys = list(dict.fromkeys(item.key for item in items))
    with store.writing() as connection:
        _write(connection, [state])
        marked = _marking(connection, state.url)
        known = {row.item_key: row for row in _by_keys(connection, state.url, {*keys, *missing})}
        fresh: dict[str, dict[str, Any]] = {}
        changed: list[int] = []
        for item in items:
            row = known.get(item.key)
            if row is None:
                fresh[item.key] = {
                    **_values(item),
                    "feed_url": state.url,
                    "item_key": item.key,
                    "first_seen_at": now,
                    "identity": identities.get(item.key, ""),
                    "missing": "",
                }
            elif changes := _changes(row, item, identities.get(item.key, row.identity)):
                changed.append(row.id)
                connection.execute(
                    update(feed_items).where(feed_items.c.id == row.id).values(**changes)
                )
        if fresh:
            connection.execute(insert(feed_items), list(fresh.values()))
        for key, how in missing.items():
            if key in known and known[key].missing != how:
                connection.execute(
                    update(feed_items).where(feed_items.c.id == known[key].id).values(missing=how)
                )
        connection.execute(delete(feed_bodies).where(feed_bodies.c.feed_url == state.url))
        connection.execute(
            insert(feed_bodies).values(
                feed_url=state.url, item_keys=keys, marking=marking.name if marking else ""
            )
        )
        if marking is not None and marked == marking.name:
            rows = (*_by_ids(connection, changed), *_by_keys(connection, state.url, fresh))
            _mark(connection, state.url, rows, marking)
        elif marking is not None:
            _mark(connection, state.url, _of_feed(connection, state.url), marking)
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
        "guid": item.guid,
        "date_reason": item.date_reason,
        "own_language": item.own_language,
    }


def _changes(row: Row[Any], item: FeedItem, identity: str) -> dict[str, Any]:
    values = {**_values(item), "identity": identity, "missing": ""}
    if item.date_source in ("first seen", "archive"):  # it keeps the time it was first seen
        del values["date"], values["date_source"]
    return {key: value for key, value in values.items() if getattr(row, key) != value}


def items_sought(
    store: Store,
    url: str,
    marking: Marking,
    *,
    marks: Collection[str],
    shared: Collection[str],
    keys: Collection[str],
) -> tuple[FeedItem, ...]:
    """Return the stored items of a feed with one of these marks or keys, the newest first.

    Of those with one of the `shared` marks two are enough. Every item, where they are not marked by these rules.
    """
    with store.reading() as connection:
        if _marking(connection, url) != marking.name:
            return _newest_first(_of_feed(connection, url))
        ids = marked_items(connection, url, marks) | two_marked_items(connection, url, shared)
        rows = {row.id: row for row in _by_keys(connection, url, keys)}
        found = [row for row in _by_ids(connection, ids - rows.keys()) if row.feed_url == url]
    return _newest_first([*rows.values(), *found])


def has_item(store: Store, url: str, key: str) -> bool:
    """Tell whether an item of a feed is stored under this key."""
    with store.reading() as connection:
        return bool(_by_keys(connection, url, [key]))


def _marking(connection: Connection, url: str) -> str:
    """Return the name of the rules by which all items of a feed are marked, empty where they are not."""
    query = select(feed_bodies.c.marking).where(feed_bodies.c.feed_url == url)
    return connection.scalar(query) or ""


def _mark(connection: Connection, url: str, rows: Iterable[Row[Any]], marking: Marking) -> None:
    mark_anew(connection, url, [(row.id, _item(row)) for row in rows], marking)


def _of_feed(connection: Connection, url: str) -> Sequence[Row[Any]]:
    return connection.execute(select(feed_items).where(feed_items.c.feed_url == url)).all()


def _by_keys(connection: Connection, url: str, keys: Collection[str]) -> list[Row[Any]]:
    query = select(feed_items).where(feed_items.c.feed_url == url)
    return [
        row
        for chunk in chunks(sorted(keys))
        for row in connection.execute(query.where(feed_items.c.item_key.in_(chunk)))
    ]


def _by_ids(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    return [
        row
        for chunk in chunks(sorted(ids))
        for row in connection.execute(select(feed_items).where(feed_items.c.id.in_(chunk)))
    ]


def _newest_first(rows: Sequence[Row[Any]]) -> tuple[FeedItem, ...]:
    ordered = sorted(rows, key=lambda row: (row.date, row.id), reverse=True)
    return tuple(map(_item, ordered))


def last_body(store: Store, url: str) -> tuple[str, ...]:
    """Return the keys of the items of a feed's last body, in its order; none when they are damaged.

    The next body writes them anew.
    """
    query = select(feed_bodies.c.item_keys).where(feed_bodies.c.feed_url == url)
    try:
        with store.reading() as connection:
            return tuple(connection.execute(query).scalar() or ())
    except DamagedValueError:
        log.warning("keys of a feed's last body damaged", feed=url)
        return ()


def move_feed(store: Store, old: str, new: str) -> bool:
    """Give a feed, with its items, the address that feeds.toml has for it now.

    False, and nothing changed, if a feed was read from the new address already. Its validators are
    those of another address and go.
    """
    with store.writing() as connection:
        present = connection.execute(select(feeds).where(feeds.c.url == new)).first()
        if present is not None and present.succeeded_at is not None:
            return False
        connection.execute(delete(feeds).where(feeds.c.url == new))
        connection.execute(
            update(feeds)
            .where(feeds.c.url == old)
            .values(
                url=new,
                etag="",
                last_modified="",
                body_hash="",
                address="",
                moved_to="",
                moved_since=None,
                errors=0,
                last_error="",
                next_at=None,
                stopped=False,
            )
        )
        moved = {"feed_url": new}
        connection.execute(update(feed_items).where(feed_items.c.feed_url == old).values(**moved))
        # Marks are those of the address: its items are marked anew with the next body.
        connection.execute(
            update(feed_bodies).where(feed_bodies.c.feed_url == old).values(**moved, marking="")
        )
    return True


def save_report(store: Store, report: Mapping[str, Any], *, now: datetime) -> None:
    """Store the report of a collection; the last hundred are kept."""
    with store.writing() as connection:
        connection.execute(insert(feed_reports).values(at=now, report=dict(report)))
        newest = connection.execute(select(func.max(feed_reports.c.id))).scalar() or 0
        connection.execute(delete(feed_reports).where(feed_reports.c.id <= newest - KEPT_REPORTS))


def last_report(store: Store) -> Mapping[str, Any]:
    """Return the report of the last collection; empty when there was none, or it is damaged."""
    query = select(feed_reports.c.report).order_by(feed_reports.c.id.desc()).limit(1)
    try:
        with store.reading() as connection:
            return dict(connection.execute(query).scalar() or {})
    except DamagedValueError:
        log.warning("report of the last collection damaged")
        return {}


@dataclass(frozen=True)
class CollectionCounts:
    """How many feeds a collection asked, how many of these failed, and how many had to wait."""

    at: datetime
    asked: int
    failed: int
    waiting: int


def collection_counts(store: Store, last: int) -> tuple[CollectionCounts, ...]:
    """Return the counts of the last collections that asked somebody, oldest first.

    The sentences of the reports stay in the store.
    """
    report: Any = feed_reports.c.report
    if store.dialect == "sqlite":  # which raises for a damaged one; Postgres holds none
        report = case((func.json_valid(report) == 1, report))
    asked = report["asked"].as_integer()
    query = (
        select(
            feed_reports.c.at,
            asked,
            func.json_array_length(report["failed"]),
            func.json_array_length(report["waiting"]),
        )
        .where(asked > 0)
        .order_by(feed_reports.c.id.desc())
        .limit(last)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return tuple(
        CollectionCounts(row[0], *(int(number or 0) for number in row[1:]))
        for row in reversed(rows)
    )


@dataclass(frozen=True)
class StoredItem:
    """An item with the address of its feed, what it was recognised by, and how it left its feed."""

    item: FeedItem
    feed_url: str
    identity: str
    missing: str


def items_on_pages(store: Store, canonicals: Collection[str]) -> tuple[StoredItem, ...]:
    """Return all items that one of these canonical links leads to, whatever their age."""
    if not canonicals:
        return ()
    on_page = [
        feed_items.c.canonical.startswith(f"{page}#item-", autoescape=True) for page in canonicals
    ]
    query = select(feed_items).where(or_(feed_items.c.canonical.in_(list(canonicals)), *on_page))
    with store.reading() as connection:
        return tuple(map(_stored, connection.execute(query.order_by(feed_items.c.id))))


def items_since(store: Store, since: datetime) -> tuple[StoredItem, ...]:
    """Return all items dated `since` or later, newest first."""
    query = (
        select(feed_items)
        .where(feed_items.c.date >= since)
        .order_by(feed_items.c.date.desc(), feed_items.c.canonical, feed_items.c.id)
    )
    with store.reading() as connection:
        return tuple(map(_stored, connection.execute(query)))


def missing_items_since(store: Store, since: datetime) -> tuple[StoredItem, ...]:
    """Return the items dated `since` or later that were taken out of their feed, newest first."""
    query = (
        select(feed_items)
        .where(feed_items.c.date >= since, feed_items.c.missing != "")
        .order_by(feed_items.c.date.desc(), feed_items.c.id)
    )
    with store.reading() as connection:
        return tuple(map(_stored, connection.execute(query)))


def _stored(row: Row[Any]) -> StoredItem:
    return StoredItem(_item(row), row.feed_url, row.identity, row.missing)


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
        guid=row.guid,
        date_reason=row.date_reason,
        own_language=row.own_language,
    )
