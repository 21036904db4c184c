"""An issue in the embedded mailbox: no reader has it, and once a relay is set everybody gets it, once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.models import ClaimStatus, DeliveryState, IssueId, IssueState
from upcycle_news.services.archive.sent_issues import sent_issues
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.deliver_run import run_delivery
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.services.issues import approval, compose, ids
from upcycle_news.services.issues.mailbox import is_unsent, mailbox_text
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.runs import admission
from upcycle_news.services.runs.pending import halted_issues, pending_issues
from upcycle_news.services.runs.results import publish_result
from upcycle_news.storage import issues, revisions, send_hold, workers
from upcycle_news.storage.issue_lifecycle import IssueEvent
from upcycle_news.storage.ledger import Ledger

from ...delivery.memory_ledger import Clock
from ...processes import free_port
from ...publications import (
    Publication,
    add_confirmed_subscribers,
    approve_issue,
    issue_status,
    parse_mail,
    relay_variables,
    send_issue,
)
from ...transports.bad_relays import MisbehavingRelay
from ...waiting import wait_until
from .failing_relay import FailingRelay

ISSUE = IssueId.parse("2026-11-26")
ALWAYS = Approver("Anna", always=True)


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def in_mailbox(publication: Publication, readers: int = 5) -> AppContext:
    """Send an issue while no relay is set; returns the context that did it."""
    publication.write_essay()
    publication.add_many_subscribers(readers)
    context = publication.context()
    assert send_issue(context).closed
    return context


def with_relay(publication: Publication, relay: FailingRelay, **more: str) -> AppContext:
    return publication.context(**relay_variables(relay.port), **more)


def send_by_hand(context: AppContext, approver: Approver = ALWAYS) -> dict[str, object]:
    queued = queue_issue(context, ISSUE, approver=approver)
    return dict(run_delivery(context, ISSUE, rendered=queued.rendered).status.as_dict())


def events(context: AppContext) -> list[IssueEvent]:
    return [event.event for event in issues.history(context.store, ISSUE)]


# --- what is said


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "im eingebauten Postfach auf diesem Rechner; keine Leserin und kein Leser hat sie"),
        ("en", "the embedded mailbox on this machine; no reader has it"),
    ],
)
def test_status_report_and_alert_say_that_no_reader_has_it(
    publication: Publication, language: str, words: str
) -> None:
    publication.change_setting("[publication]", f'[publication]\nlanguage = "{language}"')
    context = in_mailbox(publication)
    text = mailbox_text(context, ISSUE)
    assert text is not None
    assert words in text.in_language(language)
    assert "var/mailbox/new" in text.in_language(language)
    assert words in delivery_report(context, ISSUE)
    [event] = alerts.new_events(context)
    assert words in event.message
    assert "no reader has it" in publish_result(issue_status(context, ISSUE)).message


def test_over_a_relay_nothing_speaks_of_the_mailbox(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = with_relay(publication, relay)
    status = send_issue(context)
    assert mailbox_text(context, ISSUE) is None
    assert "Postfach" not in delivery_report(context, ISSUE)
    assert publish_result(status).message == "issue 2026-11-26: sent to 2 of 2"
    [event] = alerts.new_events(context)
    assert event.message == "Ausgabe 2026-11-26: an 2 von 2 verschickt"
    # A report is about what happened, whatever is set where it is made.
    assert "Postfach" not in delivery_report(publication.context(), ISSUE)


# --- sent for real


def test_everybody_gets_it_once_those_too_who_joined_and_none_who_left(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    publication.add_subscribers("neu@example.org")
    publication.run("subscribers", "unsubscribe", "reader2@example.org")
    context = with_relay(publication, relay)
    status = send_by_hand(context)
    expected = [f"reader{number}@example.org" for number in (1, 3, 4, 5)] + ["neu@example.org"]
    assert relay.accepted == dict.fromkeys(expected, 1)
    assert (status["audience"], status["sent"], status["closed"]) == (5, 5, True)
    assert not issue_status(context, ISSUE).in_mailbox
    assert send_by_hand(context) == status
    assert sum(relay.accepted.values()) == 5
    assert len(publication.mails()) == 5


def test_it_shows_the_text_and_the_settings_of_now_and_is_approved_anew(
    publication: Publication,
) -> None:
    context = in_mailbox(publication)
    before = issue_status(context, ISSUE).revision_id
    publication.change_setting("Umbau e. V., Lange Straße 1", "Umbau e. V., Neue Straße 2")
    with MisbehavingRelay() as server:
        now = publication.context(**relay_variables(server.controller.port))
        send_by_hand(now, Approver("Berta", asks=lambda revision, audience: audience == 5))
        [body] = {
            part.get_content()
            for _, mail in server.accepted[:1]
            for part in parse_mail(mail).walk()
            if part.get_content_type() == "text/plain"
        }
    assert "Neue Straße 2" in body.replace("\N{NO-BREAK SPACE}", " ")
    assert issue_status(now, ISSUE).revision_id != before
    last = issues.history(now.store, ISSUE)[-4:]
    assert [event.event for event in last][-3:] == [
        IssueEvent.APPROVED, IssueEvent.QUEUED, IssueEvent.CLOSED,
    ]  # fmt: skip
    assert last[-2].by == "Berta"


def test_the_approval_for_the_mailbox_is_none_for_readers(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    context = with_relay(publication, relay)
    with pytest.raises(IssueError, match="is not approved"):
        queue_issue(context, ISSUE)
    assert issue_status(context, ISSUE).closed  # what cannot be sent stays as it is
    approval.approve(
        context,
        render_revision(context, _compose_again(context)),
        by="Anna",
    )
    queue_issue(context, ISSUE)
    run_delivery(context, ISSUE)
    assert sum(relay.accepted.values()) == 5


def _compose_again(context: AppContext) -> revisions.Revision:
    assert issue_control.take_back_if_unsent(context, ISSUE)
    return compose.compose_issue(context, ISSUE)


def test_what_cannot_be_sent_is_not_taken_back(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    publication.change_setting("Umbau e. V., Lange Straße 1, 12345 Musterstadt", "")
    context = with_relay(publication, relay)
    with pytest.raises(IssueError, match="imprint"):
        queue_issue(context, ISSUE, approver=ALWAYS)
    assert issue_status(context, ISSUE).in_mailbox
    assert IssueEvent.TAKEN_BACK not in events(context)


def test_until_then_it_counts_as_told_for_later_issues_and_for_itself_it_does_not(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    context = with_relay(publication, relay)
    with pytest.raises(NothingNew):
        compose.compose_manifest(context, IssueId.parse("2026-11-26-2"))
    assert issue_control.take_back_if_unsent(context, ISSUE)
    with pytest.raises(NothingNew):
        compose.compose_manifest(context, IssueId.parse("2026-11-27"))
    assert compose.compose_issue(context, ISSUE).manifest.issue.essays
    assert send_by_hand(context)["sent"] == 5
    with pytest.raises(NothingNew):
        compose.compose_manifest(context, IssueId.parse("2026-11-27"))


def test_the_default_issue_is_the_one_in_the_mailbox_once_a_relay_is_set(
    publication: Publication, relay: FailingRelay
) -> None:
    context = in_mailbox(publication)
    assert str(ids.current_issue(context)) == "2026-11-26-2"
    there = with_relay(publication, relay)
    assert ids.current_issue(there) == ISSUE
    send_by_hand(there)
    assert str(ids.current_issue(there)) == "2026-11-26-2"


def test_archive_and_alerts_are_those_of_the_issue_that_readers_have(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    context = in_mailbox(publication)
    assert list((publication.home / "var/archive").rglob("*2026-11-26*"))
    assert len(alerts.new_events(context)) == 1
    clock.now += timedelta(hours=3)
    there = with_relay(publication, relay)
    send_by_hand(there)
    assert list((publication.home / "var/archive").rglob("*2026-11-26*"))
    [shown] = sent_issues(there, {ISSUE})
    assert shown.sent_at == clock.now
    [event] = alerts.new_events(there)
    assert event.message == "Ausgabe 2026-11-26: an 5 von 5 verschickt"
    assert alerts.new_events(there) == []


def test_a_failover_relay_takes_over_and_nobody_is_doubled(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    second = {
        "RELAYS__BACKUP__HOST": "127.0.0.1",
        "RELAYS__BACKUP__PORT": str(relay.port),
        "RELAYS__BACKUP__SECURITY": "none",
        "RELAYS__MAIN__FAILOVER": "backup",
    }
    context = publication.context(**relay_variables(free_port()), **second)
    assert send_by_hand(context)["closed"]
    assert sorted(relay.accepted.values()) == [1] * 5


# --- begun in the mailbox, and a relay set before it was done


def half_in_mailbox(publication: Publication, readers: int = 6) -> AppContext:
    publication.write_essay()
    publication.add_many_subscribers(readers)
    context = publication.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    seen: list[int] = []
    send.deliver_issue(
        context,
        ISSUE,
        progress=lambda report: seen.append(report.sent),
        stopping=lambda: len(seen) >= 2,
    )
    assert 0 < len(publication.mails()) < readers
    return context


def test_the_rest_does_not_go_over_the_relay_by_itself(
    publication: Publication, relay: FailingRelay
) -> None:
    half_in_mailbox(publication)
    context = with_relay(publication, relay)
    assert pending_issues(context) == []
    [halted] = halted_issues(context)
    assert "issue send 2026-11-26" in halted.text.in_language("de")
    for go_on in (issue_control.resume, send.deliver_issue):
        with pytest.raises(IssueError, match="no reader has it"):
            go_on(context, ISSUE)
    with pytest.raises(IssueError, match="no reader has it"):
        issue_control.requeue(context, ISSUE, DeliveryState.UNKNOWN)
    assert relay.accepted == {}


def test_all_get_it_over_the_relay_also_those_whose_mail_lies_in_the_mailbox(
    publication: Publication, relay: FailingRelay
) -> None:
    half_in_mailbox(publication)
    context = with_relay(publication, relay)
    assert send_by_hand(context)["sent"] == 6
    assert sorted(relay.accepted.values()) == [1] * 6


def test_without_a_relay_it_goes_on_in_the_mailbox(publication: Publication) -> None:
    context = half_in_mailbox(publication)
    assert pending_issues(context) == ["2026-11-26"]
    send.deliver_issue(context, ISSUE)
    assert len(publication.mails()) == 6


def test_what_is_on_the_wire_into_the_mailbox_is_not_taken_back(
    publication: Publication, relay: FailingRelay
) -> None:
    first = half_in_mailbox(publication)
    worker = workers.register_worker(
        first.store, host="elsewhere", pid=1, process_start="1", now=first.clock()
    )
    ledger = Ledger(first.store, ISSUE, worker)
    ledger.commit([], ledger.lease(1, first.clock()), first.clock())
    context = with_relay(publication, relay)
    with pytest.raises(IssueError, match="being put into the embedded mailbox just now"):
        queue_issue(context, ISSUE, approver=ALWAYS)
    workers.deregister_worker(first.store, worker, now=first.clock())
    assert send_by_hand(context)["sent"] == 6


def test_a_process_that_still_fills_the_mailbox_takes_nothing_of_what_is_queued_anew(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    first = half_in_mailbox(publication)
    row = issues.get(first.store, ISSUE)
    assert row is not None
    worker = workers.register_worker(
        first.store, host="elsewhere", pid=1, process_start="1", now=first.clock()
    )
    stale = Ledger(first.store, ISSUE, worker, queued_at=row.enqueued_at)
    leased = stale.lease(2, first.clock())
    clock.now += timedelta(seconds=1)
    context = with_relay(publication, relay)
    queue_issue(context, ISSUE, approver=ALWAYS)
    claims = stale.commit([], leased, clock.now)
    assert [claim.status for claim in claims] == [ClaimStatus.LOST, ClaimStatus.LOST]
    assert stale.lease(10, clock.now) == []
    assert run_delivery(context, ISSUE).status.sent == 6
    assert sorted(relay.accepted.values()) == [1] * 6


# --- when it must not be taken back


def test_an_issue_that_was_queued_for_a_relay_never_goes_into_the_mailbox(
    publication: Publication, relay: FailingRelay
) -> None:
    """Also when nothing of it has gone out yet."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = with_relay(publication, relay)
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    without = publication.context()
    for go_on in (issue_control.resume, send.deliver_issue):
        with pytest.raises(IssueError, match="RELAYS__MAIN__HOST"):
            go_on(without, ISSUE)
    assert publication.mails() == []
    assert send.deliver_issue(context, ISSUE).sent == 3
    assert not is_unsent(context, ISSUE)
    assert not issue_control.take_back_if_unsent(context, ISSUE)


def test_after_a_restore_nobody_knows_whether_readers_have_it(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    first = in_mailbox(publication)
    clock.now += timedelta(hours=1)
    with first.store.writing() as connection:
        kind = send_hold.HoldKind.RESTORED
        send_hold.start(connection, kind, as_of=clock.now, location="x", now=clock.now)
    send_hold.clear(first.store, by="Anna", now=clock.now)
    context = with_relay(publication, relay)
    assert mailbox_text(context, ISSUE) is None
    assert send_by_hand(context)["closed"]  # as an issue that was sent
    assert relay.accepted == {}


def test_a_cancelled_one_stays_cancelled(publication: Publication, relay: FailingRelay) -> None:
    first = half_in_mailbox(publication)
    issue_control.cancel(first, ISSUE, by="Anna")
    context = with_relay(publication, relay)
    queue_issue(context, ISSUE, approver=ALWAYS)
    with pytest.raises(IssueError, match="was cancelled"):
        run_delivery(context, ISSUE)
    assert relay.accepted == {}


# --- flows


def test_a_run_with_approve_sends_the_issue_of_the_mailbox_for_real(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    from upcycle_news.api.runs import EssayFilter, Runs

    first = in_mailbox(publication)
    again = admission.admit_run(
        first, "2026-11-26", planned_at=clock.now, run="r1", max_lateness_hours=12.0
    )
    assert again.ended is not None
    assert "keine Leserin und kein Leser" in again.ended.message
    runs = Runs(with_relay(publication, relay))
    admitted = runs.admit("next", planned_at=clock.now, run="r2", max_lateness_hours=12.0)
    assert (admitted.issue, admitted.ended) == ("2026-11-26", None)
    revision = runs.compose(admitted.issue, EssayFilter(), run="r2").revision_id
    assert runs.ask(admitted.issue, revision, run="r2", waits=False, approve=True).approved
    assert runs.enqueue(admitted.issue, revision, run="r2", approve=True) == 5
    assert runs.enqueue(admitted.issue, revision, run="r2", approve=True) == 5  # a retry
    assert runs.deliver(admitted.issue).sent == 5
    assert sorted(relay.accepted.values()) == [1] * 5
    done = runs.admit(
        "2026-11-26", planned_at=clock.now + timedelta(1), run="r3", max_lateness_hours=0
    )
    assert done.ended is not None and done.ended.name == "AlreadySent"


# --- kill -9 in between


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_in_the_mailbox_and_over_the_relay_lose_nobody_and_double_nobody(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(400)
    mailbox = publication.home / "var/mailbox/new"
    _kill_when(publication, lambda: len(list(mailbox.glob("*"))) >= 20)
    # The quota leaves time to be killed in.
    there = {**relay_variables(relay.port), "RELAYS__MAIN__QUOTAS": '["100/s"]'}
    reached = 0
    for point in (30, 120, 250):
        _kill_when(publication, lambda: sum(relay.accepted.values()) >= point, **there)  # noqa: B023
        reached = sum(relay.accepted.values())
    assert 30 <= reached < 400
    issue = publication.run("issue", "status", "--json").json["issue"]
    status = publication.run("issue", "send", issue, "--yes", "--json", **there).json
    assert status["closed"]
    assert max(Counter(relay.accepted).values()) == 1
    missing = set(readers) - set(relay.accepted)
    assert len(missing) <= status["unknown"] <= 3
    assert status["sent"] + status["unknown"] == status["audience"] == 400


def _kill_when(publication: Publication, reached: object, **environment: str) -> None:
    process = publication.start("issue", "send", "--yes", "--no-collect", **environment)
    wait_until(lambda: reached() or process.poll() is not None, "never that far", seconds=60)  # type: ignore[operator]
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_death_between_taking_back_and_queueing_leaves_an_issue_that_can_be_sent(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    context = with_relay(publication, relay)
    assert issue_control.take_back_if_unsent(context, ISSUE)  # and here the process dies
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert (row.state, row.audience, row.enqueued_at) == (IssueState.OPEN, 0, None)
    assert pending_issues(context) == []
    assert send_by_hand(context)["sent"] == 5
    assert sorted(relay.accepted.values()) == [1] * 5


# --- what it holds


def test_it_stays_the_same_issue_whatever_was_written_since(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    publication.write_essay("Die Schule am Rand", date="2026-11-25")
    context = with_relay(publication, relay)
    queued = queue_issue(context, ISSUE, approver=ALWAYS)
    assert queued.rendered is not None
    told = queued.rendered.revision.manifest.issue
    assert [essay.title for essay in told.essays] == ["Was vom Bahnhof bleibt"]
    run_delivery(context, ISSUE)
    second = compose.compose_manifest(context, IssueId.parse("2026-11-26-2")).issue
    assert [essay.title for essay in second.essays] == ["Die Schule am Rand"]


def test_essays_that_are_chosen_by_name_change_it(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    slug = publication.write_essay("Die Schule am Rand", date="2026-11-25")
    context = with_relay(publication, relay)
    queued = queue_issue(context, ISSUE, [slug], approver=ALWAYS)
    assert queued.rendered is not None
    assert queued.rendered.content.subject == "Die Schule am Rand"
    # What it does not tell any more is free for another issue.
    later = compose.compose_manifest(context, IssueId.parse("2026-11-27")).issue
    assert [essay.title for essay in later.essays] == ["Was vom Bahnhof bleibt"]


def test_two_issues_of_the_mailbox_are_sent_one_by_one_each_with_its_own(
    publication: Publication, relay: FailingRelay
) -> None:
    in_mailbox(publication)
    publication.write_essay("Die Schule am Rand", date="2026-11-25")
    send_issue(publication.context(), "2026-11-26-2")
    context = with_relay(publication, relay)
    subjects = []
    for issue in (IssueId.parse("2026-11-26-2"), ISSUE):
        queued = queue_issue(context, issue, approver=ALWAYS)
        assert queued.rendered is not None
        subjects.append(queued.rendered.content.subject)
        assert run_delivery(context, issue).status.closed
    assert subjects == ["Die Schule am Rand", "Was vom Bahnhof bleibt"]
    assert sorted(relay.accepted.values()) == [2] * 5


def test_the_same_in_sqlite_and_postgres(
    publication: Publication, relay: FailingRelay, any_store: str
) -> None:
    publication.write_essay()
    first = publication.context(STORE=any_store)
    add_confirmed_subscribers(first, "anna@example.org", "bert@example.org")
    assert send_issue(first).in_mailbox
    context = with_relay(publication, relay, STORE=any_store)
    add_confirmed_subscribers(context, "cleo@example.org")
    status = send_by_hand(context)
    assert (status["audience"], status["sent"], status["closed"]) == (3, 3, True)
    assert sorted(relay.accepted.values()) == [1] * 3


@pytest.mark.slow
def test_two_processes_that_send_it_at_once_send_each_mail_once(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(60)
    publication.run("issue", "send", "--yes", "--no-collect")
    issue = publication.run("issue", "status", "--json").json["issue"]
    there = dict(relay_variables(relay.port))
    both = [
        publication.start("issue", "send", issue, "--yes", "--no-collect", **there)
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in both]
    assert 0 in [process.returncode for process in both], outputs
    assert relay.accepted == dict.fromkeys(readers, 1)
    status = publication.run("issue", "status", issue, "--json", **there).json
    assert (status["audience"], status["sent"], status["closed"]) == (60, 60, True)
