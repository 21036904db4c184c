"""Subscribers: added from lists, found, unsubscribed, and their preferences."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Row,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    update,
)

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    EmailAddress,
    EventKind,
    Subscriber,
    SubscriberStatus,
    UnsubscribeMethod,
)
from upcycle_news.models.digest import DigestInterval, ReaderRhythm, Rhythm
from upcycle_news.storage import event_log, rhythms
from upcycle_news.storage import suppressions as suppression_rows
from upcycle_news.storage.chunks import CHUNK, chunks
from upcycle_news.storage.compiled_statement import CompiledStatement
from upcycle_news.storage.database import Store, from_json
from upcycle_news.storage.key_lists import JsonText, is_one_of_keys, plan_each_time
from upcycle_news.storage.schema import (
    IN_A_GROUP,
    asked_addresses,
    consent_proofs,
    consents,
    subscribers,
    suppressions,
    unsubscribes,
)
from upcycle_news.storage.suppressions import SuppressionKeys

_ROW = (
    "email", "email_key", "domain_key", "hash_key", "name", "language", "status", "topics", "groups",
    "created_at",
)  # fmt: skip
_NEW_ROW = insert(subscribers).values({name: bindparam(name) for name in _ROW}).inline()
# For Postgres, whose driver takes longer for the parameters of a row than all else about it takes.
_IN_JSON = (
    func.json_to_recordset(cast(bindparam("rows", type_=JsonText), JSON))
    .table_valued(*(column(name, Text) for name in _ROW))
    .render_derived(with_types=True)
)
_NEW_ROWS_IN_JSON = insert(subscribers).from_select(
    _ROW, select(*(cast(_IN_JSON.c[name], subscribers.c[name].type) for name in _ROW))
)


@dataclass(frozen=True)
class NewSubscriber:
    """A subscriber to add; empty fields change nothing. `line`: of the imported list, or 0."""

    email: EmailAddress
    name: str = ""
    language: str = ""
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    rhythm: Rhythm | None = None
    line: int = 0


@dataclass
class AddReport:
    """The result of adding a list; `skipped` holds (line, reason)."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: list[tuple[int, LocalizedText]] = field(default_factory=list)


def add_subscribers(
    store: Store,
    new: Iterable[NewSubscriber],
    *,
    source: str,
    now: datetime,
    dry_run: bool,
    language: str = "de",
    override_preferences: bool = False,
    given_at: datetime | None = None,
    consent_text: str = "",
    today: date | None = None,
    interval: DigestInterval | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> AddReport:
    """Add or update confirmed subscribers whose consent is documented by `source`.

    `language` is that of new subscribers without one; `progress` is called with how many more are
    done. Language, topics and rhythm that subscribers chose themselves stay unless `override_preferences`.
    A rhythm holds from the present period of the digest on for who is new, for others from the next one;
    `today` and the digest's `interval` say which that is, and without them no rhythm is stored.
    `given_at` is when they consented (default: now), `consent_text` to which words, where that is known.
    Unsubscribed, suppressed and unconfirmed addresses are skipped. One transaction: a list is
    added whole or not at all.
    """
    report = AddReport()
    chosen = _Rhythms(store, today, interval)
    consent = {"source": source, "given_at": given_at or now, "text": consent_text}
    with store.writing() as connection:
        newest = connection.scalar(select(func.max(subscribers.c.id))) or 0
        seen = _SeenAddresses(newest, now)
        plan_each_time(connection)
        for chunk in chunks(new):
            keys = [suppression_rows.suppression_keys(store, one.email) for one in chunk]
            fresh = _update_known(
                connection, chunk, keys, seen, report, override_preferences, chosen
            )
            if fresh:
                rows = [
                    new_row(one, of_one, SubscriberStatus.CONFIRMED, now, language=language)
                    for one, of_one in fresh
                ]
                insert_rows(connection, rows)
                _confirm(connection, [of_one.email_key for _, of_one in fresh], consent, now=now)
                chosen.store_of_new(connection, [one for one, _ in fresh])
                report.added += len(fresh)
            progress(len(chunk))
        if dry_run:
            connection.rollback()
    return report


@dataclass(frozen=True)
class _Rhythms:
    """Stores the rhythms that a list has; few statements where few are other than they were."""

    store: Store
    today: date | None
    interval: DigestInterval | None

    def store_of_new(self, connection: Connection, fresh: Sequence[NewSubscriber]) -> None:
        """Store the rhythms of subscribers who were inserted just now."""
        wanted = [one.email.key for one in fresh if one.rhythm is Rhythm.DIGEST]
        if not wanted or self.today is None:
            return
        query = select(subscribers).where(subscribers.c.email_key.in_(wanted))
        rows = connection.execute(query).all()
        hashes = [row.hash_key for row in rows if row.hash_key]
        proofs = select(consent_proofs.c.hash_key).where(consent_proofs.c.hash_key.in_(hashes))
        had_before = set(connection.scalars(proofs))
        known = {row.id for row in rows if row.hash_key in had_before}
        rhythms.choose_digest_for_new(
            connection, {row.id for row in rows} - known, today=self.today, interval=self.interval
        )
        for number in sorted(known):
            self._choose(connection, number, Rhythm.DIGEST)

    def update(self, connection: Connection, changed: Mapping[int, Rhythm]) -> frozenset[int]:
        """Store the rhythms of known subscribers; returns the ids of those whose rhythm changes."""
        if not changed or self.today is None or self.interval is None:
            return frozenset()
        known = rhythms.rhythms_in(connection, changed, self.today)
        others = {
            number
            for number, rhythm in changed.items()
            if known.get(number, ReaderRhythm()).chosen is not rhythm
        }
        for number in sorted(others):
            self._choose(connection, number, changed[number])
        return frozenset(others)

    def _choose(self, connection: Connection, number: int, rhythm: Rhythm) -> None:
        assert self.today is not None
        rhythms.choose(connection, number, rhythm, today=self.today, interval=self.interval)


class _SeenAddresses:
    """The addresses of a list so far. Those that it added are known by their rows, and held nowhere else."""

    def __init__(self, newest: int, now: datetime) -> None:
        """Take the highest id before the list, and when its subscribers are added."""
        self._newest, self._now = newest, now
        self._ids: set[int] = set()  # of those that were in the store before
        self._skipped: set[str] = set()  # those that are not in it
        self.of_chunk: set[str] = set()  # those that will be

    def holds(self, key: str, row: Row[Any] | None) -> bool:
        """Return whether an address stood in the list before; `row` is its row, as the chunk found it."""
        if key in self.of_chunk or key in self._skipped:
            return True
        if row is None:
            return False
        is_added = row.id > self._newest and row.created_at == self._now
        return is_added or row.id in self._ids

    def add(self, key: str, row: Row[Any] | None, *, is_skipped: bool) -> None:
        """Note an address."""
        if row is not None:
            self._ids.add(row.id)
        elif is_skipped:
            self._skipped.add(key)
        else:
            self.of_chunk.add(key)


def with_keys(connection: Connection, keys: list[str]) -> dict[str, Row[Any]]:
    """Return the rows of the subscribers with these addresses, by `EmailAddress.key`."""
    query = select(subscribers).where(_is_one_of_keys(connection))
    return {row.email_key: row for row in connection.execute(query, {"keys": keys})}


def _is_one_of_keys(connection: Connection) -> ColumnElement[bool]:
    return is_one_of_keys(subscribers.c.email_key, connection.dialect.name)


def _update_known(
    connection: Connection,
    chunk: list[NewSubscriber],
    keys: list[SuppressionKeys],
    seen: _SeenAddresses,
    report: AddReport,
    override_preferences: bool,
    chosen: _Rhythms,
) -> list[tuple[NewSubscriber, SuppressionKeys]]:
    """Update known subscribers, report skipped ones, and return new ones with their keys."""
    known = with_keys(connection, [of_one.email_key for of_one in keys])
    suppressed = suppression_rows.suppressed_by_keys(connection, keys)
    fresh: list[tuple[NewSubscriber, SuppressionKeys]] = []
    updated: dict[int, bool] = {}
    other_rhythms: dict[int, Rhythm] = {}
    seen.of_chunk.clear()
    for subscriber, of_one in zip(chunk, keys, strict=True):
        key = of_one.email_key
        row = known.get(key)
        reason = skip_reason(key, row, suppressed, is_twice=seen.holds(key, row))
        seen.add(key, row, is_skipped=reason is not None)
        if reason:
            report.skipped.append((subscriber.line, reason))
        elif row is None:
            fresh.append((subscriber, of_one))
        else:
            keep = row.preferences_set_at is not None and not override_preferences
            updated[row.id] = _update(connection, row, subscriber, keep_preferences=keep)
            if subscriber.rhythm is not None and not keep:
                other_rhythms[row.id] = subscriber.rhythm
    for number in chosen.update(connection, other_rhythms):
        updated[number] = True
    report.updated += sum(updated.values())
    report.unchanged += len(updated) - sum(updated.values())
    return fresh


def skip_reason(
    key: str, row: Row[Any] | None, suppressed: Mapping[str, str], *, is_twice: bool
) -> LocalizedText | None:
    """Return why a subscriber of a list is not taken; None for one who may be.

    `key` is that of the address, `row` theirs in the store, `suppressed` the reasons by address; `is_twice`:
    the address stands further up in the list.
    """
    if is_twice:
        return localized("list-twice")
    if reason := suppressed.get(key):
        if reason == suppression_rows.FORGOTTEN:
            return localized("list-forgotten")
        if reason == suppression_rows.MOVED:
            return localized("list-moved")
        return localized("list-suppressed")
    if row is not None and row.status == SubscriberStatus.UNSUBSCRIBED:
        return localized("list-unsubscribed")
    if row is not None and row.status == SubscriberStatus.PENDING:
        return localized("list-pending")
    return None


def _update(
    connection: Connection, row: Row[Any], subscriber: NewSubscriber, *, keep_preferences: bool
) -> bool:
    """Update a row with the non-empty fields of the list; returns whether it changed.

    With `keep_preferences` language and topics stay as the subscriber chose them.
    """
    values = {
        "name": subscriber.name or row.name,
        "language": (row.language if keep_preferences else subscriber.language or row.language),
        "topics": row.topics if keep_preferences else list(subscriber.topics) or row.topics,
        "groups": sorted({*row.groups, *subscriber.groups}),
    }
    if all(getattr(row, key) == value for key, value in values.items()):
        return False
    connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(**values))
    return True


def insert_rows(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert new subscribers of whom nothing is stored; `rows` are of `new_row`."""
    if connection.dialect.name == "postgresql":
        at = {row["created_at"]: row["created_at"].isoformat() for row in rows}
        texts = [
            {
                **row,
                "topics": _stored(row["topics"]),
                "groups": _stored(row["groups"]),
                "created_at": at[row["created_at"]],
            }
            for row in rows
        ]
        connection.execute(_NEW_ROWS_IN_JSON, {"rows": texts})
        return
    statement = CompiledStatement(_NEW_ROW, connection.dialect)
    connection.exec_driver_sql(statement.sql, statement.rows(rows))


def _confirm(
    connection: Connection, keys: list[str], consent: Mapping[str, Any], *, now: datetime
) -> None:
    """Store the consent of new subscribers, and tell it as an event."""
    proof = {
        "purpose": "newsletter",
        "wording": "",
        "token_hash": "",
        "ip": "",
        "confirmed_at": now,
        **consent,
    }
    columns = [literal(value, consents.c[name].type) for name, value in proof.items()]
    those = _is_one_of_keys(connection)
    connection.execute(
        insert(consents).from_select(
            ["subscriber_id", *proof],
            select(subscribers.c.id, *columns).where(those),
        ),
        {"keys": keys},
    )
    event_log.append_for_each(
        connection, EventKind.SUBSCRIBER_CONFIRMED, those, at=now, parameters={"keys": keys}
    )


def new_row(
    subscriber: NewSubscriber,
    keys: SuppressionKeys,
    status: SubscriberStatus,
    now: datetime,
    *,
    language: str = "",
) -> dict[str, Any]:
    """Return the columns of a new subscriber with these keys; `language` is that of one without."""
    return {
        "email": subscriber.email.address,
        "email_key": keys.email_key,
        "domain_key": keys.domain_key,
        "hash_key": keys.hash_key,
        "name": subscriber.name,
        "language": subscriber.language or language,
        "status": status.value,
        "topics": subscriber.topics,
        "groups": subscriber.groups,
        "created_at": now,
    }


def all_subscribers(store: Store) -> Iterator[Subscriber]:
    """Yield all subscribers, whatever their status, oldest first."""
    with store.reading() as connection:
        query = select(subscribers).order_by(subscribers.c.id)
        # Without this psycopg fetches the whole list before its first row.
        for row in connection.execute(query, execution_options={"yield_per": CHUNK}):
            yield _subscriber(row)


class ListedSubscriber(NamedTuple):
    """What a list says of a subscriber, whatever their status; the rhythm is what they chose last."""

    email: str
    name: str = ""
    language: str = "de"
    topics: tuple[str, ...] = ()
    status: str = SubscriberStatus.CONFIRMED.value
    groups: tuple[str, ...] = ()
    rhythm: str = Rhythm.EVERY_ISSUE.value


def listed_subscribers(store: Store) -> Iterator[ListedSubscriber]:
    """Yield what a list says of all subscribers, oldest first; no more than it says is read."""
    columns = subscribers.c
    query = select(
        columns.email,
        columns.name,
        columns.language,
        cast(columns.topics, Text),
        columns.status,
        cast(columns.groups, Text),
        func.coalesce(rhythms.last_chosen(columns.id), Rhythm.EVERY_ISSUE.value),
    ).order_by(columns.id)
    with store.reading() as connection:
        rows = connection.execute(query, execution_options={"yield_per": CHUNK})
        for part in rows.partitions():
            for email, name, language, topics, status, groups, rhythm in part:
                yield ListedSubscriber(
                    email, name, language, _words(topics), status, _words(groups), rhythm
                )


@lru_cache(maxsize=1024)  # few choose what nobody else did, here and in the next
def _stored(words: tuple[str, ...]) -> str:
    """Return topics or groups as they are stored, in JSON."""
    return json.dumps(words)


@lru_cache(maxsize=1024)
def _words(stored: str) -> tuple[str, ...]:
    """Return the topics or groups of a stored text in JSON."""
    return tuple(from_json(stored))


def has_subscribers(store: Store) -> bool:
    """Return whether the secret keys are needed: there are subscribers, or hashes of some."""
    any_subscriber = select(subscribers.c.id).limit(1)
    any_erased = (
        select(suppressions.c.email_key).where(suppressions.c.email_key.startswith("#")).limit(1)
    )
    any_asked = select(asked_addresses.c.hash_key).limit(1)
    with store.reading() as connection:
        return any(
            connection.execute(query).first() is not None
            for query in (any_subscriber, any_erased, any_asked)
        )


def find(store: Store, email: EmailAddress) -> Subscriber | None:
    """Return the subscriber with this address, whatever the status; None when there is none."""
    with store.reading() as connection:
        row = connection.execute(
            select(subscribers).where(subscribers.c.email_key == email.key)
        ).first()
    return None if row is None else _subscriber(row)


def addresses(store: Store, ids: Iterable[int]) -> Mapping[int, EmailAddress]:
    """Return the addresses of these subscribers; erased ones are missing."""
    by_id: dict[int, EmailAddress] = {}
    wanted = list(ids)
    with store.reading() as connection:
        for start in range(0, len(wanted), CHUNK):
            query = select(subscribers.c.id, subscribers.c.email).where(
                subscribers.c.id.in_(wanted[start : start + CHUNK])
            )
            by_id.update({row.id: EmailAddress(row.email) for row in connection.execute(query)})
    return by_id


def group_members(store: Store, group: str) -> tuple[Subscriber, ...]:
    """Return the confirmed subscribers in `group`, such as the editors who get test mails."""
    # Asked for the status as well, SQLite would take the index of that, and read all confirmed ones.
    query = select(subscribers).where(IN_A_GROUP).order_by(subscribers.c.id)
    with store.reading() as connection:
        members = [_subscriber(row) for row in connection.execute(query) if group in row.groups]
    return tuple(member for member in members if member.status is SubscriberStatus.CONFIRMED)


def group_names(store: Store) -> tuple[str, ...]:
    """Return the names of all groups, sorted."""
    query = select(cast(subscribers.c.groups, Text)).where(IN_A_GROUP).distinct()
    with store.reading() as connection:
        return tuple(
            sorted({name for text in connection.scalars(query) for name in from_json(text)})
        )


def unsubscribe(
    store: Store,
    subscriber: Subscriber,
    *,
    now: datetime,
    method: UnsubscribeMethod = UnsubscribeMethod.COMMAND,
    issue: int = 0,
) -> bool:
    """Unsubscribe at once; False when already unsubscribed.

    `issue` is the number of the issue whose link was followed, 0 for none.
    """
    with store.writing() as connection:
        return bool(unsubscribe_ids(connection, {subscriber.id: issue}, now=now, method=method))


def unsubscribe_ids(
    connection: Connection, wanted: Mapping[int, int], *, now: datetime, method: UnsubscribeMethod
) -> frozenset[int]:
    """Unsubscribe subscribers, each with an issue's number or 0; returns the ids that were not before."""
    ids = sorted(wanted)
    changed: set[int] = set()
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        now_left = connection.scalars(
            update(subscribers)
            .where(subscribers.c.id.in_(chunk))
            .where(subscribers.c.status != SubscriberStatus.UNSUBSCRIBED)
            .values(status=SubscriberStatus.UNSUBSCRIBED, unsubscribed_at=now)
            .returning(subscribers.c.id)
        ).all()
        if not now_left:
            continue
        connection.execute(
            update(consents)
            .where(consents.c.subscriber_id.in_(now_left), consents.c.ended_at.is_(None))
            .where(consents.c.confirmed_at.is_not(None))
            .values(ended_at=now)
        )
        connection.execute(
            insert(unsubscribes),
            [
                {"subscriber_id": one, "issue_number": wanted[one], "method": method, "at": now}
                for one in now_left
            ],
        )
        event_log.append_for_ids(
            connection,
            EventKind.SUBSCRIBER_LEFT,
            sorted(now_left),
            at=now,
            detail={"method": method.value},
        )
        changed |= set(now_left)
    return frozenset(changed)


def addresses_of(store: Store, ids: Collection[int]) -> dict[int, str]:
    """Return the present addresses of these subscribers, without those who were erased."""
    ordered = sorted(ids)
    addresses: dict[int, str] = {}
    with store.reading() as connection:
        for start in range(0, len(ordered), CHUNK):
            query = select(subscribers.c.id, subscribers.c.email).where(
                subscribers.c.id.in_(ordered[start : start + CHUNK])
            )
            addresses |= {row.id: row.email for row in connection.execute(query)}
    return addresses


def by_id(store: Store, number: int) -> Subscriber | None:
    """Return the subscriber with this id, whatever the status; None for an erased one."""
    with store.reading() as connection:
        row = connection.execute(select(subscribers).where(subscribers.c.id == number)).first()
    return None if row is None else _subscriber(row)


def set_preferences(
    store: Store,
    subscriber: Subscriber,
    *,
    language: str,
    topics: Sequence[str],
    now: datetime,
    rhythm: Rhythm | None = None,
    today: date | None = None,
    interval: DigestInterval | None = None,
) -> None:
    """Store what a subscriber chose, all or nothing; no topics means all of them. No imported list replaces it.

    A `rhythm` (None: as it is) holds from the period of the digest on that follows the one of `today`.
    """
    values = {"language": language, "topics": list(topics)}
    change(store, subscriber.id, values, now=now, rhythm=rhythm, today=today, interval=interval)


def change(
    store: Store,
    number: int,
    values: Mapping[str, Any],
    *,
    now: datetime,
    rhythm: Rhythm | None = None,
    today: date | None = None,
    interval: DigestInterval | None = None,
) -> bool:
    """Change columns of a subscriber: name, language, topics, groups, and the rhythm; False when there is none.

    Language, topics and rhythm count as chosen: no imported list replaces them. The rhythm is that of
    `set_preferences`.
    """
    if {"language", "topics"} & set(values) or rhythm is not None:
        values = {**values, "preferences_set_at": now}
    with store.writing() as connection:
        changed = update(subscribers).where(subscribers.c.id == number).values(**values)
        if not connection.execute(changed).rowcount:
            return False
        if rhythm is not None and today is not None:
            rhythms.choose(connection, number, rhythm, today=today, interval=interval)
    return True


def page(
    store: Store, *, after: int, limit: int, status: SubscriberStatus | None = None
) -> tuple[Subscriber, ...]:
    """Return at most `limit` subscribers with ids above `after`, by their ids."""
    query = select(subscribers).where(subscribers.c.id > after).order_by(subscribers.c.id)
    if status is not None:
        query = query.where(subscribers.c.status == status)
    with store.reading() as connection:
        return tuple(_subscriber(row) for row in connection.execute(query.limit(limit)))


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
