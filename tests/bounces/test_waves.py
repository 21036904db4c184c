"""Hard bounces that come in a wave suppress nobody until a person has decided."""

from __future__ import annotations

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId, IssueState, SubscriberStatus
from upcycle_news.services.bounces import process
from upcycle_news.services.delivery import issue_control
from upcycle_news.services.delivery.send import enqueue
from upcycle_news.services.issues.approval_form import approval_page
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.monitoring.alerts import new_events
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.subscribers import wave_suppressions
from upcycle_news.storage import (
    issues,
    pending_suppressions,
    subscribers,
    suppressions,
)

from ..publications import (
    Publication,
    add_confirmed_subscribers,
    approve_issue,
    send_issue,
)
from . import sample_reports
from .test_process import drop, envelope

ISSUE = "2026-11-26"
COUNT = 60


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """Sixty readers at sixty domains have had an issue, and the inbox is a Maildir."""
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    publication.change_setting(
        "[sender]",
        '[inbox]\nmaildir = "inbox"\n\n[sender]\nverp = true\nenvelope = "b@umbaupost.example.net"',
    )
    made = publication.context()
    add_confirmed_subscribers(made, *map(reader, range(COUNT)))
    publication.write_essay()
    return made


def reader(number: int, domain: str = "") -> str:
    return f"leser{number:02}@{domain or f'ort{number}.example'}"


def report(publication: Publication, number: int) -> bytes:
    return sample_reports.postfix(envelope(publication, reader(number)), reader(number))


def waiting(context: AppContext) -> set[str]:
    return {row.key for row in pending_suppressions.all_pending(context.store)}


def suppressed(context: AppContext) -> set[str]:
    return {row.key for row in suppressions.all_suppressions(context.store)}


@pytest.mark.parametrize(
    "order", [range(30, 45), range(44, 29, -1), [*range(30, 45, 2), *range(31, 45, 2)]]
)
def test_a_wave_of_hard_bounces_waits_for_a_person_whatever_their_order(
    publication: Publication, context: AppContext, order: range
) -> None:
    send_issue(context)
    for number in order:
        drop(publication, report(publication, number))
        process.collect(context)
    assert not suppressed(context)
    assert waiting(context) == {reader(number) for number in range(30, 45)}
    confirmed = [
        subscriber
        for subscriber in subscribers.all_subscribers(context.store)
        if subscriber.status is SubscriberStatus.CONFIRMED
    ]
    assert len(confirmed) == COUNT


def test_the_run_counts_what_waits_and_not_what_it_kept_back(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    drop(publication, *(report(publication, number) for number in range(12)))
    counts = process.collect(context)
    assert (counts.hard, counts.suppressed, counts.pending) == (12, 0, 12)
    assert "12 pending" in str(counts.summary)


@pytest.mark.parametrize("numbers", [range(5, 60, 10), range(0, 60, 3), range(20, 29)])
def test_scattered_hard_bounces_and_few_suppress_at_once(
    publication: Publication, context: AppContext, numbers: range
) -> None:
    send_issue(context)
    drop(publication, *(report(publication, number) for number in numbers))
    process.collect(context)
    assert suppressed(context) == {reader(number) for number in numbers}
    assert not waiting(context)


def test_complaints_are_never_kept_back(publication: Publication, context: AppContext) -> None:
    send_issue(context)
    reports = [
        sample_reports.complaint("loop@provider.example", envelope(publication, reader(number)))
        for number in range(12)
    ]
    drop(publication, *reports)
    counts = process.collect(context)
    assert counts.complaint == 12
    assert len(suppressed(context)) == 12
    assert not waiting(context)


def test_reports_of_a_confirmed_wave_that_come_late_keep_nothing_back_again(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    drop(publication, *(report(publication, number) for number in range(12)))
    process.collect(context)
    assert wave_suppressions.confirm_pending(context) == 12
    drop(publication, report(publication, 12))
    process.collect(context)
    assert len(suppressed(context)) == 12
    assert waiting(context) == {reader(12)}
    assert wave_suppressions.drop_pending(context) == 1
    assert wave_suppressions.undo_of_issue(context, ISSUE) == 12
    assert not suppressed(context)


def test_what_waits_is_shown_where_people_decide_and_alarms_once(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    drop(publication, *(report(publication, number) for number in range(12)))
    process.collect(context)
    sentence = "12 Sperren warten auf Ihre Entscheidung"
    assert sentence in delivery_report(context, IssueId.parse(ISSUE))
    publication.write_essay("Zwei")
    second = render_revision(context, compose_issue(context, IssueId.parse("2026-11-26-2")))
    assert sentence in approval_page(context, second, until=context.clock())
    assert sentence in publication.run("issue", "status", ISSUE).err
    shown = publication.run("doctor", "suppressions", "--offline").out
    assert "12 Sperren aus einer Welle" in shown
    events = [event.name for event in (*new_events(context), *new_events(context))]
    assert events.count("upcycle-news.suppressions.pending") == 1
    stats = publication.run("subscribers", "stats", "--json").json
    assert stats["pending_suppressions"] == 12


def test_the_commands_list_confirm_drop_and_undo(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    drop(publication, *(report(publication, number) for number in range(12)))
    publication.run("bounces", "collect")
    rows = publication.run("subscribers", "suppressions", "--pending", "--json").lines
    assert {row["key"] for row in rows} == set(map(reader, range(12)))
    assert publication.run("subscribers", "suppressions", "--json").out == ""
    table = publication.run("subscribers", "suppressions", "--pending", "--issue", ISSUE).out
    assert len(table.splitlines()) == 13
    publication.run("subscribers", "unsuppress", reader(0))
    result = publication.run("subscribers", "suppress", "--pending", "--issue", ISSUE)
    assert "11 gesperrt" in result.out
    again = publication.run("subscribers", "suppress", "--pending", code=1)
    assert "wartet hier keine Sperre" in again.err
    result = publication.run("subscribers", "unsuppress", "--issue", ISSUE)
    assert "11 nicht mehr gesperrt" in result.out
    again = publication.run("subscribers", "unsuppress", "--issue", ISSUE, code=1)
    assert "hat niemanden gesperrt" in again.err
    for wrong in (
        ("unsuppress",),
        ("unsuppress", reader(0), "--issue", ISSUE),
        ("suppress", reader(0), "--pending"),
        ("suppress", reader(0), "--issue", ISSUE),
        ("suppressions", "--issue", ISSUE),
    ):
        publication.run("subscribers", *wrong, code=2)


def test_a_wave_of_reports_stops_an_issue_that_is_still_being_sent(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    later = [f"spaeter{number}@neu{number}.example" for number in range(5)]
    add_confirmed_subscribers(context, *later)
    publication.write_essay("Zwei")
    send_issue(context, "2026-11-26-2")
    publication.write_essay("Drei")
    third, rendered = approve_issue(context, "2026-11-26-3")
    enqueue(context, rendered)
    for number in range(12):
        drop(publication, report(publication, number))
    process.collect(context)
    row = issues.get(context.store, third)
    assert row is not None
    assert row.state is IssueState.SENDING  # the wave is the second issue's, which has ended
    assert len(waiting(context)) == 12


def test_a_wave_of_reports_about_a_running_issue_stops_it_until_a_person_goes_on(
    publication: Publication, context: AppContext
) -> None:
    send_issue(context)
    issue = IssueId.parse(ISSUE)
    with context.store.writing() as connection:
        connection.exec_driver_sql("UPDATE issues SET state = 'sending', closed_at = NULL")
        connection.exec_driver_sql("UPDATE deliveries SET state = 'queued' WHERE id > 50")
    drop(publication, *(report(publication, number) for number in range(12)))
    process.collect(context)
    row = issues.get(context.store, issue)
    assert row is not None
    assert row.state is IssueState.STOPPED
    assert "kommen als unzustellbar zurück" in row.stop_reason
    issue_control.resume(context, issue, past_guard=True)
    drop(publication, report(publication, 12))
    process.collect(context)
    row = issues.get(context.store, issue)
    assert row is not None
    assert row.state is IssueState.SENDING
    assert not suppressed(context)
