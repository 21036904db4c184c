"""Misbehaving relays, several connections, the real ledger: every delivery is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits, WaitLimits
from upcycle_news.models import Envelope, LeasedDelivery, Rate
from upcycle_news.storage import issues
from upcycle_news.storage.database import Store
from upcycle_news.storage.quotas import Quotas
from upcycle_news.transports.smtp import open_connection

from ...delivery.memory_ledger import START, Clock
from ...storage.sample_rows import ISSUE, NOW, queued
from ...storage.sample_rows import ledger as ledger_of
from ...transports.bad_relays import (
    MisbehavingRelay,
    after,
    always,
    first_time,
    first_times,
    for_addresses,
)

READERS = 40
DAY = WaitLimits(deferred=3 * 86400)


def compose(claim: LeasedDelivery) -> tuple[Envelope, bytes]:
    return Envelope("bounce@example.org", claim.address.address), b"Subject: x\r\n\r\nhello\r\n"


def send(
    store: Store, server: MisbehavingRelay, connections: int = 4, **more: Any
) -> DeliveryReport:
    clock = more.pop("clock", None) or Clock()
    options: dict[str, Any] = {
        "wait_limits": DAY,
        "send_limits": SendLimits(connections=connections),
    }
    return deliver(
        ledger=more.pop("ledger", None) or ledger_of(store),
        connect=lambda: open_connection(server.relay()),
        compose_message=compose,
        clock=clock,
        wait=clock.wait,
        jitter=lambda: 0.0,
        **options | more,
    )


def states(store: Store) -> dict[str, int]:
    status = issues.status(store, ISSUE)
    assert status is not None
    assert sum(status.counts.values()) == status.audience == READERS
    return {str(state): count for state, count in status.counts.items() if count}


ALL = {"sent": READERS}
GONE = {"sent": READERS - 10, "rejected": 10}
# What the relay does (a function, because it has state), the final delivery states, and whether the
# issue stops.
CASES: list[tuple[str, Callable[[], dict[str, Any]], dict[str, int], bool]] = [
    ("is well", dict, ALL, False),
    ("greylists", lambda: {"rcpt": first_time("450 4.2.0 greylisted")}, ALL, False),
    ("421 after seven", lambda: {"mail": after(7, "421 4.7.0 enough for now")}, ALL, False),
    ("a 454 storm", lambda: {"mail": first_times(150, "454 4.7.0 too busy")}, ALL, False),
    (
        "452 at DATA for a while",
        lambda: {"data": first_times(30, "452 4.3.1 disk full")},
        ALL,
        False,
    ),
    ("hangs up before DATA", lambda: {"drop": "before DATA", "drops": 3}, ALL, False),
    (
        "ten are gone",
        lambda: {"rcpt": for_addresses("reader1", "550 5.1.1 no such user")},
        {},
        False,
    ),
    (
        "552 for the message",
        lambda: {"data": always("552 5.3.4 too big")},
        {"queued": READERS},
        True,
    ),
    (
        "5xx on MAIL FROM",
        lambda: {"mail": always("550 5.1.8 who are you")},
        {"queued": READERS},
        True,
    ),
    ("no relaying", lambda: {"rcpt": always("554 5.7.1 relay denied")}, {"queued": READERS}, True),
    ("all unknown users", lambda: {"rcpt": always("550 5.1.1 no")}, {"queued": READERS}, True),
]


@pytest.mark.parametrize(("name", "bad", "ends", "stops"), CASES, ids=[row[0] for row in CASES])
@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pipelining", [False, True])
def test_every_delivery_is_accounted_for_on(
    store: Store, name: str, bad: Callable[[], dict[str, Any]], ends: dict[str, int], stops: bool,
    connections: int, pipelining: bool,
) -> None:  # fmt: skip
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay(**bad(), pipelining=pipelining) as server:
        report = send(store, server, connections)
    gone = sum(1 for number in range(READERS) if f"reader{number}".startswith("reader1"))
    if name == "ten are gone":
        ends = {"sent": READERS - gone, "rejected": gone}
    assert states(store) == ends
    assert (report.stopped is not None) is stops
    assert max(Counter(server.recipients).values(), default=1) == 1
    assert len(server.recipients) == ends.get("sent", 0)


@pytest.mark.parametrize("drop", ["within DATA", "before 250"])
def test_a_connection_lost_in_the_body_leaves_that_delivery_unknown(
    store: Store, drop: Any
) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay(drop=drop, drops=2) as server:
        report = send(store, server)
    ends = states(store)
    assert ends == {"sent": READERS - 2, "unknown": 2}
    assert report.unknown == 2
    assert max(Counter(server.recipients).values()) == 1


def test_a_relay_that_breaks_every_message_leaves_five_in_doubt_however_long_the_wait(
    store: Store,
) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay(drop="before 250") as server:
        report = send(store, server, wait_limits=WaitLimits(relay=3600))
    assert (report.stopped, report.away_since) == (None, START)
    assert report.relay_gone
    assert states(store) == {"unknown": 5, "queued": READERS - 5}


def test_several_connections_share_the_work_and_one_goes_first(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay() as server:
        report = send(store, server, connections=4)
    assert report.sent == READERS
    assert 2 <= server.connections <= 4


def test_a_relay_that_allows_fewer_connections_gets_fewer(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    from upcycle_news.transports.outcomes import RelayUnreachable

    with MisbehavingRelay() as server:
        opened: list[int] = []

        def connect() -> Any:
            opened.append(1)
            if len(opened) > 2:
                raise RelayUnreachable("421 too many connections")
            return open_connection(server.relay())

        clock = Clock()
        report = deliver(
            ledger=ledger_of(store), connect=connect, compose_message=compose, clock=clock,
            wait=clock.wait, wait_limits=DAY, send_limits=SendLimits(connections=8),
        )  # fmt: skip
    assert (report.sent, report.stopped) == (READERS, None)


def test_a_new_connection_is_opened_after_twenty_messages_if_set(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay() as server:
        send(store, server, send_limits=SendLimits(connections=1, messages_per_connection=20))
    assert server.connections == 2


# --- a clock that jumps while an issue is sent


BAD: dict[str, Callable[[], dict[str, Any]]] = {
    "well": dict,
    "greylisting": lambda: {"rcpt": first_time("450 4.2.0 greylisted")},
    "busy": lambda: {"mail": first_times(12, "454 4.7.0 too busy")},
}
JUMPS = {
    "forward": timedelta(hours=20), "two days back": timedelta(days=-2), "an hour back": timedelta(hours=-1),
}  # fmt: skip


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize(
    ("bad", "jump"),
    [
        pytest.param(
            BAD[bad], JUMPS[jump], id=f"{bad}, {jump}",
            # What was deferred is then waited for in steps of a minute at the most.
            marks=pytest.mark.nightly if bad != "well" and jump == "two days back" else (),
        )
        for bad in BAD
        for jump in JUMPS
    ],
)  # fmt: skip
def test_a_clock_that_jumps_during_a_send_loses_no_delivery(
    store: Store, jump: timedelta, connections: int, bad: Callable[[], dict[str, Any]]
) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    clock, reports = Clock(), []

    def progress(report: DeliveryReport) -> None:
        reports.append(report)
        if len(reports) == 9:
            clock.now += jump

    with MisbehavingRelay(**bad()) as server:
        report = send(store, server, connections, clock=clock, progress=progress)
    assert report == DeliveryReport(sent=READERS)
    assert states(store) == ALL
    assert max(Counter(server.recipients).values()) == 1


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(hours=-1)])
def test_a_clock_set_back_makes_no_pause_longer(store: Store, jump: timedelta) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    clock, reports = Clock(), []

    def progress(report: DeliveryReport) -> None:
        reports.append(report)
        if len(reports) == 3:
            clock.now += jump

    with MisbehavingRelay(mail=first_times(3, "454 4.7.0 too busy")) as server:
        report = send(store, server, 1, clock=clock, progress=progress, wait_limits=WaitLimits())
    assert (report.sent, report.deferred) == (READERS - 3, 3)
    assert sum(clock.waits) < 60


# --- quotas, window, lateness while sending


def with_quota(store: Store, rate: str) -> Any:
    return ledger_of(store, quotas=Quotas(relay=(Rate.parse(rate),), relay_name="main"))


def test_short_quotas_are_waited_for_and_long_ones_left_to_the_next_run(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    clock = Clock()
    with MisbehavingRelay() as server:
        report = send(store, server, 1, ledger=with_quota(store, "14/s"), clock=clock)
        assert report.sent == READERS
        assert timedelta(seconds=2) <= clock.now - START < timedelta(seconds=3)


def test_a_quota_by_the_hour_ends_the_run_and_says_when_it_is_free_again(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay() as server:
        report = send(store, server, 1, ledger=with_quota(store, "2/h"), wait_limits=WaitLimits())
    assert (report.sent, report.stopped) == (2, None)
    assert report.next_due == START + timedelta(hours=1)
    assert states(store) == {"sent": 2, "queued": READERS - 2}


def test_outside_the_send_window_nothing_is_sent(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    opens = START + timedelta(hours=2)
    send_limits = SendLimits(next_opening=lambda now: opens if now < opens else None)
    with MisbehavingRelay() as server:
        report = send(store, server, send_limits=send_limits, wait_limits=WaitLimits())
        assert (report, server.recipients) == (DeliveryReport(next_due=opens), [])
        report = send(store, server, send_limits=send_limits, clock=Clock(opens))
    assert report.sent == READERS


def test_an_issue_that_is_too_late_is_refused_and_the_rest_stays_queued(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay() as server:
        report = send(store, server, send_limits=SendLimits(expires_at=START))
    assert report.stopped is not None
    assert "too old to be sent" in report.stopped
    assert states(store) == {"queued": READERS}
    assert server.commands == []


# --- pausing and failing over within leased batches


def test_a_pause_takes_effect_within_a_leased_batch(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))

    def pause(report: DeliveryReport) -> None:
        if report.sent == 3:
            issues.pause(store, ISSUE, by="test", reason="", now=NOW)

    with MisbehavingRelay() as server:
        send(store, server, 1, progress=pause)
    assert states(store) == {"sent": 3, "queued": READERS - 3}
    issues.resume(store, ISSUE, by="test", now=NOW)
    with MisbehavingRelay() as server:
        send(store, server)
    assert states(store) == ALL


def test_a_failover_relay_gets_only_deliveries_that_were_never_on_the_wire(store: Store) -> None:
    queued(store, *(f"reader{number}@example.org" for number in range(READERS)))
    with MisbehavingRelay(rcpt=for_addresses("reader1", "450 4.2.0 later")) as server:
        first = send(
            store, server, 1, wait_limits=WaitLimits(), stopping=lambda: len(server.commands) > 30
        )
    assert first.deferred > 0
    second_ledger = ledger_of(store, pid=2)
    second_ledger._fresh_only = True
    with MisbehavingRelay() as second:
        send(store, second, 1, ledger=second_ledger, wait_limits=WaitLimits())
    assert states(store) == {"sent": READERS - first.deferred, "deferred": first.deferred}
    assert not set(second.recipients) & set(server.recipients)
