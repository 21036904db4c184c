"""When a confirmation mail is sent, and how long it may wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.models import (
    EmailAddress,
    Rate,
    SubscriberStatus,
    Suppression,
    SuppressionSource,
)
from upcycle_news.storage.address_changes import ChangeRequest
from upcycle_news.storage.signups import AddressStatus
from upcycle_news.subscribers.double_opt_in import (
    confirmation_rates,
    expected_delay,
    mailbox_key,
    may_change_address,
    may_send_confirmation,
    next_attempt,
)

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("anna@example.org", "anna@example.org"),
        ("Anna+Lesen@Example.org", "anna@example.org"),
        ("anna+a+b@example.org", "anna@example.org"),
        ("+anna@example.org", "+anna@example.org"),
        ("anna.berta@example.org", "anna.berta@example.org"),
        ("anna.berta+x@gmail.com", "annaberta@gmail.com"),
        ("annaberta@googlemail.com", "annaberta@gmail.com"),
    ],
)
def test_addresses_of_one_mailbox_have_one_key(address: str, key: str) -> None:
    assert mailbox_key(EmailAddress.parse(address)) == key


def may_send(
    status: SubscriberStatus | None = None,
    suppressed: str | None = None,
    asked: timedelta | None = None,
    mailbox: int = 0,
) -> bool:
    situation = AddressStatus(status, suppressed, None if asked is None else NOW - asked, mailbox)
    return may_send_confirmation(situation, now=NOW, cooldown=DAY, per_mailbox=3)


def test_a_mailbox_is_asked_three_times_within_the_cooldown() -> None:
    assert [may_send(mailbox=count) for count in range(5)] == [True, True, True, False, False]
    assert may_send(asked=DAY) and not may_send(asked=DAY - timedelta(seconds=1))


def test_who_moved_away_from_an_address_does_not_keep_it_from_its_next_owner() -> None:
    assert may_send(suppressed="moved") and may_send(suppressed="forgotten")
    assert not may_send(suppressed="complaint") and not may_send(SubscriberStatus.CONFIRMED)


def test_thirty_at_once_of_three_hundred_an_hour_come_again_after_six_minutes() -> None:
    assert confirmation_rates(30, 300) == (Rate(30, 360), Rate(300, 3600))
    burst = confirmation_rates(30, 300)[0]
    delays = [expected_delay(level, burst) for level in (1, 30, 31, 60, 61, 120, 400)]
    assert [delay.total_seconds() / 60 for delay in delays] == [0, 0, 6, 6, 12, 18, 78]


def test_a_mail_that_failed_is_due_after_a_minute_and_after_an_hour_at_the_latest() -> None:
    waits = [next_attempt(attempts, NOW) - NOW for attempts in range(9)]
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def may_change(
    new: AddressStatus | None = None,
    source: SuppressionSource | None = None,
    key: str = "anna@example.org",
) -> bool:
    suppression = None if source is None else Suppression(key, "x", source, at=NOW)
    return may_change_address(
        ChangeRequest(new or AddressStatus(None, None, None), suppression, requested=0)
    )


def test_an_address_that_is_taken_or_suppressed_is_nobody_elses_new_one() -> None:
    assert may_change() and may_change(AddressStatus(SubscriberStatus.PENDING, "forgotten", None))
    for status in (SubscriberStatus.CONFIRMED, SubscriberStatus.UNSUBSCRIBED):
        assert not may_change(AddressStatus(status, None, None))
    assert not may_change(AddressStatus(None, "hard bounce", None))


def test_a_change_undoes_no_complaint_but_leaves_a_mailbox_that_failed() -> None:
    assert may_change(source=SuppressionSource.BOUNCE) and may_change(source=SuppressionSource.SMTP)
    for source in (SuppressionSource.COMPLAINT, SuppressionSource.COMMAND, SuppressionSource.LIST):
        assert not may_change(source=source)
    assert may_change(source=SuppressionSource.COMMAND, key="@example.org")
