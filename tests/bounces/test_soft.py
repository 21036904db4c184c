"""When too much failed for a subscriber: reports that came back, and refusals at SMTP time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.audience.scoring import SoftFailures, in_a_row, too_often
from upcycle_news.model import EmailAddress
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import bouncing
from upcycle_news.store import barring, bounces

from ..postroom.ledgers import START, Clock
from ..postroom.relays import BadDay, for_addresses
from ..publications import Publication, add, sent
from . import dsns
from .test_collecting import envelope

ANNA = "anna@example.org"
MONTH = timedelta(days=30)


def suppressed(room: Newsroom, address: str = ANNA) -> str | None:
    email = EmailAddress.parse(address)
    with room.store.reading() as connection:
        return barring.barred(connection, room.store, [email]).get(email.key)


def issues_every(
    publication: Publication, room: Newsroom, clock: Clock, pause: timedelta, count: int
) -> Iterator[int]:
    """Send an issue, and another one after each pause; the number of those sent."""
    for number in range(1, count + 1):
        publication.essay(f"Nummer {number}")
        assert sent(room, str(clock.now.date())).closed
        yield number
        clock.now += pause


@pytest.mark.parametrize(("days", "ends"), [(1, 4), (7, 4), (31, 4), (92, 4)])
def test_a_mailbox_that_is_full_in_each_issue_is_given_up_however_rare_they_are(
    publication: Publication, clock: Clock, days: int, ends: int
) -> None:
    room = publication.room(SENDER__VERP="true")
    add(room, ANNA, "bert@example.org")
    ended = 0
    for number in issues_every(publication, room, clock, timedelta(days=days), 6):
        bouncing.handle(room, dsns.full(envelope(publication, ANNA), ANNA))
        ended = number
        if suppressed(room):
            break
    assert ended == ends
    assert suppressed(room) == "soft bounces"


def test_a_mailbox_that_took_an_issue_begins_anew() -> None:
    tried = ("6", "5", "4", "3", "2", "1")
    assert in_a_row({"6", "5", "3", "2", "1"}, tried) == 2
    assert in_a_row({"5", "4", "3"}, tried) == 3  # the report about the newest may still come
    assert in_a_row(set(), tried) == 0
    months = tuple(START - number * MONTH for number in (0, 1, 3, 4, 5))
    failures = SoftFailures(months, failed=frozenset("65321"), tried=tried)
    assert not too_often(failures, now=START, half_life=MONTH, threshold=3)


def test_what_nobody_understood_never_suppresses_by_itself(
    publication: Publication, clock: Clock
) -> None:
    room = publication.room(SENDER__VERP="true", BOUNCES__SOFT_THRESHOLD="1.5")
    add(room, ANNA, "bert@example.org")
    for _ in issues_every(publication, room, clock, timedelta(days=1), 6):
        raw = dsns.qmail(envelope(publication, ANNA), ANNA)
        raw = raw[: raw.index(b"\n\n")] + f"\n\nAn {ANNA} ging nichts.\n".encode()
        assert bouncing.handle(room, raw) == ({"soft": 1}, True)
    assert suppressed(room) is None
    kinds = [(one.kind, one.understood) for one in bounces.listed(room.store, kind="soft")]
    assert kinds == [("soft", False)] * 6


def test_what_nobody_understood_adds_no_more_than_what_was_understood() -> None:
    now = (START,) * 9
    told = {"now": START, "half_life": MONTH, "threshold": 3}
    assert not too_often(SoftFailures(understood=now[:1], unclear=now), **told)  # type: ignore[arg-type]
    assert too_often(SoftFailures(understood=now[:2], unclear=now[:1]), **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("550 5.5.0 this mailbox cannot be used", 2),
        ("552 5.2.2 mailbox full", 2),
        ("550 5.7.1 blocked for the reputation of 192.0.2.9", 0),
    ],
)
def test_a_refusal_that_comes_back_with_each_issue_counts_like_a_report(
    publication: Publication, clock: Clock, any_store: str, said: str, ends: int
) -> None:
    others = [f"reader{number}@example.org" for number in range(3)]
    with BadDay(rcpt=for_addresses("tot", said)) as day:
        room = publication.room(
            BOUNCES__SOFT_THRESHOLD="1.5", RELAYS__MAIN__HOST="127.0.0.1", STORE=any_store,
            RELAYS__MAIN__PORT=str(day.controller.port), RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        add(room, "tot@example.org", *others)
        for number in range(1, 4):
            publication.essay(f"Nummer {number}")
            sent(room, str(clock.now.date()))
            if suppressed(room, "tot@example.org"):
                break
            clock.now += timedelta(days=7)
    if ends:
        assert (number, suppressed(room, "tot@example.org")) == (ends, "soft bounces")
    else:
        assert suppressed(room, "tot@example.org") is None
    assert not any(suppressed(room, one) for one in others)


def test_a_relay_that_refuses_more_than_it_takes_says_nothing_of_a_reader(
    publication: Publication, clock: Clock
) -> None:
    gone = [f"gone{number}@example.org" for number in range(4)]
    with BadDay(rcpt=for_addresses("gone", "550 5.5.0 no")) as day:
        room = publication.room(
            BOUNCES__SOFT_THRESHOLD="1.5", RELAYS__MAIN__HOST="127.0.0.1",
            RELAYS__MAIN__PORT=str(day.controller.port), RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        add(room, ANNA, *gone)
        for number in range(1, 4):
            publication.essay(f"Nummer {number}")
            sent(room, str(clock.now.date()))
            clock.now += timedelta(days=7)
    assert not any(suppressed(room, one) for one in gone)
