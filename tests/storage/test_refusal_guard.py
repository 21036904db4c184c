"""The guard against waves of refusals, counted over workers, restarts and machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from upcycle_news.models import DeliveryState, IssueState, LeasedDelivery, Verdict
from upcycle_news.storage import issues, pending_suppressions, subscribers, suppressions
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import recent_refusals

from ..single_leases import SingleLeaseLedger
from .sample_rows import ISSUE, NOW, ledger, queued

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def store(any_store: str) -> Iterator[Store]:
    """An empty store, in SQLite and in Postgres: their locks and inserts differ."""
    opened = open_store(any_store)
    yield opened
    opened.close()


GONE = Verdict(
    DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1", reason="no such user"
)
BLOCKED = Verdict(
    DeliveryState.DEFERRED,
    next_at=LATER,
    code=550,
    enhanced="5.7.1",
    reason="your address is listed",
)
SENT = Verdict(DeliveryState.SENT, code=250)


def addresses(count: int) -> list[str]:
    return [f"leser{number}@ort{number}.example" for number in range(count)]


def claimed(own: SingleLeaseLedger) -> LeasedDelivery:
    claim = own.claim(NOW)
    assert claim is not None
    return claim


def settle(own: SingleLeaseLedger, *verdicts: Verdict) -> None:
    for verdict in verdicts:
        own.record(claimed(own), verdict, NOW)


def counts(store: Store) -> dict[str, int]:
    status = issues.status(store, ISSUE)
    assert status is not None
    return {str(state): count for state, count in status.counts.items() if count}


def state(store: Store) -> IssueState:
    row = issues.get(store, ISSUE)
    assert row is not None
    return row.state


def suppressed(store: Store) -> int:
    return len(list(suppressions.all_suppressions(store)))


def remembered(store: Store) -> int:
    with store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(recent_refusals)) or 0


def test_the_refusals_of_several_workers_make_one_wave(store: Store) -> None:
    queued(store, *addresses(30))
    workers = [ledger(store, pid=number) for number in range(1, 6)]
    for own in workers:
        settle(own, GONE)
    assert suppressed(store) == 5
    for own in workers[:4]:
        settle(own, GONE)
    assert state(store) is IssueState.SENDING
    settle(workers[4], BLOCKED)
    assert state(store) is IssueState.STOPPED
    assert counts(store) == {"queued": 30}
    assert suppressed(store) == 0
    assert workers[0].claim(NOW) is None
    stop = workers[4].guard_stop
    assert stop is not None
    assert "10 of the last 10" in stop.reason
    assert "your address is listed" in stop.reason


def test_the_refusals_of_workers_that_died_count(store: Store) -> None:
    queued(store, *addresses(30))
    for number in range(1, 6):  # each process dies after two
        settle(ledger(store, pid=number), GONE, GONE)
    assert state(store) is IssueState.STOPPED
    assert suppressed(store) == 0


def test_what_other_workers_sent_counts_from_their_heartbeats_and_their_end(store: Store) -> None:
    queued(store, *addresses(60))
    busy, ended, own = (ledger(store, pid=number) for number in (1, 2, 3))
    settle(busy, *[SENT] * 9)
    busy.heartbeat(NOW)
    settle(ended, *[SENT] * 4)
    ended.release_leases([])
    settle(own, *[GONE] * 10)
    assert state(store) is IssueState.SENDING
    settle(own, GONE)
    assert state(store) is IssueState.STOPPED
    assert counts(store) == {"sent": 13, "queued": 47}


def test_accepted_messages_write_nothing_for_the_guard(store: Store) -> None:
    queued(store, *addresses(30))
    own = ledger(store)
    settle(own, *[SENT] * 9)
    assert remembered(store) == 0
    settle(own, GONE)
    assert remembered(store) == 1


def test_a_refusal_that_was_on_the_wire_when_the_issue_stopped_is_queued_again(
    store: Store,
) -> None:
    queued(store, *addresses(30))
    own, other = ledger(store, pid=1), ledger(store, pid=2)
    late, taken = claimed(other), claimed(other)
    settle(own, *[GONE] * 10)
    assert state(store) is IssueState.STOPPED
    other.commit([(late, GONE), (taken, SENT)], [], NOW)
    assert counts(store) == {"queued": 29, "sent": 1}
    assert suppressed(store) == 0
    assert other.guard_stop is not None
    assert other.guard_stop.deliveries == {late.delivery}


def test_a_suppression_that_a_person_made_before_stays(store: Store) -> None:
    queued(store, *addresses(30))
    own = ledger(store)
    claim = claimed(own)
    suppressions.suppress_all(store, ["leser0@ort0.example"], reason="by hand", now=NOW)
    own.record(claim, GONE, NOW)
    settle(own, *[GONE] * 9)
    assert state(store) is IssueState.STOPPED
    assert [row.reason for row in suppressions.all_suppressions(store)] == ["by hand"]


def test_a_delivery_that_is_refused_again_counts_once(store: Store) -> None:
    queued(store, *addresses(9))
    own = ledger(store)
    settle(own, *[BLOCKED] * 9)
    for _ in range(9):
        claim = own.claim(LATER)
        assert claim is not None
        assert claim.refused_before
        own.record(claim, replace(BLOCKED, next_at=LATER + timedelta(hours=1)), LATER)
    assert state(store) is IssueState.SENDING
    assert remembered(store) == 9


def test_a_resumed_issue_is_counted_anew_and_a_closed_one_not_any_more(store: Store) -> None:
    queued(store, *addresses(12))
    own = ledger(store)
    settle(own, *[GONE] * 10)
    issues.resume(store, ISSUE, by="Anna", now=NOW)
    assert remembered(store) == 0
    settle(own, *[SENT] * 11, GONE)
    assert issues.close_if_done(store, ISSUE, now=NOW)
    assert remembered(store) == 0
    assert counts(store) == {"sent": 11, "rejected": 1}


def test_past_the_guard_the_wave_is_put_off_and_the_next_one_waits_for_a_person(
    store: Store,
) -> None:
    queued(store, *addresses(30))
    own = ledger(store)
    settle(own, *[GONE] * 10)
    until = NOW + timedelta(hours=1)
    assert issues.resume(store, ISSUE, by="Anna", now=NOW, put_off_until=until) == 10
    assert counts(store) == {"queued": 20, "deferred": 10}
    own = ledger(store, pid=2)
    settle(own, *[GONE] * 12, *[SENT] * 8)
    assert state(store) is IssueState.SENDING
    assert own.claim(NOW) is None
    assert own.next_due() == until
    assert (suppressed(store), pending_suppressions.count_pending(store)) == (0, 12)
    issues.pause(store, ISSUE, by="Anna", reason="", now=NOW)
    issues.resume(store, ISSUE, by="Anna", now=NOW)  # with the guard again
    for _ in range(10):
        claim = own.claim(until)
        assert claim is not None
        own.record(claim, GONE, until)
    assert state(store) is IssueState.STOPPED


def test_who_was_erased_is_in_no_wave_and_waits_for_nobody(store: Store) -> None:
    queued(store, *addresses(30))
    own = ledger(store)
    settle(own, *[GONE] * 9)
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM subscribers WHERE email = 'leser3@ort3.example'")
    settle(own, GONE)
    assert state(store) is IssueState.SENDING
    settle(own, GONE)
    assert state(store) is IssueState.STOPPED


# --- what waits for a person


def kept_back(store: Store) -> None:
    """Let twelve dead addresses of one company wait."""
    queued(
        store,
        *[f"tot{number}@altort.example" for number in range(12)],
        *addresses(8),
    )
    settle(ledger(store), *[GONE] * 12, *[SENT] * 8)
    assert (suppressed(store), pending_suppressions.count_pending(store)) == (0, 12)


def test_pending_suppressions_are_confirmed_or_dropped_as_a_whole(store: Store) -> None:
    kept_back(store)
    assert pending_suppressions.count_by_issue(store) == {str(ISSUE): 12}
    assert pending_suppressions.count_pending(store, "2026-11-27") == 0
    assert pending_suppressions.drop_pending(store, "2026-11-27") == 0
    assert pending_suppressions.confirm_pending(store, str(ISSUE)) == 12
    assert pending_suppressions.count_pending(store) == 0
    [detail] = {row.detail for row in suppressions.all_suppressions(store)}
    assert detail == "550 5.1.1 no such user"
    assert pending_suppressions.undo_of_issue(store, str(ISSUE), now=NOW) == 12
    assert suppressed(store) == 0


def test_dropped_suppressions_are_gone(store: Store) -> None:
    kept_back(store)
    assert pending_suppressions.drop_pending(store) == 12
    assert pending_suppressions.drop_pending(store) == 0
    assert suppressed(store) == 0


def test_who_left_or_was_suppressed_meanwhile_does_not_wait_any_more(store: Store) -> None:
    kept_back(store)
    first, second, *_ = subscribers.all_subscribers(store)
    assert subscribers.unsubscribe(store, first, now=NOW)
    suppressions.suppress_all(store, [second.email.key], reason="complaint", now=NOW)
    assert pending_suppressions.count_pending(store) == 10
    assert pending_suppressions.confirm_pending(store) == 10
