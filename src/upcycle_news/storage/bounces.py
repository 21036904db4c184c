"""Bounces and complaints: one row for each report, with its raw text for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import Bounce
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issues,
    subscribers,
)


@dataclass(frozen=True)
class RecordedReport:
    """The delivery that a report is about; `is_new` is False when this very report was known."""

    is_new: bool
    issue: str
    delivery: int


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
) -> RecordedReport | None:
    """Store a report and return its delivery; None when that is not known.

    The store does not know what was sent between a backup and its restore. A report about an
    erased subscriber is counted without its text.
    """
    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
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
            insert_ignore(bounces)
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
    return RecordedReport(new is not None, delivery.issue_id, delivery.id)


def list_bounces(store: Store, *, issue: str = "", kind: str = "") -> Iterator[Bounce]:
    """Yield the reports without their text, newest first; of one issue or kind if these are given."""
    query = select(bounces).order_by(bounces.c.id.desc())
    if issue:
        query = query.where(bounces.c.issue_id == issue)
    if kind:
        query = query.where(bounces.c.kind.in_((kind, UNCLEAR) if kind == "soft" else (kind,)))
    with store.reading() as connection:
        for row in connection.execute(query):
            yield _bounce(row)


def get(store: Store, number: int) -> Bounce | None:
    """Return the report with this id, with its text while it is kept; None when there is none."""
    with store.reading() as connection:
        row = connection.execute(select(bounces).where(bounces.c.id == number)).first()
    return None if row is None else _bounce(row, row.raw)


def drop_raw(store: Store, *, before: datetime) -> int:
    """Delete the texts of reports received before `before`; the counts stay. Returns how many."""
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
