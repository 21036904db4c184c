"""Subscribers: adding them with their consent, finding them, letting them go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update

from upcycle_news.model import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.store.adding import CHUNK, AddReport, NewSubscriber, add_people
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import consents, departures, subscribers, suppressions

__all__ = [
    "CHUNK",
    "AddReport",
    "NewSubscriber",
    "Way",
    "add_people",
    "addresses",
    "all_people",
    "anybody",
    "by_number",
    "find",
    "group_members",
    "set_preferences",
    "unsubscribe",
]


def all_people(store: Store) -> Iterator[Subscriber]:
    """Everybody, oldest first."""
    with store.reading() as connection:
        for row in connection.execute(select(subscribers).order_by(subscribers.c.id)):
            yield _subscriber(row)


def anybody(store: Store) -> bool:
    """Whether there are people whom the keys protect: subscribers, or those who were forgotten."""
    known = select(subscribers.c.id).limit(1)
    gone = select(suppressions.c.email_key).where(suppressions.c.email_key.startswith("#")).limit(1)
    with store.reading() as connection:
        return any(connection.execute(query).first() is not None for query in (known, gone))


def find(store: Store, email: EmailAddress) -> Subscriber | None:
    """The person with this address, whatever their status."""
    with store.reading() as connection:
        row = connection.execute(
            select(subscribers).where(subscribers.c.email_key == email.key)
        ).first()
    return None if row is None else _subscriber(row)


def addresses(store: Store, ids: Iterable[int]) -> Mapping[int, EmailAddress]:
    """The addresses of these subscribers; who was forgotten is missing."""
    found: dict[int, EmailAddress] = {}
    wanted = list(ids)
    with store.reading() as connection:
        for start in range(0, len(wanted), CHUNK):
            query = select(subscribers.c.id, subscribers.c.email).where(
                subscribers.c.id.in_(wanted[start : start + CHUNK])
            )
            found.update({row.id: EmailAddress(row.email) for row in connection.execute(query)})
    return found


def group_members(store: Store, group: str) -> tuple[Subscriber, ...]:
    """The confirmed subscribers marked with `group`, such as the editors who get test mails."""
    return tuple(
        person
        for person in all_people(store)
        if person.status is SubscriberStatus.CONFIRMED and group in person.groups
    )


class Way(StrEnum):
    """How somebody left."""

    PAGE = "page"
    ONE_CLICK = "one-click"
    PREFERENCES = "preferences"
    MAIL = "mail"
    COMMAND = "command"


def unsubscribe(
    store: Store, person: Subscriber, *, now: datetime, way: Way = Way.COMMAND, issue: int = 0
) -> bool:
    """Let a person leave at once; False when they had already left.

    `issue` is the number of the issue whose link they followed, 0 for none.
    """
    with store.writing() as connection:
        changed = connection.execute(
            update(subscribers)
            .where(subscribers.c.id == person.id)
            .where(subscribers.c.status != SubscriberStatus.UNSUBSCRIBED)
            .values(status=SubscriberStatus.UNSUBSCRIBED, left_at=now)
        )
        if changed.rowcount == 0:
            return False
        connection.execute(
            update(consents)
            .where(consents.c.subscriber_id == person.id, consents.c.ended_at.is_(None))
            .where(consents.c.confirmed_at.is_not(None))
            .values(ended_at=now)
        )
        connection.execute(
            insert(departures).values(
                subscriber_id=person.id, issue_number=issue, way=way.value, at=now
            )
        )
    return True


def by_number(store: Store, number: int) -> Subscriber | None:
    """The person with this number, whatever their status; None for a forgotten one."""
    with store.reading() as connection:
        row = connection.execute(select(subscribers).where(subscribers.c.id == number)).first()
    return None if row is None else _subscriber(row)


def set_preferences(
    store: Store, person: Subscriber, *, language: str, topics: Sequence[str], now: datetime
) -> None:
    """What a person chose for themselves; no topics means all of them. No list replaces it."""
    with store.writing() as connection:
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == person.id)
            .values(language=language, topics=list(topics), chosen_at=now)
        )


def _subscriber(row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=row.id,
        email=EmailAddress(row.email),
        status=SubscriberStatus(row.status),
        name=row.name,
        language=row.language,
        topics=tuple(row.topics),
        groups=tuple(row.groups),
        created_at=row.created_at,
    )
