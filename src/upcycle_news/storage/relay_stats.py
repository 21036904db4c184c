"""Statistics of relays' replies by issue: each worker writes its own row, queries add them up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, insert, select

from upcycle_news.models import IssueId
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import issues, relay_stats


def save(store: Store, issue: IssueId, worker: int, stats: RelayStats, *, now: datetime) -> None:
    """Store the statistics of a worker so far, in place of those it wrote before."""
    own_row = (
        relay_stats.c.issue_id == str(issue),
        relay_stats.c.relay == stats.relay,
        relay_stats.c.worker_id == worker,
    )
    with store.writing() as connection:
        connection.execute(delete(relay_stats).where(*own_row))
        connection.execute(
            insert(relay_stats).values(
                issue_id=str(issue),
                relay=stats.relay,
                worker_id=worker,
                accepted=stats.accepted,
                deferred=stats.deferred,
                refused=stats.refused,
                lost=stats.lost,
                slowest=stats.slowest,
                classes={str(number): count for number, count in stats.classes.items()},
                changed_at=now,
            )
        )


def for_issue(store: Store, issue: IssueId) -> tuple[RelayStats, ...]:
    """Return the statistics of each relay for an issue, ordered by the relay's name."""
    return for_issues(store, [str(issue)]).get(str(issue), ())


def for_issues(store: Store, issues: Collection[str]) -> Mapping[str, tuple[RelayStats, ...]]:
    """Return the statistics of each relay by issue; issues that were never timed are left out."""
    query = (
        select(relay_stats).where(relay_stats.c.issue_id.in_(issues)).order_by(relay_stats.c.relay)
    )
    parts: defaultdict[str, defaultdict[str, list[RelayStats]]] = defaultdict(
        lambda: defaultdict(list)
    )
    with store.reading() as connection:
        for row in connection.execute(query):
            parts[row.issue_id][row.relay].append(_relay_stats(row))
    return {
        issue: tuple(RelayStats.combined(relay, stats) for relay, stats in by_relay.items())
        for issue, by_relay in parts.items()
    }


def for_earlier_issues(
    store: Store, issue: IssueId, relay: str, last: int
) -> tuple[RelayStats, ...]:
    """Return a relay's statistics for the `last` issues queued before this one, newest first."""
    enqueued_at = select(issues.c.enqueued_at).where(issues.c.id == str(issue)).scalar_subquery()
    is_timed = exists().where(relay_stats.c.issue_id == issues.c.id, relay_stats.c.relay == relay)
    earlier = (  # in the order of an index, so that no more are read than asked for
        select(issues.c.id)
        .where(issues.c.enqueued_at < enqueued_at, is_timed)
        .order_by(issues.c.enqueued_at.desc(), issues.c.number.desc())
        .limit(last)
    )
    with store.reading() as connection:
        ids = connection.scalars(earlier).all()
    by_issue = for_issues(store, ids)
    return tuple(stats for one in ids for stats in by_issue[one] if stats.relay == relay)


def _relay_stats(row: Row[Any]) -> RelayStats:
    return RelayStats(
        row.relay,
        accepted=row.accepted,
        deferred=row.deferred,
        refused=row.refused,
        lost=row.lost,
        slowest=row.slowest,
        classes={int(number): count for number, count in row.classes.items()},
    )
