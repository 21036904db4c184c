"""Double, late and retried runs of publish-issue make one issue."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.runs import steps
from upcycle_news.services.runs.admission import RunAdmission, admit_run
from upcycle_news.services.runs.deliver import deliver_with_progress
from upcycle_news.storage import revisions

from ...delivery.memory_ledger import Clock
from ...publications import Publication

PLANNED = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)  # Thursday, 07:30 in Berlin


def admit(
    context: AppContext, run: str, at: datetime = PLANNED, wanted: str = "next"
) -> RunAdmission:
    return admit_run(context, wanted, planned_at=at, run=run, max_lateness_hours=12)


def end_of(admission: RunAdmission) -> tuple[str, str]:
    assert admission.ended is not None
    return admission.ended.kind, admission.ended.name


def send(context: AppContext, run: str, issue: str) -> str:
    """Send an issue; returns the name of the state in which the run ends."""
    chosen = IssueId.parse(issue)
    composed = steps.compose(context, chosen, EssayFilter(), run=run)
    if composed.ended is not None:
        return composed.ended.name
    revision = composed.revision_id
    approval.approve_if_undecided(context, chosen, revision, by="flow")
    steps.enqueue_once(context, chosen, revision, run=run)
    deliver_with_progress(context, chosen)
    return "sent"


def test_two_runs_for_one_scheduled_time_make_one_issue(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    first = admit(context, "one")
    assert (first.issue, first.ended) == ("2026-11-26", None)
    assert end_of(admit(context, "two")) == ("completed", "InOtherHands")
    assert admit(context, "one").ended is None  # a retry of the same run
    send(context, "one", first.issue)
    assert end_of(admit(context, "two")) == ("completed", "AlreadySent")
    assert len(publication.mails()) == 2


@pytest.mark.parametrize(
    "minutes_late", [(0, 0), (1, 2, 3, 4, 5)], ids=["two in one second", "five after an outage"]
)
def test_runs_that_start_at_the_same_moment_make_one_issue(
    publication: Publication, minutes_late: tuple[int, ...], clock: Clock
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    clock.now = PLANNED + timedelta(minutes=1)
    contexts = [publication.context() for _ in minutes_late]
    barrier = threading.Barrier(len(contexts))

    def run(number: int) -> str:
        at = PLANNED - timedelta(minutes=minutes_late[number])
        barrier.wait(30)
        admission = admit(contexts[number], f"run {number}", at=at)
        if admission.ended is not None:
            return admission.ended.name
        return send(contexts[number], f"run {number}", admission.issue)

    with ThreadPoolExecutor(len(contexts)) as executor:
        names = list(executor.map(run, range(len(contexts))))
    assert names.count("sent") == 1, names
    # A thread that comes when the others are through finds nothing for another issue.
    assert set(names) <= {"sent", "InOtherHands", "AlreadySent", "NothingNew"}
    assert publication.recipients() == readers


def test_the_lock_of_a_dead_run_expires(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    assert admit(publication.context(), "one").ended is None
    clock.now += timedelta(minutes=16)
    assert admit(publication.context(), "two").ended is None


def test_a_manual_run_beside_a_scheduled_one_is_about_the_same_issue(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    context = publication.context()
    assert admit(context, "planned").ended is None
    admission = admit(context, "by hand", at=clock.now + timedelta(seconds=3))
    assert (admission.issue, end_of(admission)[1]) == ("2026-11-26", "InOtherHands")


def test_a_run_four_days_late_sends_nothing_and_alerts_once(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    clock.now = PLANNED + timedelta(days=4)
    context = publication.context()
    admission = admit(context, "late")
    assert admission.issue == "2026-11-26"
    assert end_of(admission) == ("cancelled", "CameTooLate")
    assert admission.ended is not None
    assert "Donnerstag, 26. November, 07:30 Uhr" in admission.ended.message
    assert "issue send" in admission.ended.message
    [event] = alerts.new_events(context)
    assert event.name == "upcycle-news.issue.late"
    assert alerts.new_events(context) == []


def test_five_late_runs_after_an_outage_send_nothing_but_todays_issue(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    late = [admit(context, f"run {n}", at=PLANNED - timedelta(weeks=n)) for n in range(1, 5)]
    assert {end_of(admission) for admission in late} == {("cancelled", "CameTooLate")}
    assert admit(context, "today").ended is None


def test_a_slow_approval_is_not_late(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    assert admit(publication.context(), "one").ended is None
    clock.now += timedelta(days=2)
    assert admit(publication.context(), "one").ended is None


def test_several_senders_on_sqlite_are_refused(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    issue = IssueId.parse(admit(context, "one").issue)
    revision = steps.compose(context, issue, EssayFilter(), run="one").revision_id
    approval.approve_if_undecided(context, issue, revision, by="flow")
    with pytest.raises(Exception, match="move the store to Postgres"):
        steps.enqueue_once(context, issue, revision, run="one", senders=2)


def test_essays_are_selected_by_topic_and_excluded_by_slug(publication: Publication) -> None:
    expected = publication.write_essay("Bestand", topics="[bestand]")
    publication.write_essay("Verkehr", topics="[verkehr]")
    context = publication.context()
    by_topic = EssayFilter(topics=["bestand"])
    issue = IssueId.parse("2026-11-26")
    steps.compose(context, issue, by_topic, run="one")
    revision = revisions.load_revision(context.store, issue)
    assert revision is not None
    assert [essay.slug for essay in revision.manifest.issue.essays] == [expected]
    excluding_all = EssayFilter(topics=["bestand"], leave_out=[expected])
    result = steps.compose(context, issue, excluding_all, run="two").ended
    assert result is not None
    assert result.name == "NothingNew"
