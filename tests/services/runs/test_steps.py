"""What a run of publish-issue approves itself, and an issue of a day to come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from upcycle_news.api.runs import EssayFilter, Runs
from upcycle_news.errors import IssueError
from upcycle_news.models import IssueId, IssueState
from upcycle_news.services.delivery import issue_control
from upcycle_news.services.issues import approval
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import approvals, issues
from upcycle_news.storage.issue_lifecycle import IssueEvent

from ...delivery.memory_ledger import Clock
from ...publications import Publication

ISSUE, COMING = IssueId.parse("2026-11-26"), IssueId.parse("2026-12-03")


@pytest.fixture
def runs(publication: Publication) -> Runs:
    publication.write_essay()
    return Runs(publication.context())


def composed(runs: Runs, issue: IssueId = ISSUE, run: str = "r1") -> str:
    return runs.compose(str(issue), EssayFilter(), run=run).revision_id


def events(publication: Publication, issue: IssueId) -> list[IssueEvent]:
    return [event.event for event in issues.history(publication.context().store, issue)]


def test_a_run_with_approve_that_cannot_queue_leaves_no_approval(
    publication: Publication, runs: Runs
) -> None:
    revision = composed(runs)
    assert runs.ask("2026-11-26", revision, run="r1", approve=True).approved
    with pytest.raises(IssueError, match="nobody to send to"):
        runs.enqueue("2026-11-26", revision, run="r1", approve=True)
    publication.add_many_subscribers(2)
    assert pending_issues(publication.context()) == []
    with pytest.raises(IssueError, match="is not approved"):
        runs.enqueue("2026-11-26", revision, run="r1")
    assert IssueEvent.APPROVED not in events(publication, ISSUE)
    assert runs.enqueue("2026-11-26", revision, run="r1", approve=True) == 2
    decision = approvals.last_decision(publication.context().store, ISSUE, revision)
    assert decision is not None
    assert (decision.approved, decision.by) == (True, "flow")


def test_a_run_with_approve_does_not_send_what_a_person_rejected(
    publication: Publication, runs: Runs
) -> None:
    publication.add_many_subscribers(2)
    revision = composed(runs)
    assert runs.ask("2026-11-26", revision, run="r1", approve=True).approved
    approval.reject(publication.context(), ISSUE, revision, by="Berta")
    with pytest.raises(IssueError, match="was rejected meanwhile"):
        runs.enqueue("2026-11-26", revision, run="r1", approve=True)
    ended = runs.ask("2026-11-26", revision, run="r2", approve=True).ended
    assert ended is not None and ended.name == "Rejected"


def test_a_run_with_approve_ends_before_an_issue_of_a_day_to_come(
    publication: Publication, runs: Runs
) -> None:
    publication.add_many_subscribers(2)
    revision = composed(runs, COMING)
    ended = runs.ask(str(COMING), revision, run="r1", approve=True).ended
    assert ended is not None
    assert (ended.kind, ended.name) == ("cancelled", "TooEarly")
    assert "dieser Tag kommt erst" in ended.message
    with pytest.raises(IssueError, match="a day to come"):
        runs.enqueue(str(COMING), revision, run="r1", approve=True)
    with pytest.raises(IssueError, match="a day to come"):
        runs.approve(str(COMING), revision)
    assert IssueEvent.APPROVED not in events(publication, COMING)


def test_what_an_editor_approves_early_in_the_form_is_sent_on_its_day(
    publication: Publication, runs: Runs, clock: Clock
) -> None:
    publication.add_many_subscribers(2)
    revision = composed(runs, COMING)
    form = runs.ask(str(COMING), revision, run="r1")
    answer = {"decision": "send", "name": "Anna"}
    outcome = runs.apply_answer(str(COMING), revision, form.request, answer)
    assert outcome.ended is not None
    assert (outcome.ended.kind, outcome.ended.name) == ("completed", "WaitsForItsDay")
    again = runs.ask(str(COMING), revision, run="r2").ended
    assert again is not None and again.name == "WaitsForItsDay"
    assert runs.pending(max_lateness_hours=24) == []
    clock.now += timedelta(days=7)
    assert runs.pending(max_lateness_hours=24) == [str(COMING)]
    assert runs.resume_delivery(str(COMING)).status.sent == 2


def test_a_run_takes_an_issue_back_only_from_the_mailbox(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    runs = Runs(context)
    revision = composed(runs)
    runs.enqueue("2026-11-26", revision, run="r1", approve=True)
    assert composed(runs, run="r2") == revision
    row = issues.get(context.store, ISSUE)
    assert row is not None and row.state is IssueState.SENDING
    assert not issue_control.take_back_if_unsent(context, ISSUE)
