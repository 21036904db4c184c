"""Suppressions that wait for a person, since their reports or refusals came in a wave.

Until they are confirmed the subscribers get mail. Only hard bounces and refusals at SMTP time are ever
kept back so: who complained or unsubscribed has decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select

from upcycle_news.models import EmailAddress, SubscriberStatus, Suppression, SuppressionSource
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import (
    deliveries,
    pending_suppressions,
    subscribers,
    suppressions,
)
from upcycle_news.storage.suppressions import (
    HARD_BOUNCE,
    REFUSED,
    lift,
    suppress_many,
    suppression_reason_sql,
)

_KEPT_BACK = (HARD_BOUNCE, REFUSED)
_BY_ITSELF = (SuppressionSource.BOUNCE, SuppressionSource.SMTP)
_BY_THEMSELVES = (suppressions.c.reason.in_(_KEPT_BACK), suppressions.c.source.in_(_BY_ITSELF))
# Those of a command that name an issue are waves that were confirmed.
_UNDONE = (*_BY_ITSELF, SuppressionSource.COMMAND)
_COLUMNS = ("reason", "source", "detail", "issue_id", "delivery_id", "created_at")


def keep_back(
    connection: Connection, issue: str, of_deliveries: Collection[int], *, now: datetime
) -> int:
    """Turn the suppressions that these deliveries led to into pending ones; return how many."""
    return sum(
        _move_to_pending(connection, rows, now)
        for rows in _suppressed_for(connection, issue, of_deliveries)
    )


def keep_back_of(
    connection: Connection, mailing: str, of_subscribers: Collection[int], *, now: datetime
) -> int:
    """Turn the suppressions of these subscribers by a mailing that is no issue into pending ones.

    `mailing` is what they have in place of an issue. Returns how many.
    """
    count = 0
    for chunk in chunks(sorted(of_subscribers)):
        rows = connection.execute(
            select(
                subscribers.c.id.label("subscriber_id"),
                suppressions.c.email_key,
                *(suppressions.c[name] for name in _COLUMNS),
            )
            .join(suppressions, suppressions.c.email_key == subscribers.c.email_key)
            .where(
                subscribers.c.id.in_(chunk),
                suppressions.c.issue_id == mailing,
                suppressions.c.delivery_id.is_(None),
                *_BY_THEMSELVES,
            )
        ).all()
        if rows:
            count += _move_to_pending(connection, rows, now)
    return count


def _move_to_pending(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> int:
    connection.execute(
        dialect_insert(connection.dialect.name, pending_suppressions).on_conflict_do_nothing(),
        [{name: row._mapping[name] for name in ("subscriber_id", *_COLUMNS)} for row in rows],
    )
    keys = [row.email_key for row in rows]
    return len(lift(connection, keys, now=now, reasons=_KEPT_BACK))


def take_back(
    connection: Connection, issue: str, of_deliveries: Collection[int], *, now: datetime
) -> None:
    """Delete the suppressions that these deliveries led to, pending ones as well."""
    for rows in _suppressed_for(connection, issue, of_deliveries):
        lift(connection, [row.email_key for row in rows], now=now, reasons=_KEPT_BACK)
    for chunk in chunks(sorted(of_deliveries)):
        connection.execute(
            delete(pending_suppressions).where(
                pending_suppressions.c.issue_id == issue,
                pending_suppressions.c.delivery_id.in_(chunk),
            )
        )


def _suppressed_for(
    connection: Connection, issue: str, of_deliveries: Collection[int]
) -> Iterator[list[Row[Any]]]:
    for chunk in chunks(sorted(of_deliveries)):
        rows = connection.execute(
            select(
                deliveries.c.subscriber_id,
                suppressions.c.email_key,
                *(suppressions.c[name] for name in _COLUMNS),
            )
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .join(suppressions, suppressions.c.email_key == subscribers.c.email_key)
            .where(
                deliveries.c.id.in_(chunk),
                suppressions.c.issue_id == issue,
                suppressions.c.delivery_id == deliveries.c.id,
                *_BY_THEMSELVES,
            )
        ).all()
        if rows:
            yield list(rows)


def _select_pending(issue: str) -> Select[Any]:
    """Select those that still matter: not suppressed otherwise, and not unsubscribed meanwhile."""
    query = (
        select(pending_suppressions, subscribers.c.email_key)
        # An outer join, and no plain comparison of the status: SQLite would read all subscribers and look
        # up for each what waits, instead of the few that wait.
        .outerjoin(subscribers, subscribers.c.id == pending_suppressions.c.subscriber_id)
        .where(
            func.coalesce(subscribers.c.status, "") == SubscriberStatus.CONFIRMED,
            suppression_reason_sql().is_(None),
        )
        .order_by(pending_suppressions.c.created_at, pending_suppressions.c.subscriber_id)
    )
    return query.where(pending_suppressions.c.issue_id == issue) if issue else query


def all_pending(store: Store, issue: str = "") -> Iterator[Suppression]:
    """Yield the suppressions that wait, oldest first; with `issue` only those of that issue."""
    with store.reading() as connection:
        for row in connection.execute(_select_pending(issue)):
            yield _suppression(row)


def count_pending(store: Store, issue: str = "") -> int:
    """Return how many suppressions wait for a person; with `issue` only those of that issue."""
    query = select(func.count()).select_from(_select_pending(issue).order_by(None).subquery())
    with store.reading() as connection:
        return int(connection.scalar(query) or 0)


def count_by_issue(store: Store) -> dict[str, int]:
    """Return how many suppressions wait, by the issue that they came from."""
    rows = _select_pending("").order_by(None).subquery()
    query = (
        select(rows.c.issue_id, func.count()).group_by(rows.c.issue_id).order_by(rows.c.issue_id)
    )
    with store.reading() as connection:
        return {issue: int(count) for issue, count in connection.execute(query)}


def confirm_pending(store: Store, issue: str = "") -> int:
    """Suppress those that wait, all or none; return how many are suppressed now.

    By command, so that later reports of the same wave do not keep them back again.
    """
    with store.writing() as connection:
        rows = connection.execute(_select_pending(issue)).all()
        confirmed = [replace(_suppression(row), source=SuppressionSource.COMMAND) for row in rows]
        count = suppress_many(connection, confirmed)
        _delete_pending(connection, issue)
    return count


def drop_pending(store: Store, issue: str = "") -> int:
    """Drop the suppressions that wait, so that the subscribers go on getting mail; return how many."""
    with store.writing() as connection:
        count = len(connection.execute(_select_pending(issue)).all())
        _delete_pending(connection, issue)
    return count


def drop_pending_of(store: Store, email: EmailAddress) -> bool:
    """Drop the suppression that waits for one address; False when none does."""
    number = select(subscribers.c.id).where(subscribers.c.email_key == email.key)
    with store.writing() as connection:
        return bool(
            connection.execute(
                delete(pending_suppressions).where(pending_suppressions.c.subscriber_id.in_(number))
            ).rowcount
        )


def undo_of_issue(store: Store, issue: str, *, now: datetime) -> int:
    """Lift what bounces and refusals of an issue suppressed, and drop what waits; return how many.

    Also what was confirmed. Complaints stay, and so does whatever people and lists suppressed.
    """
    with store.writing() as connection:
        keys = connection.scalars(
            select(suppressions.c.email_key).where(
                suppressions.c.issue_id == issue, suppressions.c.source.in_(_UNDONE)
            )
        ).all()
        for chunk in chunks(keys):
            lift(connection, chunk, now=now)
        waiting = len(connection.execute(_select_pending(issue)).all())
        _delete_pending(connection, issue)
    return len(keys) + waiting


def _delete_pending(connection: Connection, issue: str) -> None:
    statement = delete(pending_suppressions)
    if issue:
        statement = statement.where(pending_suppressions.c.issue_id == issue)
    connection.execute(statement)


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        key=row.email_key,
        reason=row.reason,
        source=SuppressionSource(row.source),
        at=row.created_at,
        detail=row.detail,
        issue=row.issue_id,
        delivery=row.delivery_id,
    )
