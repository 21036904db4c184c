"""Lists of people who consented elsewhere: taken whole or not at all, reviving nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.storage import suppressions as suppression_rows
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    consents,
    departures,
    subscribers,
    suppressions,
)

CHUNK = 500


@dataclass(frozen=True)
class NewSubscriber:
    """A person to be added; empty fields say nothing. `line` of the list they came from, or 0."""

    email: EmailAddress
    name: str = ""
    language: str = ""
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    line: int = 0


@dataclass
class AddReport:
    """What became of each person of a list; `skipped` holds (line, reason)."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)


def add_people(
    store: Store,
    people: Iterable[NewSubscriber],
    *,
    source: str,
    now: datetime,
    dry_run: bool,
    language: str = "de",
    over_choice: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> AddReport:
    """Add or update confirmed subscribers whose consent is documented by `source`.

    `language` is that of new people of whom nothing else is said; `progress` hears how many more
    are done. Language and topics that readers chose for themselves stay, but `over_choice`.
    Nobody who left, is suppressed or has yet to confirm is brought in this way; all in one
    transaction, so that a list is taken whole or not at all.
    """
    report = AddReport()
    seen: set[str] = set()
    with store.writing() as connection:
        for chunk in _chunks(people):
            fresh = _known_apart(store, connection, chunk, seen, report, over_choice)
            if fresh:
                spoken = [replace(one, language=one.language or language) for one in fresh]
                _insert(store, connection, spoken, source=source, now=now)
                report.added += len(fresh)
            progress(len(chunk))
        if dry_run:
            connection.rollback()
    return report


def _known_apart(
    store: Store,
    connection: Connection,
    chunk: list[NewSubscriber],
    seen: set[str],
    report: AddReport,
    over_choice: bool,
) -> list[NewSubscriber]:
    """Update those who are known, report those who are skipped, return those who are new."""
    keys = [person.email.key for person in chunk]
    known = {
        row.email_key: row
        for row in connection.execute(select(subscribers).where(subscribers.c.email_key.in_(keys)))
    }
    barred = suppression_rows.barred(connection, store, (person.email for person in chunk))
    fresh: list[NewSubscriber] = []
    for person in chunk:
        reason = _why_not(person, known.get(person.email.key), barred, seen)
        seen.add(person.email.key)
        if reason:
            report.skipped.append((person.line, reason))
        elif (row := known.get(person.email.key)) is None:
            fresh.append(person)
        else:
            stays = row.chosen_at is not None and not over_choice
            changed = _update(connection, row, person, stays)
            report.updated += changed
            report.unchanged += not changed
    return fresh


def _why_not(
    person: NewSubscriber, row: Row[Any] | None, barred: Mapping[str, str], seen: set[str]
) -> str | None:
    if person.email.key in seen:
        return "the same address stands further up in the list"
    if reason := barred.get(person.email.key):
        if reason == suppression_rows.FORGOTTEN:
            return "was forgotten: only the person can subscribe again"
        return "suppressed: this address must not be written to"
    if row is not None and row.status == SubscriberStatus.UNSUBSCRIBED:
        return "has unsubscribed: only the person can subscribe again"
    if row is not None and row.status == SubscriberStatus.PENDING:
        return "has not confirmed yet"
    return None


def _update(connection: Connection, row: Row[Any], person: NewSubscriber, stays: bool) -> bool:
    """Overwrite what the list says differently; an empty field of the list says nothing.

    What readers chose for themselves `stays`.
    """
    wanted = {
        "name": person.name or row.name,
        "language": row.language if stays else person.language or row.language,
        "topics": row.topics if stays else list(person.topics) or row.topics,
        "groups": sorted({*row.groups, *person.groups}),
    }
    if all(getattr(row, key) == value for key, value in wanted.items()):
        return False
    connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(**wanted))
    return True


def _insert(
    store: Store,
    connection: Connection,
    people: list[NewSubscriber],
    *,
    source: str,
    now: datetime,
) -> None:
    connection.execute(
        insert(subscribers),
        [new_row(store, person, SubscriberStatus.CONFIRMED, now) for person in people],
    )
    ids = connection.scalars(
        select(subscribers.c.id).where(
            subscribers.c.email_key.in_([person.email.key for person in people])
        )
    )
    connection.execute(
        insert(consents),
        [
            {
                "subscriber_id": number,
                "purpose": "newsletter",
                "source": source,
                "wording": "",
                "token_hash": "",
                "ip": "",
                "given_at": now,
                "confirmed_at": now,
            }
            for number in ids
        ],
    )


def new_row(
    store: Store, person: NewSubscriber, status: SubscriberStatus, now: datetime
) -> dict[str, Any]:
    """The columns of somebody who was not in the store yet."""
    return {
        "email": person.email.address,
        "email_key": person.email.key,
        "domain_key": suppression_rows.domain_key(person.email),
        "hash_key": suppression_rows.hash_key(store, person.email),
        "name": person.name,
        "language": person.language,
        "status": status,
        "topics": list(person.topics),
        "groups": list(person.groups),
        "created_at": now,
    }


def _chunks(people: Iterable[NewSubscriber]) -> Iterator[list[NewSubscriber]]:
    chunk: list[NewSubscriber] = []
    for person in people:
        chunk.append(person)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


__all__ = [
    "CHUNK",
    "AddReport",
    "NewSubscriber",
    "UnsubscribeMethod",
    "add_people",
    "addresses",
    "all_people",
    "has_subscribers",
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


def has_subscribers(store: Store) -> bool:
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


class UnsubscribeMethod(StrEnum):
    """How somebody left."""

    PAGE = "page"
    ONE_CLICK = "one-click"
    PREFERENCES = "preferences"
    MAIL = "mail"
    COMMAND = "command"


def unsubscribe(
    store: Store,
    person: Subscriber,
    *,
    now: datetime,
    way: UnsubscribeMethod = UnsubscribeMethod.COMMAND,
    issue: int = 0,
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
