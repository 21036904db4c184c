"""What a store that is replaced knows better than the backup that replaces it.

Only what protects readers is taken over: who left, was suppressed or forgotten, which issues went
out, what editors corrected or withdrew, and what the relay said about each delivery. What people
undid on purpose (a list they should not have imported) stays undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import sqlite

from upcycle_news.models import DeliveryState, SubscriberStatus
from upcycle_news.storage.backup.copy import BATCH, WIDE_BATCH
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.personal_data import erase_rows
from upcycle_news.storage.schema import (
    approvals,
    blobs,
    consents,
    corrections,
    deliveries,
    issues,
    quota_marks,
    quota_scopes,
    renderings,
    revisions,
    subscribers,
    suppressions,
    used_content,
)

# Clocks of the machines that write and back up may differ by so much.
_SKEW = timedelta(hours=1)
# What the replaced store says has ended was sent or never will be: no doubt is left.
_ENDED = (
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.SUPPRESSED,
    DeliveryState.CANCELLED,
)
_IN_DOUBT = (
    DeliveryState.QUEUED,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
)


@dataclass(frozen=True)
class MergeReport:
    """What was taken over: counts. `joined` came since the backup and were not taken over."""

    suppressed: int = 0
    left: int = 0
    forgotten: int = 0
    results: int = 0
    issues: int = 0
    joined: int = 0


def merge_newer_data(
    old: Connection, new: Connection, *, since: datetime, now: datetime
) -> MergeReport:
    """Write into `new`, a backup of `since` in SQLite, what `old` knows better.

    Both hold the newest migration and belong to one publication: numbers mean the same people.
    """
    suppressed = _suppressions(old, new)
    left = _leaves(old, new, since)
    forgotten = _forgotten(new)
    brought = _issues(old, new)
    results = sum(_results(old, new, issue) for issue in _unsettled(new, without=brought))
    _amendments(old, new)
    _quotas(old, new)
    joined = select(func.count()).where(subscribers.c.created_at > since)
    return MergeReport(
        suppressed=suppressed,
        left=left,
        forgotten=forgotten,
        results=results,
        issues=len(brought),
        joined=old.scalar(joined) or 0,
    )


def _rows(connection: Connection, query: Select[Any], size: int = BATCH) -> Iterator[Any]:
    return connection.execute(query, execution_options={"yield_per": size}).partitions()


def _add(new: Connection, table: Table, rows: Sequence[Row[Any]], **changed: Any) -> int:
    """Insert rows that are not there; how many are new."""
    before = new.scalar(select(func.count()).select_from(table)) or 0
    new.execute(
        sqlite.insert(table).on_conflict_do_nothing(),
        [{**row._mapping, **changed} for row in rows],
    )
    return (new.scalar(select(func.count()).select_from(table)) or 0) - before


def _suppressions(old: Connection, new: Connection) -> int:
    return sum(_add(new, suppressions, rows) for rows in _rows(old, select(suppressions)))


def _leaves(old: Connection, new: Connection, since: datetime) -> int:
    """Who left after the backup has left, and so has their consent."""
    gone = select(subscribers.c.id, subscribers.c.email_key, subscribers.c.unsubscribed_at).where(
        subscribers.c.status == SubscriberStatus.UNSUBSCRIBED,
        subscribers.c.unsubscribed_at > since - _SKEW,
    )
    let_go = (
        update(subscribers)
        .where(
            subscribers.c.id == bindparam("number"),
            subscribers.c.email_key == bindparam("key"),
            subscribers.c.status != SubscriberStatus.UNSUBSCRIBED,
        )
        .values(status=SubscriberStatus.UNSUBSCRIBED, unsubscribed_at=bindparam("at"))
    )
    end = (
        update(consents)
        .where(
            consents.c.subscriber_id == bindparam("number"),
            consents.c.ended_at.is_(None),
            consents.c.confirmed_at.is_not(None),
        )
        .values(ended_at=bindparam("at"))
    )
    found = 0
    for rows in _rows(old, gone):
        for row in rows:
            values = {"number": row.id, "key": row.email_key, "at": row.unsubscribed_at}
            if new.execute(let_go, values).rowcount:
                found += 1
                new.execute(end, {"number": row.id, "at": row.unsubscribed_at})
    return found


def _forgotten(new: Connection) -> int:
    """Who was erased after the backup is erased again: what is left of them is their hash."""
    barred = select(suppressions.c.email_key).where(suppressions.c.email_key.startswith("#"))
    found = new.scalars(select(subscribers.c.id).where(subscribers.c.hash_key.in_(barred))).all()
    for number in found:
        erase_rows(new, number)
    return len(found)


def _issues(old: Connection, new: Connection) -> list[str]:
    """Issues that began after the backup come with all that was sent: never again as if new."""
    begun = {row.id: row for row in new.execute(select(issues)) if row.state != IssueState.OPEN}
    brought = []
    for row in old.execute(select(issues).where(issues.c.state != IssueState.OPEN)).all():
        if row.id not in begun:
            _bring(old, new, row)
            brought.append(row.id)
        elif row.state == IssueState.CANCELLED:
            new.execute(update(issues).where(issues.c.id == row.id).values(state=row.state))
    return brought


def _bring(old: Connection, new: Connection, row: Row[Any]) -> None:
    known = new.scalar(select(issues.c.number).where(issues.c.id == row.id))
    if known is None:
        taken = new.scalar(select(issues.c.id).where(issues.c.number == row.number))
        highest = new.scalar(select(func.max(issues.c.number))) or 0
        number = row.number if taken is None else highest + 1
        _add(new, issues, [row], number=number)
    else:
        values = {name: value for name, value in row._mapping.items() if name != "number"}
        new.execute(update(issues).where(issues.c.id == row.id).values(**values))
    have = set(new.scalars(select(blobs.c.sha256)))
    for rows in _rows(old, select(blobs), WIDE_BATCH):
        if missing := [one for one in rows if one.sha256 not in have]:
            _add(new, blobs, missing)
    frozen = select(revisions).where(
        revisions.c.issue_id == row.id, revisions.c.revision_id == row.revision_id
    )
    for revision in old.execute(frozen).all():
        _bring_revision(old, new, revision)
    new.execute(delete(approvals).where(approvals.c.issue_id == row.id))
    for table in (approvals, used_content, deliveries):
        columns = [column for column in table.columns if column.name != "id"]
        for rows in _rows(old, select(*columns).where(table.c.issue_id == row.id)):
            _add(new, table, rows)


def _bring_revision(old: Connection, new: Connection, revision: Row[Any]) -> None:
    same = (
        revisions.c.issue_id == revision.issue_id,
        revisions.c.revision_id == revision.revision_id,
    )
    if new.scalar(select(revisions.c.id).where(*same)) is None:
        values = {name: value for name, value in revision._mapping.items() if name != "id"}
        new.execute(revisions.insert().values(**values))
    number = new.scalar(select(revisions.c.id).where(*same))
    looks = select(renderings).where(renderings.c.revision_id == revision.id)
    if rows := old.execute(looks).all():
        _add(new, renderings, rows, revision_id=number)


def _unsettled(new: Connection, *, without: Sequence[str]) -> list[str]:
    """Issues in which somebody's delivery has not ended as far as the backup knows."""
    query = select(deliveries.c.issue_id).where(deliveries.c.state.in_(_IN_DOUBT)).distinct()
    return [issue for issue in new.scalars(query) if issue not in without]


def _results(old: Connection, new: Connection, issue: str) -> int:
    """What the relay said after the backup about deliveries that waited in it."""
    told = ("state", "attempts", "code", "enhanced", "reason", "changed_at")
    query = select(deliveries.c.subscriber_id, *(deliveries.c[name] for name in told)).where(
        deliveries.c.issue_id == issue, deliveries.c.state.in_(_ENDED)
    )
    take = (
        update(deliveries)
        .where(
            deliveries.c.issue_id == issue,
            deliveries.c.subscriber_id == bindparam("number"),
            or_(*(deliveries.c.state == state for state in _IN_DOUBT)),
        )
        .values(**{name: bindparam(f"new_{name}") for name in told}, next_at=None)
    )
    count = select(func.count()).where(
        deliveries.c.issue_id == issue, deliveries.c.state.in_(_IN_DOUBT)
    )
    before = new.scalar(count) or 0
    for rows in _rows(old, query):
        new.execute(
            take,
            [
                {
                    "number": row.subscriber_id,
                    **{f"new_{name}": row._mapping[name] for name in told},
                }
                for row in rows
            ],
        )
    return before - (new.scalar(count) or 0)


def _amendments(old: Connection, new: Connection) -> None:
    """What editors corrected or withdrew after the backup does not become public again."""
    newest = new.scalar(select(func.max(corrections.c.id))) or 0
    columns = [column for column in corrections.columns if column.name != "id"]
    later = select(*columns).where(corrections.c.id > newest).order_by(corrections.c.id)
    if rows := old.execute(later).all():
        pictures = {revision_id for row in rows for revision_id in row.images.values()}
        for some in _rows(old, select(blobs).where(blobs.c.sha256.in_(pictures)), WIDE_BATCH):
            _add(new, blobs, some)
        _add(new, corrections, rows)


def _quotas(old: Connection, new: Connection) -> None:
    """What was sent since the backup counts against the relay's limits."""
    if old.execute(select(quota_scopes).limit(1)).first() is None:
        return
    for table in (quota_marks, quota_scopes):
        new.execute(delete(table))
        for rows in _rows(old, select(table)):
            _add(new, table, rows)
