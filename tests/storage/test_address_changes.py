"""What a change of address means for suppressions, late reports and a restored backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from upcycle_news.models import (
    ConfirmationResult,
    DeliveryState,
    EmailAddress,
    SuppressionSource,
    Verdict,
)
from upcycle_news.storage import (
    address_changes,
    bounces,
    confirmation_mails,
    failures,
    personal_data,
    subscribers,
    suppressions,
)
from upcycle_news.storage.backup.merge import merge_newer_data
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.earlier_addresses import PRESENT, Change, MailTime, address_at
from upcycle_news.storage.schema import deliveries, issues

from .sample_rows import NOW, ledger, queued

OLD, NEW = EmailAddress("anna@alt.example"), EmailAddress("anna@neu.example")
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def store(any_store: str) -> Iterator[Store]:
    """A store in which an issue was sent to the old address an hour ago."""
    opened = open_store(any_store)
    opened.erasure_key = b"k" * 32
    queued(opened, OLD.address)
    with opened.writing() as connection:
        connection.execute(
            update(deliveries).values(state=DeliveryState.SENT, changed_at=NOW - timedelta(hours=1))
        )
    yield opened
    opened.close()


def change(store: Store, new: EmailAddress = NEW) -> ConfirmationResult:
    """Change the only subscriber's address, an hour from now."""
    at = NOW + timedelta(hours=1)
    (anna,) = subscribers.all_subscribers(store)
    asked = address_changes.request(
        store, anna.id, new, may_ask=lambda _: True, too_many=lambda _: False,
        mailbox_key=new.key, since=at - timedelta(days=1), now=at,
    )  # fmt: skip
    assert asked
    mail = confirmation_mails.waiting(store)[-1]
    claimed = confirmation_mails.claim(
        store, mail, scopes=lambda _: [], token_hash=f"hash of {new.key}", holder="test",
        until=at, now=at,
    )  # fmt: skip
    assert isinstance(claimed, confirmation_mails.ClaimedMail) and claimed.email == new
    link = {"may_change": lambda _: True, "now": at, "valid_for": timedelta(days=7)}
    looked_up = address_changes.change_status(store, f"hash of {new.key}", **link)  # type: ignore[arg-type]
    followed = address_changes.confirm(store, f"hash of {new.key}", **link)  # type: ignore[arg-type]
    assert looked_up is followed
    return followed


def delivery(store: Store) -> tuple[int, int]:
    """Return the delivery's id and its issue's number."""
    with store.reading() as connection:
        row = connection.execute(
            select(deliveries.c.id, issues.c.number).join(
                issues, issues.c.id == deliveries.c.issue_id
            )
        ).one()
    return row.id, row.number


def report(store: Store, kind: str, suppress: tuple[str, SuppressionSource] | None) -> bool:
    (anna,) = subscribers.all_subscribers(store)
    new = bounces.NewReport(kind, delivery(store)[1], anna.id, kind, suppress_for=suppress)
    return bounces.record(store, new, now=LATER).suppressed


def reasons(store: Store, email: EmailAddress) -> str | None:
    with store.reading() as connection:
        return suppressions.suppressed_reasons(connection, store, [email]).get(email.key)


def test_a_late_bounce_suppresses_the_address_that_bounced(store: Store) -> None:
    assert change(store) is ConfirmationResult.NOW
    assert report(store, "hard", (suppressions.HARD_BOUNCE, SuppressionSource.BOUNCE))
    assert (reasons(store, OLD), reasons(store, NEW)) == ("hard bounce", None)


def test_a_bounce_of_a_mail_to_the_new_address_suppresses_that_one(store: Store) -> None:
    change(store)
    with store.writing() as connection:
        connection.execute(update(issues).values(enqueued_at=LATER))
        connection.execute(update(deliveries).values(changed_at=LATER))
    assert report(store, "hard", (suppressions.HARD_BOUNCE, SuppressionSource.BOUNCE))
    assert (reasons(store, OLD), reasons(store, NEW)) == ("moved", "hard bounce")


def test_a_bounce_of_an_issue_that_went_around_the_change_suppresses_only_what_it_names(
    store: Store,
) -> None:
    """A worker may have read the address before the change, and sent the mail after it."""
    change(store)
    with store.writing() as connection:
        connection.execute(update(deliveries).values(changed_at=LATER))
    hard = (suppressions.HARD_BOUNCE, SuppressionSource.BOUNCE)
    assert not report(store, "hard", hard)
    assert (reasons(store, OLD), reasons(store, NEW)) == ("moved", None)
    (anna,) = subscribers.all_subscribers(store)
    names_it = bounces.NewReport(
        "named", delivery(store)[1], anna.id, "hard",
        suppress_for=hard, went_to=suppressions.hash_key(store, OLD),
    )  # fmt: skip
    assert bounces.record(store, names_it, now=LATER).suppressed
    assert (reasons(store, OLD), reasons(store, NEW)) == ("hard bounce", None)


@settings(max_examples=200)
@given(
    changes=st.lists(st.integers(0, 50), max_size=4).map(sorted),
    leased=st.integers(0, 50),
    before=st.integers(0, 9),
    after=st.integers(0, 9),
)
def test_an_address_is_named_only_if_the_mail_went_to_it_whenever_it_was_read(
    changes: list[int], leased: int, before: int, after: int
) -> None:
    """`before`, `after`: seconds from the queueing to the reading of the address, and to the outcome."""
    at = lambda seconds: NOW + timedelta(seconds=seconds)  # noqa: E731
    history = [Change(at(second), f"#{index}") for index, second in enumerate(changes)]
    named = address_at(history, MailTime(at(leased - before), at(leased + after)))
    following = [f"#{index}" for index, second in enumerate(changes) if second >= leased]
    assert named in (None, following[0] if following else PRESENT)
    certain = all(not leased - before - 1 < second < leased + after for second in changes)
    assert named is not None or not certain


def test_a_refusal_speaks_of_the_address_that_was_read_before_the_change(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(update(deliveries).values(state=DeliveryState.QUEUED))
    worker = ledger(store)
    [leased] = worker.lease(1, NOW)
    change(store)
    refused = Verdict(DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1")
    worker.commit([(leased, refused)], [], LATER)
    assert (reasons(store, OLD), reasons(store, NEW)) == ("bounced", None)


def test_a_late_complaint_is_the_persons_whatever_the_address(store: Store) -> None:
    change(store)
    assert report(store, "complaint", ("complaint", SuppressionSource.COMPLAINT))
    assert reasons(store, NEW) == "complaint"


def test_what_failed_softly_at_the_old_address_does_not_count_against_the_new_one(
    store: Store,
) -> None:
    report(store, "soft", None)
    (anna,) = subscribers.all_subscribers(store)
    assert len(failures.soft_reports(store, anna.id)) == 1
    change(store)
    assert failures.soft_reports(store, anna.id) == ()
    assert failures.issues_tried(store, anna.id, 5) == ()


def test_the_old_address_is_kept_until_it_was_told(store: Store) -> None:
    change(store)
    (anna,) = subscribers.all_subscribers(store)
    assert (anna.email, len(personal_data.personal_data_of(store, anna).deliveries)) == (NEW, 1)
    mail = confirmation_mails.waiting(store)[-1]
    told = confirmation_mails.claim(
        store, mail, scopes=lambda _: [], token_hash="", holder="x", until=LATER, now=LATER
    )
    assert isinstance(told, confirmation_mails.ClaimedMail) and told.email == OLD
    confirmation_mails.mark_mailed(store, mail, LATER)
    (kept,) = personal_data.personal_data_of(store, anna).address_changes
    assert kept.old_email is None and kept.confirmed_at is not None


def test_a_notice_that_nobody_takes_keeps_the_old_address_for_the_days_of_a_link(
    store: Store,
) -> None:
    change(store)
    after = NOW + timedelta(days=8)
    address_changes.delete_unconfirmed(
        store, before=after - timedelta(days=7), ended_before=after - timedelta(days=7), now=after
    )
    (anna,) = subscribers.all_subscribers(store)
    (kept,) = personal_data.personal_data_of(store, anna).address_changes
    assert kept.old_email is None


def test_erasing_by_the_old_address_erases_the_reader(store: Store) -> None:
    change(store)
    assert personal_data.erase_subscriber(store, OLD, now=LATER)
    assert list(subscribers.all_subscribers(store)) == []
    assert reasons(store, NEW) == "forgotten" and reasons(store, OLD) is not None
    assert confirmation_mails.waiting(store) == ()


def test_a_restore_keeps_the_address_that_was_changed_after_the_backup(tmp_path: Path) -> None:
    """The backup knows the old one, which is suppressed by its hash since: nobody is erased."""
    replaced = open_store(f"sqlite:///{tmp_path}/replaced.db")
    replaced.erasure_key = b"k" * 32
    queued(replaced, OLD.address)
    replaced.checkpoint()
    replaced.close()
    shutil.copy(tmp_path / "replaced.db", tmp_path / "backup.db")
    assert change(replaced) is ConfirmationResult.NOW
    backup = open_store(f"sqlite:///{tmp_path}/backup.db")
    with replaced.reading() as old, backup.writing() as new:
        merged = merge_newer_data(old, new, since=NOW, now=LATER)
    assert merged.erased == 0
    (anna,) = subscribers.all_subscribers(backup)
    assert anna.email == NEW
    assert personal_data.personal_data_of(backup, anna).address_changes[0].confirmed_at is not None
    replaced.close()
    backup.close()
