"""Two runs, late runs, retried runs: one issue."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.services import pipeline
from upcycle_news.services.issues.compose import EssayFilter
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.pipeline import Begun

from ..delivery.memory_ledger import Clock
from ..publications import Publication

PLANNED = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)  # Thursday, 07:30 in Berlin


def begun(context: AppContext, run: str, at: datetime = PLANNED, wanted: str = "next") -> Begun:
    return pipeline.begin(context, wanted, planned_at=at, run=run, max_lateness_hours=12)


def ended(found: Begun) -> tuple[str, str]:
    assert found.ended is not None
    return found.ended.kind, found.ended.name


def sent(context: AppContext, run: str, issue: str) -> None:
    revision = pipeline.compose(context, issue, EssayFilter(), run=run).revision
    pipeline.approve(context, issue, revision)
    pipeline.enqueue(context, issue, revision, run=run)
    pipeline.deliver(context, issue)


def test_two_runs_for_one_time_make_one_issue(publication: Publication) -> None:
    publication.essay()
    publication.crowd(2)
    context = publication.context()
    first = begun(context, "one")
    assert (first.issue, first.ended) == ("2026-11-26", None)
    assert ended(begun(context, "two")) == ("completed", "InOtherHands")
    assert begun(context, "one").ended is None  # a retry of the same run
    sent(context, "one", first.issue)
    assert ended(begun(context, "two")) == ("completed", "AlreadySent")
    assert len(publication.mails()) == 2


@pytest.mark.parametrize(
    "minutes_late", [(0, 0), (1, 2, 3, 4, 5)], ids=["two in one second", "five after an outage"]
)
def test_runs_that_start_at_the_same_moment_make_one_issue(
    publication: Publication, minutes_late: tuple[int, ...], clock: Clock
) -> None:
    publication.essay()
    readers = publication.crowd(3)
    clock.now = PLANNED + timedelta(minutes=1)
    rooms = [publication.context() for _ in minutes_late]
    together = threading.Barrier(len(rooms))

    def run(number: int) -> str:
        at = PLANNED - timedelta(minutes=minutes_late[number])
        together.wait(30)
        found = begun(rooms[number], f"run {number}", at=at)
        if found.ended is None:
            sent(rooms[number], f"run {number}", found.issue)
        return found.ended.name if found.ended else "sent"

    with ThreadPoolExecutor(len(rooms)) as crew:
        names = list(crew.map(run, range(len(rooms))))
    assert names.count("sent") == 1, names
    assert set(names) <= {"sent", "InOtherHands", "AlreadySent"}
    assert publication.recipients() == readers


def test_a_run_that_died_leaves_the_issue_to_others_after_a_while(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    assert begun(publication.context(), "one").ended is None
    clock.now += timedelta(minutes=16)
    assert begun(publication.context(), "two").ended is None


def test_a_run_by_hand_beside_a_planned_one_means_the_same_issue(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    context = publication.context()
    assert begun(context, "planned").ended is None
    found = begun(context, "by hand", at=clock.now + timedelta(seconds=3))
    assert (found.issue, ended(found)[1]) == ("2026-11-26", "InOtherHands")


def test_fridays_issue_is_not_mailed_on_monday(publication: Publication, clock: Clock) -> None:
    publication.essay()
    publication.crowd(1)
    clock.now = PLANNED + timedelta(days=4)
    context = publication.context()
    found = begun(context, "late")
    assert found.issue == "2026-11-26"
    assert ended(found) == ("cancelled", "Late")
    assert found.ended is not None
    assert "Thursday, 26 November, 07:30" in found.ended.message
    assert "issue send" in found.ended.message
    [event] = alerts.news(context)
    assert event.name == "upcycle-news.issue.late"
    assert alerts.news(context) == []


def test_five_late_runs_after_an_outage_send_nothing_but_todays_issue(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    late = [begun(context, f"run {n}", at=PLANNED - timedelta(weeks=n)) for n in range(1, 5)]
    assert {ended(one) for one in late} == {("cancelled", "Late")}
    assert begun(context, "today").ended is None


def test_a_slow_approval_is_not_late(publication: Publication, clock: Clock) -> None:
    publication.essay()
    assert begun(publication.context(), "one").ended is None
    clock.now += timedelta(days=2)
    assert begun(publication.context(), "one").ended is None


def test_several_senders_on_sqlite_are_refused_with_the_cure(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    issue = begun(context, "one").issue
    revision = pipeline.compose(context, issue, EssayFilter(), run="one").revision
    pipeline.approve(context, issue, revision)
    with pytest.raises(Exception, match="move the store to Postgres"):
        pipeline.enqueue(context, issue, revision, run="one", senders=2)


def test_essays_are_chosen_by_topic_and_left_out_by_name(publication: Publication) -> None:
    wanted = publication.essay("Bestand", topics="[bestand]")
    publication.essay("Verkehr", topics="[verkehr]")
    context = publication.context()
    choice = EssayFilter(topics=["bestand"])
    pipeline.compose(context, "2026-11-26", choice, run="one")
    assert context.store
    from upcycle_news.models import IssueId
    from upcycle_news.storage import revisions

    found = revisions.revision(context.store, IssueId.parse("2026-11-26"))
    assert found is not None
    assert [essay.slug for essay in found.manifest.issue.essays] == [wanted]
    nothing = EssayFilter(topics=["bestand"], leave_out=[wanted])
    told = pipeline.compose(context, "2026-11-26", nothing, run="two").ended
    assert told is not None
    assert told.name == "NothingNew"
