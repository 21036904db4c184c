"""Counts by month and issue, in SQLite and Postgres, at a price that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from upcycle_news.models import IssueId
from upcycle_news.storage import feeds, issue_relays, relay_stats, statistics
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.statistics import ListChanges

from ..services.reports.sample_years import (
    NOW,
    write_bounce,
    write_collection,
    write_consents,
    write_issue,
    write_reply_times,
    write_unsubscribe,
    write_weeks,
)
from .query_cost import query_cost

OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def store(any_store: str) -> Iterator[Store]:
    opened = open_store(any_store)
    yield opened
    opened.close()


def months(store: Store) -> tuple[ListChanges, ...]:
    return statistics.list_changes(
        store, [start - MOMENT for start in (OCTOBER, NOVEMBER, DECEMBER)]
    )


def test_changes_of_the_list_count_in_the_month_in_which_they_happened(store: Store) -> None:
    write_consents(store, [OCTOBER, NOVEMBER - MOMENT, NOVEMBER, NOVEMBER])
    write_consents(store, [NOVEMBER] * 3, imported=True, first=11)
    write_unsubscribe(store, 1, NOVEMBER - MOMENT)
    write_unsubscribe(store, 2, DECEMBER - MOMENT)
    write_unsubscribe(store, 3, DECEMBER)  # not yet
    write_consents(store, [OCTOBER - MOMENT], first=21)  # before
    for kind in ("hard", "soft"):  # two reports about one reader
        write_bounce(store, 4, OCTOBER, kind)
    write_bounce(store, 11, NOVEMBER, "blocked")
    write_bounce(store, 12, NOVEMBER, "complaint")
    assert months(store) == (ListChanges(2, 0, 1, 1, 0), ListChanges(2, 3, 1, 1, 1))
    assert statistics.first_list_change(store) == OCTOBER - MOMENT


def test_who_left_and_was_forgotten_still_counts_as_joined(store: Store) -> None:
    from upcycle_news.storage.personal_data import forget_left
    from upcycle_news.storage.subscribers import by_id, unsubscribe

    store.erasure_key = b"k" * 32
    write_consents(store, [OCTOBER])
    subscriber = by_id(store, 1)
    assert subscriber is not None
    unsubscribe(store, subscriber, now=NOVEMBER)
    before = months(store)
    assert before == (ListChanges(1, 0, 0, 0, 0), ListChanges(0, 0, 1, 0, 0))
    assert forget_left(store, before=DECEMBER, now=DECEMBER) == 1
    assert months(store) == before


def test_a_list_that_never_changed_says_so(store: Store) -> None:
    assert statistics.first_list_change(store) is None
    assert months(store) == (ListChanges(0, 0, 0, 0, 0),) * 2


def test_figures_of_issues_belong_to_the_issue_and_the_time_since_the_one_before(
    store: Store,
) -> None:
    first = write_issue(store, 1, NOW - timedelta(weeks=2), audience=100, rejected=3)
    second = write_issue(store, 2, NOW - timedelta(weeks=1), audience=90)
    write_consents(store, [NOW - timedelta(weeks=3), NOW - timedelta(weeks=1)])
    write_unsubscribe(store, 1, NOW - timedelta(days=9), issue=1)
    write_unsubscribe(store, 2, NOW, issue=2)  # after the newest issue
    for kind in ("hard", "soft", "complaint"):
        write_bounce(store, 1, NOW, kind, issue=first)
    newest, oldest = statistics.issue_figures(store, 10)
    assert (oldest.issue, oldest.sent, oldest.rejected) == (first, 97, 3)
    assert (oldest.bounced, oldest.complaints, oldest.unsubscribed) == (1, 1, 1)
    assert (oldest.joined, oldest.left) == (1, 0)
    assert (newest.issue, newest.bounced, newest.complaints) == (second, 0, 0)
    assert (newest.joined, newest.left, newest.unsubscribed) == (1, 1, 1)
    assert statistics.issue_figures(store, 1) == (newest,)


def test_reply_times_are_found_by_issue(store: Store) -> None:
    timed, untimed = (
        write_issue(store, number, NOW - timedelta(weeks=number), audience=1) for number in (1, 2)
    )
    write_reply_times(store, timed, "main", 0.2, 0.2, 0.4)
    write_reply_times(store, timed, "reserve", 2.0)
    found = relay_stats.for_issues(store, [timed, untimed])
    assert list(found) == [timed]
    assert [(stats.relay, stats.timed) for stats in found[timed]] == [("main", 3), ("reserve", 1)]
    assert relay_stats.for_issue(store, IssueId.parse(untimed)) == ()


def test_issues_in_the_mailbox_are_told_from_those_over_a_relay(store: Store) -> None:
    ids = [
        write_issue(store, number, NOW - timedelta(weeks=number), audience=1) for number in (1, 2)
    ]
    issue_relays.record_first(store, IssueId.parse(ids[0]), "mailbox")
    issue_relays.record_first(store, IssueId.parse(ids[1]), "main")
    assert issue_relays.in_mailbox(store, ids) == {ids[0]}


def test_collections_are_counted_without_their_sentences(store: Store) -> None:
    for hours in (4, 3, 2, 1):
        write_collection(
            store, NOW - timedelta(hours=hours), asked=hours - 1, failed=hours // 3, waiting=hours
        )
    counts = feeds.collection_counts(store, 2)
    assert [(count.asked, count.failed, count.waiting) for count in counts] == [
        (2, 1, 3),
        (1, 0, 2),
    ]
    assert counts[0].at == NOW - timedelta(hours=3)


def test_more_issues_and_months_cost_no_more_statements(tmp_path: Path) -> None:
    costs = []
    for weeks in (3, 60):
        store = open_store(f"sqlite:///{tmp_path}/{weeks}.db")
        write_weeks(store, weeks, 200)
        ends = [NOW - timedelta(weeks=number) for number in range(weeks, -1, -4)]
        with query_cost(store) as cost:
            assert len(statistics.issue_figures(store, 60)) == weeks
            statistics.list_changes(store, ends)
        costs.append(len(cost.statements))
        store.close()
    assert costs[0] == costs[1]
