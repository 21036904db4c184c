"""Over which relay an issue goes, or that it lies in the embedded mailbox; since when its relay is away.

What an issue was queued for is decided in the transaction that queues it: its deliveries never go
partly over a relay and partly into the mailbox.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from upcycle_news.models import MAILBOX, IssueId, IssueState
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import issue_relays, issues, relay_stats


@dataclass(frozen=True)
class IssueRelay:
    """The relay that an issue was queued for, empty before; `away_since`: it cannot be reached."""

    first_relay: str = ""
    away_since: datetime | None = None

    @property
    def is_mailbox(self) -> bool:
        """True when the issue goes into the embedded mailbox."""
        return self.first_relay == MAILBOX


def get(store: Store, issue: IssueId) -> IssueRelay:
    """Return what is known about the relay of an issue."""
    query = select(issue_relays.c.first_relay, issue_relays.c.away_since).where(
        issue_relays.c.issue_id == str(issue)
    )
    with store.reading() as connection:
        row = connection.execute(query).first()
    return IssueRelay() if row is None else IssueRelay(*row)


def in_mailbox(store: Store, wanted: Collection[str]) -> frozenset[str]:
    """Return which of these issues went into the embedded mailbox: no reader has them."""
    query = select(issue_relays.c.issue_id).where(
        issue_relays.c.issue_id.in_(wanted), issue_relays.c.first_relay == MAILBOX
    )
    with store.reading() as connection:
        return frozenset(connection.scalars(query))


def is_in_mailbox(store: Store, issue: IssueId) -> bool:
    """Return whether an issue was queued for the embedded mailbox: no reader has it.

    False for one that is not queued or was cancelled, and after a restore: nobody knows then what
    became of it since the backup.
    """
    with store.reading() as connection:
        return lies_in_mailbox(connection, str(issue))


def lies_in_mailbox(connection: Connection, issue: str) -> bool:
    """Return what `is_in_mailbox` returns, within a transaction."""
    row = connection.execute(
        select(issues.c.state, issues.c.enqueued_at)
        .join(issue_relays, issue_relays.c.issue_id == issues.c.id)
        .where(issues.c.id == issue, issue_relays.c.first_relay == MAILBOX)
    ).first()
    if row is None or not IssueState(row.state).is_frozen or row.state == IssueState.CANCELLED:
        return False
    return not send_hold.restored_since(connection, row.enqueued_at) and not _took_any(
        connection, issue
    )


def _took_any(connection: Connection, issue: str) -> bool:
    """Return whether a relay that is not the mailbox may have taken a delivery of the issue."""
    taken = select(relay_stats.c.relay).where(
        relay_stats.c.issue_id == issue,
        relay_stats.c.relay != MAILBOX,
        relay_stats.c.accepted + relay_stats.c.lost > 0,
    )
    return connection.execute(taken.limit(1)).first() is not None


def record_queued(connection: Connection, issue: str, relay: str) -> None:
    """Record the relay that an issue is queued for, in the transaction that queues it."""
    values = {"first_relay": relay, "away_since": None}
    known = update(issue_relays).where(issue_relays.c.issue_id == issue).values(**values)
    if connection.execute(known).rowcount == 0:
        connection.execute(insert(issue_relays).values(issue_id=issue, **values))


def record_first(store: Store, issue: IssueId, relay: str) -> None:
    """Record the relay of an issue that was queued for none; for any other nothing changes."""
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
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, issue_relays)
            .values(issue_id=str(issue), first_relay="")
            .on_conflict_do_nothing()
        )
