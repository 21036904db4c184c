"""A relay that goes away in mid-send: waited for within a limit, then left to the next run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.event_loop import SESSION_ERRORS
from upcycle_news.delivery.ports import DeliveryReport, WaitLimits
from upcycle_news.delivery.relay_backoff import RelayBackoff
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, Envelope, LeasedDelivery, Verdict
from upcycle_news.transports.outcomes import RelayUnreachable
from upcycle_news.transports.smtp import open_connection

from ..transports.bad_relays import MisbehavingRelay, first_time, for_addresses
from .memory_ledger import START, Clock, MemoryLedger

AWAY = RelayUnreachable(localized("relay-not-listening", where="127.0.0.1:25"))


def readers(count: int, start: str = "reader") -> list[str]:
    return [f"{start}{number}@example.net" for number in range(count)]


def compose(claim: LeasedDelivery) -> tuple[Envelope, bytes]:
    return Envelope("bounce@example.org", claim.address.address), b"Subject: x\r\n\r\nhello\r\n"


def send(
    ledger: MemoryLedger,
    server: MisbehavingRelay,
    clock: Clock,
    connect: Callable[[], Any] | None = None,
    **more: Any,
) -> DeliveryReport:
    return deliver(
        ledger=ledger,
        connect=connect or (lambda: open_connection(server.relay())),
        compose_message=compose,
        clock=clock,
        wait=clock.wait,
        jitter=lambda: 0.0,
        **more,
    )


def away_between(
    server: MisbehavingRelay, clock: Clock, first: int, until: datetime
) -> Callable[[], Any]:
    """Return a `connect` that fails from the second connection on, until a time."""
    opened: list[int] = []

    def connect() -> Any:
        opened.append(1)
        if len(opened) > first and clock.now < until:
            raise AWAY
        return open_connection(server.relay())

    return connect


@pytest.mark.parametrize("seconds", [1, 10, 45, 240])
@pytest.mark.parametrize("drop", ["before DATA", "within DATA"])
def test_a_relay_that_returns_in_time_gets_the_rest_in_the_same_run(
    seconds: int, drop: Any
) -> None:
    ledger, clock = MemoryLedger(readers(30)), Clock()
    limits = WaitLimits(relay=300, deferred=600)
    with MisbehavingRelay(drop=drop, drops=1) as server:
        connect = away_between(server, clock, 1, START + timedelta(seconds=seconds))
        report = send(ledger, server, clock, connect, wait_limits=limits)
    lost = 1 if drop == "within DATA" else 0
    assert (report.sent, report.unknown, report.away, report.stopped) == (
        30 - lost,
        lost,
        None,
        None,
    )
    assert len(server.recipients) == len(set(server.recipients)) == 30 - lost


@pytest.mark.parametrize("patience", [0, 15, 300])
def test_a_relay_that_stays_away_ends_the_run_after_its_patience(patience: int) -> None:
    ledger, clock = MemoryLedger(readers(30)), Clock()
    with MisbehavingRelay(drop="before DATA", drops=1) as server:
        connect = away_between(server, clock, 1, START + timedelta(days=1))
        limits = WaitLimits(relay=patience)
        report = send(ledger, server, clock, connect, wait_limits=limits)
    assert str(report.away) == str(AWAY)
    assert (report.stopped, report.relay_gone, report.away_since) == (None, True, START)
    assert ledger.states() == {"deferred": 1, "queued": 29}
    waited = (clock.now - START).total_seconds()
    assert max(patience, 7) <= waited < max(patience, 7) + 2


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("said", ["421 4.3.2 shutting down", "421 too much to do, come back"])
def test_421_to_everybody_means_that_the_relay_is_away(step: str, said: str) -> None:
    ledger, clock = MemoryLedger(readers(40)), Clock()
    busy: Any = {step: lambda server, who: said if len(server.accepted) >= 12 else None}
    with MisbehavingRelay(**busy) as server:
        report = send(ledger, server, clock)
    assert (report.stopped, report.sent, report.relay_gone) == (None, 12, True)
    assert report.away is not None
    states = ledger.states()
    assert states["sent"] == 12
    assert states["deferred"] <= 5
    assert states["queued"] >= 23


def test_a_relay_that_greylists_with_421_is_not_away() -> None:
    ledger, clock = MemoryLedger(readers(12)), Clock()
    with MisbehavingRelay(rcpt=first_time("421 4.7.0 Greylisted, try again")) as server:
        report = send(ledger, server, clock, wait_limits=WaitLimits(deferred=86400))
    assert (report.sent, report.away, report.stopped) == (12, None, None)


def test_the_progress_says_since_when_the_relay_is_away_until_it_accepts_again() -> None:
    ledger, clock = MemoryLedger(readers(6)), Clock()
    seen: list[DeliveryReport] = []
    with MisbehavingRelay(drop="before DATA", drops=1) as server:
        connect = away_between(server, clock, 1, START + timedelta(seconds=20))
        limits = WaitLimits(relay=60, deferred=600)
        send(ledger, server, clock, connect, wait_limits=limits, progress=seen.append)
    away = [report for report in seen if report.away_since is not None]
    assert {report.away_since for report in away} == {START}
    assert seen[-1].away_since is None
    assert seen[-1].sent == 6


def test_after_messages_were_lost_the_next_run_risks_only_one() -> None:
    ledger, clock = MemoryLedger(readers(20)), Clock()
    with MisbehavingRelay(drop="before 250") as server:
        limits = WaitLimits(relay=300, probing=True)
        report = send(ledger, server, clock, wait_limits=limits, accepted_before=True)
    assert (report.unknown, report.relay_gone) == (1, True)
    assert ledger.states() == {"unknown": 1, "queued": 19}


def test_a_run_that_was_accepted_risks_as_many_as_any_other() -> None:
    backoff = RelayBackoff(RetryPolicy(), WaitLimits(probing=True))
    backoff.on_reply(Verdict(DeliveryState.SENT, code=250), START)
    backoff.on_failure(START, in_body=True)
    assert not backoff.is_exhausted(START)


# --- refused recipients


@pytest.mark.parametrize("pipelining", [False, True])
def test_a_session_is_left_before_its_errors_are_punished(pipelining: bool) -> None:
    """Postfix counts each refused command; with PIPELINING a dead reader costs two."""
    gone = readers(9, "gone")  # fewer than stop an issue
    ledger, clock = MemoryLedger([*readers(4), *gone, *readers(4, "more")]), Clock()
    in_a_row: list[int] = []

    def refuse(server: MisbehavingRelay, address: str) -> str | None:
        if not address.startswith("gone"):
            return None
        while len(in_a_row) < server.connections:
            in_a_row.append(0)
        in_a_row[-1] += 1
        return "550 5.1.1 no such user"

    with MisbehavingRelay(rcpt=refuse, pipelining=pipelining) as server:
        report = send(ledger, server, clock)
    assert (report.sent, report.rejected, report.stopped) == (8, 9, None)
    cost = 2 if pipelining else 1
    assert max(in_a_row) * cost <= SESSION_ERRORS + 1
    assert sum(in_a_row) == 9
    assert server.connections >= len(in_a_row) >= 9 * cost // (SESSION_ERRORS + 1)


def test_scattered_dead_readers_cost_no_further_session() -> None:
    addresses = [
        f"{'gone' if number % 5 == 3 else 'reader'}{number}@d{number}.example"
        for number in range(60)
    ]
    ledger, clock = MemoryLedger(addresses), Clock()
    with MisbehavingRelay(rcpt=for_addresses("gone", "550 5.1.1 no"), pipelining=True) as server:
        report = send(ledger, server, clock)
    assert (report.sent, report.rejected, server.connections) == (48, 12, 1)
