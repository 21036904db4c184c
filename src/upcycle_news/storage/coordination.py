"""Whose turn it is: planned times, locks that end by themselves, and alarms that ring once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import alarms, locks, plans


@dataclass(frozen=True)
class Plan:
    """What a planned time means; `in_time` tells whether its first run came early enough."""

    planned_at: datetime
    issue: IssueId
    in_time: bool


def plan(store: Store, planned_at: datetime) -> Plan | None:
    """The plan for this time, or None when no run has come for it yet."""
    with store.reading() as connection:
        row = connection.execute(select(plans).where(plans.c.planned_at == planned_at)).first()
    return None if row is None else Plan(row.planned_at, IssueId.parse(row.issue_id), row.in_time)


def remember_plan(store: Store, new: Plan) -> Plan:
    """Write a plan down, once; returns the one that counts: whoever came first."""
    with store.writing() as connection:
        row = connection.execute(select(plans).where(plans.c.planned_at == new.planned_at)).first()
        if row is not None:
            return Plan(row.planned_at, IssueId.parse(row.issue_id), row.in_time)
        connection.execute(
            insert(plans).values(
                planned_at=new.planned_at, issue_id=str(new.issue), in_time=new.in_time
            )
        )
    return new


def late_plans(store: Store, *, since: datetime) -> tuple[Plan, ...]:
    """The planned times after `since` whose runs came too late, oldest first."""
    query = select(plans).where(plans.c.planned_at > since, plans.c.in_time.is_(False))
    with store.reading() as connection:
        rows = connection.execute(query.order_by(plans.c.planned_at)).all()
    return tuple(Plan(row.planned_at, IssueId.parse(row.issue_id), row.in_time) for row in rows)


def take(store: Store, name: str, holder: str, *, until: datetime, now: datetime) -> bool:
    """Take a lock, or hold one's own for longer; False while somebody else has it."""
    insert_here = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        connection.execute(
            insert_here(locks)
            .values(name=name, holder=holder, until=until)
            .on_conflict_do_nothing()
        )
        return (
            connection.execute(
                update(locks)
                .where(locks.c.name == name, or_(locks.c.holder == holder, locks.c.until <= now))
                .values(holder=holder, until=until)
            ).rowcount
            == 1
        )


def free(store: Store, name: str, holder: str) -> None:
    """Give a lock back."""
    with store.writing() as connection:
        connection.execute(delete(locks).where(locks.c.name == name, locks.c.holder == holder))


def ring(store: Store, event: str, subject: str, *, now: datetime) -> bool:
    """Whether this event is news for its subject; noted at once."""
    insert_here = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        return (
            connection.scalar(
                insert_here(alarms)
                .values(event=event, subject=subject[:128], at=now)
                .on_conflict_do_nothing()
                .returning(alarms.c.event)
            )
            is not None
        )


def silence(store: Store, event: str, subject: str) -> None:
    """The trouble is over: the next one of its kind rings again."""
    with store.writing() as connection:
        connection.execute(
            delete(alarms).where(alarms.c.event == event, alarms.c.subject == subject[:128])
        )


def ringing(store: Store, event: str) -> tuple[str, ...]:
    """The subjects for which this event was told and is not over."""
    with store.reading() as connection:
        return tuple(
            connection.scalars(
                select(alarms.c.subject).where(alarms.c.event == event).order_by(alarms.c.subject)
            )
        )
