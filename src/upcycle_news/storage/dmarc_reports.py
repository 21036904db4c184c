"""DMARC aggregate reports: their sums for a while, each report once."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import and_, case, delete, func, insert, not_, select

from upcycle_news.models.dmarc import DmarcReport, DmarcSource, DmarcSummary
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import dmarc_reports, dmarc_rows

KEPT = timedelta(days=90)
"""How long sums are kept, from the end of the span that a report covers."""
MAX_ROWS_PER_REPORT = 200
MAX_ROWS_PER_DAY = 20_000
"""What is kept of the reports that came in 24 hours: anybody may send some."""


_LARGEST = 2_000_000_000  # what a column of four bytes holds


class Recorded(Enum):
    """What became of a report. `FULL`: so much came in the last day that it was not taken."""

    NEW = "new"
    KNOWN = "known"
    FULL = "full"


def record(store: Store, report: DmarcReport, *, now: datetime) -> Recorded:
    """Store the sums of a report unless it is known; in one transaction, so it may be repeated."""
    rows = report.shortened(MAX_ROWS_PER_REPORT).rows
    with store.writing() as connection:
        number = connection.scalar(
            dialect_insert(store.dialect, dmarc_reports)
            .values(
                report_key=_key(report),
                organisation=report.organisation,
                domain=report.domain,
                policy=report.policy,
                begins_at=report.begins_at,
                ends_at=report.ends_at,
                received_at=now,
            )
            .on_conflict_do_nothing()
            .returning(dmarc_reports.c.id)
        )
        if number is None:
            return Recorded.KNOWN
        lately = select(dmarc_reports.c.id).where(
            dmarc_reports.c.received_at > now - timedelta(days=1)
        )
        kept = connection.scalar(select(func.count()).where(dmarc_rows.c.report_id.in_(lately)))
        if (kept or 0) + len(rows) > MAX_ROWS_PER_DAY:
            connection.execute(delete(dmarc_reports).where(dmarc_reports.c.id == number))
            return Recorded.FULL
        if rows:
            connection.execute(
                insert(dmarc_rows),
                [
                    {
                        "report_id": number,
                        "position": position,
                        "source": row.source,
                        "disposition": row.disposition,
                        "dkim": row.dkim,
                        "spf": row.spf,
                        "header_from": row.header_from,
                        "signed_by": row.signed_by,
                        "mail_from": row.mail_from,
                        "mails": min(mails, _LARGEST),
                    }
                    for position, (row, mails) in enumerate(rows.items())
                ],
            )
    return Recorded.NEW


def _key(report: DmarcReport) -> str:
    content = "\0".join((report.organisation.lower(), report.report_id, report.domain))
    return hashlib.sha256(content.encode()).hexdigest()


def summarise(store: Store, *, since: datetime, limit: int) -> DmarcSummary:
    """Return what the reports say that end after `since`, with `limit` servers at the most."""
    wanted = dmarc_reports.c.ends_at > since
    joined = dmarc_rows.join(dmarc_reports, dmarc_reports.c.id == dmarc_rows.c.report_id)
    fails = and_(not_(dmarc_rows.c.dkim), not_(dmarc_rows.c.spf))
    let_through = and_(fails, dmarc_rows.c.disposition.not_in(("reject", "quarantine")))
    mails = func.sum(dmarc_rows.c.mails)
    failed = func.sum(case((fails, dmarc_rows.c.mails), else_=0))
    by_source = (
        select(
            dmarc_rows.c.source,
            mails.label("mails"),
            failed.label("failed"),
            func.sum(case((let_through, dmarc_rows.c.mails), else_=0)).label("let_through"),
            func.min(case((fails, dmarc_reports.c.begins_at))).label("failing_since"),
            func.max(dmarc_rows.c.signed_by).label("signed_by"),
            func.max(dmarc_rows.c.mail_from).label("mail_from"),
        )
        .select_from(joined)
        .where(wanted)
        .group_by(dmarc_rows.c.source)
    )
    with store.snapshot() as connection:
        reports = connection.execute(
            select(
                func.count().label("reports"),
                func.count(func.distinct(dmarc_reports.c.organisation)).label("organisations"),
                func.min(dmarc_reports.c.begins_at).label("since"),
                func.max(dmarc_reports.c.ends_at).label("until"),
            ).where(wanted)
        ).one()
        sums = connection.execute(
            select(
                func.coalesce(mails, 0).label("mails"),
                func.coalesce(failed, 0).label("failed"),
                func.count(func.distinct(dmarc_rows.c.source)).label("sources"),
            )
            .select_from(joined)
            .where(wanted)
        ).one()
        sources = connection.execute(
            by_source.order_by(failed.desc(), mails.desc(), dmarc_rows.c.source).limit(limit)
        ).all()
    return DmarcSummary(
        reports=reports.reports,
        organisations=reports.organisations,
        since=reports.since,
        until=reports.until,
        mails=int(sums.mails),
        failed=int(sums.failed),
        source_count=sums.sources,
        sources=tuple(
            DmarcSource(
                source=row.source,
                mails=int(row.mails),
                failed=int(row.failed),
                let_through=int(row.let_through),
                failing_since=row.failing_since,
                domain=row.signed_by or row.mail_from,
            )
            for row in sources
        ),
    )


def delete_old(store: Store, *, now: datetime) -> int:
    """Delete the reports that are older than `KEPT`; return how many."""
    with store.writing() as connection:
        return connection.execute(
            delete(dmarc_reports).where(dmarc_reports.c.ends_at < now - KEPT)
        ).rowcount
