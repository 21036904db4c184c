"""The audience that is counted before sending is the one that is queued."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import audience, subscribers, suppressions
from upcycle_news.storage.database import open_store
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers, insert_rows, new_row

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(("topics", "expected"), [((), 3), (("Holz",), 2), (("lehm",), 1)])
def test_suppressed_subscribers_and_those_of_other_topics_are_not_counted(
    topics: tuple[str, ...], expected: int, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/count.db")
    topics_by_name = {
        "alles": (),
        "holz": ("holz",),
        "stadt": ("stadt",),
        "weg": ("holz",),
        "zu": (),
    }
    add_subscribers(
        store,
        [
            NewSubscriber(EmailAddress.parse(f"{name}@example.org"), topics=chosen)
            for name, chosen in topics_by_name.items()
        ],
        source="test",
        now=NOW,
        dry_run=False,
    )
    unsubscribed = subscribers.find(store, EmailAddress.parse("weg@example.org"))
    assert unsubscribed is not None
    subscribers.unsubscribe(store, unsubscribed, now=NOW)
    suppressions.suppress_all(store, ["zu@example.org"], reason="bounced", detail="", now=NOW)
    assert audience.count_audience(store, topics) == expected


@pytest.mark.parametrize("suppressed", ["the address", "its domain", "its hash", "another"])
def test_a_suppression_of_any_kind_counts_wherever_all_are_asked_about(
    suppressed: str, any_store: str
) -> None:
    with closing(open_store(any_store)) as store:
        store.erasure_key = b"k" * 32
        anna, bert = EmailAddress("Anna@example.org"), EmailAddress("bert@example.net")
        new = [NewSubscriber(anna), NewSubscriber(bert)]
        keys = suppressions.suppression_keys(store, anna)
        key = {
            "the address": keys.email_key,
            "its domain": keys.domain_key,
            "its hash": keys.hash_key,
            "another": "carla@example.org",
        }[suppressed]
        suppressions.suppress_all(store, [key], reason="by hand", now=NOW)
        add_subscribers(store, [new[1]], source="test", now=NOW, dry_run=False)
        with store.writing() as connection:
            row = new_row(new[0], keys, SubscriberStatus.CONFIRMED, NOW, language="de")
            insert_rows(connection, [row])
        expected = 2 if suppressed == "another" else 1
        assert audience.count_audience(store, ()) == expected
        assert sum(audience.count_choices(store, ()).values()) == expected
        with store.reading() as connection:
            reasons = suppressions.suppressed_reasons(connection, store, [anna, bert])
        assert reasons == ({} if suppressed == "another" else {anna.key: "by hand"})
        report = add_subscribers(store, new, source="test", now=NOW, dry_run=True)
        assert (report.unchanged, len(report.skipped)) == (expected, 2 - expected)
