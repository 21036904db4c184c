"""The life of an issue: what each event does, who did it, and the sums with which it closes."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import upcycle_news
from upcycle_news.errors import IssueError, StoreError
from upcycle_news.models import DeliveryState, IssueState, Verdict
from upcycle_news.storage import (
    approvals,
    bounces,
    deliveries,
    issues,
    personal_data,
    revisions,
    subscribers,
    workers,
)
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.issue_lifecycle import TRANSITIONS, IssueEvent, next_state

from .sample_rows import (
    ISSUE,
    NOW,
    add,
    approve,
    approved,
    change_state,
    ledger,
    load,
    manifest,
    queued,
    save,
)

LATER = NOW + timedelta(hours=1)
SENT = Verdict(DeliveryState.SENT, code=250)
UNSENT = {IssueState.OPEN, IssueState.AWAITING_APPROVAL, IssueState.APPROVED}


def state_of(store: Store) -> IssueState:
    row = issues.get(store, ISSUE)
    assert row is not None
    return row.state


def ask(store: Store, revision_id: str, run: str = "run 1") -> approvals.ApprovalRequest:
    return approvals.request_approval(store, ISSUE, revision_id, run=run, until=LATER, now=NOW)


def deliver_all(store: Store, state: DeliveryState = DeliveryState.SENT) -> None:
    """Deliver what is queued, as the last process of an issue does, and close it."""
    worker = ledger(store)
    while (claim := worker.claim(NOW)) is not None:
        worker.record(claim, Verdict(state, code=250 if state is DeliveryState.SENT else 550), NOW)
    assert issues.close_if_done(store, ISSUE, now=LATER)


# --- the table


def test_every_state_but_the_first_is_reached_and_only_the_last_two_are_left_by_nothing_else() -> (
    None
):
    reached = {
        after
        for transitions in TRANSITIONS.values()
        for before, after in transitions.items()
        if after is not before
    }
    assert reached == set(IssueState)
    assert set(TRANSITIONS) == set(IssueEvent)
    left = {
        state: {
            event
            for event, transitions in TRANSITIONS.items()
            if transitions.get(state, state) is not state
        }
        for state in IssueState
    }
    assert left[IssueState.CLOSED] == {IssueEvent.REOPENED, IssueEvent.TAKEN_BACK}
    assert left[IssueState.CANCELLED] == set()
    assert all(left[state] for state in IssueState if not state.is_ended)


@pytest.mark.parametrize(
    "event", [event for event in IssueEvent if event is not IssueEvent.TAKEN_BACK]
)
def test_a_frozen_issue_never_becomes_unsent_again_unless_it_lies_in_the_mailbox(
    event: IssueEvent,
) -> None:
    for state in set(IssueState) - UNSENT:
        assert next_state(state, event) not in UNSENT


def test_nothing_is_queued_but_what_is_approved() -> None:
    assert TRANSITIONS[IssueEvent.QUEUED] == {IssueState.APPROVED: IssueState.SENDING}


def test_nobody_else_writes_the_table_of_issues() -> None:
    """Any module that inserts, updates or deletes rows of `issues` goes around the transitions."""
    package = Path(upcycle_news.__file__).parent
    writers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(map(_writes_issues, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert writers == {"storage/issue_lifecycle.py"}


def _writes_issues(node: ast.AST) -> bool:
    """Return whether a node is insert(issues), issues.update(), or a text with UPDATE issues."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (
            re.search(r"(INSERT INTO|UPDATE|DELETE FROM) issue(s|_events)\b", node.value)
            is not None
        )
    if not isinstance(node, ast.Call):
        return False
    callee = node.func
    verb = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    operands = [*node.args[:1], *([callee.value] if isinstance(callee, ast.Attribute) else [])]
    return verb in ("insert", "insert_ignore", "update", "delete") and any(
        isinstance(operand, ast.Name) and operand.id in ("issues", "issue_events")
        for operand in operands
    )


# --- until it is queued


def test_each_step_to_the_queue_is_an_event_with_its_author(store: Store) -> None:
    revision_id = save(store)
    request = ask(store, revision_id)
    approvals.record_decision(store, ISSUE, revision_id, approved=True, by="Anna", now=NOW)
    approvals.answer_request(store, request.id, "send", now=NOW)
    assert [
        (event.event, event.by, event.from_state, event.to_state)
        for event in issues.history(store, ISSUE)
    ] == [
        ("composed", "upcycle-news", "open", "open"),
        ("asked", "flow run run 1", "open", "awaiting approval"),
        ("approved", "Anna", "awaiting approval", "approved"),
    ]
    assert {event.revision_id for event in issues.history(store, ISSUE)} == {revision_id}


def test_another_revision_ends_an_approval_and_a_request(store: Store) -> None:
    first = approved(store)
    assert state_of(store) is IssueState.APPROVED
    second = save(store, manifest(subject="Anders"))
    assert state_of(store) is IssueState.OPEN
    assert approvals.last_decision(store, ISSUE, first) is None
    ask(store, second)
    assert state_of(store) is IssueState.AWAITING_APPROVAL
    save(store, manifest(subject="Noch anders"))
    assert state_of(store) is IssueState.OPEN


def test_the_same_revision_again_keeps_an_approval_and_a_request(store: Store) -> None:
    revision_id = save(store)
    ask(store, revision_id)
    save(store)
    assert state_of(store) is IssueState.AWAITING_APPROVAL
    approve(store, revision_id)
    save(store)
    assert state_of(store) is IssueState.APPROVED


def test_going_back_to_an_approved_text_needs_a_new_approval(store: Store) -> None:
    first = approved(store)
    save(store, manifest(subject="Anders"))
    again = revisions.save_revision(store, manifest(), git_commit="", now=LATER)
    assert (again.revision_id, again.approved) == (first, None)
    assert state_of(store) is IssueState.OPEN
    with pytest.raises(IssueError, match="is not approved"):
        issues.enqueue(store, load(store, first), now=LATER)


def test_a_rejection_stays_with_its_revision_and_the_next_one_starts_fresh(store: Store) -> None:
    first = approved(store)
    approvals.record_decision(store, ISSUE, first, approved=False, by="Bert", now=NOW)
    assert state_of(store) is IssueState.OPEN
    second = save(store, manifest(subject="Anders"))
    assert load(store, second).approved is None
    save(store)
    assert load(store, first).approved is False


def test_the_rejection_of_an_older_revision_leaves_the_approved_one(store: Store) -> None:
    old, new = save(store), approved(store, manifest(subject="Anders"))
    approvals.record_decision(store, ISSUE, old, approved=False, by="Bert", now=NOW)
    assert state_of(store) is IssueState.APPROVED
    assert load(store, new).approved is True
    assert load(store, old).approved is False


@pytest.mark.parametrize("answer", ["timed out", "refused", "send test again", "leave items out"])
def test_a_request_that_ends_without_a_decision_opens_the_issue(store: Store, answer: str) -> None:
    request = ask(store, save(store))
    assert approvals.answer_request(store, request.id, answer, now=LATER)
    assert state_of(store) is IssueState.OPEN
    last = issues.history(store, ISSUE)[-1]
    assert (last.event, last.reason) == (IssueEvent.WITHDRAWN, answer)


def test_a_request_waits_as_long_as_any_run_asks_about_the_revision(store: Store) -> None:
    revision_id = save(store)
    first, second = ask(store, revision_id, "run 1"), ask(store, revision_id, "run 2")
    approvals.answer_request(store, first.id, "timed out", now=LATER)
    assert state_of(store) is IssueState.AWAITING_APPROVAL
    approvals.answer_request(store, second.id, "timed out", now=LATER)
    assert state_of(store) is IssueState.OPEN


def test_a_decision_about_a_frozen_issue_is_refused_unless_it_is_the_one_that_froze_it(
    store: Store,
) -> None:
    first = queued(store, "anna@example.org")
    events = issues.history(store, ISSUE)
    approve(store, first)
    assert issues.history(store, ISSUE) == events
    with pytest.raises(IssueError, match=r"is not approved: its deliveries have begun"):
        approve(store, "f" * 64)
    with pytest.raises(IssueError, match=r"is not rejected: its deliveries have begun"):
        approvals.record_decision(store, ISSUE, first, approved=False, by="Bert", now=NOW)


# --- from the queue to the end


def test_an_issue_closes_with_its_sums_when_nothing_waits(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    worker = ledger(store)
    first = worker.claim(NOW)
    assert first is not None
    worker.record(first, SENT, NOW)
    assert not issues.close_if_done(store, ISSUE, now=LATER)  # the second one is queued
    second = worker.claim(NOW)
    assert second is not None
    assert not issues.close_if_done(store, ISSUE, now=LATER)  # and now on the wire
    worker.record(second, Verdict(DeliveryState.REJECTED, code=550), NOW)
    assert issues.close_if_done(store, ISSUE, now=LATER)
    assert not issues.close_if_done(store, ISSUE, now=LATER)  # once
    row, status = issues.get(store, ISSUE), issues.status(store, ISSUE)
    assert row is not None and status is not None
    assert (row.state, row.closed_at) == (IssueState.CLOSED, LATER)
    assert status.counts == {DeliveryState.SENT: 1, DeliveryState.REJECTED: 1}
    assert status.closed


@pytest.mark.parametrize(
    ("act", "refused"),
    [
        (lambda store: issues.pause(store, ISSUE, by="", reason="", now=NOW), "is not paused"),
        (lambda store: issues.cancel(store, ISSUE, by="", reason="", now=NOW), "is not cancelled"),
        (lambda store: save(store, manifest(subject="Zu spät")), "is frozen"),
    ],
)
def test_a_closed_issue_is_not_changed(
    store: Store, act: Callable[[Store], object], refused: str
) -> None:
    queued(store, "anna@example.org")
    deliver_all(store)
    events = issues.history(store, ISSUE)
    with pytest.raises(IssueError, match=refused):
        act(store)
    issues.resume(store, ISSUE, by="Anna", now=LATER)  # nothing to do, and no error
    issues.stop(store, ISSUE, reason="too late", now=LATER)
    assert issues.history(store, ISSUE) == events


def test_what_comes_after_the_end_changes_no_sum(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    deliver_all(store)
    before = issues.status(store, ISSUE)
    for number, kind in enumerate(("hard", "complaint")):
        report = bounces.NewReport(str(number), 1, 1, kind, code="5.1.1")
        bounces.record(store, report, now=LATER)
    first = next(iter(subscribers.all_subscribers(store)))
    assert personal_data.erase_subscriber(store, first.email, now=LATER)
    assert issues.status(store, ISSUE) == before
    with store.reading() as connection:
        counted = connection.execute(
            text("SELECT state, count(*) FROM deliveries GROUP BY state")
        ).all()
    assert [tuple(row) for row in counted] == [("sent", 2)]


def test_sending_again_reopens_a_closed_issue_until_it_closes_anew(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    deliver_all(store, DeliveryState.UNKNOWN)
    assert deliveries.requeue(store, ISSUE, DeliveryState.REJECTED, by="Anna", now=LATER) == 0
    assert state_of(store) is IssueState.CLOSED  # nothing was queued again
    assert deliveries.requeue(store, ISSUE, DeliveryState.UNKNOWN, by="Anna", now=LATER) == 2
    status = issues.status(store, ISSUE)
    assert status is not None
    assert (status.state, status.waiting, status.closed) == (IssueState.SENDING, 2, False)
    deliver_all(store)
    names = [event.event.value for event in issues.history(store, ISSUE)]
    assert names[-3:] == ["closed", "reopened", "closed"]
    assert [event.by for event in issues.history(store, ISSUE)][-2] == "Anna"


def test_a_cancelled_issue_gets_its_sums_when_the_last_message_is_off_the_wire(
    store: Store,
) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    worker = ledger(store)
    claim = worker.claim(NOW)
    assert claim is not None
    change_state(store, IssueState.CANCELLED)
    row = issues.get(store, ISSUE)
    assert row is not None
    assert row.closed_at is None
    worker.record(claim, SENT, NOW)
    assert issues.close_if_done(store, ISSUE, now=LATER)
    row, status = issues.get(store, ISSUE), issues.status(store, ISSUE)
    assert row is not None and status is not None
    assert (row.state, row.closed_at) == (IssueState.CANCELLED, LATER)
    assert status.counts == {DeliveryState.SENT: 1, DeliveryState.CANCELLED: 1}


def test_reclaiming_the_last_deliveries_of_a_dead_worker_closes_the_issue(store: Store) -> None:
    queued(store, "anna@example.org")
    assert ledger(store).claim(NOW) is not None
    dead = workers.workers_in_flight(store, ISSUE)
    workers.reclaim_deliveries(store, ISSUE, dead, resend=False, now=LATER)
    status = issues.status(store, ISSUE)
    assert status is not None
    assert (status.state, status.counts) == (IssueState.CLOSED, {DeliveryState.UNKNOWN: 1})


@pytest.mark.parametrize("with_others", [False, True])
def test_a_reply_that_comes_after_its_worker_was_given_up_corrects_the_sums(
    store: Store, with_others: bool
) -> None:
    """The worker is alive on another machine, but nobody heard of it for too long."""
    queued(store, "anna@example.org", "bert@example.org")
    worker = ledger(store)
    claim = worker.claim(NOW)
    assert claim is not None
    given_up = workers.workers_in_flight(store, ISSUE)
    workers.reclaim_deliveries(store, ISSUE, given_up, resend=False, now=NOW)
    deliver_all(store)
    assert state_of(store) is IssueState.CLOSED
    if with_others:
        worker.commit([(claim, SENT), (claim, SENT)], [], LATER)
    else:
        worker.record(claim, SENT, LATER)
    status = issues.status(store, ISSUE)
    assert status is not None
    assert (status.state, status.counts) == (IssueState.CLOSED, {DeliveryState.SENT: 2})


def test_refusals_that_are_queued_again_after_the_end_reopen_the_issue(store: Store) -> None:
    """Another process closed the issue between the last refusal and the guard's decision."""
    queued(store, "anna@example.org")
    worker = ledger(store)
    claim = worker.claim(NOW)
    assert claim is not None
    worker.record(claim, Verdict(DeliveryState.REJECTED, code=550), NOW)
    assert issues.close_if_done(store, ISSUE, now=NOW)
    worker.record(claim, Verdict(DeliveryState.QUEUED), LATER)
    status = issues.status(store, ISSUE)
    assert status is not None
    assert (status.state, status.waiting, status.closed) == (IssueState.SENDING, 1, False)


def test_the_store_takes_no_closing_sum_that_is_not_the_audience(any_store: str) -> None:
    store = open_store(any_store)
    queued(store, "anna@example.org")
    deliver_all(store)
    with pytest.raises(StoreError), store.writing() as connection:
        connection.execute(text("UPDATE issues SET sent = 2"))
    store.close()


def test_deliveries_that_are_not_as_many_as_the_audience_keep_an_issue_from_closing(
    store: Store,
) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    with store.writing() as connection:
        connection.execute(text("UPDATE deliveries SET state = 'sent'"))
        connection.execute(text("DELETE FROM deliveries WHERE subscriber_id = 1"))
    assert not issues.close_if_done(store, ISSUE, now=LATER)
    assert state_of(store) is IssueState.SENDING
    status = issues.status(store, ISSUE)
    assert status is not None
    assert not status.closed


# --- several processes at once


def at_once(url: str, *acts: Callable[[Store], object]) -> list[object]:
    """Run each act in a thread with a store of its own, at the same moment; returns the results."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[Store], object]) -> object:
        own = open_store(url)
        try:
            barrier.wait(30)
            return act(own)
        finally:
            own.close()

    with ThreadPoolExecutor(len(acts)) as executor:
        return list(executor.map(run, acts))


def close(store: Store) -> bool:
    return issues.close_if_done(store, ISSUE, now=LATER)


def sent_but_not_closed(url: str, *addresses: str) -> Store:
    store = open_store(url)
    queued(store, *addresses)
    worker = ledger(store)
    while (claim := worker.claim(NOW)) is not None:
        worker.record(claim, Verdict(DeliveryState.UNKNOWN), NOW)
    return store


def test_of_several_processes_one_closes_the_issue(any_store: str) -> None:
    store = sent_but_not_closed(any_store, "anna@example.org", "bert@example.org")
    assert sorted(map(bool, at_once(any_store, close, close, close))) == [False, False, True]
    closed = [event for event in issues.history(store, ISSUE) if event.event == "closed"]
    assert len(closed) == 1
    store.close()


def test_an_issue_that_is_closed_and_sent_again_at_once_is_being_sent(any_store: str) -> None:
    store = sent_but_not_closed(any_store, "anna@example.org", "bert@example.org")

    def resend(own: Store) -> int:
        return deliveries.requeue(own, ISSUE, DeliveryState.UNKNOWN, by="Anna", now=LATER)

    assert at_once(any_store, close, resend)[1] == 2
    status = issues.status(store, ISSUE)
    assert status is not None
    assert (status.state, status.waiting) == (IssueState.SENDING, 2)
    row = issues.get(store, ISSUE)
    assert row is not None
    assert row.closed_at is None
    store.close()


def test_an_issue_is_approved_or_rejected_and_queued_in_one_order(any_store: str) -> None:
    """A rejection at the moment of queueing either prevents it, or is refused."""
    store = open_store(any_store)
    add(store, "anna@example.org")
    revision_id = approved(store)

    def reject(own: Store) -> bool:
        try:
            approvals.record_decision(own, ISSUE, revision_id, approved=False, by="Bert", now=LATER)
        except IssueError:
            return False
        return True

    def queue(own: Store) -> bool:
        try:
            issues.enqueue(own, load(own, revision_id), now=LATER)
        except IssueError:
            return False
        return True

    was_rejected, was_queued = at_once(any_store, reject, queue)
    assert was_rejected is not was_queued
    assert state_of(store) is (IssueState.SENDING if was_queued else IssueState.OPEN)
    store.close()
