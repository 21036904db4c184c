"""DMARC aggregate reports are read in every dialect, and refused where they are broken or hostile."""

from __future__ import annotations

import tracemalloc
from email import message_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.bounces.dmarc.aggregate_report import parse_report
from upcycle_news.bounces.dmarc.report_files import (
    MAX_UNPACKED,
    UnreadableReportError,
    announces_report,
    report_files,
    unpack,
)
from upcycle_news.models.dmarc import DmarcReport, DmarcRow

from .report_generator import (
    DIALECTS,
    DOMAIN,
    GOOGLE_LIKE,
    Record,
    Sample,
    bomb_gzip,
    bomb_zip,
    gzipped,
    report_mail,
    report_xml,
    samples,
    zipped,
)

SAMPLES = list(samples())


def test_there_are_more_than_fifty_samples_of_distinct_names() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES) > 50
    refused = [sample for sample in SAMPLES if sample.mails is None]
    assert 20 < len(refused) < len(SAMPLES) - 20


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_read_or_refused_as_is_right(sample: Sample) -> None:
    if sample.mails is None:
        with pytest.raises(UnreadableReportError):
            parse_report(unpack(sample.data))
        return
    report = parse_report(unpack(sample.data))
    assert sum(report.rows.values()) == sample.mails
    assert report.domain == DOMAIN
    assert report.report_id == "4711"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.organisation)
def test_every_dialect_says_the_same(dialect: object) -> None:
    failing = Record("198.51.100.7", 5, "reject", "fail", "fail", signed_by="evil.example")
    report = parse_report(report_xml([Record(), failing], dialect))  # type: ignore[arg-type]
    assert report.organisation == dialect.organisation  # type: ignore[attr-defined]
    assert (report.begins_at.isoformat(), report.policy) == ("2026-11-25T00:00:00+00:00", "none")
    assert report.rows == {
        DmarcRow("192.0.2.10", "none", True, True, DOMAIN, DOMAIN, DOMAIN): 3,
        DmarcRow("198.51.100.7", "reject", False, False, DOMAIN, "", ""): 5,
    }


def test_equal_records_are_added_up() -> None:
    report = parse_report(report_xml([Record(count=2), Record(count=40), Record("192.0.2.11")]))
    assert sorted(report.rows.values()) == [3, 42]


@pytest.mark.parametrize("bomb", [bomb_gzip(100), bomb_zip(100)], ids=["gzip", "zip"])
def test_a_bomb_is_refused_within_the_memory_of_one_report(bomb: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(UnreadableReportError, match="much larger"):
        unpack(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_UNPACKED


def test_a_large_report_of_a_large_receiver_is_read() -> None:
    records = [Record(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 1) for n in range(5000)]
    report = parse_report(unpack(gzipped(report_xml(records))))
    assert sum(report.rows.values()) == 5000
    shortened = report.shortened(200)
    assert len(shortened.rows) <= 200
    assert sum(shortened.rows.values()) == 5000


@given(
    st.dictionaries(
        st.builds(
            DmarcRow,
            st.integers(1, 250).map("192.0.2.{}".format),
            st.sampled_from(["none", "quarantine", "reject", "unknown"]),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["", "example.org"]),
        ),
        st.integers(1, 1000),
        max_size=300,
    ),
    st.integers(17, 60),
)
@settings(max_examples=50, deadline=None)
def test_shortening_keeps_every_sum_by_result(rows: dict[DmarcRow, int], limit: int) -> None:
    def sums(of: dict[DmarcRow, int]) -> dict[tuple[str, bool, bool], int]:
        found: dict[tuple[str, bool, bool], int] = {}
        for row, count in of.items():
            key = (row.disposition, row.dkim, row.spf)
            found[key] = found.get(key, 0) + count
        return found

    at = parse_report(report_xml([])).begins_at
    shortened = DmarcReport("r.example", "1", DOMAIN, "none", at, at, rows).shortened(limit)
    assert len(shortened.rows) <= limit
    assert sums(shortened.rows) == sums(rows)


@given(st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_or_read_and_nothing_else_is_raised(data: bytes) -> None:
    for packed in (data, gzipped(data), zipped(data), b"PK\x03\x04" + data, b"\x1f\x8b" + data):
        try:
            parse_report(unpack(packed))
        except UnreadableReportError:
            continue


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_report_with_changed_bytes_is_refused_or_read(data: st.DataObject) -> None:
    whole = bytearray(
        data.draw(st.sampled_from([zipped(report_xml()), gzipped(report_xml()), report_xml()]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_report(unpack(bytes(whole)))
    except UnreadableReportError:
        return


# --- the mail around it


@pytest.mark.parametrize(
    "content_type",
    [
        "application/gzip",
        "application/zip",
        "application/octet-stream",
        "text/xml",
        "application/x-gzip",
    ],
)
def test_the_first_bytes_decide_what_a_file_is_whatever_its_type_says(content_type: str) -> None:
    for data in (gzipped(report_xml()), zipped(report_xml())):
        message = message_from_bytes(report_mail(data, content_type=content_type))
        [file] = report_files(message)
        assert parse_report(unpack(file.data)).domain == DOMAIN


def test_a_mail_that_is_nothing_but_the_file_is_looked_at() -> None:
    message = message_from_bytes(
        report_mail(zipped(report_xml()), text="", content_type="application/zip")
    )
    [file] = report_files(message)
    assert parse_report(unpack(file.data)).domain == DOMAIN


def test_subject_or_file_name_announce_a_report() -> None:
    def announced(**changed: str) -> bool:
        return announces_report(message_from_bytes(report_mail(b"x", **changed)))

    assert announced()
    assert announced(subject="Monthly numbers")
    assert announced(file_name="a.zip")
    assert not announced(subject="Meine Fotos", file_name="Fotos vom Bahnhof!.zip")


def test_a_mail_with_many_files_is_refused() -> None:
    message = message_from_bytes(report_mail(gzipped(report_xml())))
    attached = message.get_payload()
    assert isinstance(attached, list)
    attached.extend([attached[1]] * 5)
    with pytest.raises(UnreadableReportError, match="too many files"):
        report_files(message)


def test_what_a_receiver_says_of_itself_is_one_line() -> None:
    dialect = type(GOOGLE_LIKE)(organisation="Evil\n\tCorp &#x202e; " + "x" * 500)
    assert parse_report(report_xml(dialect=dialect)).organisation.startswith("Evil Corp x")
    assert len(parse_report(report_xml(dialect=dialect)).organisation) == 100


@pytest.mark.parametrize("source", ["fe80::1%anna@example.org", "fe80::1%" + "a" * 100, "[::1%1]"])
def test_an_address_with_a_zone_is_no_servers_and_its_record_left_out(source: str) -> None:
    report = parse_report(report_xml([Record(source), Record("2001:db8::1")]))
    assert [row.source for row in report.rows] == ["2001:db8::1"]


@pytest.mark.parametrize(
    ("written", "read"),
    [(" Quarantine ", "quarantine"), ("\u0130" * 16, ""), ("a@example.org", ""), ("", "")],
)
def test_a_policy_is_one_of_three_words_or_none(written: str, read: str) -> None:
    text = report_xml().decode().replace("<p>none</p>", f"<p>{written}</p>")
    assert parse_report(text.encode()).policy == read


def test_a_time_that_no_clock_shows_is_refused() -> None:
    with pytest.raises(UnreadableReportError, match="no span"):
        parse_report(report_xml(begin="0001-01-01T00:00:00+14:00"))
