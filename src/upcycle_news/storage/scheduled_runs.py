"""Scheduled runs: which issue a time of the schedule stands for, and whether its run was on time.

Written once for each time, so that a slow approval, a retry or a second run for the same time finds
the same answer. A run that makes the digest may have the time of one that makes an issue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import scheduled_runs


@dataclass(frozen=True)
class ScheduledRun:
    """The issue that a scheduled time stands for; `on_time`: whether its first run came early enough."""

    scheduled_at: datetime
    issue: IssueId
    on_time: bool


def find_run(
    store: Store, scheduled_at: datetime, *, makes_digest: bool = False
) -> ScheduledRun | None:
    """Return what was recorded for this time; None when no run has come for it yet."""
    with store.reading() as connection:
        row = connection.execute(_of_time(scheduled_at, makes_digest)).first()
    return None if row is None else _scheduled_run(row)


def record_run(store: Store, new: ScheduledRun, *, makes_digest: bool = False) -> ScheduledRun:
    """Record a run for its time and return the one that counts: that of the run that came first."""
    with store.writing() as connection:
        row = connection.execute(_of_time(new.scheduled_at, makes_digest)).first()
        if row is not None:
            return _scheduled_run(row)
        connection.execute(
            insert(scheduled_runs).values(
                scheduled_at=new.scheduled_at,
                makes_digest=makes_digest,
                issue_id=str(new.issue),
                on_time=new.on_time,
            )
        )
    return new


def _of_time(scheduled_at: datetime, makes_digest: bool) -> Select[Any]:
    return select(scheduled_runs).where(
        scheduled_runs.c.scheduled_at == scheduled_at,
        scheduled_runs.c.makes_digest.is_(makes_digest),
    )


def late_runs(store: Store, *, since: datetime) -> tuple[ScheduledRun, ...]:
    """Return the scheduled times after `since` whose first run came too late, oldest first."""
    query = (
        select(scheduled_runs)
        .where(scheduled_runs.c.scheduled_at > since, scheduled_runs.c.on_time.is_(False))
        .order_by(scheduled_runs.c.scheduled_at)
    )
    with store.reading() as connection:
        return tuple(_scheduled_run(row) for row in connection.execute(query))


def _scheduled_run(row: Row[Any]) -> ScheduledRun:
    return ScheduledRun(row.scheduled_at, IssueId.parse(row.issue_id), row.on_time)
