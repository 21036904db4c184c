"""Bounces and complaints: one row for each report, with its raw text for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import Bounce, SuppressionSource
from upcycle_news.storage import refusal_guard
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issues,
    subscribers,
)
from upcycle_news.storage.suppressions import suppress_by_id


@dataclass(frozen=True)
class RecordedReport:
    """What became of a report.

    `is_new` is False when this very report was stored before, and when its delivery is not known
    (`delivery` is None then). `suppressed` is True if the subscriber is suppressed since. `kept_back`
    counts the suppressions, this one and earlier ones, that wait for a person now because the reports
    are a wave.
    """

    is_new: bool
    issue: str = ""
    delivery: int | None = None
    suppressed: bool = False
    kept_back: int = 0


HARD = "hard"
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
    suppress_for: tuple[str, SuppressionSource] | None,
    now: datetime,
) -> RecordedReport:
    """Store a report, and suppress its subscriber for a reason and source unless `suppress_for` is None.

    One transaction: a process that dies leaves both or neither. In a wave of hard bounces the
    suppressions wait for a person, also those of earlier reports (`refusal_guard`). The store does not know what was
    sent between a backup and its restore; such a report suppresses, and is not stored. A report
    about an erased subscriber is counted without its text.
    """

    def suppress(issue: str, delivery: int | None) -> bool:
        if suppress_for is None:
            return False
        return suppress_by_id(
            connection,
            subscriber,
            reason=suppress_for[0],
            source=suppress_for[1],
            detail=" ".join(filter(None, (code, reason))),
            issue=issue,
            delivery=delivery,
            now=now,
        )

    insert_ignore = postgresql.insert if store.dialect == "postgresql" else sqlite.insert
    with store.writing() as connection:
        delivery = connection.execute(
            select(deliveries.c.id, deliveries.c.issue_id)
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(issues.c.number == issue_number, deliveries.c.subscriber_id == subscriber)
        ).first()
        if delivery is None:
            return RecordedReport(is_new=False, suppressed=suppress("", None))
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
        suppressed = new is not None and suppress(delivery.issue_id, delivery.id)
        kept_back = 0
        if suppressed and kind == HARD:  # who complained has decided: never kept back
            kept_back = refusal_guard.keep_back_wave_of_reports(
                connection, delivery.issue_id, delivery.id, now=now
            )
    return RecordedReport(new is not None, delivery.issue_id, delivery.id, suppressed, kept_back)


def list_bounces(store: Store, *, issue: str = "", kind: str = "") -> Iterator[Bounce]:
    """Yield the reports without their text, newest first; of one issue or kind if these are given."""
    query = select(bounces).order_by(bounces.c.id.desc())
    if issue:
        query = query.where(bounces.c.issue_id == issue)
    if kind:
        query = query.where(bounces.c.kind.in_((kind, UNCLEAR) if kind == "soft" else (kind,)))
    with store.reading() as connection:
        for row in connection.execute(query):
            yield read_bounce(row)


def get(store: Store, number: int) -> Bounce | None:
    """Return the report with this id, with its text while it is kept; None when there is none."""
    with store.reading() as connection:
        row = connection.execute(select(bounces).where(bounces.c.id == number)).first()
    return None if row is None else read_bounce(row, row.raw)


def drop_raw(store: Store, *, before: datetime) -> int:
    """Delete the texts of reports received before `before`; the counts stay. Returns how many."""
    with store.writing() as connection:
        return connection.execute(
            update(bounces)
            .where(bounces.c.received_at < before, bounces.c.raw.is_not(None))
            .values(raw=None)
        ).rowcount


def read_bounce(row: Row[Any], raw: bytes | None = None) -> Bounce:
    """Return the value of a row, with its raw report only if that is given."""
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
