"""Join, leave, suppress, publish, send, crash, resume, in any order: the promises hold."""

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

from upcycle_news.models import ClaimStatus, DeliveryState, LeasedDelivery, Verdict
from upcycle_news.storage import issues, subscribers, workers
from upcycle_news.storage.database import open_store
from upcycle_news.storage.issues import IssueState

from ...single_leases import OneByOne
from ...storage.sample_rows import (
    ISSUE,
    NOW,
    add,
    ledger,
    save,
    suppress,
)

CONNECTIONS = 2


class Sender:
    """A process with two connections, as dispatch drives a ledger."""

    def __init__(self, book: OneByOne) -> None:
        self.ledger = book
        self.leased: list[LeasedDelivery] = []
        self.wire: dict[int, LeasedDelivery | None] = dict.fromkeys(range(CONNECTIONS))
        self.taken: set[int] = set()  # connections whose message the relay has taken over
        self.unrecorded: dict[int, tuple[LeasedDelivery, Verdict]] = {}


class AnIssueThatCrashes(RuleBasedStateMachine):
    """The relay's own list of whom it took a message for is the judge."""

    blank = b""
    resend = False

    @initialize(resend=st.booleans())
    def open(self, resend: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "upcycle.db"
        path.write_bytes(self.blank)
        self.store = open_store(f"sqlite:///{path}")
        self.resend, self.now = resend, NOW
        self.joined = 0
        self.published = False
        self.living: list[Sender] = []
        self.dead: list[Sender] = []
        self.took: Counter[str] = Counter()
        self.allowed_twice: set[str] = set()
        self.barred: set[str] = set()
        self.lost_wires = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    # --- people

    @rule()
    def join(self) -> None:
        self.joined += 1
        add(self.store, f"reader{self.joined}@example.org")

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        everybody = list(subscribers.all_subscribers(self.store))
        person = data.draw(st.sampled_from(everybody))
        subscribers.unsubscribe(self.store, person, now=self.now)
        self.barred.add(person.email.key)

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def complain(self, data: st.DataObject) -> None:
        name = f"reader{data.draw(st.integers(1, self.joined))}@example.org"
        if name not in self.barred:
            suppress(self.store, name)
            self.barred.add(name)

    @precondition(lambda self: self.joined and not self.published)
    @rule()
    def publish(self) -> None:
        who = [one.email.key for one in subscribers.all_subscribers(self.store)]
        if set(who) - self.barred:
            issues.enqueue(self.store, ISSUE, save(self.store), now=self.now)
            self.published = True

    # --- senders

    @precondition(lambda self: self.published and len(self.living) < 3)
    @rule()
    def start(self) -> None:
        """Also a resume: what the dead left is settled first."""
        dead = {one.ledger._sender.id for one in self.dead}
        gone = [one for one in workers.workers_in_flight(self.store, ISSUE) if one.id in dead]
        workers.reclaim_deliveries(self.store, ISSUE, gone, resend=self.resend, now=self.now)
        self.dead.clear()
        pid = len(self.living) + 1
        self.living.append(Sender(ledger(self.store, pid=pid)))

    @precondition(lambda self: self.living)
    @rule(data=st.data(), count=st.integers(1, 4))
    def lease(self, data: st.DataObject, count: int) -> None:
        one = data.draw(st.sampled_from(self.living))
        if not one.leased:
            one.leased += one.ledger.lease(count, self.now)

    @precondition(lambda self: any(one.leased for one in self.living))
    @rule(data=st.data())
    def turn(self, data: st.DataObject) -> None:
        """Replies and marks of all free connections, in one commit."""
        one = data.draw(st.sampled_from([one for one in self.living if one.leased]))
        free = [line for line, claim in one.wire.items() if claim is None]
        marks = [one.leased.pop(0) for _ in free[: len(one.leased)]]
        records = list(one.unrecorded.values())
        one.unrecorded.clear()
        answers = one.ledger.commit(records, marks, self.now)
        for line, claim, answer in zip(free, marks, answers, strict=False):
            if answer.status is ClaimStatus.GRANTED:
                # Promise 4: at the moment of sending nobody who left or was suppressed.
                assert claim.address.key not in self.barred
                one.wire[line] = claim

    @precondition(lambda self: any(self._on_wire()))
    @rule(data=st.data())
    def relay_takes(self, data: st.DataObject) -> None:
        one, line, claim = data.draw(st.sampled_from(self._on_wire()))
        if line not in one.taken:
            self.took[claim.address.key] += 1
            one.taken.add(line)

    @precondition(lambda self: any(self._on_wire()))
    @rule(data=st.data(), fate=st.sampled_from(["sent", "deferred", "rejected"]))
    def relay_answers(self, data: st.DataObject, fate: str) -> None:
        one, line, claim = data.draw(st.sampled_from(self._on_wire()))
        if line in one.taken:
            verdict = Verdict(DeliveryState.SENT, code=250)
        elif fate == "deferred":
            later = self.now + timedelta(minutes=1)
            verdict = Verdict(DeliveryState.DEFERRED, next_at=later, code=451)
        elif fate == "rejected":
            verdict = Verdict(DeliveryState.REJECTED, suppress=True, code=550)
            self.barred.add(claim.address.key)
        else:
            return
        one.taken.discard(line)
        one.wire[line] = None
        one.unrecorded[line] = (claim, verdict)
        if verdict.state is not DeliveryState.SENT:
            one.ledger.commit([one.unrecorded.pop(line)], [], self.now)

    @precondition(lambda self: self.living)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Kill -9: whatever was not committed is gone."""
        one = data.draw(st.sampled_from(self.living))
        self.living.remove(one)
        self.dead.append(one)
        lost = [claim for claim in one.wire.values() if claim is not None]
        lost += [claim for claim, _ in one.unrecorded.values()]
        assert len(lost) <= CONNECTIONS
        self.lost_wires += len(lost)
        if self.resend:
            self.allowed_twice |= {claim.address.key for claim in lost}

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _on_wire(self) -> list[tuple[Sender, int, LeasedDelivery]]:
        return [
            (one, line, claim)
            for one in self.living
            for line, claim in one.wire.items()
            if claim is not None and line not in one.unrecorded
        ]

    # --- the promises

    @invariant()
    def nobody_gets_it_twice(self) -> None:
        if hasattr(self, "took"):
            twice = {who for who, count in self.took.items() if count > 1}
            assert twice <= self.allowed_twice

    @invariant()
    def the_sum_closes_and_at_most_one_per_connection_is_unknown(self) -> None:
        if not getattr(self, "published", False):
            return
        told = issues.status(self.store, ISSUE)
        assert told is not None
        assert sum(told.counts.values()) == told.audience
        assert told.counts.get(DeliveryState.UNKNOWN, 0) <= self.lost_wires

    @precondition(lambda self: self.published)
    @rule()
    def resume_to_the_end(self) -> None:
        """Everybody dies, one comes back and finishes: nobody is forgotten."""
        for one in list(self.living):
            lost = [claim for claim in one.wire.values() if claim is not None]
            lost += [claim for claim, _ in one.unrecorded.values()]
            self.lost_wires += len(lost)
            if self.resend:
                self.allowed_twice |= {claim.address.key for claim in lost}
            self.dead.append(one)
        self.living.clear()
        self.start()
        one = self.living[0]
        self.now += timedelta(hours=2)
        while (claim := one.ledger.claim(self.now)) is not None:
            assert claim.address.key not in self.barred
            self.took[claim.address.key] += 1
            one.ledger.record(claim, Verdict(DeliveryState.SENT, code=250), self.now)
        told = issues.status(self.store, ISSUE)
        assert told is not None
        assert told.closed
        sent = told.counts.get(DeliveryState.SENT, 0)
        assert len([who for who in self.took if self.took[who]]) >= sent
        row = issues.get(self.store, ISSUE)
        assert row is not None
        assert row.state is IssueState.SENDING


def test_the_promises_hold_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "blank.db"
    open_store(f"sqlite:///{path}").close()
    AnIssueThatCrashes.blank = path.read_bytes()
    run_state_machine_as_test(
        AnIssueThatCrashes,
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None),
    )
