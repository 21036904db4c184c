"""How many replies came to each issue: sums, and keyed hashes so that each reply counts once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from upcycle_news.storage import packed_deliveries
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import deliveries, issue_replies, issues, reply_marks

COUNTED_FOR = timedelta(days=365)
"""Replies to an issue that was queued earlier are not counted: their marks are deleted."""


@dataclass(frozen=True)
class ReplyCounts:
    """How many people answered an issue, and how many absence assistants did."""

    replies: int = 0
    auto_replies: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts under the keys of `issue status --json`."""
        return {"replies": self.replies, "auto_replies": self.auto_replies}


def count_reply(store: Store, issue: str, mark: str, *, automatic: bool) -> bool:
    """Count a reply to an issue unless its mark is known; return whether it was counted.

    Mark and sum are one transaction, so that a process that dies leaves both or neither.
    """
    with store.writing() as connection:
        new = connection.scalar(
            dialect_insert(store.dialect, reply_marks)
            .values(mark=mark, issue_id=issue)
            .on_conflict_do_nothing()
            .returning(reply_marks.c.mark)
        )
        if new is None:
            return False
        column = issue_replies.c.auto_replies if automatic else issue_replies.c.replies
        connection.execute(
            dialect_insert(store.dialect, issue_replies)
            .values(issue_id=issue, replies=int(not automatic), auto_replies=int(automatic))
            .on_conflict_do_update(
                index_elements=[issue_replies.c.issue_id], set_={column.name: column + 1}
            )
        )
    return True


def counts_of(store: Store, issues_asked: Collection[str]) -> Mapping[str, ReplyCounts]:
    """Return the sums of these issues; those without a reply are left out."""
    with store.reading() as connection:
        return {
            row.issue_id: ReplyCounts(row.replies, row.auto_replies)
            for row in connection.execute(
                select(issue_replies).where(issue_replies.c.issue_id.in_(list(issues_asked)))
            )
        }


def queued_at(store: Store, issue: str) -> datetime | None:
    """Return when an issue was queued; None for one that is not known or was never queued."""
    with store.reading() as connection:
        at: datetime | None = connection.scalar(
            select(issues.c.enqueued_at).where(issues.c.id == issue)
        )
    return at


def issue_of_number(store: Store, number: int) -> tuple[str, datetime | None]:
    """Return the issue with this number, and when it was queued; nothing for an unknown number."""
    with store.reading() as connection:
        row = connection.execute(
            select(issues.c.id, issues.c.enqueued_at).where(issues.c.number == number)
        ).first()
    return ("", None) if row is None else (row.id, row.enqueued_at)


def recipients(store: Store, issue: str) -> Iterator[int]:
    """Yield the ids of those who have a delivery of this issue."""
    with store.snapshot() as connection:
        yield from connection.scalars(
            select(deliveries.c.subscriber_id)
            .where(deliveries.c.issue_id == issue)
            .execution_options(yield_per=5000)
        )
        for packed in packed_deliveries.of_issue(connection, issue):
            yield packed.subscriber_id


def delete_marks(store: Store, *, now: datetime) -> int:
    """Delete the marks of issues whose replies are no longer counted; the sums stay. Returns how many."""
    old = select(issues.c.id).where(issues.c.enqueued_at < now - COUNTED_FOR)
    with store.writing() as connection:
        return connection.execute(
            delete(reply_marks).where(reply_marks.c.issue_id.in_(old))
        ).rowcount
