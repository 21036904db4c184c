"""Aggregate reports in the inbox become sums, each once; whatever else looks like one stays there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from upcycle_news.app.context import AppContext
from upcycle_news.services.bounces import process
from upcycle_news.services.bounces.dmarc_reports import is_about
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import dmarc_reports
from upcycle_news.storage.schema import dmarc_reports as report_table
from upcycle_news.storage.schema import dmarc_rows

from ...delivery.memory_ledger import START, Clock
from ...publications import Publication
from ..inbox_folder import make_inbox, put, waiting
from .report_generator import (
    BEGIN,
    DAY,
    DIALECTS,
    Record,
    bomb_zip,
    encrypted_zip,
    gzipped,
    report_mail,
    report_xml,
    samples,
    zipped,
)


@pytest.fixture
def context(publication: Publication) -> AppContext:
    make_inbox(publication)
    return publication.context(INBOX__MAILDIR="inbox")


def rows_kept(context: AppContext) -> int:
    with context.store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(dmarc_rows)) or 0


def summary(context: AppContext):  # type: ignore[no-untyped-def]
    return dmarc_reports.summarise(
        context.store, since=context.clock() - timedelta(days=30), limit=50
    )


def test_a_report_is_kept_as_sums_and_its_mail_moved_away(
    publication: Publication, context: AppContext
) -> None:
    forged = Record("198.51.100.7", 5, "none", "fail", "fail")
    put(publication, report_mail(gzipped(report_xml([Record(), forged]))))
    told = process.collect(context)
    assert (told.dmarc, told.dmarc_unread, told.left_alone) == (1, 0, 0)
    assert waiting(publication) == 0
    found = summary(context)
    assert (found.reports, found.organisations, found.mails, found.failed) == (1, 1, 8, 5)
    worst, best = found.sources
    assert (worst.source, worst.failed, worst.let_through) == ("198.51.100.7", 5, 5)
    assert worst.failing_since is not None and worst.failing_since.timestamp() == BEGIN
    assert (best.source, best.failed, best.failing_since) == ("192.0.2.10", 0, None)


def test_a_report_counts_once_however_often_it_comes(
    publication: Publication, context: AppContext
) -> None:
    put(publication, *(report_mail(gzipped(report_xml())) for _ in range(3)))
    put(publication, report_mail(zipped(report_xml()), subject="Report Domain: again Report-ID: x"))
    told = process.collect(context)
    assert (told.dmarc, told.known) == (1, 3)
    assert summary(context).mails == 3


def test_reports_with_one_id_of_two_receivers_or_of_two_domains_both_count(
    publication: Publication, context: AppContext
) -> None:
    put(
        publication,
        *(report_mail(gzipped(report_xml(dialect=dialect))) for dialect in DIALECTS),
        report_mail(gzipped(report_xml(domain="example.net"))),
    )
    assert process.collect(context).dmarc == len(DIALECTS) + 1


def test_sums_are_the_same_in_both_kinds_of_store(publication: Publication, any_store: str) -> None:
    context = publication.context(STORE=any_store)
    for number in range(2):
        raw = report_mail(
            gzipped(
                report_xml(
                    [Record(count=10**9), Record("198.51.100.7", 2, "reject", "fail", "fail")],
                    report_id=str(number),
                )
            )
        )
        assert process.handle(context, raw) == ({"dmarc": 1}, True)
        assert process.handle(context, raw) == ({"known": 1}, True)
    found = summary(context)
    assert (found.mails, found.failed, found.source_count) == (2 * 10**9 + 4, 4, 2)
    assert [source.let_through for source in found.sources] == [0, 0]


def test_a_report_about_somebody_else_stays_where_it_is(
    publication: Publication, context: AppContext
) -> None:
    put(publication, report_mail(gzipped(report_xml(domain="other.example.org"))))
    told = process.collect(context)
    assert (told.dmarc, told.dmarc_unread, waiting(publication)) == (0, 1, 1)
    assert rows_kept(context) == 0


def test_a_report_is_about_us_if_its_domain_is_ours_the_organisations_or_below_ours() -> None:
    ours = frozenset({"news.example.org"})
    assert is_about("news.example.org", ours)
    assert is_about("example.org", ours)
    assert is_about("a.news.example.org", ours)
    assert not is_about("org", ours)
    assert not is_about("ews.example.org", ours)
    assert not is_about("example.com", ours)
    assert not is_about("example.org", frozenset())


@pytest.mark.parametrize("data", [bomb_zip(), encrypted_zip(report_xml()), b"unused"])
def test_a_report_that_cannot_be_read_stays_where_it_is_and_is_said(
    publication: Publication, context: AppContext, data: bytes
) -> None:
    put(publication, report_mail(data))
    told = process.collect(context)
    assert (told.dmarc_unread, told.left_alone, waiting(publication)) == (1, 0, 1)
    assert "DMARC" in told.summary.in_language("de")


def test_what_a_reader_attaches_is_no_report(publication: Publication, context: AppContext) -> None:
    put(
        publication,
        report_mail(
            zipped(b"photo"),
            subject="Meine Fotos",
            file_name="Fotos.zip",
            content_type="application/zip",
        ),
    )
    told = process.collect(context)
    assert (told.dmarc_unread, told.left_alone, waiting(publication)) == (0, 1, 1)


def test_a_mail_larger_than_what_is_read_is_no_report_but_is_said(
    publication: Publication, context: AppContext
) -> None:
    put(publication, report_mail(b"x" * 4_000_000))
    assert process.collect(context).dmarc_unread == 1


@pytest.mark.parametrize("days", [91, -3])
def test_a_report_of_long_ago_or_of_the_future_is_not_kept(
    publication: Publication, context: AppContext, days: int
) -> None:
    begin = BEGIN - days * DAY
    put(publication, report_mail(gzipped(report_xml(begin=begin, end=begin + DAY))))
    assert process.collect(context).dmarc_unread == 1
    assert rows_kept(context) == 0


def test_every_sample_in_one_inbox_harms_none_of_the_others(
    publication: Publication, context: AppContext
) -> None:
    files = list(samples())
    for number, sample in enumerate(files):
        put(
            publication,
            report_mail(sample.data).replace(b"report-4711@", f"report-{number}@".encode()),
        )
    told = process.collect(context)
    readable = sum(sample.mails is not None for sample in files)
    # All name one report of the same few receivers: what is read again is known.
    assert told.dmarc + told.known == readable
    assert told.dmarc_unread == len(files) - readable
    assert not [
        path for path in publication.home.rglob("*") if path.name in ("passwd", "report.xml")
    ]


def test_a_report_with_the_longest_of_everything_hinders_no_other_in_either_kind_of_store(
    publication: Publication, any_store: str
) -> None:
    make_inbox(publication)
    context = publication.context(INBOX__MAILDIR="inbox", STORE=any_store)
    name = ".".join(["a" * 63] * 4)[:253]
    long = Record(f"fe80::1%{'z' * 300}", 10**9, "x" * 300, header_from=name, signed_by=name)
    widest = Record("ffff:" * 7 + "ffff", 10**9, "x" * 300, header_from=name, signed_by=name)
    hostile = (
        report_xml([long, widest, replace(widest, dkim="fail")], report_id="i" * 5000)
        .decode()
        .replace("<p>none</p>", f"<p>{chr(0x130) * 300}</p>")
        .replace("<org_name>", "<org_name>" + chr(0x1F600) * 300)
    )
    put(publication, report_mail(gzipped(hostile.encode())))
    put(publication, report_mail(gzipped(report_xml())))
    told = process.collect(context)
    assert (told.dmarc, told.dmarc_unread, waiting(publication)) == (2, 0, 0)


def test_what_comes_in_a_day_is_bounded(
    publication: Publication, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dmarc_reports, "MAX_ROWS_PER_DAY", 5)
    put(publication, *(report_mail(gzipped(report_xml(report_id=str(n)))) for n in range(8)))
    told = process.collect(context)
    assert (told.dmarc, told.dmarc_unread) == (5, 3)
    assert (rows_kept(context), waiting(publication)) == (5, 3)


def test_a_report_of_thousands_of_servers_keeps_the_largest_and_the_sum_of_the_others(
    publication: Publication, context: AppContext
) -> None:
    records = [
        Record(f"10.0.{n >> 8}.{n & 255}", 1 + n, dkim="fail", spf="fail") for n in range(3000)
    ]
    put(publication, report_mail(gzipped(report_xml(records))))
    assert process.collect(context).dmarc == 1
    assert rows_kept(context) <= dmarc_reports.MAX_ROWS_PER_REPORT
    found = summary(context)
    assert found.mails == found.failed == sum(1 + n for n in range(3000))


def test_tidy_deletes_the_sums_after_ninety_days(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    put(publication, report_mail(gzipped(report_xml())))
    assert process.collect(context).dmarc == 1
    clock.now = START + timedelta(days=80)
    subscriptions.purge_expired(context)
    assert rows_kept(context) == 1
    clock.now = START + timedelta(days=95)
    subscriptions.purge_expired(context)
    with context.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(report_table)) == 0
    assert rows_kept(context) == 0
