"""A report that comes after a reader has changed the address concerns the address that the mail went to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress
from upcycle_news.services.bounces import process
from upcycle_news.storage import address_changes, packed_deliveries, subscribers
from upcycle_news.storage.schema import address_changes as change_rows
from upcycle_news.storage.suppressions import hash_key

from ..delivery.memory_ledger import Clock
from ..publications import Publication
from . import sample_reports
from .providers.posting import Sample
from .test_process import ANNA, BERT, barred, drop, envelope
from .test_process import context as context
from .test_provider_events import key, post, source, total

NEW = "anna@neu.example"
NO_ISSUE = 0
"""The number in the envelopes of welcome and test mails."""


def move(context: AppContext, old: str = ANNA, new: str = NEW) -> None:
    """Change a reader's address, as a confirmed change does."""
    found = subscribers.find(context.store, EmailAddress.parse(old))
    assert found is not None
    now = context.clock().replace(microsecond=0)
    with context.store.writing() as connection:
        address_changes.give_address(connection, context.store, found.id, EmailAddress.parse(new))
        connection.execute(
            insert(change_rows).values(
                subscriber_id=found.id,
                new_email="",
                old_email="",
                old_hash=hash_key(context.store, found.email),
                token_hash="",
                requested_at=now,
                confirmed_at=now,
            )
        )


def bounce_address(context: AppContext, issue: int, subscriber: int = 1) -> str:
    assert context.bounce_addresses is not None
    return context.bounce_addresses.address_for(issue, subscriber)


def nameless(report: bytes, address: str = ANNA) -> bytes:
    """The same report from a server that names no recipient."""
    lines = report.replace(f"<{address}>".encode(), b"<>").splitlines(keepends=True)
    named = (b"Final-Recipient", b"Original-Recipient")
    return b"".join(line for line in lines if not line.startswith(named))


@pytest.mark.parametrize("issue", [NO_ISSUE, 1, 77], ids=["welcome", "issue", "unknown-issue"])
def test_a_report_that_names_the_old_address_suppresses_that_one(
    publication: Publication, context: AppContext, clock: Clock, issue: int
) -> None:
    clock.now += timedelta(hours=1)
    move(context)
    drop(publication, sample_reports.postfix(bounce_address(context, issue), ANNA.upper()))
    told = process.collect(context)
    assert (told.hard, told.suppressed, told.uncertain) == (1, 1, 0)
    assert (barred(context, ANNA), barred(context, NEW)) == ("hard bounce", None)


@pytest.mark.parametrize("issue", [NO_ISSUE, 77], ids=["welcome", "unknown-issue"])
def test_a_report_that_names_no_address_suppresses_none_of_a_reader_who_has_moved(
    publication: Publication,
    context: AppContext,
    clock: Clock,
    issue: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock.now += timedelta(hours=1)
    move(context)
    report = nameless(sample_reports.postfix(bounce_address(context, issue), ANNA))
    drop(publication, report)
    with caplog.at_level("INFO"):
        told = process.collect(context)
    assert (told.hard, told.suppressed, told.uncertain) == (1, 0, 1)
    assert (barred(context, ANNA), barred(context, NEW)) == (None, None)
    assert "nobody suppressed" in caplog.text and "@" not in caplog.text
    assert "1 perhaps to earlier addresses, nobody suppressed" in str(told.summary)

    stayed = nameless(sample_reports.postfix(bounce_address(context, issue, 2), BERT), BERT)
    drop(publication, stayed)
    assert process.collect(context).suppressed == 1 and barred(context, BERT) == "hard bounce"


@pytest.mark.parametrize("issue", [NO_ISSUE, 1], ids=["welcome", "issue"])
def test_a_report_that_names_the_present_address_suppresses_that_one(
    publication: Publication, context: AppContext, clock: Clock, issue: int
) -> None:
    clock.now += timedelta(hours=1)
    move(context)
    drop(publication, sample_reports.postfix(bounce_address(context, issue), NEW))
    assert process.collect(context).suppressed == 1
    assert (barred(context, ANNA), barred(context, NEW)) == (None, "hard bounce")


def test_an_address_that_was_never_the_readers_suppresses_none(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    clock.now += timedelta(hours=1)
    move(context)
    drop(publication, sample_reports.postfix(bounce_address(context, 1), "anna@weiter.example"))
    told = process.collect(context)
    assert (told.soft, told.suppressed) == (1, 0)
    assert (barred(context, ANNA), barred(context, NEW)) == (None, None)


@pytest.mark.parametrize("names_it", [True, False], ids=["named", "nameless"])
def test_the_report_about_a_packed_delivery_suppresses_the_address_of_then(
    publication: Publication, context: AppContext, clock: Clock, names_it: bool
) -> None:
    to = envelope(publication, ANNA)
    clock.now += timedelta(days=90)
    move(context)
    due = packed_deliveries.issues_to_pack(context.store, closed_before=clock.now)
    assert [packed_deliveries.pack_issue(context.store, one, now=clock.now) for one in due] == [1]
    report = sample_reports.postfix(to, ANNA)
    drop(publication, report if names_it else nameless(report))
    assert process.collect(context).suppressed == 1
    assert (barred(context, ANNA), barred(context, NEW)) == ("hard bounce", None)


@pytest.mark.parametrize("provider", ["postmark", "ses"])
@pytest.mark.parametrize("issue", [NO_ISSUE, 1], ids=["welcome", "issue"])
def test_an_event_about_the_old_address_suppresses_that_one(
    publication: Publication, clock: Clock, provider: str, issue: int
) -> None:
    context = source(publication, provider)
    clock.now += timedelta(hours=1)
    move(context)
    counts = total(post(context, provider, Sample("hard", key(context, 1, issue), ANNA)))
    assert counts == {"hard": 1, "suppressed": 1}
    assert (barred(context, ANNA), barred(context, NEW)) == ("hard bounce", None)


def test_a_bounced_confirmation_mail_suppresses_nobody(
    publication: Publication, context: AppContext
) -> None:
    """Its envelope names no delivery: anybody may enter any address."""
    plain = context.sender_headers(context.publication).envelope_sender
    drop(publication, sample_reports.postfix(plain, ANNA))
    told = process.collect(context)
    assert (told.unsigned, told.suppressed) == (1, 0) and barred(context, ANNA) is None
