"""Suppressions of the address that a mail to a subscriber went to, which may be an earlier one of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from upcycle_news.models import Suppression, SuppressionSource
from upcycle_news.storage import earlier_addresses
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import subscribers
from upcycle_news.storage.suppressions import suppress_several


@dataclass(frozen=True)
class SubscriberSuppression:
    """A suppression of whatever address a subscriber, or one of their deliveries, had.

    `went_to` is the keyed hash of the address, one of theirs, where that is known; without it the time of
    the delivery tells which one it was.
    """

    subscriber: int
    reason: str
    source: SuppressionSource
    detail: str = ""
    issue: str = ""
    delivery: int | None = None
    went_to: str = ""


class SuppressedSubscribers(NamedTuple):
    """The ids of those who are suppressed since, and what suppressed nobody since its address is not certain."""

    new: frozenset[int]
    uncertain: frozenset[SubscriberSuppression]


def suppress_by_id(connection: Connection, wanted: SubscriberSuppression, *, now: datetime) -> bool:
    """Suppress the address of one subscriber, as `suppress_by_ids` does; returns whether it is new."""
    return bool(suppress_by_ids(connection, [wanted], now=now).new)


def suppress_by_ids(
    connection: Connection, wanted: Sequence[SubscriberSuppression], *, now: datetime
) -> SuppressedSubscribers:
    """Suppress the addresses that subscribers have, or had when the mail went that this is about.

    Of an earlier one the keyed hash is suppressed; where it is not certain which one it was, nothing
    (`earlier_addresses`). A complaint is the person's, whatever their address. Who was erased meanwhile is
    left out: their hash is suppressed already, and their address must not be stored again. Of several for
    one address a complaint counts, else the first.
    """
    new: set[int] = set()
    uncertain: set[SubscriberSuppression] = set()
    for some in chunks(wanted):
        chunk = sorted(some, key=lambda one: one.source is not SuppressionSource.COMPLAINT)
        by_key: dict[str, SubscriberSuppression] = {}
        for one, key in _with_keys(connection, chunk):
            if key is None:
                uncertain.add(one)
            else:
                by_key.setdefault(key, one)
        stored = suppress_several(
            connection,
            [
                Suppression(
                    key,
                    one.reason,
                    one.source,
                    at=now,
                    detail=one.detail,
                    issue=one.issue,
                    delivery=one.delivery,
                )
                for key, one in by_key.items()
            ],
        )
        new |= {one.subscriber for key, one in by_key.items() if key in stored}
    return SuppressedSubscribers(frozenset(new), frozenset(uncertain))


def _with_keys(
    connection: Connection, wanted: Sequence[SubscriberSuppression]
) -> Iterator[tuple[SubscriberSuppression, str | None]]:
    """Yield each with the key that it suppresses, None where that is not certain; without erased ones."""
    addresses = _present_addresses(connection, [one.subscriber for one in wanted])
    changes = earlier_addresses.changes_of(connection, addresses)
    times = earlier_addresses.mail_times(
        connection,
        [one.delivery for one in wanted if one.delivery is not None and one.subscriber in changes],
    )
    for one in wanted:
        present = addresses.get(one.subscriber)
        if present is None:
            continue
        earlier: str | None = earlier_addresses.PRESENT
        if one.went_to:
            earlier = one.went_to if one.went_to != present.hash_key else earlier_addresses.PRESENT
        elif one.source is not SuppressionSource.COMPLAINT:
            theirs = changes.get(one.subscriber, ())
            earlier = earlier_addresses.address_at(theirs, times.get(one.delivery))
        yield one, present.email_key if earlier == earlier_addresses.PRESENT else earlier


def _present_addresses(connection: Connection, of: Sequence[int]) -> dict[int, Row[Any]]:
    query = (
        select(subscribers.c.id, subscribers.c.email_key, subscribers.c.hash_key)
        .where(subscribers.c.id.in_(of))
        .order_by(subscribers.c.id)
        .with_for_update(read=True)  # Postgres: an erasure waits, and takes the new row with it
    )
    return {row.id: row for row in connection.execute(query)}


def suppress_subscriber(store: Store, wanted: SubscriberSuppression, *, now: datetime) -> bool:
    """Suppress the address of a subscriber in a transaction of its own, as `suppress_by_id` does."""
    with store.writing() as connection:
        return suppress_by_id(connection, wanted, now=now)
