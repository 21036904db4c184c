"""Issues: their state, the sums of their deliveries, and the content they used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from upcycle_news.errors import IssueError
from upcycle_news.models import (
    DeliveryState,
    IssueId,
    IssueStatus,
    Manifest,
    SubscriberStatus,
)
from upcycle_news.storage import revisions as revision_rows
from upcycle_news.storage import send_hold
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    deliveries,
    issues,
    revisions,
    subscribers,
    used_content,
)
from upcycle_news.storage.suppressions import suppression_reason_sql


class IssueState(StrEnum):
    """`OPEN` may still change; from `SENDING` on the issue is frozen."""

    OPEN = revision_rows.OPEN
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class IssueRow:
    """An issue. `revision_id` is the frozen revision, empty while open."""

    id: IssueId
    number: int
    state: IssueState
    revision_id: str
    audience: int
    stop_reason: str
    enqueued_at: datetime | None

    @property
    def frozen(self) -> bool:
        """True once its deliveries have begun: the issue takes no other revision any more."""
        return self.state is not IssueState.OPEN


def get(store: Store, issue: IssueId) -> IssueRow | None:
    """Return the issue; None when it was never previewed."""
    with store.reading() as connection:
        row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
    return None if row is None else _issue(row)


def find_by_number(store: Store, number: int) -> IssueId | None:
    """Return the issue with this number, as links to it hold; None when there is none."""
    query = select(issues.c.id).where(issues.c.number == number)
    with store.reading() as connection:
        issue = connection.scalar(query)
    return None if issue is None else IssueId.parse(issue)


def all_issues(store: Store) -> tuple[IssueRow, ...]:
    """Return all issues, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(issues).order_by(issues.c.number)).all()
    return tuple(sorted(map(_issue, rows), key=lambda row: row.id))


def enqueue(store: Store, revision: revision_rows.Revision, *, now: datetime) -> int:
    """Freeze the issue and queue one delivery for each confirmed, unsuppressed subscriber.

    One transaction: the audience, the queue and the content that is used now. Returns the
    audience's size; raises `IssueError` when the issue is frozen already, was rejected meanwhile,
    or has no audience, and `SendHoldError` while a send hold is active.
    """
    issue, revision_id = revision.issue, revision.revision_id
    with store.writing() as connection:
        send_hold.raise_if_held(connection)
        taken = connection.execute(
            update(issues)
            .where(issues.c.id == str(issue), issues.c.state == IssueState.OPEN)
            .values(state=IssueState.SENDING, revision_id=revision_id, enqueued_at=now)
        )
        if taken.rowcount == 0:
            row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
            if row is not None and row.revision_id == revision_id:
                return int(row.audience)  # another process was faster with the same revision
            raise IssueError(f"issue {issue} has been queued already, with another revision")
        if revision_rows.approval_state(connection, issue, revision_id) is False:
            raise IssueError(f"issue {issue} was rejected meanwhile: nothing is sent")
        audience = _queue_subscribers(
            connection, issue, now, revision.manifest.publication.readers_of
        )
        if audience == 0:
            raise IssueError(
                "there is nobody to send to: no confirmed subscriber is without suppression; "
                "add some with 'upcycle-news subscribers import FILE.csv --consent …'"
            )
        connection.execute(
            update(issues).where(issues.c.id == str(issue)).values(audience=audience)
        )
        _record_used_content(connection, revision.manifest)
    return audience


def count_audience(store: Store, topics: Collection[str]) -> int:
    """Return how many deliveries an issue on `topics` (empty: for all) would have now."""
    with store.reading() as connection:
        chosen = connection.scalars(select(subscribers.c.topics).where(*_may_receive()))
        return sum(not topics or _wants(selection, topics) for selection in chosen)


def _may_receive() -> tuple[ColumnElement[bool], ...]:
    return (subscribers.c.status == SubscriberStatus.CONFIRMED, suppression_reason_sql().is_(None))


def _wants(chosen: Collection[str], topics: Collection[str]) -> bool:
    """Return whether a subscriber who chose these topics (none: all) gets an issue on `topics`."""
    wanted = {topic.casefold() for topic in topics}
    return not chosen or bool(wanted & {topic.casefold() for topic in chosen})


def _queue_subscribers(
    connection: Connection, issue: IssueId, now: datetime, topics: Collection[str]
) -> int:
    audience = select(
        literal(str(issue)),
        subscribers.c.id,
        literal(DeliveryState.QUEUED.value),
        literal(0),
        literal(""),
        literal(""),
        literal(now, deliveries.c.queued_at.type),
        literal(now, deliveries.c.changed_at.type),
        null(),
    ).where(*_may_receive())
    columns = ["issue_id", "subscriber_id", "state", "attempts", "enhanced", "reason"]
    columns += ["queued_at", "changed_at", "next_at"]
    connection.execute(insert(deliveries).from_select(columns, audience.order_by(subscribers.c.id)))
    # Counted, because with Postgres an INSERT … SELECT does not tell how many rows it made.
    count = select(func.count()).where(deliveries.c.issue_id == str(issue))
    if topics:
        _remove_other_topics(connection, issue, topics)
    return int(connection.scalar(count) or 0)


def _remove_other_topics(connection: Connection, issue: IssueId, topics: Collection[str]) -> None:
    """Remove subscribers who chose only other topics; the queue is not committed yet."""
    rows = connection.execute(
        select(deliveries.c.id, subscribers.c.topics)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue))
    )
    others = [row.id for row in rows if not _wants(row.topics, topics)]
    for start in range(0, len(others), 500):
        connection.execute(
            delete(deliveries).where(deliveries.c.id.in_(others[start : start + 500]))
        )


def _record_used_content(connection: Connection, manifest: Manifest) -> None:
    issue = manifest.issue
    values = {("essay", essay.slug) for essay in issue.essays}
    for related in issue.related:
        for item in related.story.items:
            values |= {("item", item.key), ("link", item.canonical)}
    if values:
        connection.execute(
            insert(used_content),
            [
                {"kind": kind, "value": value, "issue_id": str(issue.id)}
                for kind, value in sorted(values)
            ],
        )


def load_used_content(store: Store) -> tuple[frozenset[str], frozenset[str]]:
    """Return the slugs of published essays, and the keys and canonical links of used items."""
    with store.reading() as connection:
        rows = connection.execute(select(used_content.c.kind, used_content.c.value)).all()
    return (
        frozenset(row.value for row in rows if row.kind == "essay"),
        frozenset(row.value for row in rows if row.kind != "essay"),
    )


def set_state(
    store: Store, issue: IssueId, state: IssueState, *, reason: str = "", now: datetime
) -> None:
    """Pause, resume, stop or cancel. Cancelling ends everything that is not on the wire."""
    with store.writing() as connection:
        connection.execute(
            update(issues)
            .where(issues.c.id == str(issue), issues.c.state != IssueState.CANCELLED)
            .values(state=state, stop_reason=reason)
        )
        cancel_waiting_deliveries(connection, str(issue), now=now)


def cancel_sent_before_restore(store: Store, issue: IssueId) -> bool:
    """Cancel an issue that is open only because the store was restored: it was sent before.

    The content of its newest revision counts as used, so that it is not sent again. False, and
    nothing changed, for any other issue, and for one that is younger than the restore.
    """
    newest = revision_rows.load_revision(store, issue)
    with store.writing() as connection:
        row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
        if row is None or newest is None or row.state != IssueState.OPEN:
            return False
        if not send_hold.restored_since(connection, row.created_at):
            return False
        connection.execute(
            update(issues)
            .where(issues.c.id == str(issue))
            .values(state=IssueState.CANCELLED, stop_reason="went out before a restore")
        )
        _record_used_content(connection, newest.manifest)
    return True


def cancel_waiting_deliveries(connection: Connection, issue: str, *, now: datetime) -> None:
    """If the issue is cancelled, cancel its queued and deferred deliveries, those that came back too."""
    # The row is locked (Postgres), so that nobody cancels between this check and our commit.
    state = connection.scalar(
        select(issues.c.state).where(issues.c.id == issue).with_for_update(read=True)
    )
    if state != IssueState.CANCELLED:
        return
    waiting = select(deliveries.c.id).where(
        deliveries.c.issue_id == issue,
        deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]),
    )
    connection.execute(
        update(deliveries)
        # Locked one after another, as workers claim them: in another order they could deadlock.
        .where(deliveries.c.id.in_(waiting.order_by(deliveries.c.id).with_for_update()))
        .values(
            state=DeliveryState.CANCELLED,
            reason="the issue was cancelled",
            changed_at=now,
            next_at=None,
        )
    )


def status(store: Store, issue: IssueId) -> IssueStatus | None:
    """Return the sums by state, counted row by row; None for an issue that was never previewed."""
    with store.reading() as connection:
        row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
        if row is None:
            return None
        newest = connection.scalar(
            select(revisions.c.revision_id)
            .where(revisions.c.issue_id == str(issue))
            .order_by(revisions.c.created_at.desc(), revisions.c.id.desc())
            .limit(1)
        )
        counted = connection.execute(
            select(deliveries.c.state, func.count())
            .where(deliveries.c.issue_id == str(issue))
            .group_by(deliveries.c.state)
        ).all()
    counts = {DeliveryState(state): number for state, number in counted}
    return IssueStatus(str(issue), row.revision_id or newest or "", row.audience, counts)


def _issue(row: Row[Any]) -> IssueRow:
    return IssueRow(
        id=IssueId.parse(row.id),
        number=row.number,
        state=IssueState(row.state),
        revision_id=row.revision_id,
        audience=row.audience,
        stop_reason=row.stop_reason,
        enqueued_at=row.enqueued_at,
    )
