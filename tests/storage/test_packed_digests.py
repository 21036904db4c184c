"""A digest whose deliveries are packed answers as before: who got an issue in it is known for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import pytest

from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.storage import (
    audience,
    issues,
    packed_deliveries,
    personal_data,
    rhythms,
    subscribers,
)
from upcycle_news.storage.database import Store, open_store

from .old_issues import bounce, pack, places, send
from .sample_rows import NOW, add, approved, load, manifest

ISSUE = IssueId(date(2026, 11, 26))
DIGEST, CORRECTION = IssueId(date(2026, 12, 1), digest=1), IssueId(ISSUE.day, correction=1)
LONG_AFTER = NOW + timedelta(days=60)
SENT = (DeliveryState.SENT,)


@pytest.fixture(params=[False, True], ids=["rows", "packed"])
def sent(
    any_store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A store with an issue and the digest that told it; of every block of four readers two chose it."""
    monkeypatch.setattr(packed_deliveries, "SPAN", 4)
    with closing(open_store(any_store)) as store:
        store.erasure_key = b"k" * 32
        for reader in add(store, *(f"r{number}@example.org" for number in range(10))).values():
            with store.writing() as connection:
                rhythms.choose(
                    connection,
                    reader,
                    list(Rhythm)[reader % 2],
                    today=ISSUE.day,
                    interval="monthly",
                    is_new=True,
                )
        send(store, ISSUE, ends=SENT, interval="monthly")
        told = replace(manifest(DIGEST).issue, digest_of=(str(ISSUE),))
        send(store, DIGEST, replace(manifest(DIGEST), issue=told), ends=SENT, interval="monthly")
        if request.param:
            # The delivery with the highest id of an issue stays a row.
            assert pack(store, ISSUE, DIGEST) == 8
        yield store


def correct(store: Store) -> list[int]:
    """Queue a correction of the issue; returns to whom."""
    revision = load(store, approved(store, manifest(CORRECTION)), CORRECTION)
    issues.enqueue(store, revision, now=LONG_AFTER, interval="monthly")
    return places(store, CORRECTION)[0]


def test_a_correction_goes_to_everybody_who_got_the_issue_or_the_digest(sent: Store) -> None:
    everybody = [one.id for one in subscribers.all_subscribers(sent)]
    assert sum(audience.count_choices(sent, (), issue=CORRECTION).values()) == len(everybody)
    assert all(audience.may_receive(sent, one, CORRECTION) for one in everybody)
    assert correct(sent) == everybody


def test_who_is_forgotten_left_or_bounced_late_gets_no_correction(sent: Store) -> None:
    everybody = list(subscribers.all_subscribers(sent))
    in_digest = [one for one in everybody if one.id % 2 == 1]
    left, erased, bounced = in_digest[:3]
    subscribers.unsubscribe(sent, left, now=LONG_AFTER)
    personal_data.erase_subscriber(sent, erased.email, now=LONG_AFTER)
    bounce(sent, DIGEST, bounced.id, "late", now=LONG_AFTER)
    status = issues.status(sent, DIGEST)
    assert status is not None
    assert (status.audience, status.sent, status.closed) == (5, 5, True)
    gone = {left.id, erased.id, bounced.id}
    assert correct(sent) == [one.id for one in everybody if one.id not in gone]
    # Another night packs what the report took out.
    pack(sent, DIGEST)
