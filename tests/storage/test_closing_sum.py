"""Every delivery is accounted for exactly once, whatever happens in whatever order."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
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
from upcycle_news.storage import (
    deliveries,
    issues,
    packed_deliveries,
    personal_data,
    subscribers,
    workers,
)
from upcycle_news.storage.database import open_store
from upcycle_news.storage.packed_block_check import check_blocks

from ..single_leases import SingleLeaseLedger
from .sample_rows import (
    ISSUE,
    NOW,
    change_state,
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


class IssueMachine(RuleBasedStateMachine):
    """Workers claim, record and die; subscribers unsubscribe; editors pause and cancel."""

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
        self.ledgers: list[SingleLeaseLedger] = [
            ledger(self.store, pid=1),
            ledger(self.store, pid=2),
        ]
        self.claims: dict[int, list[LeasedDelivery]] = {0: [], 1: []}
        self.on_the_wire: Counter[int] = Counter()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @rule(who=st.integers(0, 1))
    def claim(self, who: int) -> None:
        claimed = self.ledgers[who].claim(self.now)
        if claimed is not None:
            in_flight = [claim.delivery for claims in self.claims.values() for claim in claims]
            assert claimed.delivery not in in_flight, "claimed by two workers"
            self.claims[who].append(claimed)

    @precondition(lambda self: any(self.claims.values()))
    @rule(state=st.sampled_from(VERDICTS), suppresses=st.booleans())
    def record(self, state: DeliveryState, suppresses: bool) -> None:
        who = next(number for number, claims in self.claims.items() if claims)
        claim = self.claims[who].pop()
        due = self.now + timedelta(minutes=1) if state is DeliveryState.DEFERRED else None
        bad = suppresses and state is DeliveryState.REJECTED
        verdict = Verdict(state, next_at=due, suppress=bad)
        self.ledgers[who].record(claim, verdict, self.now)
        if state is DeliveryState.SENT:
            self.on_the_wire[claim.subscriber] += 1

    @precondition(lambda self: any(self.claims.values()))
    @rule()
    def return_unsent(self) -> None:
        who = next(number for number, claims in self.claims.items() if claims)
        self.ledgers[who].return_unsent(self.claims[who].pop(), self.now)

    @rule(who=st.integers(0, 1), resend=st.booleans())
    def die(self, who: int, resend: bool) -> None:
        """A worker dies, its deliveries are reclaimed, and a new one takes its place."""
        if self.claims[who]:
            pids = {0: 1, 1: 2}
            dead = [
                sender
                for sender in workers.workers_in_flight(self.store, ISSUE)
                if sender.pid == pids[who]
            ]
            count = workers.reclaim_deliveries(self.store, ISSUE, dead, resend=resend, now=self.now)
            assert count == len(self.claims[who])
        self.claims[who].clear()

    @rule(state=st.sampled_from([IssueState.PAUSED, IssueState.STOPPED, IssueState.SENDING]))
    def pause_or_resume(self, state: IssueState) -> None:
        with contextlib.suppress(IssueError):  # the issue was cancelled before
            change_state(self.store, state)

    @rule()
    def cancel(self) -> None:
        with contextlib.suppress(IssueError):  # all deliveries have ended: the issue is closed
            issues.cancel(self.store, ISSUE, by="Anna", reason="", now=self.now)

    @rule()
    def resend_unknown(self) -> None:
        deliveries.requeue(self.store, ISSUE, DeliveryState.UNKNOWN, now=self.now)

    @rule(which=st.integers(0, 5), how=st.sampled_from(["unsubscribes", "complains", "is erased"]))
    def subscriber_ends(self, which: int, how: str) -> None:
        email = self.readers[which % len(self.readers)]
        subscriber = next(
            (p for p in subscribers.all_subscribers(self.store) if p.email.key == email), None
        )
        if subscriber is None:
            return
        if how == "unsubscribes":
            subscribers.unsubscribe(self.store, subscriber, now=self.now)
        elif how == "is erased":
            with self.store.writing() as connection:
                personal_data.erase_rows(connection, subscriber.id, now=self.now)
        elif (
            personal_data.personal_data_of(self.store, subscriber).as_dict()["suppression"] is None
        ):
            suppress(self.store, email)

    @rule()
    def pack(self) -> None:
        """The deliveries of a closed issue are packed; of any other nothing happens."""
        packed_deliveries.pack_issue(self.store, str(ISSUE), now=self.now)

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def every_delivery_is_counted(self) -> None:
        if not hasattr(self, "store"):
            return
        status = issues.status(self.store, ISSUE)
        row = issues.get(self.store, ISSUE)
        assert status is not None
        assert row is not None
        sums = status.as_dict()
        assert status.audience == len(self.readers) == sum(status.counts.values())
        ended = sum(int(sums[state]) for state in ENDS)
        assert sums["closed"] is (ended == len(self.readers))
        assert sums["sending"] == sum(map(len, self.claims.values()))
        if row.state is IssueState.CANCELLED:
            assert sums["queued"] == sums["deferred"] == 0

    @invariant()
    def the_packed_ones_are_whole(self) -> None:
        if hasattr(self, "store"):
            with self.store.reading() as connection:
                assert check_blocks(connection).damaged == ()

    @invariant()
    def no_subscriber_gets_an_issue_twice(self) -> None:
        if hasattr(self, "store"):
            assert all(count == 1 for count in self.on_the_wire.values())


@pytest.mark.slow
def test_every_delivery_is_accounted_for_whatever_happens(_migrated_store: bytes) -> None:
    IssueMachine.blank = _migrated_store
    run_state_machine_as_test(
        IssueMachine,
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None),
    )
