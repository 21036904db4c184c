"""Approval requests of flow runs, decisions about revisions, and items that an editor excluded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from upcycle_news.models import IssueId, IssueState
from upcycle_news.storage import alerts
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.issue_lifecycle import Decision
from upcycle_news.storage.schema import approval_requests, excluded_items, issues

DECISIONS = ("send", "reject")
"""The answers that decide; the decision itself is an event of the issue."""
TOLD_EVENT = "editors told"
"""Among the alerts: what is done once for a run that waits."""


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


def last_decision(store: Store, issue: IssueId, revision_id: str) -> Decision | None:
    """Return the approval or rejection of this revision that holds; None without any."""
    with store.reading() as connection:
        return lifecycle.decision_about(connection, str(issue), revision_id)


def approved_revision(store: Store, issue: IssueId) -> str | None:
    """Return the revision of this issue that was approved last, whatever came of it later."""
    with store.reading() as connection:
        return lifecycle.approved_revision(connection, str(issue))


def record_decision(
    store: Store, issue: IssueId, revision_id: str, *, approved: bool, by: str, now: datetime
) -> None:
    """Record an approval, or a rejection, of one revision.

    Raises `IssueError` for a decision that comes too late: `issues.enqueue` was faster.
    """
    with store.writing() as connection:
        lifecycle.record_decision(
            connection, str(issue), revision_id, approved=approved, by=by, now=now
        )


def request_approval(
    store: Store, issue: IssueId, revision_id: str, *, run: str, until: datetime, now: datetime
) -> ApprovalRequest:
    """Open the request of this run for the revision; a run that comes back gets its own again."""
    is_open = (approval_requests.c.run == run, approval_requests.c.answer == "")
    with store.writing() as connection:
        row = connection.execute(select(approval_requests).where(*is_open)).first()
        if row is not None and row.revision_id != revision_id:
            _answer(connection, row, "changed", now=now)
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
        # Also for a request that was there: another revision may have been composed meanwhile.
        lifecycle.record_request(connection, str(issue), revision_id, by=f"flow run {run}", now=now)
    return _approval_request(row)


def answer_request(store: Store, request: int, answer: str, *, now: datetime) -> bool:
    """Close a request; False when it was answered before.

    Any answer but ``send`` and ``reject`` decides nothing: nobody asks about the revision any more.
    """
    query = select(approval_requests).where(
        approval_requests.c.id == request, approval_requests.c.answer == ""
    )
    with store.writing() as connection:
        row = connection.execute(query.with_for_update()).first()
        if row is not None:
            _answer(connection, row, answer, now=now)
    return row is not None


def _answer(connection: Connection, row: Row[Any], answer: str, *, now: datetime) -> None:
    connection.execute(
        update(approval_requests)
        .where(approval_requests.c.id == row.id)
        .values(answer=answer, answered_at=now)
    )
    still_asked = select(approval_requests.c.id).where(
        approval_requests.c.issue_id == row.issue_id,
        approval_requests.c.revision_id == row.revision_id,
        approval_requests.c.answer == "",
    )
    if answer in DECISIONS or connection.execute(still_asked.limit(1)).first():
        return
    lifecycle.withdraw_request(connection, row.issue_id, row.revision_id, reason=answer, now=now)


def claim_question(
    store: Store, request: ApprovalRequest, *, is_reminder: bool, now: datetime
) -> bool:
    """Record that the editors are told of the request's run, before the mail; False when they have been.

    `is_reminder`: that mail is the reminder as well. Both are one transaction, so that a process which
    reminds at the same moment sends no second mail, and one that has reminded already told them.
    """
    with store.writing() as connection:
        if not alerts.open_alert(connection, *_told(request), now=now):
            return False
        return not is_reminder or _mark_reminded(connection, request, now=now)


def release_question(store: Store, request: ApprovalRequest, *, is_reminder: bool) -> None:
    """Take back `claim_question`: the relay refused the mail."""
    with store.writing() as connection:
        alerts.close_alert(connection, *_told(request))
        if is_reminder:
            _mark_reminded(connection, request, now=None)


def _told(request: ApprovalRequest) -> tuple[str, str]:
    return TOLD_EVENT, f"run {request.run}"


def claim_reminder(store: Store, request: ApprovalRequest, *, now: datetime) -> bool:
    """Record that the editors are reminded, before the mail; False when they have been."""
    with store.writing() as connection:
        return _mark_reminded(connection, request, now=now)


def release_reminder(store: Store, request: ApprovalRequest) -> None:
    """Take back `claim_reminder`: the relay refused the mail."""
    with store.writing() as connection:
        _mark_reminded(connection, request, now=None)


def _mark_reminded(
    connection: Connection, request: ApprovalRequest, *, now: datetime | None
) -> bool:
    """Set or clear when a request was reminded of; False when another process did so before."""
    column = approval_requests.c.reminded_at
    is_other = column.is_(None) if now is not None else column.is_not(None)
    change = update(approval_requests).where(approval_requests.c.id == request.id, is_other)
    return connection.execute(change.values(reminded_at=now)).rowcount == 1


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


def is_other_run_waiting(store: Store, issue: IssueId, run: str, *, since: datetime) -> bool:
    """Return whether another run than `run` waits for an approval of the issue, or has got it.

    Requests that expired before `since` do not count, nor an approval that was withdrawn or whose
    issue is queued.
    """
    query = (
        select(approval_requests.c.id)
        .join(issues, issues.c.id == approval_requests.c.issue_id)
        .where(
            approval_requests.c.issue_id == str(issue),
            approval_requests.c.run != run,
            approval_requests.c.expires_at > since,
            or_(
                approval_requests.c.answer == "",
                and_(
                    approval_requests.c.answer == "send",
                    issues.c.state == IssueState.APPROVED,
                ),
            ),
        )
    )
    with store.reading() as connection:
        return connection.execute(query.limit(1)).first() is not None


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
    with store.writing() as connection:
        for value in sorted(set(values)):
            connection.execute(
                dialect_insert(store.dialect, excluded_items)
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
