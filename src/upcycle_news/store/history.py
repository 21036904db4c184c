"""What came before: which issue printed an essay, what was sent last, which revision was earlier."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from upcycle_news.model import IssueId
from upcycle_news.store.engine import Store
from upcycle_news.store.schema import approvals, issues, revisions, used


def published_in(store: Store) -> Mapping[str, IssueId]:
    """The issue of each essay that was in one, by its slug."""
    query = select(used.c.value, used.c.issue_id).where(used.c.kind == "essay")
    with store.reading() as connection:
        return {row.value: IssueId.parse(row.issue_id) for row in connection.execute(query)}


def issue_before(store: Store, issue: IssueId) -> tuple[IssueId, str] | None:
    """The issue that was queued last before this one, and its frozen revision."""
    query = (
        select(issues.c.id, issues.c.hash, issues.c.enqueued_at)
        .where(issues.c.enqueued_at.is_not(None))
        .order_by(issues.c.enqueued_at.desc(), issues.c.number.desc())
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    own = next((row.enqueued_at for row in rows if row.id == str(issue)), None)
    for row in rows:
        if row.id != str(issue) and (own is None or row.enqueued_at <= own):
            return IssueId.parse(row.id), row.hash
    return None


def last_approved(store: Store, issue: IssueId) -> str | None:
    """The revision of this issue that was approved last, whatever was decided about it later."""
    query = (
        select(approvals.c.hash)
        .where(approvals.c.issue_id == str(issue), approvals.c.approved)
        .order_by(approvals.c.id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        found: str | None = connection.scalar(query)
    return found


def revision_before(store: Store, issue: IssueId, digest: str) -> str | None:
    """The revision that was made before this one; None for the first."""
    query = (
        select(revisions.c.hash)
        .where(revisions.c.issue_id == str(issue))
        .order_by(revisions.c.created_at, revisions.c.id)
    )
    with store.reading() as connection:
        hashes = list(connection.scalars(query))
    number = hashes.index(digest) if digest in hashes else 0
    return hashes[number - 1] if number else None
