"""Marks of feed items, by which some of a feed's items are found and the others not read.

A mark is a text about an item; the store has a hash of it and of the feed's address. Two texts of one hash find an
item too many, never one too few.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import BigInteger, Connection, Integer, column, delete, func, insert, select, values

from upcycle_news.models import FeedItem
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.schema import feed_item_marks


@dataclass(frozen=True)
class Marking:
    """The rules of marks: `name` is another one wherever they are, `marks_of` returns those of an item."""

    name: str
    marks_of: Callable[[FeedItem], Collection[str]]


def marked_items(connection: Connection, url: str, marks: Iterable[str]) -> set[int]:
    """Return the ids of the items of a feed that have one of these marks."""
    ids: set[int] = set()
    for chunk in chunks(_numbers(url, marks)):
        query = select(feed_item_marks.c.item_id).where(feed_item_marks.c.mark.in_(chunk))
        ids.update(connection.scalars(query))
    return ids


def two_marked_items(connection: Connection, url: str, marks: Iterable[str]) -> set[int]:
    """Return, for each of these marks, the ids of two items of a feed that have it, or of the one that has."""
    ids: set[int] = set()
    for chunk in chunks(_numbers(url, marks)):
        asked = (
            values(column("mark", BigInteger), name="asked").data([(mark,) for mark in chunk]).cte()
        )
        ends = [
            select(end(feed_item_marks.c.item_id, type_=Integer))
            .where(feed_item_marks.c.mark == asked.c.mark)
            .scalar_subquery()
            for end in (func.min, func.max)
        ]
        for lowest, highest in connection.execute(select(*ends).select_from(asked)):
            ids.update(one for one in (lowest, highest) if one is not None)
    return ids


def mark_anew(
    connection: Connection, url: str, items: Iterable[tuple[int, FeedItem]], marking: Marking
) -> None:
    """Replace the marks of these items of a feed, whatever rules made them."""
    items = list(items)
    for chunk in chunks([one for one, _ in items]):
        connection.execute(delete(feed_item_marks).where(feed_item_marks.c.item_id.in_(chunk)))
    rows = [
        {"item_id": one, "mark": mark}
        for one, item in items
        for mark in _numbers(url, marking.marks_of(item))
    ]
    if rows:
        connection.execute(insert(feed_item_marks), rows)


def _numbers(url: str, marks: Iterable[str]) -> Sequence[int]:
    return sorted({_number(url, mark) for mark in marks})


def _number(url: str, mark: str) -> int:
    text = f"{url}\n{mark}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)
