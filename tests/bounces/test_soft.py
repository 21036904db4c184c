"""When too much failed for a subscriber: reports that came back, and refusals at SMTP time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.score import SoftFailures, in_a_row, too_often
from upcycle_news.models import EmailAddress, SuppressionSource
from upcycle_news.services.bounces import process
from upcycle_news.storage import bounces, suppressions

from ..delivery.memory_ledger import START, Clock
from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..transports.bad_relays import MisbehavingRelay, for_addresses
from . import sample_reports
from .test_process import envelope

ANNA = "anna@example.org"
MONTH = timedelta(days=30)


def suppressed(context: AppContext, address: str = ANNA) -> str | None:
    email = EmailAddress.parse(address)
    with context.store.reading() as connection:
        return suppressions.suppressed_reasons(connection, context.store, [email]).get(email.key)


def issues_every(
    publication: Publication, context: AppContext, clock: Clock, pause: timedelta, count: int
) -> Iterator[int]:
    """Send an issue, and another one after each pause; the number of those sent."""
    for number in range(1, count + 1):
        publication.write_essay(f"Nummer {number}")
        assert send_issue(context, str(clock.now.date())).closed
        yield number
        clock.now += pause


@pytest.mark.parametrize(("days", "ends"), [(1, 4), (7, 4), (31, 4), (92, 4)])
def test_a_mailbox_full_in_each_issue_is_suppressed_however_rare_issues_are(
    publication: Publication, clock: Clock, days: int, ends: int
) -> None:
    context = publication.context(SENDER__VERP="true")
    add_confirmed_subscribers(context, ANNA, "bert@example.org")
    ended = 0
    for number in issues_every(publication, context, clock, timedelta(days=days), 6):
        process.handle(context, sample_reports.full(envelope(publication, ANNA), ANNA))
        ended = number
        if suppressed(context):
            break
    assert ended == ends
    assert suppressed(context) == "soft bounces"


def test_an_accepted_issue_interrupts_the_row_of_failures() -> None:
    tried = ("6", "5", "4", "3", "2", "1")
    assert in_a_row({"6", "5", "3", "2", "1"}, tried) == 2
    assert in_a_row({"5", "4", "3"}, tried) == 3  # the report about the newest may still come
    assert in_a_row(set(), tried) == 0
    months = tuple(START - number * MONTH for number in (0, 1, 3, 4, 5))
    failures = SoftFailures(months, failed=frozenset("65321"), tried=tried)
    assert not too_often(failures, now=START, half_life=MONTH, threshold=3)


def test_unclear_reports_alone_never_suppress(publication: Publication, clock: Clock) -> None:
    context = publication.context(SENDER__VERP="true", BOUNCES__SOFT_THRESHOLD="1.5")
    add_confirmed_subscribers(context, ANNA, "bert@example.org")
    for _ in issues_every(publication, context, clock, timedelta(days=1), 6):
        raw = sample_reports.qmail(envelope(publication, ANNA), ANNA)
        raw = raw[: raw.index(b"\n\n")] + f"\n\nAn {ANNA} ging nichts.\n".encode()
        assert process.handle(context, raw) == ({"soft": 1}, True)
    assert suppressed(context) is None
    kinds = [(row.kind, row.understood) for row in bounces.list_bounces(context.store, kind="soft")]
    assert kinds == [("soft", False)] * 6


def test_unclear_reports_count_at_most_as_much_as_clear_ones() -> None:
    now = (START,) * 9
    settings = {"now": START, "half_life": MONTH, "threshold": 3}
    assert not too_often(SoftFailures(understood=now[:1], unclear=now), **settings)  # type: ignore[arg-type]
    assert too_often(SoftFailures(understood=now[:2], unclear=now[:1]), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("550 5.5.0 this mailbox cannot be used", 2),
        ("552 5.2.2 mailbox full", 2),
        ("550 5.7.1 blocked for the reputation of 192.0.2.9", 0),
    ],
)
def test_refusals_at_smtp_time_count_like_reports(
    publication: Publication, clock: Clock, any_store: str, said: str, ends: int
) -> None:
    others = [f"reader{number}@example.org" for number in range(3)]
    with MisbehavingRelay(rcpt=for_addresses("tot", said)) as server:
        context = publication.context(
            BOUNCES__SOFT_THRESHOLD="1.5", RELAYS__MAIN__HOST="127.0.0.1", STORE=any_store,
            RELAYS__MAIN__PORT=str(server.controller.port), RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        add_confirmed_subscribers(context, "tot@example.org", *others)
        for number in range(1, 4):
            publication.write_essay(f"Nummer {number}")
            send_issue(context, str(clock.now.date()))
            if suppressed(context, "tot@example.org"):
                break
            clock.now += timedelta(days=7)
    if ends:
        assert (number, suppressed(context, "tot@example.org")) == (ends, "soft bounces")
        [suppression] = suppressions.all_suppressions(context.store)
        assert suppression.source is SuppressionSource.SMTP
        assert suppression.delivery is not None
        assert suppression.issue == str(clock.now.date())
    else:
        assert suppressed(context, "tot@example.org") is None
    assert not any(suppressed(context, address) for address in others)


def test_refusals_of_an_issue_mostly_refused_do_not_count(
    publication: Publication, clock: Clock
) -> None:
    gone = [f"gone{number}@example.org" for number in range(4)]
    with MisbehavingRelay(rcpt=for_addresses("gone", "550 5.5.0 no")) as server:
        context = publication.context(
            BOUNCES__SOFT_THRESHOLD="1.5", RELAYS__MAIN__HOST="127.0.0.1",
            RELAYS__MAIN__PORT=str(server.controller.port), RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        add_confirmed_subscribers(context, ANNA, *gone)
        for number in range(1, 4):
            publication.write_essay(f"Nummer {number}")
            send_issue(context, str(clock.now.date()))
            clock.now += timedelta(days=7)
    assert not any(suppressed(context, address) for address in gone)
