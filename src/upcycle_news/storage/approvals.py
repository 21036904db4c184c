"""Who is asked for an approval, what was answered, and what an editor left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import approvals, left_out, questions


@dataclass(frozen=True)
class Question:
    """A run that asks whether a revision may go out; `answer` is empty while it waits."""

    id: int
    issue: IssueId
    revision_id: str
    run: str
    asked_at: datetime
    until: datetime
    reminded_at: datetime | None
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True)
class Decision:
    """The last word about a revision."""

    approved: bool
    by: str
    at: datetime


def last_decision(store: Store, issue: IssueId, revision_id: str) -> Decision | None:
    """The newest approval or rejection of this revision, or None while nobody decided."""
    with store.reading() as connection:
        row = connection.execute(
            select(approvals)
            .where(approvals.c.issue_id == str(issue), approvals.c.revision_id == revision_id)
            .order_by(approvals.c.id.desc())
            .limit(1)
        ).first()
    return None if row is None else Decision(row.approved, row.decided_by, row.decided_at)


def ask(
    store: Store, issue: IssueId, revision_id: str, *, run: str, until: datetime, now: datetime
) -> Question:
    """The question this run asks about the revision; a run that comes back finds its own again."""
    mine = (questions.c.run == run, questions.c.answer == "")
    with store.writing() as connection:
        row = connection.execute(select(questions).where(*mine)).first()
        if row is not None and row.revision_id != revision_id:
            close = update(questions).where(*mine).values(answer="changed", answered_at=now)
            connection.execute(close)
            row = None
        if row is None:
            values = {
                "issue_id": str(issue),
                "revision_id": revision_id,
                "run": run,
                "asked_at": now,
                "until": until,
                "answer": "",
            }
            connection.execute(insert(questions).values(values))
            row = connection.execute(select(questions).where(*mine)).one()
    return _question(row)


def answer(store: Store, question: int, said: str, *, now: datetime) -> bool:
    """Close a question; False when it was answered before."""
    with store.writing() as connection:
        return (
            connection.execute(
                update(questions)
                .where(questions.c.id == question, questions.c.answer == "")
                .values(answer=said, answered_at=now)
            ).rowcount
            == 1
        )


def remind(store: Store, question: int, *, now: datetime) -> bool:
    """Note that somebody was reminded; False when that happened before."""
    with store.writing() as connection:
        return (
            connection.execute(
                update(questions)
                .where(questions.c.id == question, questions.c.reminded_at.is_(None))
                .values(reminded_at=now)
            ).rowcount
            == 1
        )


def waiting(store: Store, issue: IssueId | None = None) -> tuple[Question, ...]:
    """The questions nobody has answered yet, oldest first."""
    query = select(questions).where(questions.c.answer == "").order_by(questions.c.id)
    if issue is not None:
        query = query.where(questions.c.issue_id == str(issue))
    with store.reading() as connection:
        return tuple(_question(row) for row in connection.execute(query))


def asked_by(store: Store, run: str) -> Question | None:
    """The last question of a run, answered or not."""
    query = select(questions).where(questions.c.run == run).order_by(questions.c.id.desc())
    with store.reading() as connection:
        row = connection.execute(query.limit(1)).first()
    return None if row is None else _question(row)


def asked_before(store: Store, issue: IssueId, revision_id: str) -> str | None:
    """The revision somebody was asked about last, other than this one."""
    query = (
        select(questions.c.revision_id)
        .where(questions.c.issue_id == str(issue), questions.c.revision_id != revision_id)
        .order_by(questions.c.id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        found: str | None = connection.scalar(query)
    return found


def leave_out(store: Store, issue: IssueId, values: Collection[str]) -> None:
    """Keep feed items out of an issue: their keys and canonical links."""
    insert_here = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        for value in sorted(set(values)):
            connection.execute(
                insert_here(left_out)
                .values(issue_id=str(issue), value=value)
                .on_conflict_do_nothing()
            )


def left_out_of(store: Store, issue: IssueId) -> frozenset[str]:
    """The keys and links an editor left out of this issue."""
    with store.reading() as connection:
        return frozenset(
            connection.scalars(select(left_out.c.value).where(left_out.c.issue_id == str(issue)))
        )


def _question(row: Row[Any]) -> Question:
    found = dict(row._mapping)
    return Question(issue=IssueId.parse(found.pop("issue_id")), **found)
