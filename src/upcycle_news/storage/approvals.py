"""Approval requests of flow runs, decisions, and the items that an editor excluded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import approval_requests, approvals, excluded_items


@dataclass(frozen=True)
class ApprovalRequest:
    """A run that waits for a decision on a revision until `expires_at`; `answer` is empty until then."""

    id: int
    issue: IssueId
    revision_id: str
    run: str
    asked_at: datetime
    expires_at: datetime
    reminded_at: datetime | None
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True)
class Decision:
    """An approval or rejection of a revision."""

    approved: bool
    by: str
    at: datetime


def last_decision(store: Store, issue: IssueId, revision_id: str) -> Decision | None:
    """Return the newest approval or rejection of this revision; None without any."""
    with store.reading() as connection:
        row = connection.execute(
            select(approvals)
            .where(approvals.c.issue_id == str(issue), approvals.c.revision_id == revision_id)
            .order_by(approvals.c.id.desc())
            .limit(1)
        ).first()
    return None if row is None else Decision(row.approved, row.decided_by, row.decided_at)


def request_approval(
    store: Store, issue: IssueId, revision_id: str, *, run: str, until: datetime, now: datetime
) -> ApprovalRequest:
    """Open the request of this run for the revision; a run that comes back gets its own again."""
    is_open = (approval_requests.c.run == run, approval_requests.c.answer == "")
    with store.writing() as connection:
        row = connection.execute(select(approval_requests).where(*is_open)).first()
        if row is not None and row.revision_id != revision_id:
            connection.execute(
                update(approval_requests).where(*is_open).values(answer="changed", answered_at=now)
            )
            row = None
        if row is None:
            values = {
                "issue_id": str(issue),
                "revision_id": revision_id,
                "run": run,
                "asked_at": now,
                "expires_at": until,
                "answer": "",
            }
            connection.execute(insert(approval_requests).values(values))
            row = connection.execute(select(approval_requests).where(*is_open)).one()
    return _approval_request(row)


def answer_request(store: Store, request: int, answer: str, *, now: datetime) -> bool:
    """Close a request; False when it was answered before."""
    with store.writing() as connection:
        return (
            connection.execute(
                update(approval_requests)
                .where(approval_requests.c.id == request, approval_requests.c.answer == "")
                .values(answer=answer, answered_at=now)
            ).rowcount
            == 1
        )


def mark_reminded(store: Store, request: int, *, now: datetime) -> bool:
    """Record that a reminder was sent; False when that happened before."""
    with store.writing() as connection:
        return (
            connection.execute(
                update(approval_requests)
                .where(approval_requests.c.id == request, approval_requests.c.reminded_at.is_(None))
                .values(reminded_at=now)
            ).rowcount
            == 1
        )


def open_requests(store: Store, issue: IssueId | None = None) -> tuple[ApprovalRequest, ...]:
    """Return the requests without an answer, oldest first."""
    query = (
        select(approval_requests)
        .where(approval_requests.c.answer == "")
        .order_by(approval_requests.c.id)
    )
    if issue is not None:
        query = query.where(approval_requests.c.issue_id == str(issue))
    with store.reading() as connection:
        return tuple(_approval_request(row) for row in connection.execute(query))


def request_of_run(store: Store, run: str) -> ApprovalRequest | None:
    """Return the last request of a run, answered or not."""
    query = (
        select(approval_requests)
        .where(approval_requests.c.run == run)
        .order_by(approval_requests.c.id.desc())
    )
    with store.reading() as connection:
        row = connection.execute(query.limit(1)).first()
    return None if row is None else _approval_request(row)


def previous_requested_revision(store: Store, issue: IssueId, revision_id: str) -> str | None:
    """Return the revision, other than this one, for which an approval was requested last."""
    query = (
        select(approval_requests.c.revision_id)
        .where(
            approval_requests.c.issue_id == str(issue),
            approval_requests.c.revision_id != revision_id,
        )
        .order_by(approval_requests.c.id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        previous: str | None = connection.scalar(query)
    return previous


def exclude_items(store: Store, issue: IssueId, values: Collection[str]) -> None:
    """Exclude feed items from an issue by their keys and canonical links."""
    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        for value in sorted(set(values)):
            connection.execute(
                insert_ignore(excluded_items)
                .values(issue_id=str(issue), value=value)
                .on_conflict_do_nothing()
            )


def excluded_items_of(store: Store, issue: IssueId) -> frozenset[str]:
    """Return the keys and links of the items that an editor excluded from this issue."""
    query = select(excluded_items.c.value).where(excluded_items.c.issue_id == str(issue))
    with store.reading() as connection:
        return frozenset(connection.scalars(query))


def _approval_request(row: Row[Any]) -> ApprovalRequest:
    values = dict(row._mapping)
    return ApprovalRequest(issue=IssueId.parse(values.pop("issue_id")), **values)
