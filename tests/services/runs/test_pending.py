"""What deliver-pending finds: issues to go on with, issues to close, and approved ones to queue."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from upcycle_news.app.context import AppContext
from upcycle_news.models import (
    DeliveryState,
    IssueId,
    IssueState,
    IssueStatus,
)
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.issues import compose
from upcycle_news.services.runs.deliver import resume_delivery
from upcycle_news.services.runs.pending import halted_issues, pending_issues, waiting_issues
from upcycle_news.storage import issues, workers
from upcycle_news.storage.issue_lifecycle import IssueEvent, advance
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.schema import deliveries

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, issue_status

ISSUE = IssueId.parse("2026-11-26")


def queued_issue(publication: Publication, readers: int = 2) -> AppContext:
    publication.write_essay()
    publication.add_many_subscribers(readers)
    context = publication.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    return context


def on_the_wire_of_a_dead_worker(context: AppContext) -> None:
    """One message is on the wire of a process that has ended since."""
    worker = workers.register_worker(
        context.store, host="elsewhere", pid=1, process_start="1", now=context.clock()
    )
    ledger = Ledger(context.store, ISSUE, worker)
    ledger.commit([], ledger.lease(1, context.clock()), context.clock())
    workers.deregister_worker(context.store, worker, now=context.clock())


def test_an_issue_whose_last_process_died_before_it_closed_it_is_closed(
    publication: Publication,
) -> None:
    context = queued_issue(publication)
    with context.store.writing() as connection:  # every verdict was recorded, and then it died
        connection.execute(update(deliveries).values(state=DeliveryState.SENT))
    assert pending_issues(context) == []
    status = issue_status(context, ISSUE)
    assert (status.state, status.counts) == (IssueState.CLOSED, {DeliveryState.SENT: 2})
    assert issues.history(context.store, ISSUE)[-1].event is IssueEvent.CLOSED


def test_a_cancelled_issue_gets_its_sums_when_its_last_worker_has_died(
    publication: Publication,
) -> None:
    context = queued_issue(publication)
    on_the_wire_of_a_dead_worker(context)
    issues.cancel(context.store, ISSUE, by="Anna", reason="", now=context.clock())
    assert issue_status(context, ISSUE).waiting == 1
    assert pending_issues(context) == []
    status = issue_status(context, ISSUE)
    assert status == IssueStatus(
        str(ISSUE),
        status.revision_id,
        2,
        {DeliveryState.UNKNOWN: 1, DeliveryState.CANCELLED: 1},
        IssueState.CANCELLED,
    )
    assert status.closed


def test_an_issue_is_pending_while_something_waits_unless_it_is_paused(
    publication: Publication,
) -> None:
    context = queued_issue(publication)
    assert pending_issues(context) == ["2026-11-26"]
    issue_control.pause(context, ISSUE, by="Anna")
    assert pending_issues(context) == []
    issue_control.resume(context, ISSUE, by="Anna")
    assert pending_issues(context) == ["2026-11-26"]
    send.deliver_issue(context, ISSUE)
    assert pending_issues(context) == []


def test_an_approved_issue_is_queued_on_its_day_and_not_once_it_was_changed(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    tomorrow, _ = approve_issue(context, "2026-11-27")
    assert pending_issues(context) == []
    clock.now += timedelta(days=1)
    publication.write_essay("Die Schule am Rand")
    compose.compose_issue(context, tomorrow)  # a preview of what is there now
    assert pending_issues(context) == []
    approve_issue(context, "2026-11-27")
    assert pending_issues(context) == ["2026-11-27"]
    queued = issues.history(context.store, tomorrow)[-1]
    assert (queued.event, queued.by) == (IssueEvent.QUEUED, "deliver-pending")


def test_an_approval_that_was_given_early_waits_for_its_day_and_is_not_too_old_then(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context, "2026-12-03")
    for _ in range(6):
        assert pending_issues(context, max_lateness_hours=24) == []
        assert halted_issues(context, max_lateness_hours=24) == ()
        clock.now += timedelta(days=1)
    clock.now += timedelta(hours=17)  # the day has begun in Berlin
    assert pending_issues(context, max_lateness_hours=24) == ["2026-12-03"]


def test_an_approval_of_a_day_that_is_over_is_left_to_people(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context, "2026-12-03")
    clock.now += timedelta(days=9)
    assert pending_issues(context, max_lateness_hours=24) == []
    [halted] = halted_issues(context, max_lateness_hours=24)
    assert halted.issue == "2026-12-03"


def test_the_send_window_and_an_issue_of_a_day_to_come_are_told_with_their_times(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    closed = publication.context(WINDOW__START="08:00", WINDOW__END="18:00")
    resumed = resume_delivery(closed, ISSUE)
    assert "das Sendefenster öffnet um 08:00 Uhr" in resumed.goes_on
    assert resumed.status.waiting == 2
    later = IssueId.parse("2026-12-03")
    publication.write_essay("Später")
    revision = compose.compose_issue(context, later)
    with context.store.writing() as connection:
        advance(
            connection,
            str(later),
            IssueEvent.APPROVED,
            by="Anna",
            now=clock.now,
            revision_id=revision.revision_id,
        )
    [waits] = waiting_issues(context)
    assert "wartet auf ihren Tag, den 03.12.2026" in waits.in_language("de")
