"""Open alerts, so that a condition is reported once until it is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import alerts

_SUBJECT_LENGTH = 128


@dataclass(frozen=True)
class OpenAlert:
    """An alert that was told and has not passed: the event's name, its subject, and when (UTC)."""

    event: str
    subject: str
    at: datetime


def alert_once(store: Store, event: str, subject: str, *, now: datetime) -> bool:
    """Open an alert for this event and subject; False when it is open already."""
    with store.writing() as connection:
        return open_alert(connection, event, subject, now=now)


def open_alert(connection: Connection, event: str, subject: str, *, now: datetime) -> bool:
    """Do as `alert_once` does, in the caller's transaction."""
    return (
        connection.scalar(
            dialect_insert(connection.dialect.name, alerts)
            .values(event=event, subject=subject[:_SUBJECT_LENGTH], at=now)
            .on_conflict_do_nothing()
            .returning(alerts.c.event)
        )
        is not None
    )


def clear_alert(store: Store, event: str, subject: str) -> None:
    """Close an alert: the next `alert_once` for it is news again."""
    with store.writing() as connection:
        close_alert(connection, event, subject)


def clear_alerts(store: Store, event: str, subjects: Iterable[str]) -> None:
    """Close those of these alerts that are open; nothing is written where none is."""
    passed = {subject[:_SUBJECT_LENGTH] for subject in subjects}
    for subject in passed.intersection(open_alerts(store, event)):
        clear_alert(store, event, subject)


def close_alert(connection: Connection, event: str, subject: str) -> None:
    """Do as `clear_alert` does, in the caller's transaction."""
    connection.execute(
        delete(alerts).where(alerts.c.event == event, alerts.c.subject == subject[:_SUBJECT_LENGTH])
    )


def open_alerts(store: Store, event: str) -> tuple[str, ...]:
    """Return the subjects with an open alert for this event, in order."""
    query = select(alerts.c.subject).where(alerts.c.event == event).order_by(alerts.c.subject)
    with store.reading() as connection:
        return tuple(connection.scalars(query))


def list_alerts(store: Store) -> tuple[OpenAlert, ...]:
    """Return all open alerts, oldest first."""
    query = select(alerts.c.event, alerts.c.subject, alerts.c.at).order_by(
        alerts.c.at, alerts.c.event, alerts.c.subject
    )
    with store.reading() as connection:
        return tuple(OpenAlert(*row) for row in connection.execute(query))
