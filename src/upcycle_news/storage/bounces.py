"""What came back: bounces, complaints and replies, each raw report kept for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import SuppressionSource
from upcycle_news.storage import suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issues,
    subscribers,
)


@dataclass(frozen=True)
class Bounce:
    """One report. `kind`: hard, soft, blocked or complaint; `code` is the RFC 3463 status, or empty.

    `understood` is False for a soft one that never suppresses by itself.
    """

    id: int
    issue: str
    subscriber: int
    kind: str
    code: str
    reason: str
    at: datetime
    raw: bytes | None = None
    understood: bool = True


UNCLEAR = "unclear"
"""The kind in the table of a soft report that was not understood."""


def record(
    store: Store,
    *,
    report_key: str,
    issue_number: int,
    subscriber: int,
    kind: str,
    code: str,
    reason: str,
    raw: bytes,
    now: datetime,
) -> bool | None:
    """Keep a report; False when this very report is known, None when its delivery is not.

    The store does not know what was sent between a backup and its restore. A report about a
    forgotten person is counted without its text.
    """
    insert_here = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        delivery = connection.execute(
            select(deliveries.c.id, deliveries.c.issue_id)
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(issues.c.number == issue_number, deliveries.c.subscriber_id == subscriber)
        ).first()
        if delivery is None:
            return None
        known = connection.scalar(select(subscribers.c.id).where(subscribers.c.id == subscriber))
        new = connection.scalar(
            insert_here(bounces)
            .values(
                report_key=report_key,
                delivery_id=delivery.id,
                subscriber_id=subscriber,
                issue_id=delivery.issue_id,
                kind=kind,
                code=code,
                reason=reason if known is not None else "",
                raw=raw if known is not None else None,
                received_at=now,
            )
            .on_conflict_do_nothing()
            .returning(bounces.c.id)
        )
    return new is not None


def suppress_person(
    store: Store, subscriber: int, *, reason: str, detail: str, now: datetime
) -> bool:
    """Suppress the address of a person still known; whether that is new."""
    with store.writing() as connection:
        return suppressions.suppress_subscriber(
            connection,
            subscriber,
            reason=reason,
            source=SuppressionSource.BOUNCE,
            detail=detail,
            issue="",
            delivery=None,
            now=now,
        )


def listed(store: Store, *, issue: str = "", kind: str = "") -> Iterator[Bounce]:
    """Reports without their text, newest first."""
    query = select(bounces).order_by(bounces.c.id.desc())
    if issue:
        query = query.where(bounces.c.issue_id == issue)
    if kind:
        query = query.where(bounces.c.kind.in_((kind, UNCLEAR) if kind == "soft" else (kind,)))
    with store.reading() as connection:
        for row in connection.execute(query):
            yield _bounce(row)


def get(store: Store, number: int) -> Bounce | None:
    """One report, with its text while it is kept."""
    with store.reading() as connection:
        row = connection.execute(select(bounces).where(bounces.c.id == number)).first()
    return None if row is None else _bounce(row, row.raw)


def drop_raw(store: Store, *, before: datetime) -> int:
    """Delete the texts of older reports; the counts stay. Returns how many."""
    with store.writing() as connection:
        return connection.execute(
            update(bounces)
            .where(bounces.c.received_at < before, bounces.c.raw.is_not(None))
            .values(raw=None)
        ).rowcount


def _bounce(row: Row[tuple[object, ...]], raw: bytes | None = None) -> Bounce:
    return Bounce(
        id=row.id,
        issue=row.issue_id,
        subscriber=row.subscriber_id,
        kind="soft" if row.kind == UNCLEAR else row.kind,
        code=row.code,
        reason=row.reason,
        at=row.received_at,
        raw=raw,
        understood=row.kind != UNCLEAR,
    )
