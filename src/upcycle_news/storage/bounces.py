"""Bounces and complaints: one row for each report, with its raw text for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from upcycle_news.models import SuppressionSource
from upcycle_news.models.bounces import Bounce
from upcycle_news.models.welcome import SERIES
from upcycle_news.storage import packed_deliveries, refusal_guard, welcome_guard
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issues,
    subscribers,
)
from upcycle_news.storage.subscriber_suppressions import SubscriberSuppression, suppress_by_ids

HARD = "hard"
UNCLEAR = "unclear"
"""The kind in the table of a soft report that was not understood."""
_CHUNK = 500


@dataclass(frozen=True)
class NewReport:
    """A report to be stored: `report_key` recognises it when it comes again.

    Its subscriber is suppressed for a reason and from a source unless `suppress_for` is None. `went_to` is
    the keyed hash of the subscriber's address, present or earlier, that the report names; empty without one.
    """

    report_key: str
    issue_number: int
    subscriber: int
    kind: str
    code: str = ""
    reason: str = ""
    raw: bytes = field(default=b"", repr=False)
    suppress_for: tuple[str, SuppressionSource] | None = None
    went_to: str = ""


@dataclass(frozen=True)
class RecordedReport:
    """What became of a report.

    `is_new` is False when this very report was stored before, and when its delivery is not known
    (`delivery` is None then). `suppressed` is True if the address that the mail went to is suppressed
    since, `uncertain` if that may be an earlier one, so that none is. `kept_back` counts the suppressions,
    this one and earlier ones, that wait for a person now because the reports are a wave; of reports recorded together the last hard one of an issue has the number.
    """

    is_new: bool
    issue: str = ""
    delivery: int | None = None
    suppressed: bool = False
    uncertain: bool = False
    kept_back: int = 0


def record(store: Store, report: NewReport, *, now: datetime) -> RecordedReport:
    """Store one report and suppress its subscriber, in a transaction: `record_all`."""
    with store.writing() as connection:
        [recorded] = record_all(connection, [report], now=now)
    return recorded


def record_all(
    connection: Connection, reports: Sequence[NewReport], *, now: datetime
) -> tuple[RecordedReport, ...]:
    """Store reports and suppress their subscribers; the results are in the order of the reports.

    A process that dies leaves both or neither. In a wave of hard bounces the
    suppressions wait for a person, also those of earlier reports (`refusal_guard`). The store does not know what was
    sent between a backup and its restore, and no report says which step of the welcome it is about; such
    a report suppresses, and is not stored. A report about an erased subscriber is counted without its text.
    """
    results: list[RecordedReport] = []
    for start in range(0, len(reports), _CHUNK):
        results += _record_chunk(connection, reports[start : start + _CHUNK], now)
    return tuple(results)


def _record_chunk(
    connection: Connection, reports: Sequence[NewReport], now: datetime
) -> list[RecordedReport]:
    of = _deliveries_of(connection, reports)
    known = of and set(
        connection.scalars(
            select(subscribers.c.id).where(
                subscribers.c.id.in_({report.subscriber for report in reports})
            )
        )
    )
    rows: dict[str, dict[str, Any]] = {}
    for report in reports:
        delivery = of.get((report.issue_number, report.subscriber))
        if delivery is not None:
            rows.setdefault(
                report.report_key, _row(report, delivery, now, report.subscriber in known)
            )
    new_keys = _insert_new(connection, [rows[key] for key in sorted(rows)])  # as suppressions are
    results = []
    for report in reports:
        delivery = of.get((report.issue_number, report.subscriber))
        if delivery is None:
            results.append(RecordedReport(is_new=False))
            continue
        is_new = report.report_key in new_keys
        new_keys.discard(report.report_key)  # a second one of the same key is none
        results.append(RecordedReport(is_new, delivery.issue_id, delivery.id))
    return _suppress_after(connection, reports, results, now)


def _deliveries_of(
    connection: Connection, reports: Sequence[NewReport]
) -> dict[tuple[int, int], Row[Any]]:
    """Return the deliveries that reports are about, by issue number and subscriber; none is packed then."""
    of: dict[tuple[int, int], Row[Any]] = {}
    for number in sorted({report.issue_number for report in reports}):
        ids = {report.subscriber for report in reports if report.issue_number == number}
        issue = select(issues.c.id).where(issues.c.number == number).with_for_update(read=True)
        # Locked once it is closed: what a report is about is not packed in this moment, nor later.
        connection.execute(issue.where(issues.c.closed_at.is_not(None)))
        query = (
            select(deliveries.c.id, deliveries.c.issue_id, deliveries.c.subscriber_id)
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(issues.c.number == number, deliveries.c.subscriber_id.in_(ids))
        )
        found = connection.execute(query).all()
        missing = ids - {row.subscriber_id for row in found}
        if missing and (known := connection.scalar(issue)) is not None:
            packed_deliveries.take_out(connection, known, missing)
            found = connection.execute(query).all()
        of |= {(number, row.subscriber_id): row for row in found}
    return of


def _row(report: NewReport, delivery: Row[Any], now: datetime, is_known: bool) -> dict[str, Any]:
    return {
        "report_key": report.report_key,
        "delivery_id": delivery.id,
        "subscriber_id": report.subscriber,
        "issue_id": delivery.issue_id,
        "kind": report.kind,
        "code": report.code,
        "reason": report.reason if is_known else "",
        "raw": report.raw if is_known else None,
        "received_at": now,
    }


def _insert_new(connection: Connection, rows: list[dict[str, Any]]) -> set[str]:
    """Insert the rows that are new; returns their report keys."""
    if not rows:
        return set()
    statement = (
        dialect_insert(connection.dialect.name, bounces)
        .on_conflict_do_nothing()
        .returning(bounces.c.report_key)
    )
    return set(connection.scalars(statement, rows))


def _suppress_after(
    connection: Connection,
    reports: Sequence[NewReport],
    results: list[RecordedReport],
    now: datetime,
) -> list[RecordedReport]:
    """Suppress whom new reports, or those of unknown deliveries, are about; keep back what is a wave."""
    mailings = _mailings(connection, reports, results)
    wanted = {
        index: SubscriberSuppression(
            report.subscriber,
            report.suppress_for[0],
            report.suppress_for[1],
            detail=" ".join(filter(None, (report.code, report.reason))),
            issue=mailing,
            delivery=result.delivery,
            went_to=report.went_to,
        )
        for index, (report, result, mailing) in enumerate(
            zip(reports, results, mailings, strict=True)
        )
        if report.suppress_for is not None and (result.is_new or result.delivery is None)
    }
    outcome = suppress_by_ids(connection, list(wanted.values()), now=now)
    suppressed = set(outcome.new)
    hard: dict[str, list[int]] = {}
    for index, one in wanted.items():
        if one in outcome.uncertain:
            results[index] = replace(results[index], uncertain=True)
        elif one.subscriber in suppressed:
            suppressed.discard(one.subscriber)
            results[index] = replace(results[index], suppressed=True)
            if reports[index].kind == HARD:  # who complained has decided: never kept back
                hard.setdefault(mailings[index], []).append(index)
    for mailing, indexes in hard.items():
        kept_back = _keep_back_waves(
            connection,
            mailing,
            [reports[index].subscriber for index in indexes],
            [results[index].delivery for index in indexes],
            now,
        )
        results[indexes[-1]] = replace(results[indexes[-1]], kept_back=kept_back)
    return results


def _mailings(
    connection: Connection, reports: Sequence[NewReport], results: Sequence[RecordedReport]
) -> list[str]:
    """Return the issue of each report, `SERIES` for the welcome, empty for what the store does not know."""
    of_no_issue = {report.subscriber for report in reports if not report.issue_number}
    welcomed = welcome_guard.readers_welcomed(connection, of_no_issue)
    return [
        SERIES if not report.issue_number and report.subscriber in welcomed else result.issue
        for report, result in zip(reports, results, strict=True)
    ]


def _keep_back_waves(
    connection: Connection,
    mailing: str,
    of_subscribers: Sequence[int],
    of_deliveries: Sequence[int | None],
    now: datetime,
) -> int:
    """Keep back the suppressions of the waves that these hard bounces of a mailing are part of; return how many."""
    if mailing == SERIES:
        return welcome_guard.keep_back_waves_of_welcome(connection, of_subscribers, now=now)
    known = [delivery for delivery in of_deliveries if delivery is not None]
    if not known:
        return welcome_guard.keep_back_unknown(connection, now=now)
    return refusal_guard.keep_back_waves_of_reports(connection, mailing, known, now=now)


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
