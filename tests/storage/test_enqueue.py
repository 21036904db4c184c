from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from upcycle_news.errors import IssueError, StoreError
from upcycle_news.models import DeliveryState, IssueState, Related, Story
from upcycle_news.storage import (
    approvals,
    deliveries,
    issues,
    subscribers,
)
from upcycle_news.storage.database import Store, open_store

from .sample_rows import (
    ISSUE,
    NOW,
    add,
    approve,
    approved,
    item,
    load,
    manifest,
    queued,
    save,
    suppress,
    used_content,
)


def state(store: Store) -> IssueState:
    row = issues.get(store, ISSUE)
    assert row is not None
    return row.state


def test_exactly_the_confirmed_and_unsuppressed_subscribers_are_queued(store: Store) -> None:
    numbers = add(store, *(f"{who}@example.org" for who in ("anna", "bert", "cem", "dora")))
    suppress(store, "bert@example.org")
    cem = next(
        subscriber
        for subscriber in subscribers.all_subscribers(store)
        if subscriber.id == numbers["cem@example.org"]
    )
    subscribers.unsubscribe(store, cem, now=NOW)
    with store.writing() as connection:
        connection.execute(
            text("UPDATE subscribers SET status = 'pending' WHERE email LIKE 'dora%'")
        )
    assert issues.enqueue(store, load(store, approved(store)), now=NOW) == 1
    waiting = list(deliveries.list_deliveries(store, ISSUE, DeliveryState.QUEUED))
    assert [delivery.subscriber for delivery in waiting] == [numbers["anna@example.org"]]


def test_queueing_the_same_revision_again_changes_nothing(store: Store) -> None:
    revision_id = queued(store, "anna@example.org")
    add(store, "bert@example.org")
    assert issues.enqueue(store, load(store, revision_id), now=NOW) == 1
    assert len(list(deliveries.list_deliveries(store, ISSUE, DeliveryState.QUEUED))) == 1


def test_a_queued_issue_refuses_another_revision(store: Store) -> None:
    add(store, "anna@example.org")
    first, second = save(store), save(store, manifest(subject="Anders"))
    approve(store, first)
    issues.enqueue(store, load(store, first), now=NOW)
    with pytest.raises(IssueError, match="with another revision"):
        issues.enqueue(store, load(store, second), now=NOW)


def test_a_revision_rejected_meanwhile_is_not_queued(store: Store) -> None:
    add(store, "anna@example.org")
    revision_id = save(store)
    for decision in (True, False):
        approvals.record_decision(store, ISSUE, revision_id, approved=decision, by="Anna", now=NOW)
    with pytest.raises(IssueError, match="was rejected meanwhile"):
        issues.enqueue(store, load(store, revision_id), now=NOW)
    assert state(store) is IssueState.OPEN
    approvals.record_decision(store, ISSUE, revision_id, approved=True, by="Anna", now=NOW)
    assert issues.enqueue(store, load(store, revision_id), now=NOW) == 1


def test_an_issue_without_an_audience_stays_approved_and_uses_no_content(store: Store) -> None:
    add(store, "anna@example.org")
    suppress(store, "anna@example.org")
    revision_id = approved(store)
    with pytest.raises(IssueError, match="nobody to send to"):
        issues.enqueue(store, load(store, revision_id), now=NOW)
    assert state(store) is IssueState.APPROVED
    assert used_content(store) == (set(), set())
    add(store, "bert@example.org")
    assert issues.enqueue(store, load(store, revision_id), now=NOW) == 1


def test_a_failed_queueing_changes_nothing(store: Store) -> None:
    add(store, "anna@example.org", "bert@example.org")
    revision_id = approved(store)
    with store.writing() as connection:
        # A row that is in the way of the second delivery, as a crash would be.
        connection.execute(
            text(
                "CREATE TRIGGER crash BEFORE INSERT ON deliveries WHEN NEW.subscriber_id = 2 "
                "BEGIN SELECT RAISE(ABORT, 'crash'); END"
            )
        )
    with pytest.raises(StoreError):
        issues.enqueue(store, load(store, revision_id), now=NOW)
    assert state(store) is IssueState.APPROVED
    assert list(deliveries.list_deliveries(store, ISSUE, DeliveryState.QUEUED)) == []
    assert used_content(store) == (set(), set())


def test_two_threads_that_queue_an_issue_make_one_queue(store_url: str) -> None:
    setup = open_store(store_url)
    addresses = [f"reader{number}@example.org" for number in range(50)]
    add(setup, *addresses)
    revision_id = approved(setup)
    barrier, audiences = threading.Barrier(2), []

    def enqueue() -> None:
        own = open_store(store_url)
        barrier.wait()
        audiences.append(issues.enqueue(own, load(own, revision_id), now=NOW))
        own.close()

    threads = [threading.Thread(target=enqueue) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audiences == [50, 50]
    assert len(list(deliveries.list_deliveries(setup, ISSUE, DeliveryState.QUEUED))) == 50
    setup.close()


def test_a_queued_issue_uses_its_essays_and_every_item_of_its_stories(store: Store) -> None:
    queued(store, "anna@example.org")
    essays, items = used_content(store)
    assert essays == {"bahnhof"}
    assert items == {
        "urn:1",
        "urn:2",
        "https://stadtbau.example/urn:1",
        "https://stadtbau.example/urn:2",
    }


def test_a_second_issue_may_show_what_an_earlier_one_used(store: Store) -> None:
    """The choice is compose's; the store remembers both."""
    queued(store, "anna@example.org")
    second = replace(ISSUE, ordinal=2)
    story = Related(Story((item("urn:1"), item("urn:9"))), 0.5)
    issues.enqueue(
        store, load(store, approved(store, manifest(second, related=(story,))), second), now=NOW
    )
    assert "urn:9" in used_content(store)[1]


def test_what_was_used_is_asked_by_name_however_much_was_used_before(store: Store) -> None:
    queued(store, "anna@example.org")
    assert issues.published_essays(store, ["bahnhof", "schule"]) == {"bahnhof"}
    assert issues.used_items(store, ["urn:1", "bahnhof", "urn:7"]) == {"urn:1"}
    many = [f"urn:{number}" for number in range(1201)]
    assert issues.used_items(store, many) == {"urn:1", "urn:2"}


def test_a_later_subscriber_is_not_in_the_audience(store: Store) -> None:
    queued(store, "anna@example.org")
    add(store, "bert@example.org")
    status = issues.status(store, ISSUE)
    assert status is not None
    assert status.audience == sum(status.counts.values()) == 1
