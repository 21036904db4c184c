"""No order of events brings an issue into a state that its table does not know."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from upcycle_news.errors import IssueError
from upcycle_news.models import DeliveryState, IssueState, LeasedDelivery, Verdict
from upcycle_news.storage import approvals, deliveries, issues, revisions, subscribers, workers
from upcycle_news.storage.database import open_store
from upcycle_news.storage.issue_lifecycle import IssueEvent, count_deliveries, next_state

from ..single_leases import SingleLeaseLedger
from .sample_rows import ISSUE, NOW, add, change_state, ledger, load, manifest

SUBJECTS = ("Eins", "Zwei", "Drei")
VERDICTS = [
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.UNKNOWN,
    DeliveryState.DEFERRED,
    DeliveryState.QUEUED,
]
ANSWERS = ["timed out", "refused", "send test again", "leave items out", "send", "reject"]
subject_numbers = st.integers(0, len(SUBJECTS) - 1)


class LifeMachine(RuleBasedStateMachine):
    """Editors, flow runs, relays and crashes act on one issue; `approved` is what may be sent."""

    blank = b""

    @initialize(readers=st.integers(1, 4), is_queued=st.sampled_from([True, True, True, False]))
    def first_revision(self, readers: int, is_queued: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "upcycle.db"
        path.write_bytes(self.blank)
        self.store = open_store(f"sqlite:///{path}")
        self.now = NOW
        add(self.store, *(f"reader{number}@example.org" for number in range(readers)))
        self.readers = readers
        self.saved: dict[int, str] = {}
        self.approved: str | None = None
        self.worker = ledger(self.store)
        self.in_flight: list[LeasedDelivery] = []
        self.given_up: list[tuple[SingleLeaseLedger, LeasedDelivery]] = []
        self.compose(0)
        if is_queued:  # most lives begin here, or few of them would come to an end
            self.decide(self.saved[0], True)
            self.enqueue(0)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @property
    def state(self) -> IssueState:
        row = issues.get(self.store, ISSUE)
        assert row is not None
        return row.state

    @property
    def is_early(self) -> bool:
        """True for most of the time in which these acts can be granted, and a little longer."""
        return not self.state.is_frozen or len(issues.history(self.store, ISSUE)) % 4 == 0

    @contextlib.contextmanager
    def refusable(self) -> Iterator[None]:
        """Let an act be refused, which must leave no trace."""
        before = issues.get(self.store, ISSUE), issues.history(self.store, ISSUE)
        try:
            yield
        except IssueError:
            assert before == (issues.get(self.store, ISSUE), issues.history(self.store, ISSUE))

    # --- before it is queued

    @precondition(lambda self: self.is_early)
    @rule(number=subject_numbers)
    def compose(self, number: int) -> None:
        was_frozen = bool(self.saved) and self.state.is_frozen
        try:
            revision = revisions.save_revision(
                self.store, manifest(subject=SUBJECTS[number]), git_commit="", now=self.now
            )
        except IssueError:
            assert was_frozen
            return
        assert not was_frozen
        self.saved[number] = revision.revision_id
        if self.approved != revision.revision_id:
            self.approved = None

    @precondition(lambda self: self.is_early)
    @rule(number=subject_numbers, run=st.sampled_from(["run 1", "run 2"]))
    def ask(self, number: int, run: str) -> None:
        if number in self.saved:
            with self.refusable():
                approvals.request_approval(
                    self.store,
                    ISSUE,
                    self.saved[number],
                    run=run,
                    until=self.now + timedelta(days=1),
                    now=self.now,
                )

    @precondition(lambda self: self.is_early)
    @rule(answer=st.sampled_from(ANSWERS))
    def answer(self, answer: str) -> None:
        for request in approvals.open_requests(self.store, ISSUE)[:1]:
            if answer in approvals.DECISIONS:
                with self.refusable():
                    self.decide(request.revision_id, answer == "send")
            approvals.answer_request(self.store, request.id, answer, now=self.now)

    @precondition(lambda self: self.is_early)
    @rule(number=subject_numbers, approve=st.booleans())
    def approve_or_reject(self, number: int, approve: bool) -> None:
        if number in self.saved:
            with self.refusable():
                self.decide(self.saved[number], approve)

    def decide(self, revision_id: str, approve: bool) -> None:
        approvals.record_decision(
            self.store, ISSUE, revision_id, approved=approve, by="Anna", now=self.now
        )
        if self.state.is_frozen:
            return
        if approve:
            self.approved = revision_id
        elif self.approved == revision_id:
            self.approved = None

    @rule(number=subject_numbers)
    def enqueue(self, number: int) -> None:
        if number not in self.saved:
            return
        before = self.state
        revision_id = self.saved[number]
        try:
            audience = issues.enqueue(self.store, load(self.store, revision_id), now=self.now)
        except IssueError:
            assert before.is_frozen or self.approved != revision_id
            return
        assert audience == self.readers
        assert self.approved == revision_id, "queued without an approval"

    # --- while it is sent

    @rule(
        state=st.sampled_from(
            [
                *(3 * [IssueState.SENDING]),
                *(2 * [IssueState.PAUSED, IssueState.STOPPED]),
                IssueState.CANCELLED,
            ]
        )
    )
    def pause_stop_resume_or_cancel(self, state: IssueState) -> None:
        with self.refusable():
            change_state(self.store, state)

    @precondition(lambda self: self.state is IssueState.SENDING)
    @rule(count=st.integers(1, 3))
    def claim(self, count: int) -> None:
        for _ in range(count):
            if (claim := self.worker.claim(self.now)) is not None:
                self.in_flight.append(claim)

    @precondition(lambda self: self.in_flight)
    @rule(states=st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=4))
    def record(self, states: list[DeliveryState]) -> None:
        for state in states[: len(self.in_flight)]:
            due = self.now + timedelta(minutes=1) if state is DeliveryState.DEFERRED else None
            self.worker.record(self.in_flight.pop(), Verdict(state, next_at=due), self.now)

    @precondition(lambda self: self.state is IssueState.SENDING)
    @rule(states=st.lists(st.sampled_from(VERDICTS[:4]), min_size=4, max_size=4))
    def run_to_its_end(self, states: list[DeliveryState]) -> None:
        self.claim(len(states))
        self.record(states)
        self.end_of_a_run()

    @precondition(lambda self: self.in_flight)
    @rule(resend=st.booleans())
    def crash(self, resend: bool) -> None:
        """The worker dies, or is given up; another one takes its place."""
        dead = workers.workers_in_flight(self.store, ISSUE)
        if dead:
            workers.reclaim_deliveries(self.store, ISSUE, dead, resend=resend, now=self.now)
        self.given_up += [(self.worker, claim) for claim in self.in_flight]
        self.in_flight.clear()
        self.worker = ledger(self.store)

    @precondition(lambda self: self.given_up)
    @rule(state=st.sampled_from([DeliveryState.SENT, DeliveryState.REJECTED]))
    def late_reply(self, state: DeliveryState) -> None:
        """The worker that was given up is alive after all and gets its reply."""
        worker, claim = self.given_up.pop()
        worker.record(claim, Verdict(state), self.now)

    @precondition(lambda self: self.state.is_frozen)
    @rule()
    def end_of_a_run(self) -> None:
        issues.close_if_done(self.store, ISSUE, now=self.now)

    @precondition(lambda self: self.state.is_frozen)
    @rule(state=st.sampled_from([DeliveryState.UNKNOWN, DeliveryState.REJECTED]))
    def resend(self, state: DeliveryState) -> None:
        deliveries.requeue(self.store, ISSUE, state, by="Anna", now=self.now)

    @rule()
    def a_subscriber_leaves(self) -> None:
        for subscriber in list(subscribers.all_subscribers(self.store))[1:2]:
            if self.state.is_frozen:
                subscribers.unsubscribe(self.store, subscriber, now=self.now)

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # --- what always holds

    @invariant()
    def the_table_knows_every_step(self) -> None:
        if not hasattr(self, "store"):
            return
        state = IssueState.OPEN
        for event in issues.history(self.store, ISSUE):
            assert event.from_state is state
            allowed = {next_state(state, event.event)}
            if event.event is IssueEvent.REJECTED:  # of another revision than the one approved
                allowed.add(state)
            assert event.to_state in allowed
            state = event.to_state
        assert state is self.state

    @invariant()
    def the_state_is_true(self) -> None:
        if not hasattr(self, "store"):
            return
        row = issues.get(self.store, ISSUE)
        assert row is not None
        assert row.frozen == bool(row.revision_id)
        assert (row.state is IssueState.APPROVED) == (not row.frozen and self.approved is not None)
        assert (row.state is IssueState.CLOSED) <= (row.closed_at is not None)
        for number in self.saved.values():
            decision = approvals.last_decision(self.store, ISSUE, number)
            if decision is not None and decision.approved:
                assert number in (self.approved, row.revision_id)

    @invariant()
    def the_sums_close(self) -> None:
        if not hasattr(self, "store"):
            return
        row, status = issues.get(self.store, ISSUE), issues.status(self.store, ISSUE)
        assert row is not None and status is not None
        with self.store.reading() as connection:
            counted = count_deliveries(connection, str(ISSUE))
        assert status.counts == counted
        assert sum(counted.values()) == row.audience == (self.readers if row.frozen else 0)
        if row.closed_at is not None:
            assert status.waiting == 0
        if row.state is IssueState.CANCELLED:
            assert status.waiting == len(self.in_flight)


@pytest.mark.slow
def test_an_issue_is_in_a_known_state_with_true_sums_whatever_happens(
    _migrated_store: bytes,
) -> None:
    LifeMachine.blank = _migrated_store
    run_state_machine_as_test(
        LifeMachine,
        settings=settings(max_examples=80, stateful_step_count=40, deadline=None),
    )
