from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits, WaitLimits
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.errors import RelayError, StoreError
from upcycle_news.models import DeliveryState, Envelope, LeasedDelivery
from upcycle_news.transports.dev_mailbox import DevMailbox
from upcycle_news.transports.outcomes import Outcome, RelayUnreachable
from upcycle_news.transports.smtp import open_connection

from ..transports.bad_relays import (
    MisbehavingRelay,
    after,
    always,
    first_time,
    first_times,
    for_addresses,
)
from .memory_ledger import START, Clock, MemoryLedger

DAY = WaitLimits(deferred=2 * 86400)


def readers(count: int, start: str = "reader") -> list[str]:
    return [f"{start}{number}@example.net" for number in range(count)]


def compose(claim: LeasedDelivery) -> tuple[Envelope, bytes]:
    return Envelope("bounce@example.org", claim.address.address), b"Subject: x\r\n\r\nhello\r\n"


def run(ledger: MemoryLedger, relay: MisbehavingRelay, clock: Clock | None = None, **more: Any):
    clock = clock or Clock()
    options: dict[str, Any] = {
        "connect": lambda: open_connection(relay.relay()),
        "compose_message": compose,
        "clock": clock,
        "wait": clock.wait,
        "jitter": lambda: 0.0,
    }
    return deliver(ledger=ledger, **options | more)


def test_every_subscriber_gets_the_issue_once_over_one_connection():
    ledger = MemoryLedger(readers(30))
    with MisbehavingRelay() as server:
        report = run(ledger, server)
        again = run(ledger, server)

    assert report == DeliveryReport(sent=30)
    assert again == DeliveryReport()
    assert sorted(server.recipients) == sorted(readers(30))
    assert server.connections == 1


def test_the_development_mailbox_takes_the_issue(tmp_path):
    ledger = MemoryLedger(readers(3))
    with DevMailbox(tmp_path) as box:
        report = deliver(
            ledger=ledger, connect=lambda: open_connection(box.relay()), compose_message=compose
        )
    assert report.sent == 3
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_without_deliveries_no_connection_is_opened():
    def connect():
        raise AssertionError("not needed")

    assert (
        deliver(ledger=MemoryLedger([]), connect=connect, compose_message=compose)
        == DeliveryReport()
    )


def test_a_verdict_is_recorded_with_the_next_claim_and_never_later():
    ledger = MemoryLedger(readers(3))
    with MisbehavingRelay() as server:
        run(ledger, server)
    assert ledger.log == [
        *("mark 1", "record 1 sent"),
        *("mark 2", "record 2 sent"),
        *("mark 3", "record 3 sent"),
    ]


# --- replies


def test_all_mail_to_a_greylisting_relay_is_sent_in_the_end():
    ledger, clock = MemoryLedger(readers(12)), Clock()
    with MisbehavingRelay(rcpt=first_time("450 4.2.0 greylisted")) as server:
        report = run(ledger, server, clock, wait_limits=DAY)

    assert report == DeliveryReport(sent=12)
    assert sorted(server.recipients) == sorted(readers(12))
    assert clock.now - START < timedelta(minutes=5)
    assert ledger.beats > 0


def test_without_time_to_wait_the_report_says_when_the_next_is_due():
    ledger = MemoryLedger(readers(2))
    with MisbehavingRelay(rcpt=first_time("451 4.7.1 later")) as server:
        report = run(ledger, server)

    assert (report.sent, report.deferred) == (0, 2)
    assert report.next_due == START + timedelta(seconds=60)
    assert report.stopped is None


def test_a_454_storm_slows_the_relay_down_and_skips_nobody():
    ledger, clock = MemoryLedger(readers(30)), Clock()
    with MisbehavingRelay(mail=first_times(200, "454 4.7.0 too busy")) as server:
        report = run(ledger, server, clock, wait_limits=DAY)

    assert report == DeliveryReport(sent=30)
    assert sorted(server.recipients) == sorted(readers(30))
    assert clock.waits[0] < clock.waits[3]


def test_a_421_after_some_messages_costs_a_new_connection_and_nothing_else():
    ledger = MemoryLedger(readers(9))
    with MisbehavingRelay(mail=after(4, "421 4.7.0 enough")) as server:
        report = run(ledger, server, wait_limits=DAY)

    assert report == DeliveryReport(sent=9)
    assert sorted(server.recipients) == sorted(readers(9))
    assert server.connections >= 2


def test_addresses_that_do_not_exist_are_suppressed_and_the_others_get_the_issue():
    ledger = MemoryLedger([*readers(5, "gone"), *readers(5)])
    with MisbehavingRelay(rcpt=for_addresses("gone", "550 5.1.1 no such user")) as server:
        report = run(ledger, server)

    assert (report.sent, report.rejected) == (5, 5)
    assert ledger.suppressed == set(readers(5, "gone"))
    assert ledger.states() == {"rejected": 5, "sent": 5}


def test_other_refusals_reject_one_delivery_and_suppress_nobody():
    ledger = MemoryLedger([*readers(1, "full"), *readers(3)])
    with MisbehavingRelay(rcpt=for_addresses("full", "552 5.2.2 mailbox full")) as server:
        report = run(ledger, server)

    assert (report.sent, report.rejected) == (3, 1)
    assert not ledger.suppressed


@pytest.mark.parametrize(
    "bad",
    [
        {"rcpt": always("554 5.7.1 relay access denied")},
        {"data": always("552 5.3.4 message too big")},
        {"mail": always("550 5.1.8 who are you")},
        {"data": always("554 5.7.1 spam")},
    ],
)
def test_a_refusal_about_the_sender_stops_the_issue_and_suppresses_nobody(bad):
    ledger = MemoryLedger(readers(20))
    with MisbehavingRelay(**bad) as server:
        report = run(ledger, server)

    assert report.stopped is not None
    assert "resume" in report.stopped
    assert ledger.states() == {"queued": 20}
    assert not ledger.suppressed
    assert len([c for c in server.commands if c == "mail"]) == 1


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("552 no room left in this mailbox", {"sent": 12, "rejected": 1}),
        ("554 5.7.1 entry refused", {"sent": 12, "deferred": 1}),
        ("550 5.7.1 blocked by the recipient's policy", {"sent": 12, "deferred": 1}),
        ("552 5.3.4 message too big", {"sent": 12, "deferred": 1}),
    ],
)
def test_a_refusal_of_one_recipient_does_not_stop_the_issue(said, ends):
    ledger = MemoryLedger([*readers(6), *readers(1, "zu"), *readers(6, "more")])
    with MisbehavingRelay(rcpt=for_addresses("zu", said)) as server:
        report = run(ledger, server, wait_limits=WaitLimits())

    assert report.stopped is None
    assert ledger.states() == ends
    assert not ledger.suppressed


@pytest.mark.parametrize("step", ["rcpt", "data"])
@pytest.mark.parametrize(
    "said",
    [
        "550 No more letters from this customer in this hour; this one is discarded",
        "554 5.2.0 Submission refused: the allowance of this sender for today is used up",
        "550 5.4.5 Daily user sending limit exceeded",
    ],
)
def test_a_providers_limit_defers_the_rest_and_rejects_nobody(step, said):
    ledger = MemoryLedger(readers(20))
    spent: Any = {step: lambda server, who: said if len(server.accepted) >= 6 else None}
    with MisbehavingRelay(**spent) as server:
        run(ledger, server, wait_limits=WaitLimits())

    assert ledger.states() == {"sent": 6, "deferred": 14}
    assert not ledger.suppressed


# --- a wave of refusals


def test_if_the_first_ten_are_all_refused_the_run_ends_and_nobody_is_suppressed():
    ledger = MemoryLedger(readers(50))
    with MisbehavingRelay(rcpt=always("550 5.1.1 no such user")) as server:
        report = run(ledger, server)

    assert report == DeliveryReport(stopped="the relay refused 10")
    assert ledger.states() == {"queued": 50}
    assert not ledger.suppressed
    assert server.commands.count("rcpt") == 10


def test_a_wave_after_the_first_mail_ends_the_run_over_several_connections():
    ledger = MemoryLedger(readers(60))
    limits = SendLimits(connections=4)

    def turn(server: MisbehavingRelay, who: str) -> str | None:
        return "550 5.1.1 no such user" if server.accepted else None

    with MisbehavingRelay(rcpt=turn) as server:
        report = run(ledger, server, send_limits=limits)

    assert (report.sent, report.rejected, report.deferred) == (1, 0, 0)
    assert report.stopped == "the relay refused 20"
    assert ledger.states() == {"sent": 1, "queued": 59}
    assert not ledger.suppressed


def test_a_short_list_of_refused_addresses_is_suppressed():
    ledger = MemoryLedger(readers(3))
    with MisbehavingRelay(rcpt=always("550 5.1.1 no")) as server:
        report = run(ledger, server)

    assert (report.rejected, report.stopped) == (3, None)
    assert len(ledger.suppressed) == 3


@pytest.mark.parametrize("accepted_before", [False, True])
def test_until_a_relay_has_accepted_a_mail_of_the_issue_one_connection_is_opened(accepted_before):
    ledger = MemoryLedger(readers(5))
    limits = SendLimits(connections=4)
    with MisbehavingRelay(rcpt=always("550 5.1.1 no")) as server:
        run(ledger, server, send_limits=limits, accepted_before=accepted_before)

    assert (server.connections > 1) is accepted_before


# --- lost connections


def test_a_connection_lost_before_the_body_is_tried_again():
    ledger = MemoryLedger(readers(6))
    with MisbehavingRelay(drop="before DATA", drops=3) as server:
        report = run(ledger, server, wait_limits=DAY)

    assert report == DeliveryReport(sent=6)
    assert sorted(server.recipients) == sorted(readers(6))


@pytest.mark.parametrize("drop", ["within DATA", "before 250"])
def test_a_connection_lost_in_the_body_leaves_one_unknown_and_nobody_twice(drop):
    ledger = MemoryLedger(readers(6))
    with MisbehavingRelay(drop=drop, drops=1) as server:
        report = run(ledger, server, wait_limits=DAY)

    assert (report.sent, report.unknown) == (5, 1)
    assert (
        len(server.recipients) == len(set(server.recipients)) == (6 if drop == "before 250" else 5)
    )


@pytest.mark.parametrize("drop", ["before DATA", "within DATA"])
def test_five_lost_connections_in_a_row_end_the_run_and_do_not_stop_the_issue(drop):
    ledger, clock = MemoryLedger(readers(20)), Clock()
    with MisbehavingRelay(drop=drop) as server:
        report = run(ledger, server, clock)

    assert (report.stopped, report.away_since) == (None, START)
    assert "the last 5 connections" in str(report.away)
    assert ledger.states()["queued"] == 15
    assert server.connections == 5
    assert clock.waits == [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]  # 1 + 2 + 4 seconds


def test_a_relay_that_cannot_be_reached_at_all_is_an_error_and_all_stay_queued():
    ledger = MemoryLedger(readers(3))

    def connect():
        raise RelayUnreachable("the relay x:25 cannot be reached")

    with pytest.raises(RelayError, match="cannot be reached"):
        deliver(ledger=ledger, connect=connect, compose_message=compose)
    assert ledger.states() == {"queued": 3}
    assert ledger.rows[1].attempts == 0


@pytest.mark.parametrize(
    ("error", "tries"), [(RelayUnreachable("away"), 5), (RelayError("password changed"), 2)]
)
def test_a_relay_that_does_not_come_back_ends_the_run(error, tries):
    ledger, tried = MemoryLedger(readers(9)), []
    with MisbehavingRelay(mail=after(4, "421 4.3.0 going down")) as server:

        def connect():
            tried.append(1)
            if len(tried) > 1:
                raise error
            return open_connection(server.relay())

        report = run(ledger, server, connect=connect)

    refused = not isinstance(error, RelayUnreachable)
    assert (report.stopped or str(report.away)) == str(error)
    assert (report.stopped is not None, report.away is not None) == (refused, not refused)
    assert (report.sent, report.deferred) == (4, 1)
    assert ledger.states() == {"sent": 4, "deferred": 1, "queued": 4}
    assert len(tried) == tries


# --- suppressed, unsubscribed, stopped, paused


def test_a_subscriber_suppressed_or_unsubscribed_meanwhile_gets_nothing():
    ledger = MemoryLedger(readers(6))

    def progress(report: DeliveryReport) -> None:
        ledger.suppressed.add("reader3@example.net")
        ledger.left.add("reader4@example.net")

    with MisbehavingRelay() as server:
        run(ledger, server, progress=progress)

    assert ledger.states() == {"sent": 4, "suppressed": 1, "cancelled": 1}
    assert not {"reader3@example.net", "reader4@example.net"} & set(server.recipients)


def test_a_subscriber_who_unsubscribes_while_deferred_gets_no_retry():
    ledger = MemoryLedger(readers(1))
    with MisbehavingRelay(rcpt=first_time("450 later")) as server:
        run(ledger, server)
        ledger.left.add("reader0@example.net")
        run(ledger, server, Clock(START + timedelta(hours=1)))
    assert ledger.states() == {"cancelled": 1}
    assert not server.recipients


def test_a_stop_finishes_the_message_in_flight_and_leaves_the_rest_queued():
    ledger, seen = MemoryLedger(readers(10)), []
    with MisbehavingRelay() as server:
        report = run(ledger, server, progress=seen.append, stopping=lambda: len(seen) >= 4)

    assert report == DeliveryReport(sent=4)
    assert [r.sent for r in seen] == [1, 2, 3, 4]
    assert ledger.states() == {"sent": 4, "queued": 6}


def test_a_stop_does_not_wait_for_a_slow_connect():
    ledger, called, enough = MemoryLedger(readers(3)), threading.Event(), threading.Event()

    def connect() -> Any:
        called.set()
        enough.wait(10)
        raise RelayUnreachable("no answer")

    with MisbehavingRelay() as server:
        report = run(ledger, server, connect=connect, stopping=called.is_set)
    assert not enough.is_set()
    enough.set()
    assert report == DeliveryReport()
    assert ledger.states() == {"queued": 3}
    assert not ledger.leased


def test_a_stop_takes_effect_while_waiting_for_deferred_mail():
    ledger, clock = MemoryLedger(readers(1)), Clock()
    with MisbehavingRelay(rcpt=always("450 later")) as server:
        stopping = lambda: clock.now - START > timedelta(seconds=20)  # noqa: E731
        report = run(ledger, server, clock, wait_limits=DAY, stopping=stopping)

    assert clock.now - START < timedelta(seconds=30)
    assert report.deferred == 1


def test_after_a_day_deferred_mail_is_given_up():
    ledger, clock = MemoryLedger(readers(1)), Clock()
    with MisbehavingRelay(rcpt=always("450 4.2.0 later")) as server:
        report = run(ledger, server, clock, wait_limits=DAY)

    assert report == DeliveryReport(rejected=1)
    assert ledger.rows[1].verdict is not None
    assert ledger.rows[1].verdict.reason == "gave up after 24 hours: later"
    assert timedelta(0) <= clock.now - START - timedelta(hours=24) < timedelta(seconds=10)
    assert not ledger.suppressed


def test_a_heartbeat_is_written_every_half_minute():
    ledger, clock = MemoryLedger(readers(10)), Clock()
    with MisbehavingRelay() as server:
        run(ledger, server, clock, progress=lambda _: clock.wait(10))
    assert ledger.beats == 4

    ledger, clock = MemoryLedger(readers(1)), Clock()
    with MisbehavingRelay(rcpt=first_time("450 later")) as server:
        run(ledger, server, clock, wait_limits=WaitLimits(deferred=600))
    assert ledger.beats == 2


def test_a_paused_issue_ends_the_run():
    ledger = MemoryLedger(readers(3))
    with MisbehavingRelay() as server:
        ledger.paused = True
        assert run(ledger, server, wait_limits=DAY) == DeliveryReport()
    assert ledger.states() == {"queued": 3}


# --- interruptions


class Interrupting:
    """A wire that is interrupted at a chosen moment of the third message."""

    broken = False
    in_body = True  # of the message before

    def __init__(self, inner: Any, in_body: bool) -> None:
        self.inner, self.count, self.dies_in_body = inner, 0, in_body

    def begin(self, envelope: Envelope, message: bytes) -> Outcome | None:
        self.count += 1
        if self.count == 3:
            self.in_body = self.dies_in_body
            raise KeyboardInterrupt
        outcome: Outcome | None = self.inner.begin(envelope, message)
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize(("in_body", "state"), [(True, "unknown"), (False, "queued")])
def test_ctrl_c_leaves_no_delivery_in_sending(in_body, state):
    ledger = MemoryLedger(readers(5))
    with MisbehavingRelay() as server, pytest.raises(KeyboardInterrupt):
        run(ledger, server, connect=lambda: Interrupting(open_connection(server.relay()), in_body))

    assert ledger.rows[3].state == state
    assert "sending" not in ledger.states()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a template")])
def test_an_error_while_composing_returns_the_lease(error):
    ledger = MemoryLedger(readers(5))

    def fails(claim: LeasedDelivery) -> tuple[Envelope, bytes]:
        if claim.delivery == 3:
            raise error
        return compose(claim)

    with MisbehavingRelay() as server, pytest.raises(type(error)):
        run(ledger, server, compose_message=fails)

    assert ledger.states() == {"sent": 2, "queued": 3}


def interrupt_record(ledger: MemoryLedger, error: BaseException, when: str) -> Callable[..., None]:
    record, calls = ledger.record, []

    def failing(claim: LeasedDelivery, verdict: Any, now: Any) -> None:
        calls.append(1)
        if len(calls) == 3 and when == "before":
            raise error
        record(claim, verdict, now)
        if len(calls) == 3 and when == "after":
            raise error

    return failing


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_while_recording_loses_no_verdict(when):
    ledger = MemoryLedger(readers(5))
    ledger.record = interrupt_record(ledger, KeyboardInterrupt(), when)  # type: ignore[method-assign]
    with MisbehavingRelay() as server, pytest.raises(KeyboardInterrupt):
        run(ledger, server)

    assert ledger.rows[3].state is DeliveryState.SENT
    assert ledger.states() == {"sent": 3, "queued": 2}


def test_a_store_that_fails_leaves_what_was_on_the_wire_in_sending():
    ledger = MemoryLedger(readers(3))

    def full(claim: LeasedDelivery, verdict: Any, now: Any) -> None:
        raise StoreError("the disk is full")

    ledger.record = full  # type: ignore[method-assign]
    with MisbehavingRelay() as server, pytest.raises(StoreError):
        run(ledger, server)

    assert ledger.states() == {"sending": 1, "queued": 2}
    assert len(server.recipients) == 1


def test_connections_are_closed_whatever_happens():
    closed = []

    def connect_to(server: MisbehavingRelay) -> AbstractContextManager[Any]:
        connection = open_connection(server.relay())
        close = connection.close
        connection.close = lambda: (closed.append(1), close())  # type: ignore[method-assign, assignment]
        return connection

    with MisbehavingRelay() as server:
        run(MemoryLedger(readers(2)), server, connect=lambda: connect_to(server))
        with pytest.raises(ZeroDivisionError):
            run(
                MemoryLedger(readers(2)),
                server,
                connect=lambda: connect_to(server),
                progress=lambda report: 1 / 0,
            )
    assert len(closed) == 2


def test_the_first_retry_delay_can_be_set():
    ledger = MemoryLedger(readers(1))
    with MisbehavingRelay(rcpt=always("450 later")) as server:
        report = run(ledger, server, policy=RetryPolicy(first_seconds=1))
    assert report.next_due == START + timedelta(seconds=1)
