"""The log of events: written with what happened, read once and in order whatever commits when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from upcycle_news.models import (
    ConfirmationResult,
    DeliveryState,
    EmailAddress,
    EventKind,
    Suppression,
    SuppressionSource,
    UnsubscribeMethod,
    Verdict,
)
from upcycle_news.storage import (
    event_log,
    issues,
    personal_data,
    schema,
    signups,
    subscribers,
    suppressions,
)
from upcycle_news.storage.backup.copy import copy_all
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.subscribers import NewSubscriber

from .query_cost import query_cost
from .sample_rows import ISSUE, NOW, add, ledger, queued

ANNA, BERT = "anna@example.org", "bert@example.org"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def opened(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    store.erasure_key = b"k" * 32
    yield store
    store.close()


def told(store: Store, *, after: int = event_log.START) -> list[tuple[str, int | None]]:
    """Return kind and subscriber of the events after a position."""
    return [
        (event.kind.value, event.subscriber)
        for event in event_log.since(store, after, 1000, now=NOW)
    ]


def details(store: Store, kind: EventKind) -> list[dict[str, object]]:
    return [
        dict(event.detail)
        for event in event_log.since(store, 0, 1000, now=NOW)
        if event.kind is kind
    ]


def find(store: Store, address: str) -> subscribers.Subscriber:
    found = subscribers.find(store, EmailAddress.parse(address))
    assert found is not None
    return found


# --- what is told


def test_a_confirmed_sign_up_is_told_and_a_pending_one_is_not(opened: Store) -> None:
    signup = signups.start_signup(
        opened, EmailAddress.parse(ANNA), may_ask=lambda _: True, language="de", source="web",
        wording="", ip="", now=NOW,
    )  # fmt: skip
    assert signup is not None
    with opened.writing() as connection:
        connection.execute(update(schema.consents).values(token_hash="t"))
    assert told(opened) == []
    valid = timedelta(days=1)
    assert signups.confirm(opened, "t", now=NOW, valid_for=valid) is ConfirmationResult.NOW
    assert signups.confirm(opened, "t", now=NOW, valid_for=valid) is ConfirmationResult.ALREADY
    assert told(opened) == [("subscriber.confirmed", signup.subscriber)]


def test_each_subscriber_of_a_list_is_told_once_and_those_of_a_dry_run_are_not(
    opened: Store,
) -> None:
    new = [NewSubscriber(EmailAddress.parse(address)) for address in (ANNA, BERT)]
    for dry_run in (True, False, False):
        subscribers.add_subscribers(opened, new, source="list", now=NOW, dry_run=dry_run)
    ids = [find(opened, address).id for address in (ANNA, BERT)]
    assert told(opened) == [("subscriber.confirmed", number) for number in ids]


def test_who_leaves_is_told_once_with_the_way(opened: Store) -> None:
    number = add(opened, ANNA)[ANNA]
    for _ in range(2):
        subscribers.unsubscribe(
            opened, find(opened, ANNA), now=NOW, method=UnsubscribeMethod.ONE_CLICK
        )
    assert told(opened)[1:] == [("subscriber.left", number)]
    assert details(opened, EventKind.SUBSCRIBER_LEFT) == [{"method": "one-click"}]


def test_a_suppression_is_told_for_the_subscribers_it_is_about(opened: Store) -> None:
    ids = add(opened, ANNA, BERT, "cem@example.com")
    end = event_log.last_position(opened, now=NOW)
    suppressions.suppress_all(opened, [ANNA, "nobody@example.org"], reason="x", now=NOW)
    suppressions.suppress_all(opened, [ANNA], reason="again", now=NOW)
    assert told(opened, after=end) == [("subscriber.suppressed", ids[ANNA])]
    end = event_log.last_position(opened, now=NOW)
    suppressions.suppress_all(opened, ["@example.org"], reason="x", now=NOW)
    assert told(opened, after=end) == [
        ("subscriber.suppressed", ids[ANNA]),
        ("subscriber.suppressed", ids[BERT]),
    ]
    end = event_log.last_position(opened, now=NOW)
    hashed = suppressions.hash_key(opened, EmailAddress.parse("cem@example.com"))
    suppressions.suppress_all(opened, [hashed], reason="x", now=NOW)
    assert told(opened, after=end) == [("subscriber.suppressed", ids["cem@example.com"])]


def test_a_lifted_suppression_is_told_for_those_whom_nothing_suppresses_any_more(
    opened: Store,
) -> None:
    ids = add(opened, ANNA, BERT)
    suppressions.suppress_all(opened, [ANNA, "@example.org"], reason="x", now=NOW)
    end = event_log.last_position(opened, now=NOW)
    assert suppressions.unsuppress(opened, "@example.org", now=NOW)
    assert told(opened, after=end) == [("subscriber.unsuppressed", ids[BERT])]
    assert suppressions.unsuppress(opened, ANNA, now=NOW)
    assert told(opened, after=end)[1:] == [("subscriber.unsuppressed", ids[ANNA])]


def test_a_refusal_while_sending_is_told_with_its_issue(opened: Store) -> None:
    queued(opened, ANNA)
    worker = ledger(opened)
    [delivery] = worker.lease(1, NOW)
    worker.commit([], [delivery], NOW)
    refused = Verdict(DeliveryState.REJECTED, suppress=True, code=550, enhanced="5.1.1")
    worker.commit([(delivery, refused)], [], NOW)
    [event] = [
        event
        for event in event_log.since(opened, 0, 100, now=NOW)
        if event.kind is EventKind.SUBSCRIBER_SUPPRESSED
    ]
    assert (event.issue, event.detail) == (str(ISSUE), {"source": "smtp"})
    assert event.subscriber == find(opened, ANNA).id


def test_who_is_forgotten_is_told_by_an_id_that_names_nobody_any_more(opened: Store) -> None:
    number = add(opened, ANNA)[ANNA]
    suppressions.suppress_all(opened, [ANNA], reason="x", now=NOW)
    end = event_log.last_position(opened, now=NOW)
    assert personal_data.erase_subscriber(opened, EmailAddress.parse(ANNA), now=NOW)
    assert told(opened, after=end) == [("subscriber.forgotten", number)]


def test_an_issue_is_told_from_its_approval_to_its_sums(opened: Store) -> None:
    revision = queued(opened, ANNA)
    issues.pause(opened, ISSUE, by="Anna", reason="secret@example.org asked", now=NOW)
    issues.resume(opened, ISSUE, by="Anna", now=NOW)
    issues.stop(opened, ISSUE, reason="the relay says no to x@example.org", now=NOW)
    issues.cancel(opened, ISSUE, by="Anna", reason="", now=NOW)
    assert [kind for kind, subscriber in told(opened) if subscriber is None] == [
        "issue.approved",
        "issue.sent",
        "issue.paused",
        "issue.resumed",
        "issue.stopped",
        "issue.cancelled",
        "issue.closed",
    ]
    assert details(opened, EventKind.ISSUE_APPROVED) == [{"revision": revision}]
    assert details(opened, EventKind.ISSUE_SENT) == [{"revision": revision, "audience": 1}]
    assert details(opened, EventKind.ISSUE_CLOSED) == [
        {"audience": 1, "sent": 0, "rejected": 0, "unknown": 0, "suppressed": 0, "cancelled": 1}
    ]


def test_no_event_holds_an_address_or_what_a_person_wrote(opened: Store) -> None:
    test_an_issue_is_told_from_its_approval_to_its_sums(opened)
    suppressions.suppress_all(opened, [ANNA], reason=f"{ANNA} asked for it", now=NOW)
    with opened.reading() as connection:
        rows = [tuple(row) for row in connection.execute(select(schema.events))]
    assert len(rows) > 8
    assert "@" not in repr(rows)
    assert "asked" not in repr(rows)


def test_what_is_rolled_back_is_not_told(opened: Store) -> None:
    add(opened, ANNA)
    end = event_log.last_position(opened, now=NOW)
    with opened.writing() as connection:
        suppressions.suppress(connection, Suppression(ANNA, "x", SuppressionSource.COMMAND, at=NOW))
        connection.rollback()
    assert told(opened, after=end) == []


# --- positions


def test_an_event_that_commits_after_a_later_one_was_read_is_not_missed(
    empty_postgres: str,
) -> None:
    """The first transaction takes its id first and commits last."""
    store = open_store(empty_postgres)
    with store.writing() as slow:
        event_log.append(slow, EventKind.SUBSCRIBER_CONFIRMED, at=NOW, subscriber=1)
        with store.writing() as fast:
            event_log.append(fast, EventKind.SUBSCRIBER_CONFIRMED, at=NOW, subscriber=2)
        assert told(store) == [("subscriber.confirmed", 2)]
        end = event_log.last_position(store, now=NOW)
    assert told(store, after=end) == [("subscriber.confirmed", 1)]
    assert [number for _, number in told(store)] == [2, 1]
    store.close()


def test_a_row_that_commits_while_positions_are_given_keeps_the_order(
    empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a smaller id than any that the reader saw, and becomes visible before these are changed.

    Another one of the same writer, which comes after it, is then behind it.
    """
    store = open_store(empty_postgres)
    slow = store._engine.connect()
    transaction = slow.begin()
    event_log.append(slow, EventKind.SUBSCRIBER_CONFIRMED, at=NOW, subscriber=1)
    with store.writing() as fast:
        event_log.append(fast, EventKind.SUBSCRIBER_CONFIRMED, at=NOW, subscriber=2)
    microseconds = event_log._microseconds

    def commit_first(moment: object) -> int:
        if transaction.is_active:
            transaction.commit()
            with store.writing() as fast:
                event_log.append(fast, EventKind.SUBSCRIBER_CONFIRMED, at=NOW, subscriber=3)
        return microseconds(moment)  # type: ignore[arg-type]

    monkeypatch.setattr(event_log, "_microseconds", commit_first)
    assert [number for _, number in told(store)] == [1, 2, 3]
    slow.close()
    store.close()


@pytest.mark.slow
def test_readers_that_go_on_get_each_event_once_while_many_write(any_store: str) -> None:
    store = open_store(any_store)
    writers, each = 4, 40
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(each):
            with store.writing() as connection:
                event_log.append(
                    connection,
                    EventKind.SUBSCRIBER_LEFT,
                    at=NOW,
                    subscriber=writer * each + number,
                )

    def read(seen: list[tuple[int, int]]) -> None:
        position = event_log.START
        while True:
            last_round = done.is_set()
            for event in event_log.since(store, position, 7, now=NOW):
                seen.append((event.position, event.subscriber or 0))
                position = event.position
            if last_round and not event_log.since(store, position, 1, now=NOW):
                return

    results: list[list[tuple[int, int]]] = [[] for _ in range(3)]
    readers = [threading.Thread(target=read, args=(seen,)) for seen in results]
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in [*readers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    store.close()
    for seen in results:
        assert seen == results[0]
        assert sorted(number for _, number in seen) == list(range(writers * each))
        for writer in range(writers):  # one writer's events are in its own order
            own = [number for _, number in seen if number // each == writer]
            assert own == sorted(own)


def test_a_page_goes_on_where_the_one_before_ended(opened: Store) -> None:
    ids = sorted(add(opened, *(f"leserin{number}@example.org" for number in range(5))).values())
    position, seen = event_log.START, []
    while page := event_log.since(opened, position, 2, now=NOW):
        assert len(page) <= 2
        seen += [event.subscriber for event in page]
        position = page[-1].position
    assert seen == ids
    assert event_log.last_position(opened, now=NOW) == position


def test_positions_go_on_above_those_that_a_restored_store_has_forgotten(
    opened: Store, tmp_path: Path
) -> None:
    add(opened, ANNA)
    event_log.last_position(opened, now=NOW)  # read before the backup: not told again after it
    backup = open_store(f"sqlite:///{tmp_path}/backup.db")
    with opened.snapshot() as source, backup.writing() as target:
        copy_all(source, target)
    add(opened, BERT)
    [_, seen] = event_log.since(opened, 0, 10, now=NOW)
    with backup.writing() as connection:
        event_log.append(connection, EventKind.SUBSCRIBER_LEFT, at=LATER, subscriber=1)
    later = event_log.since(backup, seen.position, 10, now=LATER)
    assert [event.kind for event in later] == [EventKind.SUBSCRIBER_LEFT]
    assert not event_log.is_known(backup, seen.position)
    backup.close()


def test_positions_grow_although_the_clock_goes_back(opened: Store) -> None:
    add(opened, ANNA)
    first = event_log.last_position(opened, now=LATER)
    add(opened, BERT)
    assert event_log.last_position(opened, now=NOW) > first


def test_old_events_are_deleted_and_the_newest_stays(opened: Store) -> None:
    add(opened, ANNA)
    old = event_log.last_position(opened, now=NOW)
    add(opened, BERT)
    newest = event_log.last_position(opened, now=LATER)
    before = NOW + timedelta(minutes=30)
    assert event_log.is_known(opened, old)
    assert event_log.delete_old(opened, before=before, now=LATER) == 1
    assert [event.position for event in event_log.since(opened, 0, 9, now=LATER)] == [newest]
    assert not event_log.is_known(opened, old)
    far = LATER + timedelta(days=900)
    assert event_log.delete_old(opened, before=far, now=far) == 0
    assert event_log.is_known(opened, newest)
    assert event_log.is_known(opened, event_log.START)


def test_to_read_where_nothing_is_new_costs_the_same_however_long_the_log_is(
    store: Store,
) -> None:
    costs = []
    for size in (10, 400):
        add(store, *(f"leserin{size}-{number}@example.org" for number in range(size)))
        end = event_log.last_position(store, now=NOW)
        with query_cost(store) as cost:
            assert event_log.since(store, end, 100, now=NOW) == ()
        costs.append((len(cost.statements), cost.instructions))
    assert costs[0] == costs[1]


def test_a_suppressed_list_is_told_by_few_statements(store: Store) -> None:
    addresses = [f"leserin{number}@example.org" for number in range(400)]
    add(store, *addresses)
    with query_cost(store) as cost:
        assert suppressions.suppress_all(store, addresses, reason="x", now=NOW) == 400
    assert sum("INTO events" in statement for statement in cost.statements) == 1
    assert len(details(store, EventKind.SUBSCRIBER_SUPPRESSED)) == 400
