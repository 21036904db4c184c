from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from upcycle_news.models import (
    DeliveryState,
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
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.workers import Worker

from .sample_rows import (
    ISSUE,
    NOW,
    add,
    ledger,
    queued,
    suppress,
)

SENT = Verdict(DeliveryState.SENT, code=250)
LATER = NOW + timedelta(hours=1)


def status(store: Store) -> IssueStatus:
    found = issues.status(store, ISSUE)
    assert found is not None
    return found


def counts(store: Store) -> dict[str, int]:
    return {str(state): count for state, count in status(store).counts.items()}


def claimed(made: LeasedDelivery | None) -> LeasedDelivery:
    assert made is not None
    return made


def test_a_claim_knows_the_reader_and_is_given_once(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    mine, other = ledger(store), ledger(store, pid=2)
    first, second = claimed(mine.claim(NOW)), claimed(other.claim(NOW))
    assert {first.address.address, second.address.address} == {
        "anna@example.org",
        "bert@example.org",
    }
    assert (first.attempt, first.queued_at) == (1, NOW)
    assert mine.claim(NOW) is None
    assert counts(store) == {"sending": 2}


def test_a_sent_delivery_is_never_claimed_again(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    mine.record(claimed(mine.claim(NOW)), SENT, NOW)
    assert mine.claim(LATER) is None
    assert status(store).closed


def test_a_deferred_delivery_is_claimed_when_it_is_due(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    again = NOW + timedelta(minutes=3)
    verdict = Verdict(DeliveryState.DEFERRED, next_at=again, code=451, reason="greylisted")
    mine.record(claimed(mine.claim(NOW)), verdict, NOW)
    assert mine.next_due() == again
    assert mine.claim(again - timedelta(seconds=1)) is None
    assert claimed(mine.claim(again)).attempt == 2


def test_a_claim_given_back_counts_as_no_attempt(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    mine.return_unsent(claimed(mine.claim(NOW)), NOW)
    assert counts(store) == {"queued": 1}
    assert claimed(mine.claim(NOW)).attempt == 1


def test_a_refused_address_is_suppressed_for_all_later_issues(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    verdict = Verdict(
        DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1", reason="no such user"
    )
    claim = claimed(mine.claim(NOW))
    mine.record(claim, verdict, NOW)
    mine.record(claim, verdict, NOW)
    [person] = subscribers.all_subscribers(store)
    record = personal_data.personal_data_of(store, person)
    assert record["suppression"]["reason"] == "bounced"
    assert record["suppression"]["detail"] == "550 5.1.1 no such user"
    [rejected] = deliveries.list_deliveries(store, ISSUE, DeliveryState.REJECTED)
    assert (rejected.code, rejected.reason) == (550, "no such user")


def test_who_leaves_is_suppressed_or_forgotten_after_queueing_gets_nothing(store: Store) -> None:
    names = ["anna", "bert", "cem", "dora"]
    queued(store, *(f"{name}@example.org" for name in names))
    suppress(store, "anna@example.org")
    bert = next(
        one for one in subscribers.all_subscribers(store) if one.email.key.startswith("bert")
    )
    assert subscribers.unsubscribe(store, bert, now=NOW)
    with store.writing() as connection:
        connection.execute(text("DELETE FROM subscribers WHERE email LIKE 'cem%'"))
    mine = ledger(store)
    assert claimed(mine.claim(NOW)).address.address == "dora@example.org"
    assert mine.claim(NOW) is None
    told = {
        (one.address.address if one.address else None, str(one.state), one.reason)
        for state in (DeliveryState.SUPPRESSED, DeliveryState.CANCELLED)
        for one in deliveries.list_deliveries(store, ISSUE, state)
    }
    assert told == {
        ("anna@example.org", "suppressed", "suppressed: complained"),
        ("bert@example.org", "cancelled", "has unsubscribed"),
        (None, "cancelled", "the person was forgotten"),
    }
    assert status(store).audience == sum(status(store).counts.values()) == 4


@pytest.mark.parametrize("state", [IssueState.PAUSED, IssueState.STOPPED, IssueState.CANCELLED])
def test_an_issue_that_is_held_gives_nothing_out(store: Store, state: IssueState) -> None:
    queued(store, "anna@example.org")
    issues.set_state(store, ISSUE, state, now=NOW)
    assert ledger(store).claim(NOW) is None


def test_a_cancelled_issue_ends_for_everybody_who_waits(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org", "cem@example.org")
    mine = ledger(store)
    mine.record(claimed(mine.claim(NOW)), SENT, NOW)
    later = Verdict(DeliveryState.DEFERRED, next_at=LATER)
    mine.record(claimed(mine.claim(NOW)), later, NOW)
    issues.set_state(store, ISSUE, IssueState.CANCELLED, now=NOW)
    assert counts(store) == {"sent": 1, "cancelled": 2}
    assert status(store).closed


@pytest.mark.parametrize("end", ["release", "deferred", "queued again", "abandoned for resending"])
def test_what_was_on_the_wire_when_an_issue_was_cancelled_does_not_wait_for_ever(
    store: Store, end: str
) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    claim = claimed(mine.claim(NOW))
    issues.set_state(store, ISSUE, IssueState.CANCELLED, now=NOW)
    if end == "release":
        mine.return_unsent(claim, NOW)
    elif end == "deferred":
        mine.record(claim, Verdict(DeliveryState.DEFERRED, next_at=LATER, code=451), NOW)
    elif end == "queued again":
        mine.record(claim, Verdict(DeliveryState.QUEUED, stop="relay is gone"), NOW)
    else:
        dead = workers.workers_in_flight(store, ISSUE)
        assert workers.reclaim_deliveries(store, ISSUE, dead, resend=True, now=NOW) == 1
    assert counts(store) == {"cancelled": 1}
    assert mine.next_due() is None
    assert status(store).closed


def test_a_cancelled_issue_stays_cancelled(store: Store) -> None:
    queued(store, "anna@example.org")
    issues.set_state(store, ISSUE, IssueState.CANCELLED, now=NOW)
    for state in (IssueState.SENDING, IssueState.STOPPED, IssueState.PAUSED):
        issues.set_state(store, ISSUE, state, reason="somebody was slower", now=NOW)
        row = issues.get(store, ISSUE)
        assert row is not None
        assert row.state is IssueState.CANCELLED


def test_what_a_dead_sender_had_on_the_wire_is_unknown(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org", "cem@example.org")
    dead, alive = ledger(store, pid=1), ledger(store, pid=2)
    lost = claimed(dead.claim(NOW))
    kept = claimed(alive.claim(NOW))
    gone = [one for one in workers.workers_in_flight(store, ISSUE) if one.pid == 1]
    assert workers.reclaim_deliveries(store, ISSUE, gone, resend=False, now=LATER) == 1
    [unknown] = deliveries.list_deliveries(store, ISSUE, DeliveryState.UNKNOWN)
    assert unknown.subscriber == lost.subscriber
    assert "died" in unknown.reason
    [sending] = deliveries.list_deliveries(store, ISSUE, DeliveryState.SENDING)
    assert sending.subscriber == kept.subscriber
    assert claimed(alive.claim(NOW)).subscriber not in (lost.subscriber, kept.subscriber)


def test_with_the_policy_resend_what_was_on_the_wire_is_queued_again(store: Store) -> None:
    queued(store, "anna@example.org")
    lost = claimed(ledger(store, pid=1).claim(NOW))
    dead = workers.workers_in_flight(store, ISSUE)
    assert workers.reclaim_deliveries(store, ISSUE, dead, resend=True, now=LATER) == 1
    again = claimed(ledger(store, pid=2).claim(LATER))
    assert (again.delivery, again.attempt) == (lost.delivery, 2)


def test_nobody_in_flight_means_nobody_to_abandon(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    mine.record(claimed(mine.claim(NOW)), SENT, NOW)
    assert workers.workers_in_flight(store, ISSUE) == ()
    assert workers.reclaim_deliveries(store, ISSUE, [], resend=False, now=NOW) == 0


def test_unknown_deliveries_are_queued_again_on_command_with_a_fresh_start(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    mine.record(claimed(mine.claim(NOW)), Verdict(DeliveryState.UNKNOWN, reason="lost"), NOW)
    assert deliveries.requeue(store, ISSUE, DeliveryState.UNKNOWN, now=LATER) == 1
    assert claimed(mine.claim(LATER)).queued_at == LATER


def test_a_sender_shows_that_it_lives(store: Store) -> None:
    queued(store, "anna@example.org")
    mine = ledger(store)
    mine.claim(NOW)
    mine.heartbeat(LATER)
    [sender] = workers.workers_in_flight(store, ISSUE)
    assert sender == Worker(sender.id, "here", 1, "1", LATER)


def drain(store_url: str, pid: int) -> list[int]:
    """Claim and send until nothing is left; the readers served."""
    mine = open_store(store_url)
    served, sender = [], ledger(mine, pid=pid)
    while (claim := sender.claim(NOW)) is not None:
        served.append(claim.subscriber)
        sender.record(claim, SENT, NOW)
    mine.close()
    return served


def test_two_senders_on_one_issue_never_serve_the_same_reader(store_url: str) -> None:
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
from tests.single_leases import OneByOne
from upcycle_news.storage.workers import register_sender
now = datetime(2026, 11, 26, 6, tzinfo=UTC)
store = open_store(sys.argv[1])
sender = register_sender(store, host="h", pid=int(sys.argv[2]), process_start="", now=now)
ledger = OneByOne(store, IssueId.parse("2026-11-26"), sender)
print("ready", flush=True)
sys.stdin.readline()
while (claim := ledger.claim(now)) is not None:
    print(claim.subscriber)
    ledger.record(claim, Verdict(DeliveryState.SENT), now)
"""


def test_two_processes_on_one_issue_never_serve_the_same_reader(store_url: str) -> None:
    setup = open_store(store_url)
    queued(setup, *(f"reader{number}@example.org" for number in range(200)))
    processes = [
        subprocess.Popen(
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
