"""What a store knows of issues that went out, for comparing it with what others remember."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from upcycle_news.models import DeliveryState, IssueState
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import IssueEvent
from upcycle_news.storage.schema import issue_events, issues, revisions, send_holds
from upcycle_news.storage.send_hold import HoldKind

_BATCH = 500


@dataclass(frozen=True)
class KnownIssue:
    """What the store knows of an issue.

    `published` are the revisions of which it once put the pages into the archive, queued or not.
    """

    state: IssueState
    revision_id: str
    published: frozenset[str] = frozenset()

    @property
    def went_out(self) -> bool:
        """True if it was queued here, or an operator said that it went out elsewhere."""
        return self.state.is_frozen

    @property
    def explains_page(self) -> bool:
        """True if a page of it in the archive is our own."""
        return self.went_out or bool(self.published)


@dataclass(frozen=True)
class Confirmations:
    """When people confirmed a store, oldest first. `pending`: it was restored and is not confirmed yet."""

    at: tuple[datetime, ...] = ()
    pending: bool = False


def confirmations(store: Store) -> Confirmations:
    """Return when a migrated store was confirmed after a restore, a move, or being set back."""
    query = select(send_holds.c.kind, send_holds.c.ended_at)
    with store.reading() as connection:
        holds = connection.execute(query).all()
    ended = sorted(hold.ended_at for hold in holds if hold.ended_at is not None)
    pending = any(hold.ended_at is None and hold.kind == HoldKind.RESTORED for hold in holds)
    return Confirmations(tuple(ended), pending)


def known_issues(store: Store, wanted: Collection[str]) -> dict[str, KnownIssue]:
    """Return what a migrated store knows of these issues: look-ups, whatever else it holds."""
    known: dict[str, KnownIssue] = {}
    ids = sorted(set(wanted))
    with store.reading() as connection:
        for start in range(0, len(ids), _BATCH):
            known |= _known_issues(connection, ids[start : start + _BATCH])
    return known


def _known_issues(connection: Connection, ids: Collection[str]) -> dict[str, KnownIssue]:
    columns = (issues.c.id, issues.c.state, issues.c.revision_id)
    rows = connection.execute(select(*columns).where(issues.c.id.in_(ids))).all()
    open_ids = [row.id for row in rows if not IssueState(row.state).is_frozen]
    published: dict[str, set[str]] = {}
    if open_ids:
        query = select(revisions.c.issue_id, revisions.c.revision_id).where(
            revisions.c.issue_id.in_(open_ids), revisions.c.published_at.is_not(None)
        )
        for revision in connection.execute(query):
            published.setdefault(revision.issue_id, set()).add(revision.revision_id)
    return {
        row.id: KnownIssue(
            IssueState(row.state), row.revision_id, frozenset(published.get(row.id, ()))
        )
        for row in rows
    }


def count_sent(store: Store, issue: str) -> int:
    """Return how many deliveries of an issue the relay accepted, as far as the store knows."""
    with store.snapshot() as connection:
        row = connection.execute(select(issues).where(issues.c.id == issue)).first()
        if row is None:
            return 0
        if row.closed_at is not None:
            return int(row.sent)
        return lifecycle.count_deliveries(connection, issue).get(DeliveryState.SENT, 0)


def sent_before_restore(store: Store) -> dict[str, datetime]:
    """Return when people said of which issues that they went out without this store."""
    query = select(issue_events.c.issue_id, issue_events.c.at).where(
        issue_events.c.event == IssueEvent.SENT_BEFORE_RESTORE
    )
    with store.reading() as connection:
        return {row.issue_id: row.at for row in connection.execute(query)}


def record_published(store: Store, issue: str, revision_id: str, *, now: datetime) -> None:
    """Record, once, that the pages of a revision are about to be in the archive.

    If its process dies before the issue is queued, these pages are then known to be our own.
    """
    with store.writing() as connection:
        connection.execute(
            update(revisions)
            .where(
                revisions.c.issue_id == issue,
                revisions.c.revision_id == revision_id,
                revisions.c.published_at.is_(None),
            )
            .values(published_at=now)
        )
