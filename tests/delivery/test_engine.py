from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.delivery.engine import DeliveryReport, Patience, deliver
from upcycle_news.delivery.retry_policy import FirstTen, RetryPolicy
from upcycle_news.errors import RelayError, StoreError
from upcycle_news.models import Claim, DeliveryState, Envelope
from upcycle_news.transports.dev_mailbox import Mailbox
from upcycle_news.transports.outcomes import Outcome, RelayUnreachable
from upcycle_news.transports.smtp import open_connection

from ..transports.bad_relays import (
    BadDay,
    after,
    always,
    first_time,
    first_times,
    for_addresses,
)
from .memory_ledger import START, Clock, MemoryLedger

DAY = Patience(deferred=2 * 86400)


def readers(count: int, start: str = "reader") -> list[str]:
    return [f"{start}{number}@example.net" for number in range(count)]


def compose(claim: Claim) -> tuple[Envelope, bytes]:
    return Envelope("bounce@example.org", claim.address.address), b"Subject: x\r\n\r\nhello\r\n"


def run(ledger: MemoryLedger, relay: BadDay, clock: Clock | None = None, **more: Any):
    clock = clock or Clock()
    options: dict[str, Any] = {
        "connect": lambda: open_connection(relay.relay()),
        "compose_for": compose,
        "clock": clock,
        "wait": clock.wait,
        "jitter": lambda: 0.0,
    }
    return deliver(ledger=ledger, **options | more)


def test_everybody_gets_the_issue_once_over_one_connection():
    ledger = MemoryLedger(readers(30))
    with BadDay() as day:
        report = run(ledger, day)
        again = run(ledger, day)

    assert report == DeliveryReport(sent=30)
    assert again == DeliveryReport()
    assert sorted(day.recipients) == sorted(readers(30))
    assert day.connections == 1


def test_it_also_works_with_the_mailbox(tmp_path):
    ledger = MemoryLedger(readers(3))
    with Mailbox(tmp_path) as box:
        report = deliver(
            ledger=ledger, connect=lambda: open_connection(box.relay()), compose_for=compose
        )
    assert report.sent == 3
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_nothing_to_do_means_no_connection():
    def connect():
        raise AssertionError("not needed")

    assert (
        deliver(ledger=MemoryLedger([]), connect=connect, compose_for=compose) == DeliveryReport()
    )


def test_a_verdict_is_recorded_with_the_next_mark_and_never_later():
    ledger = MemoryLedger(readers(3))
    with BadDay() as day:
        run(ledger, day)
    assert ledger.log == [
        *("mark 1", "record 1 sent"),
        *("mark 2", "record 2 sent"),
        *("mark 3", "record 3 sent"),
    ]


# --- replies


def test_a_greylisting_relay_gets_everybody_s_mail_in_the_end():
    ledger, clock = MemoryLedger(readers(12)), Clock()
    with BadDay(rcpt=first_time("450 4.2.0 greylisted")) as day:
        report = run(ledger, day, clock, patience=DAY)

    assert report == DeliveryReport(sent=12)
    assert sorted(day.recipients) == sorted(readers(12))
    assert clock.now - START < timedelta(minutes=5)
    assert ledger.beats > 0


def test_without_patience_the_report_says_when_to_come_again():
    ledger = MemoryLedger(readers(2))
    with BadDay(rcpt=first_time("451 4.7.1 later")) as day:
        report = run(ledger, day)

    assert (report.sent, report.deferred) == (0, 2)
    assert report.next_due == START + timedelta(seconds=60)
    assert report.stopped is None


def test_a_454_storm_slows_the_relay_down_and_skips_nobody():
    ledger, clock = MemoryLedger(readers(30)), Clock()
    with BadDay(mail=first_times(200, "454 4.7.0 too busy")) as day:
        report = run(ledger, day, clock, patience=DAY)

    assert report == DeliveryReport(sent=30)
    assert sorted(day.recipients) == sorted(readers(30))
    assert clock.waits[0] < clock.waits[3]


def test_a_421_after_some_messages_costs_a_new_connection_and_nothing_else():
    ledger = MemoryLedger(readers(9))
    with BadDay(mail=after(4, "421 4.7.0 enough")) as day:
        report = run(ledger, day, patience=DAY)

    assert report == DeliveryReport(sent=9)
    assert sorted(day.recipients) == sorted(readers(9))
    assert day.connections >= 2


def test_those_who_are_gone_are_suppressed_and_the_others_get_it():
    ledger = MemoryLedger([*readers(5, "gone"), *readers(5)])
    with BadDay(rcpt=for_addresses("gone", "550 5.1.1 no such user")) as day:
        report = run(ledger, day)

    assert (report.sent, report.rejected) == (5, 5)
    assert ledger.suppressed == set(readers(5, "gone"))
    assert ledger.states() == {"rejected": 5, "sent": 5}


def test_other_refusals_reject_one_delivery_and_suppress_nobody():
    ledger = MemoryLedger([*readers(1, "full"), *readers(3)])
    with BadDay(rcpt=for_addresses("full", "552 5.2.2 mailbox full")) as day:
        report = run(ledger, day)

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
def test_a_refusal_that_speaks_of_us_stops_the_issue_and_burns_nobody(bad):
    ledger = MemoryLedger(readers(20))
    with BadDay(**bad) as day:
        report = run(ledger, day)

    assert report.stopped is not None
    assert "resume" in report.stopped
    assert ledger.states() == {"queued": 20}
    assert not ledger.suppressed
    assert len([c for c in day.commands if c == "mail"]) == 1


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
    with BadDay(rcpt=for_addresses("zu", said)) as day:
        report = run(ledger, day, patience=Patience())

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
    spent: Any = {step: lambda day, who: said if len(day.accepted) >= 6 else None}
    with BadDay(**spent) as day:
        run(ledger, day, patience=Patience())

    assert ledger.states() == {"sent": 6, "deferred": 14}
    assert not ledger.suppressed


# --- the first ten


def test_if_the_first_ten_are_all_refused_nobody_is_suppressed():
    ledger = MemoryLedger(readers(50))
    with BadDay(rcpt=always("550 5.1.1 no such user")) as day:
        report = run(ledger, day)

    assert report.stopped is not None
    assert "first 10 readers" in report.stopped
    assert (report.rejected, report.sent) == (0, 0)
    assert ledger.states() == {"queued": 50}
    assert not ledger.suppressed
    assert day.commands.count("rcpt") == 10


def test_nine_gone_and_the_tenth_accepted_is_an_old_list_and_no_bad_relay():
    ledger = MemoryLedger([*readers(9, "gone"), *readers(1), *readers(5, "gone-too")])
    with BadDay(rcpt=for_addresses("gone", "550 5.1.1 no")) as day:
        report = run(ledger, day)

    assert (report.sent, report.rejected, report.stopped) == (1, 14, None)
    assert len(ledger.suppressed) == 14


def test_a_short_list_of_gone_people_is_believed_at_its_end():
    ledger = MemoryLedger(readers(3))
    with BadDay(rcpt=always("550 5.1.1 no")) as day:
        report = run(ledger, day)

    assert (report.rejected, report.stopped) == (3, None)
    assert len(ledger.suppressed) == 3


def test_an_issue_that_has_reached_somebody_before_has_passed():
    ledger = MemoryLedger(readers(15))
    with BadDay(rcpt=always("550 5.1.1 no")) as day:
        report = run(ledger, day, first_ten=FirstTen(passed=True))

    assert (report.rejected, report.stopped) == (15, None)


# --- lost connections


def test_a_connection_lost_before_the_body_is_tried_again():
    ledger = MemoryLedger(readers(6))
    with BadDay(drop="before DATA", drops=3) as day:
        report = run(ledger, day, patience=DAY)

    assert report == DeliveryReport(sent=6)
    assert sorted(day.recipients) == sorted(readers(6))


@pytest.mark.parametrize("drop", ["within DATA", "before 250"])
def test_a_connection_lost_in_the_body_leaves_one_unknown_and_nobody_twice(drop):
    ledger = MemoryLedger(readers(6))
    with BadDay(drop=drop, drops=1) as day:
        report = run(ledger, day, patience=DAY)

    assert (report.sent, report.unknown) == (5, 1)
    assert len(day.recipients) == len(set(day.recipients)) == (6 if drop == "before 250" else 5)


@pytest.mark.parametrize("drop", ["before DATA", "within DATA"])
def test_a_relay_that_always_hangs_up_is_left_alone_after_five_times(drop):
    ledger, clock = MemoryLedger(readers(20)), Clock()
    with BadDay(drop=drop) as day:
        report = run(ledger, day, clock)

    assert report.stopped is not None
    assert "5 connections in a row" in report.stopped
    assert ledger.states()["queued"] == 15
    assert day.connections == 5
    assert clock.waits == [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]  # 1 + 2 + 4 seconds


def test_a_relay_that_cannot_be_reached_at_all_is_an_error_and_all_stay_queued():
    ledger = MemoryLedger(readers(3))

    def connect():
        raise RelayUnreachable("the relay x:25 cannot be reached")

    with pytest.raises(RelayError, match="cannot be reached"):
        deliver(ledger=ledger, connect=connect, compose_for=compose)
    assert ledger.states() == {"queued": 3}
    assert ledger.rows[1].attempts == 0


@pytest.mark.parametrize(
    ("error", "tries"), [(RelayUnreachable("away"), 5), (RelayError("password changed"), 2)]
)
def test_a_relay_that_does_not_come_back_stops_the_run(error, tries):
    ledger, tried = MemoryLedger(readers(9)), []
    with BadDay(mail=after(4, "421 4.3.0 going down")) as day:

        def connect():
            tried.append(1)
            if len(tried) > 1:
                raise error
            return open_connection(day.relay())

        report = run(ledger, day, connect=connect)

    assert report.stopped == str(error)
    assert (report.sent, report.deferred) == (4, 1)
    assert ledger.states() == {"sent": 4, "deferred": 1, "queued": 4}
    assert len(tried) == (tries if tries == 2 else 1 + tries)


# --- the person's will, the operator's will


def test_who_is_suppressed_or_leaves_meanwhile_gets_nothing():
    ledger = MemoryLedger(readers(6))

    def progress(report: DeliveryReport) -> None:
        ledger.suppressed.add("reader3@example.net")
        ledger.left.add("reader4@example.net")

    with BadDay() as day:
        run(ledger, day, progress=progress)

    assert ledger.states() == {"sent": 4, "suppressed": 1, "cancelled": 1}
    assert not {"reader3@example.net", "reader4@example.net"} & set(day.recipients)


def test_who_leaves_while_deferred_gets_no_retry():
    ledger = MemoryLedger(readers(1))
    with BadDay(rcpt=first_time("450 later")) as day:
        run(ledger, day)
        ledger.left.add("reader0@example.net")
        run(ledger, day, Clock(START + timedelta(hours=1)))
    assert ledger.states() == {"cancelled": 1}
    assert not day.recipients


def test_a_stop_finishes_the_message_in_flight_and_leaves_the_rest_queued():
    ledger, seen = MemoryLedger(readers(10)), []
    with BadDay() as day:
        report = run(ledger, day, progress=seen.append, stopping=lambda: len(seen) >= 4)

    assert report == DeliveryReport(sent=4)
    assert [r.sent for r in seen] == [1, 2, 3, 4]
    assert ledger.states() == {"sent": 4, "queued": 6}


def test_a_stop_does_not_wait_for_a_relay_that_lets_us_wait():
    ledger, called, enough = MemoryLedger(readers(3)), threading.Event(), threading.Event()

    def connect() -> Any:
        called.set()
        enough.wait(10)
        raise RelayUnreachable("no answer")

    with BadDay() as day:
        report = run(ledger, day, connect=connect, stopping=called.is_set)
    assert not enough.is_set()
    enough.set()
    assert report == DeliveryReport()
    assert ledger.states() == {"queued": 3}
    assert not ledger.leased


def test_a_stop_is_heard_while_waiting_for_deferred_mail():
    ledger, clock = MemoryLedger(readers(1)), Clock()
    with BadDay(rcpt=always("450 later")) as day:
        stopping = lambda: clock.now - START > timedelta(seconds=20)  # noqa: E731
        report = run(ledger, day, clock, patience=DAY, stopping=stopping)

    assert clock.now - START < timedelta(seconds=30)
    assert report.deferred == 1


def test_after_a_day_deferred_mail_is_given_up():
    ledger, clock = MemoryLedger(readers(1)), Clock()
    with BadDay(rcpt=always("450 4.2.0 later")) as day:
        report = run(ledger, day, clock, patience=DAY)

    assert report == DeliveryReport(rejected=1)
    assert ledger.rows[1].verdict is not None
    assert ledger.rows[1].verdict.reason == "gave up after 24 hours: later"
    assert timedelta(0) <= clock.now - START - timedelta(hours=24) < timedelta(seconds=10)
    assert not ledger.suppressed


def test_a_sender_shows_every_half_minute_that_it_lives():
    ledger, clock = MemoryLedger(readers(10)), Clock()
    with BadDay() as day:
        run(ledger, day, clock, progress=lambda _: clock.wait(10))
    assert ledger.beats == 4

    ledger, clock = MemoryLedger(readers(1)), Clock()
    with BadDay(rcpt=first_time("450 later")) as day:
        run(ledger, day, clock, patience=Patience(deferred=600))
    assert ledger.beats == 2


def test_a_paused_issue_ends_the_run():
    ledger = MemoryLedger(readers(3))
    with BadDay() as day:
        ledger.paused = True
        assert run(ledger, day, patience=DAY) == DeliveryReport()
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
def test_ctrl_c_leaves_nobody_in_sending(in_body, state):
    ledger = MemoryLedger(readers(5))
    with BadDay() as day, pytest.raises(KeyboardInterrupt):
        run(ledger, day, connect=lambda: Interrupting(open_connection(day.relay()), in_body))

    assert ledger.rows[3].state == state
    assert "sending" not in ledger.states()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a template")])
def test_what_goes_wrong_while_composing_gives_the_claim_back(error):
    ledger = MemoryLedger(readers(5))

    def fails(claim: Claim) -> tuple[Envelope, bytes]:
        if claim.delivery == 3:
            raise error
        return compose(claim)

    with BadDay() as day, pytest.raises(type(error)):
        run(ledger, day, compose_for=fails)

    assert ledger.states() == {"sent": 2, "queued": 3}


def interrupt_record(ledger: MemoryLedger, error: BaseException, when: str) -> Callable[..., None]:
    record, calls = ledger.record, []

    def failing(claim: Claim, verdict: Any, now: Any) -> None:
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
    with BadDay() as day, pytest.raises(KeyboardInterrupt):
        run(ledger, day)

    assert ledger.rows[3].state is DeliveryState.SENT
    assert ledger.states() == {"sent": 3, "queued": 2}


def test_a_store_that_fails_leaves_what_was_on_the_wire_in_sending():
    ledger = MemoryLedger(readers(3))

    def full(claim: Claim, verdict: Any, now: Any) -> None:
        raise StoreError("the disk is full")

    ledger.record = full  # type: ignore[method-assign]
    with BadDay() as day, pytest.raises(StoreError):
        run(ledger, day)

    assert ledger.states() == {"sending": 1, "queued": 2}
    assert len(day.recipients) == 1


def test_connections_are_closed_whatever_happens():
    closed = []

    def connect_to(day: BadDay) -> AbstractContextManager[Any]:
        connection = open_connection(day.relay())
        close = connection.close
        connection.close = lambda: (closed.append(1), close())  # type: ignore[method-assign, assignment]
        return connection

    with BadDay() as day:
        run(MemoryLedger(readers(2)), day, connect=lambda: connect_to(day))
        with pytest.raises(ZeroDivisionError):
            run(
                MemoryLedger(readers(2)),
                day,
                connect=lambda: connect_to(day),
                progress=lambda report: 1 / 0,
            )
    assert len(closed) == 2


def test_the_first_back_off_is_a_setting():
    ledger = MemoryLedger(readers(1))
    with BadDay(rcpt=always("450 later")) as day:
        report = run(ledger, day, policy=RetryPolicy(first_seconds=1))
    assert report.next_due == START + timedelta(seconds=1)
