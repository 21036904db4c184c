"""The relay of an issue, and notices that wait: on both stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from upcycle_news.storage import issue_relays, notices
from upcycle_news.storage.database import open_store
from upcycle_news.storage.issue_relays import IssueRelay

from .sample_rows import ISSUE, NOW, queued


def test_the_first_relay_holds_and_the_first_time_away(any_store: str) -> None:
    store = open_store(any_store)
    queued(store, "anna@example.org")
    assert issue_relays.get(store, ISSUE) == IssueRelay()
    issue_relays.mark_away(store, ISSUE, since=NOW)
    issue_relays.mark_away(store, ISSUE, since=NOW + timedelta(hours=1))
    issue_relays.record_first(store, ISSUE, "main")
    issue_relays.record_first(store, ISSUE, "second")
    assert issue_relays.get(store, ISSUE) == IssueRelay("main", NOW)
    issue_relays.clear_away(store, ISSUE)
    assert issue_relays.get(store, ISSUE) == IssueRelay("main")
    store.close()


def test_a_notice_is_deleted_once_no_way_is_open(any_store: str) -> None:
    store = open_store(any_store)
    first = notices.add(store, "event", "words", mail=True, webhook=True, now=NOW)
    notices.add(store, "later", "words", mail=True, webhook=False, now=NOW + timedelta(hours=1))
    [due] = notices.list_due(store, NOW)
    assert due == first
    assert notices.claim(store, due, until=NOW + timedelta(minutes=5))
    assert not notices.claim(store, due, until=NOW + timedelta(minutes=5))
    assert notices.list_due(store, NOW + timedelta(minutes=4)) == ()
    [again] = notices.list_due(store, NOW + timedelta(minutes=5))
    assert again.attempts == 1
    notices.save(store, replace(again, webhook_pending=False))
    [again] = notices.list_due(store, NOW + timedelta(minutes=5))
    assert (again.mail_pending, again.webhook_pending) == (True, False)
    notices.save(store, replace(again, mail_pending=False))
    assert notices.list_due(store, NOW + timedelta(minutes=5)) == ()
    store.close()
