from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.delivery.retry_policy import RetryPolicy, decide
from upcycle_news.models import DeliveryState, SmtpReply, Verdict
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    UnsupportedAddress,
)

from .memory_ledger import START

POLICY = RetryPolicy()


def judged(outcome: Outcome, *, attempt: int = 1, hours: float = 0, jitter: float = 0) -> Verdict:
    return decide(
        outcome,
        attempt=attempt,
        queued_at=START,
        now=START + timedelta(hours=hours),
        policy=POLICY,
        jitter=jitter,
    )


def refused(stage: str, code: int, text: str = "", enhanced: str = "") -> Outcome:
    return Refused(stage, SmtpReply(code, text, enhanced))  # type: ignore[arg-type]


def test_accepted_is_sent():
    assert judged(Accepted(SmtpReply(250, "queued"))).state is DeliveryState.SENT


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "body"])
@pytest.mark.parametrize("code", [421, 450, 451, 452, 454, 471])
def test_a_4xx_reply_defers_and_pauses_the_relay(stage, code):
    verdict = judged(refused(stage, code, "later"))

    assert verdict.state is DeliveryState.DEFERRED
    assert verdict.next_at == START + timedelta(seconds=60)
    assert verdict.slow_relay is (code != 471)
    assert not verdict.suppress
    assert verdict.stop is None
    assert (verdict.code, verdict.reason) == (code, "later")


@pytest.mark.parametrize("enhanced", ["5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1"])
@pytest.mark.parametrize("stage", ["rcpt", "body"])
def test_a_refusal_about_the_recipient_suppresses(stage, enhanced):
    verdict = judged(refused(stage, 550, "gone", enhanced))

    assert (verdict.state, verdict.suppress) == (DeliveryState.REJECTED, True)
    assert (verdict.code, verdict.enhanced) == (550, enhanced)


@pytest.mark.parametrize(
    "text",
    [
        "No such user here",
        "User unknown in virtual mailbox table",
        "The email account that you tried to reach does not exist",
        "mailbox not found",
        "delivery error: This user doesn't have a yahoo.de account",
        "Unbekannter Empfänger",
        "Requested action not taken: unknown user",
    ],
)
def test_without_an_enhanced_code_the_wording_decides(text):
    assert judged(refused("rcpt", 550, text)).suppress
    assert not judged(refused("rcpt", 550, text, "5.4.1")).suppress


@pytest.mark.parametrize(
    "outcome",
    [
        refused("mail", 550, "no such user", "5.1.1"),
        refused("mail", 501, "what?"),
        refused("rcpt", 554, "Relay access denied", "5.7.1"),
        refused("rcpt", 554, "Relay access denied"),
        refused("rcpt", 550, "sender verify failed: address does not exist; blocked"),
        refused("rcpt", 530, "Authentication required"),
        refused("data", 554, "no"),
        refused("body", 554, "looks like spam", "5.7.1"),
        refused("body", 550, "not aligned", "5.7.515"),
        refused("body", 552, "too big", "5.3.4"),
        refused("body", 552, "too big"),
    ],
)
def test_a_refusal_about_the_sender_stops_the_issue_and_the_delivery_stays_queued(outcome):
    verdict = judged(outcome)

    assert verdict.state is DeliveryState.QUEUED
    assert verdict.stop is not None
    assert str(verdict.code) in verdict.stop
    assert "resume" in verdict.stop
    assert not verdict.suppress


@pytest.mark.parametrize(
    "outcome",
    [
        refused("rcpt", 550, "mailbox unavailable"),
        refused("rcpt", 552, "mailbox full", "5.2.2"),
        refused("rcpt", 552, "user is over quota"),
        refused("body", 552, "mailbox full", "5.2.2"),
        refused("rcpt", 550, "no such user", "5.4.1"),
        refused("rcpt", 553, "mailbox name not allowed"),
        refused("rcpt", 552, "no room left in this mailbox"),
        UnsupportedAddress("letters outside ASCII"),
    ],
)
def test_any_other_refusal_rejects_this_delivery_alone(outcome):
    verdict = judged(outcome)

    assert verdict.state is DeliveryState.REJECTED
    assert (verdict.suppress, verdict.stop) == (False, None)
    assert verdict.reason


@pytest.mark.parametrize(
    "outcome",
    [
        refused("rcpt", 554, "entry refused", "5.7.1"),
        refused("rcpt", 550, "message rejected for policy reasons"),
        refused("rcpt", 550, "sender address does not exist"),
        refused("rcpt", 552, "message size exceeds fixed limit"),
        refused("rcpt", 550, "Daily user sending limit exceeded", "5.4.5"),
        refused("rcpt", 550, "No more letters from this customer in this hour"),
        refused("mail", 550, "Daily sending quota exceeded", "5.4.5"),
        refused("body", 554, "the allowance of this sender for today is used up", "5.2.0"),
        refused("body", 554, "other or undefined", "5.2.0"),
    ],
)
def test_a_limit_and_what_may_concern_one_recipient_is_deferred_and_slows_the_relay(outcome):
    verdict = judged(outcome)

    assert (verdict.state, verdict.slow_relay) == (DeliveryState.DEFERRED, True)
    assert verdict.next_at is not None
    assert (verdict.suppress, verdict.stop) == (False, None)


def test_a_connection_lost_before_the_body_is_tried_again():
    verdict = judged(LostBeforeBody("gone"))

    assert verdict.state is DeliveryState.DEFERRED
    assert verdict.next_at is not None


def test_a_connection_lost_in_the_body_is_unknown_and_never_tried_again_by_itself():
    assert judged(LostInBody("gone")) == Verdict(DeliveryState.UNKNOWN, reason="gone")


def test_the_pause_doubles_up_to_an_hour_and_jitter_only_adds():
    delays = [POLICY.delay(attempt, 0).total_seconds() for attempt in range(1, 9)]

    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert POLICY.delay(1, 1).total_seconds() == 75
    assert POLICY.delay(10_000, 0).total_seconds() == 3600


def test_after_a_day_a_deferred_delivery_is_given_up():
    late = judged(refused("rcpt", 451, "greylisted"), attempt=9, hours=24)

    assert late.state is DeliveryState.REJECTED
    assert late.reason == "gave up after 24 hours: greylisted"
    assert (late.next_at, late.suppress, late.code) == (None, False, 451)


def test_the_last_try_comes_at_the_deadline_itself():
    verdict = judged(refused("rcpt", 451), attempt=9, hours=23.9)

    assert verdict.next_at == START + timedelta(hours=24)


def test_no_delivery_is_given_up_at_the_first_attempt():
    assert judged(refused("rcpt", 451), attempt=1, hours=30).state is DeliveryState.DEFERRED


def test_a_clock_set_back_gives_no_delivery_up():
    assert judged(refused("rcpt", 451), attempt=5, hours=-48).state is DeliveryState.DEFERRED


@given(
    st.sampled_from(["mail", "rcpt", "data", "body"]),
    st.integers(400, 599),
    st.text(max_size=40),
    st.sampled_from(["", "5.1.1", "5.2.2", "5.7.1", "4.2.0", "5.0.0"]),
    st.integers(1, 99),
    st.floats(-1, 99),
)
def test_every_refusal_has_a_consistent_verdict(stage, code, text, enhanced, attempt, hours):
    verdict = judged(refused(stage, code, text, enhanced), attempt=attempt, hours=hours)

    assert (verdict.next_at is not None) == (verdict.state is DeliveryState.DEFERRED)
    assert (verdict.stop is not None) == (verdict.state is DeliveryState.QUEUED)
    assert not verdict.suppress or verdict.state is DeliveryState.REJECTED
    assert not (verdict.suppress and code < 500)
