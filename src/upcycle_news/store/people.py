"""Subscribers, their consent, and the suppressions that outlive them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from upcycle_news.model import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import consents, deliveries, subscribers, suppressions

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
) -> AddReport:
    """Add or update confirmed subscribers whose consent is documented by `source`.

    `language` is that of new people of whom nothing else is said.
    Nobody who left, is suppressed or has yet to confirm is brought in this way; all in one
    transaction, so that a list is taken whole or not at all.
    """
    report = AddReport()
    seen: set[str] = set()
    with store.writing() as connection:
        for chunk in _chunks(people):
            fresh = _known_apart(connection, chunk, seen, report)
            if fresh:
                spoken = [replace(one, language=one.language or language) for one in fresh]
                _insert(connection, spoken, source=source, now=now)
                report.added += len(fresh)
        if dry_run:
            connection.rollback()
    return report


def _known_apart(
    connection: Connection, chunk: list[NewSubscriber], seen: set[str], report: AddReport
) -> list[NewSubscriber]:
    """Update those who are known, report those who are skipped, return those who are new."""
    keys = [person.email.key for person in chunk]
    known = {
        row.email_key: row
        for row in connection.execute(select(subscribers).where(subscribers.c.email_key.in_(keys)))
    }
    barred = set(
        connection.scalars(
            select(suppressions.c.email_key).where(suppressions.c.email_key.in_(keys))
        )
    )
    fresh: list[NewSubscriber] = []
    for person in chunk:
        reason = _why_not(person, known.get(person.email.key), barred, seen)
        seen.add(person.email.key)
        if reason:
            report.skipped.append((person.line, reason))
        elif (row := known.get(person.email.key)) is None:
            fresh.append(person)
        else:
            changed = _update(connection, row, person)
            report.updated += changed
            report.unchanged += not changed
    return fresh


def _why_not(
    person: NewSubscriber, row: Row[Any] | None, barred: set[str], seen: set[str]
) -> str | None:
    if person.email.key in seen:
        return "the same address stands further up in the list"
    if person.email.key in barred:
        return "suppressed: this address must not be written to"
    if row is not None and row.status == SubscriberStatus.UNSUBSCRIBED:
        return "has unsubscribed: only the person can subscribe again"
    if row is not None and row.status == SubscriberStatus.PENDING:
        return "has not confirmed yet"
    return None


def _update(connection: Connection, row: Row[Any], person: NewSubscriber) -> bool:
    """Overwrite what the list says differently; an empty field of the list says nothing."""
    wanted = {
        "name": person.name or row.name,
        "language": person.language or row.language,
        "topics": list(person.topics) or row.topics,
        "groups": sorted({*row.groups, *person.groups}),
    }
    if all(getattr(row, key) == value for key, value in wanted.items()):
        return False
    connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(**wanted))
    return True


def _insert(
    connection: Connection, people: list[NewSubscriber], *, source: str, now: datetime
) -> None:
    connection.execute(
        insert(subscribers),
        [
            {
                "email": person.email.address,
                "email_key": person.email.key,
                "name": person.name,
                "language": person.language,
                "status": SubscriberStatus.CONFIRMED,
                "topics": list(person.topics),
                "groups": list(person.groups),
                "created_at": now,
            }
            for person in people
        ],
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
                "given_at": now,
                "confirmed_at": now,
            }
            for number in ids
        ],
    )


def _chunks(people: Iterable[NewSubscriber]) -> Iterator[list[NewSubscriber]]:
    chunk: list[NewSubscriber] = []
    for person in people:
        chunk.append(person)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def all_people(store: Store) -> Iterator[Subscriber]:
    """Everybody, oldest first."""
    with store.reading() as connection:
        for row in connection.execute(select(subscribers).order_by(subscribers.c.id)):
            yield _subscriber(row)


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


def record_of(store: Store, person: Subscriber) -> dict[str, Any]:
    """Everything held about a person, ready to be printed as JSON (an access request's answer)."""
    with store.reading() as connection:
        agreed = connection.execute(
            select(consents).where(consents.c.subscriber_id == person.id).order_by(consents.c.id)
        ).all()
        barred = connection.execute(
            select(suppressions).where(suppressions.c.email_key == person.email.key)
        ).first()
        mails = connection.execute(
            select(deliveries).where(deliveries.c.subscriber_id == person.id)
        ).all()
    return {
        "id": person.id,
        "email": person.email.address,
        "name": person.name,
        "language": person.language,
        "status": person.status.value,
        "topics": list(person.topics),
        "groups": list(person.groups),
        "created_at": _iso(person.created_at),
        "consents": [
            {
                "purpose": row.purpose,
                "source": row.source,
                "given_at": _iso(row.given_at),
                "confirmed_at": _iso(row.confirmed_at),
            }
            for row in agreed
        ],
        "suppression": None
        if barred is None
        else {"reason": barred.reason, "detail": barred.detail, "at": _iso(barred.created_at)},
        "deliveries": [
            {
                "issue": row.issue_id,
                "state": row.state,
                "code": row.code,
                "reason": row.reason,
                "at": _iso(row.changed_at),
            }
            for row in mails
        ],
    }


def unsubscribe(store: Store, person: Subscriber, *, now: datetime) -> bool:
    """Let a person leave at once; False when they had already left."""
    with store.writing() as connection:
        changed = connection.execute(
            update(subscribers)
            .where(subscribers.c.id == person.id)
            .where(subscribers.c.status != SubscriberStatus.UNSUBSCRIBED)
            .values(status=SubscriberStatus.UNSUBSCRIBED, left_at=now)
        )
    return changed.rowcount > 0


def count_confirmed(store: Store) -> int:
    """How many people would be written to, suppressions not yet taken off."""
    with store.reading() as connection:
        return int(
            connection.scalar(
                select(func.count())
                .select_from(subscribers)
                .where(subscribers.c.status == SubscriberStatus.CONFIRMED)
            )
            or 0
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


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
