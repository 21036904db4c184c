"""Confirmation mails that wait: claimed once, counted against the limits, given back by the dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from upcycle_news.models import ConfirmationMailKind, EmailAddress, Rate
from upcycle_news.storage import confirmation_mails, personal_data, signups
from upcycle_news.storage.confirmation_mails import ClaimedMail, WaitingMail
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.quotas import FullScope, Scope

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
IN_ALL = Scope("confirmation mails in all", (Rate(2, 360),))


def sign_up(store: Store, name: str, now: datetime = NOW) -> None:
    assert signups.start_signup(
        store, EmailAddress.parse(f"{name}@example.org"), may_ask=lambda _: True,
        language="de", source="web", wording="", ip="", now=now, mailbox_key=f"{name}@",
    )  # fmt: skip


def claim(
    store: Store, mail: WaitingMail, holder: str = "one", now: datetime = NOW
) -> ClaimedMail | FullScope | None:
    return confirmation_mails.claim(
        store, mail, scopes=lambda _: [IN_ALL], token_hash="hash", holder=holder,
        until=now + timedelta(minutes=5), now=now,
    )  # fmt: skip


def test_a_mail_is_claimed_by_one_process_until_it_ends(any_store: str) -> None:
    store = open_store(any_store)
    sign_up(store, "anna")
    (mail,) = confirmation_mails.waiting(store)
    claimed = claim(store, mail, "one")
    assert isinstance(claimed, ClaimedMail) and claimed.email.address == "anna@example.org"
    assert claim(store, mail, "two") is None
    assert confirmation_mails.holders(store) == {"one"}
    assert confirmation_mails.release_held_by(store, "one") == 1
    assert isinstance(claim(store, mail, "two"), ClaimedMail)
    confirmation_mails.mark_mailed(store, mail, NOW)
    assert confirmation_mails.waiting(store) == () == tuple(confirmation_mails.holders(store))
    assert claim(store, mail, "three") is None
    store.close()


def test_a_claim_of_another_machine_ends_by_itself(any_store: str) -> None:
    store = open_store(any_store)
    sign_up(store, "anna")
    (mail,) = confirmation_mails.waiting(store)
    assert isinstance(claim(store, mail, "elsewhere"), ClaimedMail)
    assert claim(store, mail, "here", NOW + timedelta(minutes=4)) is None
    assert isinstance(claim(store, mail, "here", NOW + timedelta(minutes=6)), ClaimedMail)
    store.close()


def test_limits_hold_over_all_processes_that_share_a_store(any_store: str) -> None:
    stores = [open_store(any_store) for _ in range(3)]
    for number in range(5):
        sign_up(stores[0], f"n{number}")
    results = [
        claim(stores[number % 3], mail, f"process {number % 3}")
        for number, mail in enumerate(confirmation_mails.waiting(stores[0]))
    ]
    assert [type(result) for result in results] == [ClaimedMail] * 2 + [FullScope] * 3
    assert confirmation_mails.count_limited(stores[1]) == 5  # two of them are on their way
    for store in stores:
        store.close()


def test_a_mail_about_what_is_gone_is_not_sent(any_store: str) -> None:
    store = open_store(any_store)
    store.erasure_key = b"k" * 32
    sign_up(store, "anna")
    sign_up(store, "berta")
    anna, berta = confirmation_mails.waiting(store)
    personal_data.erase_subscriber(store, EmailAddress.parse("anna@example.org"), now=NOW)
    assert claim(store, anna) is None
    assert isinstance(claim(store, berta), ClaimedMail)
    assert signups.confirm(store, "hash", now=NOW, valid_for=timedelta(days=7)).value == "now"
    assert confirmation_mails.waiting(store) == ()
    confirmation_mails.mark_mailed(store, berta, NOW)  # the reply to the mail comes last
    store.close()


def test_what_was_mailed_is_kept_for_the_cooldown_and_the_limits_scopes_for_a_day(
    any_store: str,
) -> None:
    store = open_store(any_store)
    sign_up(store, "anna")
    sign_up(store, "berta")
    anna, _ = confirmation_mails.waiting(store)
    claim(store, anna)
    confirmation_mails.mark_mailed(store, anna, NOW)
    later = NOW + timedelta(days=2)
    confirmation_mails.delete_old(store, before=later - timedelta(days=7), done_before=later - timedelta(days=1))  # fmt: skip
    (left,) = confirmation_mails.waiting(store)
    assert left.kind is ConfirmationMailKind.SIGN_UP and left.subscriber != anna.subscriber
    with store.reading() as connection:
        assert confirmation_mails.count_asked(connection, "anna@", since=NOW - timedelta(1)) == 0
        assert confirmation_mails.count_asked(connection, "berta@", since=NOW - timedelta(1)) == 1
    store.close()


def test_the_level_of_requests_falls_as_fast_as_mails_may_go(any_store: str) -> None:
    store = open_store(any_store)
    rate = Rate(30, 360)
    levels = [confirmation_mails.raise_level(store, "", rate, NOW) for _ in range(40)]
    assert levels[0] == 1 and levels[-1] == 40
    assert confirmation_mails.raise_level(store, "", rate, NOW + timedelta(minutes=3)) == 26
    assert confirmation_mails.raise_level(store, "", rate, NOW + timedelta(hours=3)) == 1
    assert confirmation_mails.raise_level(store, "@example.org", rate, NOW) == 1
    store.close()
