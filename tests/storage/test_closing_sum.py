"""Whatever happens to an issue, in whatever order: everybody is counted, once."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

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
from sqlalchemy import text

from upcycle_news.models import DeliveryState, LeasedDelivery, Verdict
from upcycle_news.storage import (
    deliveries,
    issues,
    personal_data,
    subscribers,
    workers,
)
from upcycle_news.storage.database import open_store
from upcycle_news.storage.issues import IssueState

from ..single_leases import OneByOne
from .sample_rows import (
    ISSUE,
    NOW,
    ledger,
    queued,
    suppress,
)

ENDS = {"sent", "rejected", "unknown", "suppressed", "cancelled"}
VERDICTS = [
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.UNKNOWN,
    DeliveryState.DEFERRED,
    DeliveryState.QUEUED,
]


class AnIssueOnABadDay(RuleBasedStateMachine):
    """Senders claim, record and die; readers leave; editors pause and cancel."""

    blank = b""

    @initialize(readers=st.integers(1, 6))
    def queue(self, readers: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "upcycle.db"
        path.write_bytes(self.blank)
        self.store = open_store(f"sqlite:///{path}")
        self.readers = [f"reader{number}@example.org" for number in range(readers)]
        queued(self.store, *self.readers)
        self.now = NOW
        self.senders: list[OneByOne] = [ledger(self.store, pid=1), ledger(self.store, pid=2)]
        self.held: dict[int, list[LeasedDelivery]] = {0: [], 1: []}
        self.on_the_wire: Counter[int] = Counter()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @rule(who=st.integers(0, 1))
    def claim(self, who: int) -> None:
        found = self.senders[who].claim(self.now)
        if found is not None:
            held = [one.delivery for claims in self.held.values() for one in claims]
            assert found.delivery not in held, "claimed while somebody else holds it"
            self.held[who].append(found)

    @precondition(lambda self: any(self.held.values()))
    @rule(state=st.sampled_from(VERDICTS), suppresses=st.booleans())
    def record(self, state: DeliveryState, suppresses: bool) -> None:
        who = next(number for number, claims in self.held.items() if claims)
        claim = self.held[who].pop()
        due = self.now + timedelta(minutes=1) if state is DeliveryState.DEFERRED else None
        bad = suppresses and state is DeliveryState.REJECTED
        verdict = Verdict(state, next_at=due, suppress=bad)
        self.senders[who].record(claim, verdict, self.now)
        if state is DeliveryState.SENT:
            self.on_the_wire[claim.subscriber] += 1

    @precondition(lambda self: any(self.held.values()))
    @rule()
    def give_back(self) -> None:
        who = next(number for number, claims in self.held.items() if claims)
        self.senders[who].return_unsent(self.held[who].pop(), self.now)

    @rule(who=st.integers(0, 1), resend=st.booleans())
    def die(self, who: int, resend: bool) -> None:
        """A sender dies and is settled; a new one takes its place."""
        if self.held[who]:
            pids = {0: 1, 1: 2}
            dead = [
                sender
                for sender in workers.workers_in_flight(self.store, ISSUE)
                if sender.pid == pids[who]
            ]
            count = workers.reclaim_deliveries(self.store, ISSUE, dead, resend=resend, now=self.now)
            assert count == len(self.held[who])
        self.held[who].clear()

    @rule(state=st.sampled_from([IssueState.PAUSED, IssueState.STOPPED, IssueState.SENDING]))
    def hold_or_go_on(self, state: IssueState) -> None:
        issues.set_state(self.store, ISSUE, state, now=self.now)

    @rule()
    def cancel(self) -> None:
        issues.set_state(self.store, ISSUE, IssueState.CANCELLED, now=self.now)

    @rule()
    def resend_unknown(self) -> None:
        deliveries.requeue(self.store, ISSUE, DeliveryState.UNKNOWN, now=self.now)

    @rule(which=st.integers(0, 5), how=st.sampled_from(["leaves", "complains", "is forgotten"]))
    def somebody(self, which: int, how: str) -> None:
        email = self.readers[which % len(self.readers)]
        person = next(
            (p for p in subscribers.all_subscribers(self.store) if p.email.key == email), None
        )
        if person is None:
            return
        if how == "leaves":
            subscribers.unsubscribe(self.store, person, now=self.now)
        elif how == "is forgotten":
            with self.store.writing() as connection:
                connection.execute(text("DELETE FROM subscribers WHERE id = :n"), {"n": person.id})
        elif personal_data.personal_data_of(self.store, person)["suppression"] is None:
            suppress(self.store, email)

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def everybody_is_counted(self) -> None:
        if not hasattr(self, "store"):
            return
        status = issues.status(self.store, ISSUE)
        row = issues.get(self.store, ISSUE)
        assert status is not None
        assert row is not None
        told = status.as_dict()
        assert status.audience == len(self.readers) == sum(status.counts.values())
        ended = sum(int(told[state]) for state in ENDS)
        assert told["closed"] is (ended == len(self.readers))
        assert told["sending"] == sum(map(len, self.held.values()))
        if row.state is IssueState.CANCELLED:
            assert told["queued"] == told["deferred"] == 0

    @invariant()
    def nobody_gets_an_issue_twice(self) -> None:
        if hasattr(self, "store"):
            assert all(count == 1 for count in self.on_the_wire.values())


def test_everybody_is_counted_whatever_happens(_migrated: bytes) -> None:
    AnIssueOnABadDay.blank = _migrated
    run_state_machine_as_test(
        AnIssueOnABadDay,
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None),
    )
