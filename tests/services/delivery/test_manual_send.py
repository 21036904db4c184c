"""When an issue may be queued by hand: approved before, approved now, or begun already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew, SendHoldError
from upcycle_news.models import IssueId, IssueState
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.deliver_run import run_delivery
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.services.issues import approval, compose
from upcycle_news.storage import approvals, issues, send_hold
from upcycle_news.storage.revisions import Revision

from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    approve_issue,
    parse_mail,
    send_issue,
)

ISSUE = IssueId.parse("2026-11-26")
ALWAYS = Approver("Anna", always=True)


@pytest.fixture
def context(publication: Publication) -> AppContext:
    publication.write_essay()
    publication.add_many_subscribers(2)
    return publication.context()


def state(context: AppContext) -> IssueState | None:
    row = issues.get(context.store, ISSUE)
    return row.state if row else None


def test_an_issue_that_nobody_approved_is_refused_with_the_way_to_approve_it(
    context: AppContext,
) -> None:
    with pytest.raises(IssueError, match=r"not approved.*issue approve.*--yes"):
        queue_issue(context, ISSUE)
    assert state(context) is IssueState.OPEN


def test_an_approved_issue_is_queued_as_it_was_approved(
    publication: Publication, context: AppContext
) -> None:
    _, approved = approve_issue(context)
    queued = queue_issue(context, ISSUE)
    assert queued.rendered is not None
    assert queued.rendered.revision_id == approved.revision_id
    assert state(context) is IssueState.SENDING


def test_an_approved_issue_that_was_changed_since_is_refused(
    publication: Publication, context: AppContext
) -> None:
    approve_issue(context)
    slug = publication.write_essay(text="Ein anderer Text.\n")
    with pytest.raises(IssueError, match=f"has changed since it was approved .*essay {slug}"):
        queue_issue(context, ISSUE)
    assert state(context) is IssueState.APPROVED


def test_the_approver_is_asked_with_the_audience_and_kept_with_the_decision(
    context: AppContext,
) -> None:
    asked: list[tuple[str, int]] = []

    def ask(revision: Revision, audience: int) -> bool:
        asked.append((revision.revision_id, audience))
        return True

    queue_issue(context, ISSUE, approver=Approver("Anna", asks=ask))
    [(revision_id, audience)] = asked
    assert audience == 2
    decision = approvals.last_decision(context.store, ISSUE, revision_id)
    assert decision is not None
    assert (decision.approved, decision.by) == (True, "Anna")


def test_an_approver_who_declines_leaves_the_issue_open(context: AppContext) -> None:
    with pytest.raises(IssueError, match="was not approved: nothing is sent"):
        queue_issue(context, ISSUE, approver=Approver("Anna", asks=lambda *_: False))
    assert state(context) is IssueState.OPEN


def test_who_always_approves_sends_the_present_content_not_the_approved_one(
    publication: Publication, context: AppContext
) -> None:
    _, approved = approve_issue(context)
    publication.write_essay(text="Ein anderer Text.\n")
    queued = queue_issue(context, ISSUE, approver=ALWAYS)
    assert queued.rendered is not None
    assert queued.rendered.revision_id != approved.revision_id
    assert "Ein anderer Text" in queued.rendered.content.text


def test_an_issue_with_errors_is_not_approved(
    publication: Publication, context: AppContext
) -> None:
    publication.change_setting(
        'lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]', "lines = []"
    )
    changed = publication.context()
    with pytest.raises(IssueError, match="imprint"):
        queue_issue(changed, ISSUE, approver=ALWAYS)
    assert state(changed) is IssueState.OPEN


def test_a_paused_issue_goes_on_and_a_cancelled_one_does_not(context: AppContext) -> None:
    queue_issue(context, ISSUE, approver=ALWAYS)
    issue_control.pause(context, ISSUE, by="Anna")
    assert queue_issue(context, ISSUE).rendered is None
    assert state(context) is IssueState.SENDING
    issue_control.cancel(context, ISSUE, by="Anna")
    queue_issue(context, ISSUE)
    assert state(context) is IssueState.CANCELLED
    with pytest.raises(IssueError, match="was cancelled"):
        run_delivery(context, ISSUE)


def test_during_a_send_hold_nothing_is_approved(context: AppContext) -> None:
    with context.store.writing() as connection:
        now = context.clock()
        kind = send_hold.HoldKind.RESTORED
        send_hold.start(connection, kind, as_of=now, location="x", now=now)
    with pytest.raises(SendHoldError):
        queue_issue(context, ISSUE, approver=ALWAYS)
    assert state(context) is None


def test_nothing_new_is_composed_after_the_issue_was_sent(context: AppContext) -> None:
    send_issue(context)
    with pytest.raises(NothingNew):
        queue_issue(context, IssueId.parse("2026-11-26-2"), approver=ALWAYS)


def test_an_issue_that_another_process_queues_meanwhile_is_sent_together(
    publication: Publication, context: AppContext
) -> None:
    """The other one has other content: what it queued is sent, not what was asked about here."""
    other = publication.context()

    def ask(revision: Revision, audience: int) -> bool:
        publication.write_essay("Ein Nachtrag", date="2026-11-25")
        queue_issue(other, ISSUE, approver=ALWAYS)
        return True

    queued = queue_issue(context, ISSUE, approver=Approver("Anna", asks=ask))
    assert queued.joined
    result = run_delivery(context, ISSUE, rendered=queued.rendered)
    assert result.status.sent == 2
    assert {parse_mail(mail)["Subject"] for mail in publication.mails()} == {"Ein Nachtrag"}


# --- what is approved by the send itself


class ArchiveCannotBeWrittenError(Exception):
    """A failure of the outer world, between the yes and the queue."""


@pytest.mark.parametrize("approver", [ALWAYS, Approver("Anna", asks=lambda *_: True)])
def test_an_approval_of_this_send_is_kept_only_with_the_queue(
    publication: Publication, approver: Approver, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.write_essay()
    context = publication.context()
    with pytest.raises(IssueError, match="nobody to send to"):
        queue_issue(context, ISSUE, approver=approver)
    assert state(context) is IssueState.OPEN
    publication.add_many_subscribers(2)

    def fails(*_: object, **__: object) -> None:
        raise ArchiveCannotBeWrittenError

    with monkeypatch.context() as patched:
        patched.setattr("upcycle_news.services.delivery.send.issues.enqueue", fails)
        with pytest.raises(ArchiveCannotBeWrittenError):
            queue_issue(context, ISSUE, approver=approver)
    assert state(context) is IssueState.OPEN
    with pytest.raises(IssueError, match="is not approved"):
        queue_issue(context, ISSUE)
    queue_issue(context, ISSUE, approver=approver)
    assert state(context) is IssueState.SENDING


def test_the_approval_of_a_person_stays_when_the_send_fails(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    approve_issue(context)
    with pytest.raises(IssueError, match="nobody to send to"):
        queue_issue(context, ISSUE, approver=ALWAYS)
    assert state(context) is IssueState.APPROVED
    publication.add_many_subscribers(2)
    queue_issue(context, ISSUE)
    assert state(context) is IssueState.SENDING


def test_who_always_approves_overrules_a_rejection_and_only_when_it_is_queued(
    publication: Publication,
) -> None:
    publication.write_essay()
    context = publication.context()
    revision = compose.compose_issue(context, ISSUE)
    approval.reject(context, ISSUE, revision.revision_id, by="Berta")
    with pytest.raises(IssueError, match="nobody to send to"):
        queue_issue(context, ISSUE, approver=ALWAYS)
    decision = approvals.last_decision(context.store, ISSUE, revision.revision_id)
    assert decision is not None and not decision.approved
    publication.add_many_subscribers(1)
    queue_issue(context, ISSUE, approver=ALWAYS)
    assert state(context) is IssueState.SENDING


# --- a day to come


def test_tomorrow_in_the_publications_time_zone_is_a_day_to_come(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    tomorrow = IssueId.parse("2026-11-27")
    clock.now = datetime(2026, 11, 26, 22, 59, tzinfo=UTC)  # 23:59 in Berlin
    context = publication.context()
    with pytest.raises(IssueError, match="a day to come"):
        queue_issue(context, tomorrow, approver=ALWAYS)
    assert issues.get(context.store, tomorrow) is None
    clock.now += timedelta(minutes=1)
    queue_issue(context, tomorrow, approver=ALWAYS)


def test_an_issue_of_a_day_to_come_is_queued_on_purpose_only(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    issue, rendered = approve_issue(context, "2027-01-07")
    for refused in (
        lambda: queue_issue(context, issue),
        lambda: queue_issue(context, issue, approver=ALWAYS),
        lambda: send.enqueue(context, rendered),
    ):
        with pytest.raises(IssueError, match="a day to come"):
            refused()
    queue_issue(context, issue, ahead=True)
    assert run_delivery(context, issue).status.sent == 1
