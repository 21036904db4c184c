"""A relay that turns bad: no welcome is lost to it, and no reader suppressed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import DeliveryState
from upcycle_news.services.bounces import process
from upcycle_news.services.monitoring.alerts import new_events
from upcycle_news.services.welcome import send, steps
from upcycle_news.storage import pending_suppressions, suppressions

from ...bounces import sample_reports
from ...bounces.test_process import drop, envelope
from ...delivery.memory_ledger import Clock
from ...publications import Publication, relay_variables
from ...transports.bad_relays import MisbehavingRelay
from .test_welcome import approve, join, write_step

REFUSALS = ["550 5.1.1 no such user", "550 go away", "550 5.7.1 your address is listed"]


def suppressed(context: AppContext) -> set[str]:
    return {row.key for row in suppressions.all_suppressions(context.store)}


def waiting(context: AppContext, issue: str = "") -> set[str]:
    return {row.key for row in pending_suppressions.all_pending(context.store, issue)}


def reader(number: int, domain: str = "") -> str:
    return f"leser{number:02}@{domain or f'ort{number}.example'}"


# --- refusals at SMTP time


@pytest.mark.parametrize("reply", REFUSALS, ids=["dead", "unclear", "listed"])
@pytest.mark.parametrize("domain", ["", "firma.example"], ids=["many-domains", "one-domain"])
def test_a_relay_that_refuses_everybody_costs_nobody_the_welcome(
    publication: Publication, clock: Clock, reply: str, domain: str
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    approve(context)
    for number in range(14):
        join(context, reader(number, domain))
    with MisbehavingRelay(rcpt=lambda relay, address: reply) as relay:
        bad = publication.context(**relay_variables(relay.controller.port))
        report = send.send_due(bad)
        assert (report.sent, report.rejected) == (0, 0) and report.away
        assert relay.commands.count("rcpt") < 14
        clock.now += timedelta(minutes=10)
        send.send_due(bad)
    assert not suppressed(context) and not waiting(context)
    clock.now += timedelta(hours=2)
    with MisbehavingRelay() as relay:
        good = publication.context(**relay_variables(relay.controller.port))
        send.send_due(good)
        assert sorted(relay.recipients) == [reader(number, domain) for number in range(14)]
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.SENT: 14}


def test_scattered_refusals_end_their_deliveries_and_no_other(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    approve(context)
    for number in range(40):
        join(context, reader(number))
    dead = {reader(number) for number in range(0, 40, 4)}
    refuse = lambda relay, address: "550 5.1.1 no such user" if address in dead else None  # noqa: E731
    with MisbehavingRelay(rcpt=refuse) as relay:
        report = send.send_due(publication.context(**relay_variables(relay.controller.port)))
    assert (report.sent, report.rejected, report.away) == (30, 10, "")


def test_a_wave_that_does_not_end_is_given_up_after_its_time(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    approve(context)
    for number in range(12):
        join(context, reader(number))
    with MisbehavingRelay(rcpt=lambda relay, address: REFUSALS[0]) as relay:
        bad = publication.context(**relay_variables(relay.controller.port))
        hours = bad.retry_policy.give_up_after // timedelta(hours=1)
        for _ in range(2 * hours):
            send.send_due(bad)
            clock.now += timedelta(hours=1)
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.REJECTED: 12}
    assert not suppressed(context) and not waiting(context)


# --- reports that come back later


@pytest.fixture
def welcomed(publication: Publication, clock: Clock) -> AppContext:
    """Forty readers at forty domains were welcomed, and the inbox is a Maildir."""
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    publication.change_setting(
        "[sender]",
        '[inbox]\nmaildir = "inbox"\n\n[sender]\nverp = true\nenvelope = "b@umbaupost.example.net"',
    )
    context = publication.context()
    write_step(publication, "1-hallo")
    approve(context)
    for number in range(40):
        join(context, reader(number))
    assert send.send_due(context).sent == 40
    return context


def bounce(publication: Publication, number: int) -> bytes:
    return sample_reports.postfix(envelope(publication, reader(number)), reader(number))


@pytest.mark.parametrize("together", [True, False], ids=["together", "one-by-one"])
def test_a_wave_of_hard_bounces_of_the_welcome_waits_for_a_person(
    publication: Publication, welcomed: AppContext, together: bool
) -> None:
    numbers = range(10, 25)
    for number in numbers:
        drop(publication, bounce(publication, number))
        if not together:
            process.collect(welcomed)
    process.collect(welcomed)
    readers = {reader(number) for number in numbers}
    assert (suppressed(welcomed), waiting(welcomed)) == (set(), readers)
    assert waiting(welcomed, "welcome") == readers
    [event] = [one for one in new_events(welcomed) if one.name.endswith("suppressions.pending")]
    assert event.message.startswith("Begrüßung: 15 Sperren warten")
    shown = publication.run("subscribers", "suppressions", "--pending", "--issue", "welcome").out
    assert all(address in shown for address in readers)
    publication.run("subscribers", "suppress", "--pending", "--issue", "welcome")
    assert suppressed(welcomed) == readers
    publication.run("subscribers", "unsuppress", "--issue", "welcome")
    assert (suppressed(welcomed), waiting(welcomed)) == (set(), set())


@pytest.mark.parametrize("numbers", [range(0, 40, 4), range(9)], ids=["scattered", "few"])
def test_scattered_hard_bounces_of_the_welcome_suppress_at_once(
    publication: Publication, welcomed: AppContext, numbers: range
) -> None:
    drop(publication, *(bounce(publication, number) for number in numbers))
    process.collect(welcomed)
    assert suppressed(welcomed) == {reader(number) for number in numbers}
    assert not waiting(welcomed)


def test_who_complains_about_the_welcome_has_decided(
    publication: Publication, welcomed: AppContext
) -> None:
    for number in range(12):
        returned_to = envelope(publication, reader(number))
        drop(publication, sample_reports.complaint("loop@provider.example", returned_to))
    process.collect(welcomed)
    assert len(suppressed(welcomed)) == 12 and not waiting(welcomed)


def test_many_bounces_of_mails_that_the_store_does_not_know_wait(
    publication: Publication, welcomed: AppContext, clock: Clock
) -> None:
    """As after a restore: the issue was sent since the backup."""
    addresses = welcomed.bounce_addresses
    assert addresses is not None
    for number in range(12):
        returned_to = addresses.address_for(77, number + 1)
        if number == 9:
            process.collect(welcomed)
            assert (len(suppressed(welcomed)), len(waiting(welcomed))) == (9, 0)
        drop(publication, sample_reports.postfix(returned_to, reader(number)))
    process.collect(welcomed)
    assert not suppressed(welcomed)
    assert waiting(welcomed) == {reader(number) for number in range(12)}
    [event] = [one for one in new_events(welcomed) if one.name.endswith("suppressions.pending")]
    assert "von denen der Datenbestand nichts weiß" in event.message
