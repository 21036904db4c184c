"""Join, unsubscribe, suppress, publish, send, crash, resume, in any order: the guarantees hold."""

from __future__ import annotations

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

from upcycle_news.models import ClaimStatus, DeliveryState, IssueState, LeasedDelivery, Verdict
from upcycle_news.storage import issues, subscribers, workers
from upcycle_news.storage.database import open_store

from ...single_leases import SingleLeaseLedger
from ...storage.sample_rows import (
    ISSUE,
    NOW,
    add,
    approved,
    ledger,
    load,
    suppress,
)

CONNECTIONS = 2


class SendingWorker:
    """A process with two connections that drives a ledger as the delivery engine does."""

    def __init__(self, ledger: SingleLeaseLedger) -> None:
        self.ledger = ledger
        self.leased: list[LeasedDelivery] = []
        self.in_flight: dict[int, LeasedDelivery | None] = dict.fromkeys(range(CONNECTIONS))
        self.accepted: set[int] = set()  # connections whose message the relay has accepted
        self.unrecorded: dict[int, tuple[LeasedDelivery, Verdict]] = {}


class CrashingSend(RuleBasedStateMachine):
    """The relay's own list of accepted recipients is compared with the store."""

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
        self.running: list[SendingWorker] = []
        self.dead: list[SendingWorker] = []
        self.accepted: Counter[str] = Counter()
        self.allowed_twice: set[str] = set()
        self.suppressed: set[str] = set()
        self.lost_in_flight = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    # --- subscribers

    @rule()
    def join(self) -> None:
        self.joined += 1
        add(self.store, f"reader{self.joined}@example.org")

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        everyone = list(subscribers.all_subscribers(self.store))
        subscriber = data.draw(st.sampled_from(everyone))
        subscribers.unsubscribe(self.store, subscriber, now=self.now)
        self.suppressed.add(subscriber.email.key)

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def complain(self, data: st.DataObject) -> None:
        name = f"reader{data.draw(st.integers(1, self.joined))}@example.org"
        if name not in self.suppressed:
            suppress(self.store, name)
            self.suppressed.add(name)

    @precondition(lambda self: self.joined and not self.published)
    @rule()
    def publish(self) -> None:
        addresses = [subscriber.email.key for subscriber in subscribers.all_subscribers(self.store)]
        if set(addresses) - self.suppressed:
            issues.enqueue(self.store, load(self.store, approved(self.store)), now=self.now)
            self.published = True

    # --- workers

    @precondition(lambda self: self.published and len(self.running) < 3)
    @rule()
    def start(self) -> None:
        """Also a resume: the deliveries of dead workers are reclaimed first."""
        dead = {worker.ledger._worker.id for worker in self.dead}
        gone = [
            worker for worker in workers.workers_in_flight(self.store, ISSUE) if worker.id in dead
        ]
        workers.reclaim_deliveries(self.store, ISSUE, gone, resend=self.resend, now=self.now)
        self.dead.clear()
        pid = len(self.running) + 1
        self.running.append(SendingWorker(ledger(self.store, pid=pid)))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), count=st.integers(1, 4))
    def lease(self, data: st.DataObject, count: int) -> None:
        worker = data.draw(st.sampled_from(self.running))
        if not worker.leased:
            worker.leased += worker.ledger.lease(count, self.now)

    @precondition(lambda self: any(worker.leased for worker in self.running))
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """Verdicts and claims of all free connections, in one commit."""
        worker = data.draw(st.sampled_from([worker for worker in self.running if worker.leased]))
        free = [connection for connection, claim in worker.in_flight.items() if claim is None]
        claims = [worker.leased.pop(0) for _ in free[: len(worker.leased)]]
        records = list(worker.unrecorded.values())
        worker.unrecorded.clear()
        answers = worker.ledger.commit(records, claims, self.now)
        for connection, claim, answer in zip(free, claims, answers, strict=False):
            if answer.status is ClaimStatus.GRANTED:
                # At the moment of sending nobody who has unsubscribed or is suppressed.
                assert claim.address.key not in self.suppressed
                worker.in_flight[connection] = claim

    @precondition(lambda self: any(self._on_wire()))
    @rule(data=st.data())
    def relay_accepts(self, data: st.DataObject) -> None:
        worker, connection, claim = data.draw(st.sampled_from(self._on_wire()))
        if connection not in worker.accepted:
            self.accepted[claim.address.key] += 1
            worker.accepted.add(connection)

    @precondition(lambda self: any(self._on_wire()))
    @rule(data=st.data(), fate=st.sampled_from(["sent", "deferred", "rejected"]))
    def relay_replies(self, data: st.DataObject, fate: str) -> None:
        worker, connection, claim = data.draw(st.sampled_from(self._on_wire()))
        if connection in worker.accepted:
            verdict = Verdict(DeliveryState.SENT, code=250)
        elif fate == "deferred":
            later = self.now + timedelta(minutes=1)
            verdict = Verdict(DeliveryState.DEFERRED, next_at=later, code=451)
        elif fate == "rejected":
            verdict = Verdict(DeliveryState.REJECTED, suppress=True, code=550)
            self.suppressed.add(claim.address.key)
        else:
            return
        worker.accepted.discard(connection)
        worker.in_flight[connection] = None
        worker.unrecorded[connection] = (claim, verdict)
        if verdict.state is not DeliveryState.SENT:
            worker.ledger.commit([worker.unrecorded.pop(connection)], [], self.now)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Kill -9: whatever was not committed is gone."""
        worker = data.draw(st.sampled_from(self.running))
        self.running.remove(worker)
        self.dead.append(worker)
        lost = [claim for claim in worker.in_flight.values() if claim is not None]
        lost += [claim for claim, _ in worker.unrecorded.values()]
        assert len(lost) <= CONNECTIONS
        self.lost_in_flight += len(lost)
        if self.resend:
            self.allowed_twice |= {claim.address.key for claim in lost}

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _on_wire(self) -> list[tuple[SendingWorker, int, LeasedDelivery]]:
        return [
            (worker, connection, claim)
            for worker in self.running
            for connection, claim in worker.in_flight.items()
            if claim is not None and connection not in worker.unrecorded
        ]

    # --- the guarantees

    @invariant()
    def no_subscriber_gets_two_mails(self) -> None:
        if hasattr(self, "accepted"):
            twice = {address for address, count in self.accepted.items() if count > 1}
            assert twice <= self.allowed_twice

    @invariant()
    def all_deliveries_are_accounted_for_and_at_most_one_per_connection_is_unknown(self) -> None:
        if not getattr(self, "published", False):
            return
        status = issues.status(self.store, ISSUE)
        assert status is not None
        assert sum(status.counts.values()) == status.audience
        assert status.counts.get(DeliveryState.UNKNOWN, 0) <= self.lost_in_flight

    @precondition(lambda self: self.published)
    @rule()
    def resume_to_the_end(self) -> None:
        """All workers die, one starts again and finishes: no delivery is lost."""
        for worker in list(self.running):
            lost = [claim for claim in worker.in_flight.values() if claim is not None]
            lost += [claim for claim, _ in worker.unrecorded.values()]
            self.lost_in_flight += len(lost)
            if self.resend:
                self.allowed_twice |= {claim.address.key for claim in lost}
            self.dead.append(worker)
        self.running.clear()
        self.start()
        worker = self.running[0]
        self.now += timedelta(hours=2)
        while (claim := worker.ledger.claim(self.now)) is not None:
            assert claim.address.key not in self.suppressed
            self.accepted[claim.address.key] += 1
            worker.ledger.record(claim, Verdict(DeliveryState.SENT, code=250), self.now)
        issues.close_if_done(self.store, ISSUE, now=self.now)
        status = issues.status(self.store, ISSUE)
        assert status is not None
        assert status.closed
        sent = status.counts.get(DeliveryState.SENT, 0)
        assert len([address for address in self.accepted if self.accepted[address]]) >= sent
        row = issues.get(self.store, ISSUE)
        assert row is not None
        assert row.state is IssueState.CLOSED


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples", [20, pytest.param(2000, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
def test_the_guarantees_hold_in_any_order_of_events(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "blank.db"
    open_store(f"sqlite:///{path}").close()
    CrashingSend.blank = path.read_bytes()
    run_state_machine_as_test(
        CrashingSend,
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )
