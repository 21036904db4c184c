"""Quotas are exact, with a clock that the tests set."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.models import (
    ClaimStatus,
    DeliveryState,
    LeasedDelivery,
    Rate,
    Verdict,
)
from upcycle_news.storage import statistics
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.quotas import Quotas
from upcycle_news.storage.workers import reclaim_deliveries, register_worker, workers_in_flight

from ..single_leases import SingleLeaseLedger
from .sample_rows import ISSUE, NOW, queued

SENT = Verdict(DeliveryState.SENT, code=250)


@pytest.fixture
def store(any_store: str) -> Iterator[Store]:
    opened = open_store(any_store)
    yield opened
    opened.close()


def sender(store: Store, pid: int, **quotas: object) -> SingleLeaseLedger:
    signed_on = register_worker(store, host="here", pid=pid, process_start="1", now=NOW)
    return SingleLeaseLedger(store, ISSUE, signed_on, quotas=Quotas(relay_name="main", **quotas))  # type: ignore[arg-type]


def send(ledger: SingleLeaseLedger, claim: LeasedDelivery, now: datetime) -> None:
    ledger.record(claim, SENT, now)


def at_once(ledgers: list[SingleLeaseLedger], now: datetime) -> int:
    """How many messages all of them together may send at this moment."""
    count = 0
    waiting = list(ledgers)
    while waiting:
        for ledger in list(waiting):
            claim = ledger.claim(now)
            if claim is None:
                waiting.remove(ledger)
            else:
                send(ledger, claim, now)
                count += 1
    return count


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "step"), [("2/h", 600), ("30/min", 10), ("14/s", 0.25)])
@pytest.mark.parametrize("scope", ["relay", "sender"])
def test_every_span_holds_exactly_the_quota(
    store: Store, rate: str, step: float, scope: str
) -> None:
    limit, span = Rate.parse(rate).limit, Rate.parse(rate).seconds
    queued(store, *(f"reader{number}@example.org" for number in range(4 * limit)))
    rates = {scope: (Rate.parse(rate),)}
    ledgers = [sender(store, 1, **rates), sender(store, 2, **rates)]
    sent: Counter[datetime] = Counter()
    now = NOW
    while now < NOW + timedelta(seconds=3 * span):
        if now == NOW + timedelta(seconds=span):  # a restart: nothing is kept but the store
            ledgers = [sender(store, 3, **rates), sender(store, 4, **rates)]
        sent[now] += at_once(ledgers, now)
        now += timedelta(seconds=step)
    # The whole quota is used at once, and again exactly one span later.
    assert +sent == {NOW + timedelta(seconds=number * span): limit for number in range(3)}


def test_a_message_lost_in_a_crash_counts_against_the_quota(store: Store) -> None:
    queued(store, "anna@example.org", "bert@example.org")
    dead = sender(store, 1, relay=(Rate(1, 3600),))
    assert dead.claim(NOW) is not None
    reclaim_deliveries(store, ISSUE, workers_in_flight(store, ISSUE), resend=True, now=NOW)
    other = sender(store, 2, relay=(Rate(1, 3600),))
    assert other.claim(NOW + timedelta(minutes=59)) is None
    assert other.claim(NOW + timedelta(minutes=60)) is not None


def test_all_quotas_hold_at_the_same_time(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(9)))
    ledger = sender(store, 1, relay=(Rate(2, 1), Rate(5, 60)), sender=(Rate(4, 3600),))
    counts = [at_once([ledger], NOW + timedelta(seconds=second)) for second in range(70)]
    assert [count for count in counts if count] == [2, 2]
    assert at_once([ledger], NOW + timedelta(hours=1)) == 2


def test_with_a_full_domain_quota_other_domains_are_sent(store: Store) -> None:
    queued(
        store,
        *(f"reader{number}@gmx.example" for number in range(5)),
        *(f"reader{number}@example.org" for number in range(5)),
    )
    rates = (("gmx.example", (Rate(2, 60),)),)
    ledger = sender(store, 1, domains=rates)
    sent_domains: list[list[str]] = []
    for minute in range(4):
        now, domains = NOW + timedelta(minutes=minute), []
        while (claim := ledger.claim(now)) is not None:
            send(ledger, claim, now)
            domains.append(claim.address.domain)
        sent_domains.append(domains)
    assert [domains.count("gmx.example") for domains in sent_domains] == [2, 2, 1, 0]
    assert sent_domains[0].count("example.org") == 5


def test_every_other_domain_has_the_quota_of_the_wildcard(store: Store) -> None:
    queued(store, *(f"r{n}@{domain}.example" for n in range(3) for domain in ("a", "b")))
    ledger = sender(store, 1, domains=(("*", (Rate(2, 60),)),))
    assert at_once([ledger], NOW) == 4


def test_a_clock_set_back_closes_a_quota_for_at_most_one_span(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(4)))
    ledger = sender(store, 1, relay=(Rate(2, 60),))
    assert at_once([ledger], NOW + timedelta(days=365)) == 2
    assert at_once([ledger], NOW) == 0
    assert at_once([ledger], NOW + timedelta(seconds=60)) == 2


def test_a_raised_limit_still_counts_what_was_sent(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(9)))
    assert at_once([sender(store, 1, relay=(Rate(2, 60),))], NOW) == 2
    raised = sender(store, 2, relay=(Rate(3, 60),))
    assert at_once([raised], NOW + timedelta(seconds=1)) == 1
    assert at_once([raised], NOW + timedelta(seconds=60)) == 2


def test_an_unused_lease_is_not_counted(store: Store) -> None:
    """A lease is no message: only the mark that precedes the wire counts."""
    queued(store, "anna@example.org", "bert@example.org")
    ledger = sender(store, 1, relay=(Rate(1, 60),))
    leased = ledger.lease(2, NOW)
    ledger.release_leases(leased)
    assert at_once([ledger], NOW) == 1


@pytest.mark.parametrize("kind", ["relay", "sender", "domains"])
def test_messages_that_are_claimed_together_are_counted_by_a_handful_of_statements(
    tmp_path: Path, kind: str
) -> None:
    """With a quota as without one: their number does not grow with the messages of a block."""
    rates = (Rate.parse("1000/min"),)
    quotas = Quotas(**{kind: (("example.org", rates),) if kind == "domains" else rates})

    def statements(block: int) -> int:
        with closing(open_store(f"sqlite:///{tmp_path}/{block}.db")) as store:
            queued(store, *(f"reader{number}@example.org" for number in range(2 * block)))
            worker = register_worker(store, host="here", pid=1, process_start="1", now=NOW)
            ledger = Ledger(store, ISSUE, worker, quotas=quotas)
            leases = ledger.lease(2 * block, NOW)
            ledger.commit([], leases[:block], NOW)  # the first one begins the scope
            traced: list[str] = []
            with store.raw_cursor() as cursor:
                cursor.connection.set_trace_callback(traced.append)
            records = [(lease, SENT) for lease in leases[:block]]
            results = ledger.commit(records, leases[block:], NOW)
            assert {result.status for result in results} == {ClaimStatus.GRANTED}
            assert (
                statistics.count_sent_within(
                    store, quotas.scopes(leases[0].address)[0].name, rates[0], now=NOW
                )
                == 2 * block
            )
            return sum("quota_" in statement for statement in traced)

    assert statements(8) == statements(2)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory, _migrated_store: bytes) -> Path:
    path = tmp_path_factory.mktemp("quotas") / "empty.db"
    path.write_bytes(_migrated_store)
    return path


@given(
    blocks=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 40)), min_size=1, max_size=25),
    limit=st.integers(1, 8),
    domain_limit=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_however_messages_are_claimed_together_no_span_holds_more_than_the_quota(
    empty_store: Path, blocks: list[tuple[int, int]], limit: int, domain_limit: int
) -> None:
    """And none is held back that one message after another would have been granted."""
    relay, domain = Rate(limit, 30), Rate(domain_limit, 20)
    quotas = Quotas(relay=(relay,), relay_name="main", domains=(("example.org", (domain,)),))
    path = shutil.copy(empty_store, empty_store.with_name("used.db"))
    with closing(open_store(f"sqlite:///{path}")) as store:
        total = sum(size for size, _ in blocks)
        queued(store, *(f"reader{number}@example.org" for number in range(total)))
        worker = register_worker(store, host="here", pid=1, process_start="1", now=NOW)
        ledger = Ledger(store, ISSUE, worker, quotas=quotas)
        now, granted = NOW, list[datetime]()
        for size, later in blocks:
            now += timedelta(seconds=later)
            leases = ledger.lease(size, now)
            for result in ledger.commit([], leases, now):
                room = all(
                    sum(at > now - timedelta(seconds=rate.seconds) for at in granted) < rate.limit
                    for rate in (relay, domain)
                )
                assert (result.status is ClaimStatus.GRANTED) == room
                if room:
                    granted.append(now)
            ledger.release_leases(leases)
