"""Lists of people who consented elsewhere: taken whole or not at all, reviving nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from upcycle_news.model import EmailAddress, SubscriberStatus
from upcycle_news.store import barring
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import consents, subscribers

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
    barred = barring.barred(connection, store, (person.email for person in chunk))
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
        if reason == barring.FORGOTTEN:
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
        "domain_key": barring.domain_key(person.email),
        "hash_key": barring.hash_key(store, person.email),
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
