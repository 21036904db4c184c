from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from upcycle_news.errors import IssueError
from upcycle_news.models import (
    DeliveryState,
    IssueState,
    IssueStatus,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.storage import (
    deliveries,
    issues,
    personal_data,
    subscribers,
    workers,
)
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.workers import Worker

from ..fork_server import ForkedPython
from .sample_rows import (
    ISSUE,
    NOW,
    add,
    change_state,
    ledger,
    queued,
    suppress,
)

SENT = Verdict(DeliveryState.SENT, code=250)
LATER = NOW + timedelta(hours=1)


def status(store: Store) -> IssueStatus:
    result = issues.status(store, ISSUE)
    assert result is not None
    return result


def counts(store: Store) -> dict[str, int]:
    return {str(state): count for state, count in status(store).counts.items()}


def claimed(delivery: LeasedDelivery | None) -> LeasedDelivery:
    assert delivery is not None
    return delivery


def test_a_delivery_is_claimed_by_one_worker_and_has_the_address(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    own, other = ledger(store), ledger(store, pid=2)
    first, second = claimed(own.claim(NOW)), claimed(other.claim(NOW))
    assert {first.address.address, second.address.address} == {
        "anna@example.org",
        "bert@example.org",
    }
    assert (first.attempt, first.queued_at) == (1, NOW)
    assert own.claim(NOW) is None
    assert counts(store) == {"sending": 2}


def test_a_sent_delivery_is_never_claimed_again(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    own.record(claimed(own.claim(NOW)), SENT, NOW)
    assert own.claim(LATER) is None
    assert status(store).closed


def test_a_deferred_delivery_is_claimed_when_it_is_due(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    again = NOW + timedelta(minutes=3)
    verdict = Verdict(DeliveryState.DEFERRED, next_at=again, code=451, reason="greylisted")
    own.record(claimed(own.claim(NOW)), verdict, NOW)
    assert own.next_due() == again
    assert own.claim(again - timedelta(seconds=1)) is None
    assert claimed(own.claim(again)).attempt == 2


def test_an_unsent_claim_counts_as_no_attempt(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    own.return_unsent(claimed(own.claim(NOW)), NOW)
    assert counts(store) == {"queued": 1}
    assert claimed(own.claim(NOW)).attempt == 1


def test_a_refused_address_is_suppressed_for_all_later_issues(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    verdict = Verdict(
        DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1", reason="no such user"
    )
    claim = claimed(own.claim(NOW))
    own.record(claim, verdict, NOW)
    own.record(claim, verdict, NOW)
    [subscriber] = subscribers.all_subscribers(store)
    record = personal_data.personal_data_of(store, subscriber).as_dict()
    assert record["suppression"]["reason"] == "bounced"
    assert record["suppression"]["detail"] == "550 5.1.1 no such user"
    [rejected] = deliveries.list_deliveries(store, ISSUE, DeliveryState.REJECTED)
    assert (rejected.code, rejected.reason) == (550, "no such user")


def test_unsubscribed_suppressed_or_erased_after_queueing_means_no_mail(store: Store) -> None:
    names = ["anna", "bert", "cem", "dora"]
    queued(store, *(f"{name}@example.org" for name in names))
    suppress(store, "anna@example.org")
    bert = next(
        subscriber
        for subscriber in subscribers.all_subscribers(store)
        if subscriber.email.key.startswith("bert")
    )
    assert subscribers.unsubscribe(store, bert, now=NOW)
    with store.writing() as connection:
        connection.execute(text("DELETE FROM subscribers WHERE email LIKE 'cem%'"))
    own = ledger(store)
    assert claimed(own.claim(NOW)).address.address == "dora@example.org"
    assert own.claim(NOW) is None
    ended = {
        (
            delivery.address.address if delivery.address else None,
            str(delivery.state),
            delivery.reason,
        )
        for state in (DeliveryState.SUPPRESSED, DeliveryState.CANCELLED)
        for delivery in deliveries.list_deliveries(store, ISSUE, state)
    }
    assert ended == {
        ("anna@example.org", "suppressed", "suppressed: complained"),
        ("bert@example.org", "cancelled", "has unsubscribed"),
        (None, "cancelled", "the person was forgotten"),
    }
    assert status(store).audience == sum(status(store).counts.values()) == 4


@pytest.mark.parametrize("state", [IssueState.PAUSED, IssueState.STOPPED, IssueState.CANCELLED])
def test_a_paused_stopped_or_cancelled_issue_leases_nothing(
    store: Store, state: IssueState
) -> None:
    queued(store, "anna@example.org")
    change_state(store, state)
    assert ledger(store).claim(NOW) is None


def test_cancelling_an_issue_ends_all_waiting_deliveries(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org", "cem@example.org")
    own = ledger(store)
    own.record(claimed(own.claim(NOW)), SENT, NOW)
    later = Verdict(DeliveryState.DEFERRED, next_at=LATER)
    own.record(claimed(own.claim(NOW)), later, NOW)
    issues.cancel(store, ISSUE, by="test", reason="", now=NOW)
    assert counts(store) == {"sent": 1, "cancelled": 2}
    assert status(store).closed


@pytest.mark.parametrize("end", ["release", "deferred", "queued again", "reclaimed for resending"])
def test_a_delivery_that_returns_after_its_issue_was_cancelled_is_cancelled(
    store: Store, end: str
) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    claim = claimed(own.claim(NOW))
    issues.cancel(store, ISSUE, by="test", reason="", now=NOW)
    if end == "release":
        own.return_unsent(claim, NOW)
    elif end == "deferred":
        own.record(claim, Verdict(DeliveryState.DEFERRED, next_at=LATER, code=451), NOW)
    elif end == "queued again":
        own.record(claim, Verdict(DeliveryState.QUEUED, stop="relay is gone"), NOW)
    else:
        dead = workers.workers_in_flight(store, ISSUE)
        assert workers.reclaim_deliveries(store, ISSUE, dead, resend=True, now=NOW) == 1
    assert counts(store) == {"cancelled": 1}
    assert own.next_due() is None
    assert status(store).closed


def test_a_cancelled_issue_stays_cancelled(store: Store) -> None:
    queued(store, "anna@example.org")
    issues.cancel(store, ISSUE, by="test", reason="", now=NOW)
    for state in (IssueState.SENDING, IssueState.STOPPED, IssueState.PAUSED):
        with contextlib.suppress(IssueError):  # another process was slower
            change_state(store, state)
        row = issues.get(store, ISSUE)
        assert row is not None
        assert row.state is IssueState.CANCELLED


def test_what_a_dead_worker_had_on_the_wire_is_unknown(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org", "cem@example.org")
    dead, alive = ledger(store, pid=1), ledger(store, pid=2)
    lost = claimed(dead.claim(NOW))
    still_sending = claimed(alive.claim(NOW))
    gone = [worker for worker in workers.workers_in_flight(store, ISSUE) if worker.pid == 1]
    assert workers.reclaim_deliveries(store, ISSUE, gone, resend=False, now=LATER) == 1
    [unknown] = deliveries.list_deliveries(store, ISSUE, DeliveryState.UNKNOWN)
    assert unknown.subscriber == lost.subscriber
    assert "died" in unknown.reason
    [sending] = deliveries.list_deliveries(store, ISSUE, DeliveryState.SENDING)
    assert sending.subscriber == still_sending.subscriber
    assert claimed(alive.claim(NOW)).subscriber not in (lost.subscriber, still_sending.subscriber)


def test_with_the_policy_resend_what_was_on_the_wire_is_queued_again(store: Store) -> None:
    queued(store, "anna@example.org")
    lost = claimed(ledger(store, pid=1).claim(NOW))
    dead = workers.workers_in_flight(store, ISSUE)
    assert workers.reclaim_deliveries(store, ISSUE, dead, resend=True, now=LATER) == 1
    again = claimed(ledger(store, pid=2).claim(LATER))
    assert (again.delivery, again.attempt) == (lost.delivery, 2)


def test_without_workers_in_flight_nothing_is_reclaimed(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    own.record(claimed(own.claim(NOW)), SENT, NOW)
    assert workers.workers_in_flight(store, ISSUE) == ()
    assert workers.reclaim_deliveries(store, ISSUE, [], resend=False, now=NOW) == 0


def test_requeued_unknown_deliveries_have_a_new_queueing_time(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    own.record(claimed(own.claim(NOW)), Verdict(DeliveryState.UNKNOWN, reason="lost"), NOW)
    assert deliveries.requeue(store, ISSUE, DeliveryState.UNKNOWN, now=LATER) == 1
    assert claimed(own.claim(LATER)).queued_at == LATER


def test_a_heartbeat_is_stored(store: Store) -> None:
    queued(store, "anna@example.org")
    own = ledger(store)
    own.claim(NOW)
    own.heartbeat(LATER)
    [sender] = workers.workers_in_flight(store, ISSUE)
    assert sender == Worker(sender.id, "here", 1, "1", LATER)


def drain(store_url: str, pid: int) -> list[int]:
    """Claim and send until nothing is left; the readers served."""
    own = open_store(store_url)
    served, sender = [], ledger(own, pid=pid)
    while (claim := sender.claim(NOW)) is not None:
        served.append(claim.subscriber)
        sender.record(claim, SENT, NOW)
    own.close()
    return served


def test_two_threads_on_one_issue_never_serve_the_same_subscriber(store_url: str) -> None:
    setup = open_store(store_url)
    queued(setup, *(f"reader{number}@example.org" for number in range(60)))
    served: list[int] = []
    barrier = threading.Barrier(3)

    def work(pid: int) -> None:
        barrier.wait()
        served.extend(drain(store_url, pid))

    threads = [threading.Thread(target=work, args=(pid,)) for pid in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(served) == dict.fromkeys(add(setup).values(), 1)
    assert counts(setup) == {"sent": 60}
    assert status(setup).closed
    setup.close()


_SENDER = """
import sys
from datetime import datetime, UTC
from upcycle_news.models import *
from upcycle_news.storage.database import open_store
from tests.single_leases import SingleLeaseLedger
from upcycle_news.storage.workers import register_worker
now = datetime(2026, 11, 26, 6, tzinfo=UTC)
store = open_store(sys.argv[1])
sender = register_worker(store, host="h", pid=int(sys.argv[2]), process_start="", now=now)
ledger = SingleLeaseLedger(store, IssueId.parse("2026-11-26"), sender)
print("ready", flush=True)
sys.stdin.readline()
while (claim := ledger.claim(now)) is not None:
    print(claim.subscriber)
    ledger.record(claim, Verdict(DeliveryState.SENT), now)
"""


@pytest.mark.slow
def test_two_processes_on_one_issue_never_serve_the_same_subscriber(store_url: str) -> None:
    setup = open_store(store_url)
    queued(setup, *(f"reader{number}@example.org" for number in range(200)))
    processes = [
        ForkedPython(
            [sys.executable, "-c", _SENDER, store_url, str(pid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for pid in (1, 2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    served = [process.communicate()[0].split() for process in processes]
    assert Counter(served[0] + served[1]) == {str(n): 1 for n in add(setup).values()}
    assert status(setup).closed
    setup.close()
