"""What the doctor says of aggregate reports: who sends in our name, what fails, since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from upcycle_news.diagnostics.dmarc_reports import evaluate, no_reports
from upcycle_news.diagnostics.results import State
from upcycle_news.models.dmarc import DmarcSource, DmarcSummary

from ..bounces.dmarc.report_generator import Record, gzipped, report_mail, report_xml
from ..bounces.inbox_folder import make_inbox, put
from ..publications import Publication

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=20)
OURS = DmarcSource("192.0.2.10", 1000, 0, 0, None, "example.org")


def summary(*sources: DmarcSource, until: datetime = NOW - timedelta(hours=6)) -> DmarcSummary:
    return DmarcSummary(
        reports=12,
        organisations=3,
        since=SINCE,
        until=until,
        mails=sum(source.mails for source in sources),
        failed=sum(source.failed for source in sources),
        source_count=len(sources),
        sources=sources,
    )


def test_who_sends_in_our_name_is_told_with_the_number_of_mails() -> None:
    coming, senders = evaluate(summary(OURS), NOW)
    assert (coming.check, coming.state) == ("dmarc-reports", State.OK)
    assert coming.finding.in_language("de") == (
        "12 DMARC-Berichte von 3 Empfängern seit dem 06.11.2026: 1.000 Mails in unserem Namen, "
        "davon 0 ohne gültigen Nachweis"
    )
    assert (senders.check, senders.state) == ("dmarc-senders", State.OK)
    assert "192.0.2.10 (example.org), 1000 mails" in str(senders.finding)


def test_an_unknown_server_whose_mails_got_through_is_a_warning_with_its_begin() -> None:
    unknown = DmarcSource("198.51.100.7", 40, 40, 30, SINCE, "")
    _, told, senders = evaluate(summary(unknown, OURS), NOW)
    assert (told.state, told.about) == (State.WARNING, "198.51.100.7")
    assert "since 2026-11-06, 30 got through" in str(told.finding)
    assert senders.state is State.OK


def test_forged_mail_that_the_policy_stopped_is_no_warning() -> None:
    stopped = DmarcSource("198.51.100.7", 40, 40, 0, SINCE, "")
    _, told, _ = evaluate(summary(stopped, OURS), NOW)
    assert told.state is State.OK


def test_our_own_server_that_fails_is_a_problem() -> None:
    failing = DmarcSource("192.0.2.10", 1000, 900, 900, SINCE, "example.org")
    _, told, _ = evaluate(summary(failing), NOW, ["192.0.2.10"])
    assert told.state is State.PROBLEM
    _, told, _ = evaluate(summary(failing), NOW)
    assert told.state is State.WARNING


def test_a_few_mails_that_were_forwarded_are_nothing_to_tell() -> None:
    forwarded = DmarcSource("192.0.2.10", 1000, 20, 20, SINCE, "example.org")
    results = evaluate(summary(forwarded), NOW, ["192.0.2.10"])
    assert [result.state for result in results] == [State.OK, State.OK]


def test_of_many_unknown_servers_five_are_named_and_the_others_counted() -> None:
    unknown = [DmarcSource(f"198.51.100.{n}", 3, 3, 3, SINCE, "") for n in range(1, 9)]
    results = evaluate(summary(*unknown), NOW)
    warnings = [result for result in results if result.state is State.WARNING]
    assert len(warnings) == 6
    assert str(warnings[-1].finding).startswith("3 more servers")
    assert len({result.subject for result in warnings}) == 6


def test_reports_that_no_longer_come_are_a_warning() -> None:
    coming = evaluate(summary(OURS, until=NOW - timedelta(days=9)), NOW)[0]
    assert (coming.check, coming.state) == ("dmarc-reports", State.WARNING)


def test_nothing_is_called_fine_while_no_report_has_come() -> None:
    assert no_reports(inbox=True).state is State.SKIPPED
    assert no_reports(inbox=False).state is State.SKIPPED


def test_the_command_tells_in_german_who_sends_in_our_name(publication: Publication) -> None:
    make_inbox(publication)
    begin = int(datetime.now(UTC).timestamp()) - 2 * 86_400
    forged = Record("198.51.100.7", 5, "none", "fail", "fail")
    data = report_xml([Record(count=1200), forged], begin=begin, end=begin + 86_400)
    put(publication, report_mail(gzipped(data)))
    there = {"INBOX__MAILDIR": "inbox"}
    assert publication.run("bounces", "collect", "--json", **there).json["dmarc"] == 1
    said = " ".join(publication.run("doctor", "reports", "--offline", **there).out.split())
    assert "198.51.100.7 verschickt in unserem Namen ohne gültigen Nachweis: 5 Mails seit" in said
    assert "192.0.2.10 (umbaupost.example.net), 1.200 Mails" in said


def test_the_doctor_says_that_no_report_came_and_how_they_would(publication: Publication) -> None:
    make_inbox(publication)
    done = publication.run("doctor", "dmarc-reports", "--offline", INBOX__MAILDIR="inbox")
    assert "noch kein DMARC-Bericht" in done.out
    assert "rua=mailto:" in done.out
