"""A month with a digest by the real commands, over SMTP; and the runs of Prefect that make it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from upcycle_news.errors import UpcycleError
from upcycle_news.models import IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.plan import plan_issues
from upcycle_news.services.issues.review import review_issue
from upcycle_news.services.runs import admission, steps
from upcycle_news.services.runs.results import publish_result

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, relay_variables, today
from ..delivery.failing_relay import FailingRelay
from .digest_readers import add_reader, go_to, offer_digest, send_one

DIGEST = IssueId.parse("2026-12-01-d1")


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def test_a_month_by_command(publication: Publication, clock: Clock, relay: FailingRelay) -> None:
    # Commands have the time of this machine: the month is the last one.
    month = date.fromisoformat(today()).replace(day=1)
    begin = (month - timedelta(days=1)).replace(day=1)
    offer_digest(publication)
    go_to(clock, begin)
    for name in ("anna", "bert"):
        add_reader(publication, name)
    add_reader(publication, "carla", Rhythm.EVERY_ISSUE)
    there = relay_variables(relay.port)
    assert "Kein Digest ist fällig" in publication.run("issue", "digest", code=3, **there).err
    for number, title in ((3, "Bahnhof"), (17, "Schule")):
        issue = str(begin.replace(day=number))
        publication.write_essay(title, date=issue)
        shown = publication.run("issue", "preview", issue, "--no-open", "--no-collect", **there)
        assert f"2 Leserinnen und Leser bekommen diese Ausgabe im Digest vom {month}" in shown.out
        publication.run("issue", "approve", issue, **there)
        publication.run("issue", "send", issue, **there)
        status = publication.run("issue", "status", issue, "--json", **there).json
        assert (status["audience"], status["sent"], status["closed"]) == (1, 1, True)
        assert (status["left_for_digest"], status["digest_day"]) == (2, str(month))
    digest = f"{month}-d1"
    assert digest in publication.run("issue", "plan", **there).err
    shown = publication.run("issue", "digest", "--no-open", **there)
    assert f"enthält  {begin.replace(day=3)}"[:7] in shown.out
    assert f"upcycle-news issue approve {digest}" in shown.err
    assert "Das ist ein Digest" in publication.run("issue", "show", digest, **there).out
    assert "nicht freigegeben" in publication.run("issue", "send", digest, code=1, **there).err
    publication.run("issue", "approve", digest, **there)
    assert publication.run("issue", "diff", digest, **there).code == 0
    publication.run("issue", "explain", digest, **there)
    publication.run("issue", "send", digest, **there)
    status = publication.run("issue", "status", digest, "--json", **there).json
    assert (status["audience"], status["sent"], status["closed"]) == (2, 2, True)
    assert dict(relay.accepted) == {
        "anna@example.org": 1,
        "bert@example.org": 1,
        "carla@example.org": 2,
    }
    publication.run("issue", "resend", digest, **there)
    assert sum(relay.accepted.values()) == 4
    assert "Kein Digest ist fällig" in publication.run("issue", "digest", code=3, **there).err
    assert (
        "wird nicht korrigiert" in publication.run("issue", "correct", digest, code=1, **there).err
    )
    assert "keine eigene Datei" in publication.run("issue", "new", digest, code=1, **there).err


def sent_in_november(publication: Publication, clock: Clock) -> None:
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    go_to(clock, "2026-11-26")
    publication.write_essay("Bahnhof", date="2026-11-26")
    send_one(publication.context(), IssueId.parse("2026-11-26"))


def test_a_run_makes_the_digest_on_its_day_and_ends_quietly_on_others(
    publication: Publication, clock: Clock
) -> None:
    sent_in_november(publication, clock)
    context = publication.context()

    def admit(at: datetime, wanted: str = "digest") -> admission.RunAdmission:
        return admission.admit_run(
            context, wanted, planned_at=at, run=f"run {at}", max_lateness_hours=12
        )

    go_to(clock, "2026-11-30")
    quiet = admit(clock.now)
    assert quiet.ended is not None
    assert (quiet.ended.kind, quiet.ended.name) == ("completed", "NothingDue")
    assert "2026-12-01" in quiet.ended.message
    go_to(clock, "2026-12-01")
    assert admission.name_of_issue(context, "digest", clock.now) == str(DIGEST)
    due, run = admit(clock.now), f"run {clock.now}"
    assert (due.issue, due.ended) == (str(DIGEST), None)
    # An issue may be made at the same time.
    assert admit(clock.now, "next").issue == "2026-12-01"
    with pytest.raises(UpcycleError, match="name none"):
        steps.compose(context, DIGEST, EssayFilter(essays=["bahnhof"]), run=run)
    composed = steps.compose(context, DIGEST, EssayFilter(), run=run)
    assert (
        steps.render(context, DIGEST, composed.revision_id).subject == "Umbaupost im November 2026"
    )
    form = approval.request_approval(context, DIGEST, composed.revision_id, run=run)
    assert "Das ist ein Digest: Er enthält 2026-11-26" in form.markdown
    assert form.values["subject"] == "Umbaupost im November 2026"
    first = clock.now
    go_to(clock, "2026-12-02")
    other = admit(clock.now)
    assert other.ended is not None
    assert other.ended.name == "InOtherHands"
    answer = {"decision": "send", "name": "Anna", **form.values}
    outcome = approval.apply_decision(context, DIGEST, composed.revision_id, form.request, answer)
    assert outcome.approved
    assert admit(first).issue == str(DIGEST)  # the run that resumes
    assert steps.enqueue_once(context, DIGEST, composed.revision_id, run=run) == 1
    send.deliver_issue(context, DIGEST)
    assert publication.recipients() == ["anna@example.org"]
    again = admit(first)
    assert again.ended is not None
    assert again.ended.name == "AlreadySent"
    november = publish_result(issue_status(context, IssueId.parse("2026-11-26")), language="de")
    assert "1 Person bekommt sie im Digest vom 2026-12-01" in november.message


def test_a_rejected_digest_is_not_asked_about_every_day(
    publication: Publication, clock: Clock
) -> None:
    sent_in_november(publication, clock)
    context = publication.context()
    go_to(clock, "2026-12-01")
    composed = steps.compose(context, DIGEST, EssayFilter(), run="run")
    approval.reject(context, DIGEST, composed.revision_id, by="Anna")
    ended = admission.admit_run(
        context, "digest", planned_at=clock.now, run="run", max_lateness_hours=12
    ).ended
    assert ended is not None
    assert ended.name == "NothingDue"
    assert "abgelehnt" in ended.message
    assert "abgelehnt" not in review_issue(context, DIGEST).changed
    publication.write_essay("Schule", date="2026-11-27")
    send_one(context, IssueId.parse("2026-11-27"))
    asked = admission.admit_run(
        context, "digest", planned_at=clock.now, run="run", max_lateness_hours=12
    )
    assert (asked.issue, asked.ended) == (str(DIGEST), None)


def test_the_plan_names_the_days_of_digests_and_no_others(
    publication: Publication, clock: Clock
) -> None:
    sent_in_november(publication, clock)
    context = publication.context()
    go_to(clock, "2026-11-27")
    planned = plan_issues(context, 4)
    assert [one.issue.day.isoformat() for one in planned.issues] == [
        "2026-12-03",
        "2026-12-10",
        "2026-12-17",
        "2026-12-24",
    ]
    first, second = planned.as_dict()["digests"]
    assert first == {
        "day": "2026-12-01",
        "from": "2026-11-01",
        "at": "2026-12-01T08:00+01:00",
        "deployment": "publish-issue/digest",
        "readers": 1,
    }
    assert (second["day"], second["at"], second["readers"]) == (
        "2027-01-01",
        "2027-01-01T08:00+01:00",
        None,
    )
    assert not any("2026-12-01-d1" in note for note in planned.notes)
    go_to(clock, "2026-12-01")
    planned = plan_issues(context, 4)
    assert any("2026-12-01-d1" in note for note in planned.notes)
    december = planned.as_dict()["digests"][0]  # nothing of this period is in the store yet
    assert (december["day"], december["readers"]) == ("2027-01-01", 1)


def test_without_a_digest_a_run_ends_and_the_plan_says_nothing(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    context = publication.context()
    ended = admission.admit_run(
        context, "digest", planned_at=clock.now, run="run", max_lateness_hours=12
    ).ended
    assert ended is not None
    assert (ended.kind, ended.name) == ("completed", "NothingDue")
    assert "digests" not in plan_issues(context, 4).as_dict()
