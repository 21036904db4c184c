"""How relays answered, by issue: written by each sender for itself, read as a sum."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from upcycle_news.models import IssueId
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import issues, replies


def save(store: Store, issue: IssueId, sender: int, told: RelayStats, *, now: datetime) -> None:
    """Write down what a sender heard of a relay so far, in the place of what it wrote before."""
    mine = (
        replies.c.issue_id == str(issue),
        replies.c.relay == told.relay,
        replies.c.sender_id == sender,
    )
    with store.writing() as connection:
        connection.execute(delete(replies).where(*mine))
        connection.execute(
            insert(replies).values(
                issue_id=str(issue),
                relay=told.relay,
                sender_id=sender,
                accepted=told.accepted,
                deferred=told.deferred,
                refused=told.refused,
                lost=told.lost,
                slowest=told.slowest,
                classes={str(number): count for number, count in told.classes.items()},
                changed_at=now,
            )
        )


def of_issue(store: Store, issue: IssueId) -> tuple[RelayStats, ...]:
    """What each relay answered to an issue, by its name."""
    query = select(replies).where(replies.c.issue_id == str(issue)).order_by(replies.c.relay)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    by_relay: defaultdict[str, list[RelayStats]] = defaultdict(list)
    for row in rows:
        by_relay[row.relay].append(_replies(row))
    return tuple(RelayStats.combined(relay, several) for relay, several in by_relay.items())


def earlier(store: Store, issue: IssueId, relay: str, last: int) -> tuple[RelayStats, ...]:
    """What a relay answered to the issues queued before this one, the newest first."""
    own = select(issues.c.enqueued_at).where(issues.c.id == str(issue)).scalar_subquery()
    query = (
        select(replies)
        .join(issues, issues.c.id == replies.c.issue_id)
        .where(replies.c.relay == relay, issues.c.enqueued_at < own)
        .order_by(issues.c.enqueued_at.desc(), issues.c.number.desc())
    )
    found: dict[str, list[RelayStats]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            if row.issue_id not in found and len(found) == last:
                break
            found.setdefault(row.issue_id, []).append(_replies(row))
    return tuple(RelayStats.combined(relay, several) for several in found.values())


def _replies(row: Row[Any]) -> RelayStats:
    return RelayStats(
        row.relay,
        accepted=row.accepted,
        deferred=row.deferred,
        refused=row.refused,
        lost=row.lost,
        slowest=row.slowest,
        classes={int(number): count for number, count in row.classes.items()},
    )
