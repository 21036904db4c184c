"""Over which relay an issue's deliveries began, and since when that relay is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import issue_relays


@dataclass(frozen=True)
class IssueRelay:
    """The relay of an issue's first delivery, empty before; `away_since`: it cannot be reached."""

    first_relay: str = ""
    away_since: datetime | None = None


def get(store: Store, issue: IssueId) -> IssueRelay:
    """Return what is known about the relay of an issue."""
    query = select(issue_relays.c.first_relay, issue_relays.c.away_since).where(
        issue_relays.c.issue_id == str(issue)
    )
    with store.reading() as connection:
        row = connection.execute(query).first()
    return IssueRelay() if row is None else IssueRelay(*row)


def record_first(store: Store, issue: IssueId, relay: str) -> None:
    """Record the relay that an issue's first delivery goes over; a later one changes nothing."""
    _ensure_row(store, issue)
    with store.writing() as connection:
        connection.execute(
            update(issue_relays)
            .where(issue_relays.c.issue_id == str(issue), issue_relays.c.first_relay == "")
            .values(first_relay=relay)
        )


def mark_away(store: Store, issue: IssueId, *, since: datetime) -> None:
    """Record since when the relay is away; the earliest time holds until it answers."""
    _ensure_row(store, issue)
    with store.writing() as connection:
        connection.execute(
            update(issue_relays)
            .where(issue_relays.c.issue_id == str(issue), issue_relays.c.away_since.is_(None))
            .values(away_since=since)
        )


def clear_away(store: Store, issue: IssueId) -> None:
    """Record that the relay answers."""
    with store.writing() as connection:
        connection.execute(
            update(issue_relays)
            .where(issue_relays.c.issue_id == str(issue))
            .values(away_since=None)
        )


def _ensure_row(store: Store, issue: IssueId) -> None:
    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        connection.execute(
            insert_ignore(issue_relays)
            .values(issue_id=str(issue), first_relay="")
            .on_conflict_do_nothing()
        )
