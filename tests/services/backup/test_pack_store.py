"""`store pack` and the flow tidy: what every command shows stays the same, also over a backup."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError
from upcycle_news.models import DeliveryState, EmailAddress, IssueId
from upcycle_news.services.backup import create, restore
from upcycle_news.services.backup.pack_store import PackReport, pack_old_deliveries
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.storage import deliveries as delivery_rows
from upcycle_news.storage import issues, personal_data, subscribers, workers
from upcycle_news.storage.schema import deliveries, packed_deliveries

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, issue_status, send_issue

ISSUE = "2026-11-26"
READER = "reader2@example.org"


def sent(publication: Publication, readers: int = 4) -> AppContext:
    """Send an issue; returns its context."""
    publication.write_essay()
    publication.add_many_subscribers(readers)
    context = publication.context()
    send_issue(context)
    return context


def count(context: AppContext, table: Any) -> int:
    with context.store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def shown(publication: Publication) -> list[str]:
    """Return what the commands say about an issue and its readers."""
    return [
        publication.run(*command).out
        for command in (
            ("issue", "status", ISSUE),
            ("issue", "status", ISSUE, "--json"),
            ("issue", "status", ISSUE, "--history", "--json"),
            ("issue", "status", ISSUE, "--list", "sent"),
            ("issue", "status", ISSUE, "--list", "sent", "--json"),
            ("subscribers", "show", READER),
            ("subscribers", "show", READER, "--json"),
            ("subscribers", "stats", "--json"),
            ("issue", "explain", ISSUE, "--subscriber", "2", "--json"),
        )
    ]


def test_the_commands_show_the_same_before_and_after(publication: Publication) -> None:
    context = sent(publication)
    before = shown(publication)
    assert f"issue       {ISSUE} sent" in before[5]
    packed = publication.run("store", "pack", "--days", "0", "--json").json
    assert packed == {"issues": 1, "deliveries": 3}
    assert count(context, deliveries) == 1
    assert shown(publication) == before
    assert "0 Zustellungen von 0 Ausgaben" in publication.run("store", "pack", "--days", "0").out


def test_tidy_packs_what_was_closed_long_enough(publication: Publication, clock: Clock) -> None:
    context = sent(publication)
    assert pack_old_deliveries(context) == PackReport()
    clock.now += timedelta(days=13)
    assert App(context).subscribers.tidy().packed == 0
    clock.now += timedelta(days=2)
    report = App(context).subscribers.tidy()
    assert (report.packed, count(context, deliveries), count(context, packed_deliveries)) == (
        3,
        1,
        1,
    )
    assert "3 Zustellungen gepackt" in report.sentence().in_language("de")
    assert "3 deliveries packed" in report.sentence().in_language("en")
    assert App(context).subscribers.tidy().packed == 0


def test_nothing_is_packed_where_packing_is_off_unless_days_are_given(
    publication: Publication, clock: Clock
) -> None:
    sent(publication)
    off = {"DELIVERIES__PACK_AFTER_DAYS": "0"}
    context = publication.context(**off)
    clock.now += timedelta(days=900)
    assert pack_old_deliveries(context) == PackReport()
    refusal = publication.run("store", "pack", code=2, **off).err
    assert "store pack --days 14" in refusal
    said = publication.run("store", "pack", "--days", "0", **off)
    assert "Gepackt: 3 Zustellungen von 1 Ausgabe." in said.out
    assert "--shrink" in said.err


def test_room_is_given_back_and_nobody_sends_meanwhile(
    publication: Publication, clock: Clock
) -> None:
    context = sent(publication, readers=600)
    clock.now += timedelta(days=15)
    before = context.store.file.stat().st_size  # type: ignore[union-attr]
    worker = worker_identity.register(context)
    with pytest.raises(StoreError):
        App(context).store.pack(shrink=True)
    assert count(context, deliveries) == 600
    workers.deregister_worker(context.store, worker, now=context.clock())
    assert App(context).store.pack(shrink=True).deliveries == 599
    assert context.store.file.stat().st_size < before - 600 * 50  # type: ignore[union-attr]
    assert issue_status(context, IssueId.parse(ISSUE)).counts == {DeliveryState.SENT: 600}


def test_room_in_postgres_is_given_back(
    publication: Publication, clock: Clock, empty_postgres: str
) -> None:
    publication.write_essay()
    context = publication.context(STORE=empty_postgres)
    new = [
        subscribers.NewSubscriber(EmailAddress(f"reader{number}@example.org"))
        for number in range(60)
    ]
    subscribers.add_subscribers(
        context.store, new, source="list", now=context.clock(), dry_run=False
    )
    send_issue(context)
    assert App(context).store.pack(closed_for=0, shrink=True) == PackReport(0, 0)
    clock.now += timedelta(seconds=1)
    assert App(context).store.pack(closed_for=0, shrink=True) == PackReport(1, 59)


def recipients(context: AppContext) -> list[str]:
    found = delivery_rows.list_deliveries(context.store, IssueId.parse(ISSUE), DeliveryState.SENT)
    return [one.address.address for one in found if one.address is not None]


def restored(publication: Publication, path: Path) -> AppContext:
    publication.__exit__()
    publication.run("restore", str(path), "--yes", "--json")
    return publication.context()


def test_an_issue_sent_and_packed_since_the_backup_survives_the_restore(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    path = create.make_backup(publication.context()).file
    clock.now += timedelta(hours=1)
    context = publication.context()
    done, got = send_issue(context), recipients(context)
    clock.now += timedelta(days=20)
    assert pack_old_deliveries(context).deliveries == 2
    context = restored(publication, path)
    assert issue_status(context, IssueId.parse(ISSUE)) == done
    assert sorted(recipients(context)) == sorted(got)
    assert pack_old_deliveries(context).deliveries == 2


def test_packed_results_replace_what_the_backup_did_not_know(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    path = create.make_backup(context).file
    send.deliver_issue(context, issue)
    clock.now += timedelta(days=20)
    assert pack_old_deliveries(context).deliveries == 2
    context = restored(publication, path)
    assert issue_status(context, issue).counts == {DeliveryState.SENT: 3}


def test_a_backup_holds_what_is_packed_and_a_restore_forgets_who_was_forgotten_since(
    publication: Publication, clock: Clock
) -> None:
    context = sent(publication)
    clock.now += timedelta(days=20)
    pack_old_deliveries(context)
    done, got = issue_status(context, IssueId.parse(ISSUE)), recipients(context)
    path = create.make_backup(context).file
    clock.now += timedelta(hours=2)
    personal_data.erase_subscriber(context.store, EmailAddress(READER), now=clock.now)
    context = restored(publication, path)
    restore.confirm_restore(context, by="Anna")
    assert issue_status(context, IssueId.parse(ISSUE)) == done
    assert recipients(context) == [one for one in got if one != READER]
    assert issues.get(context.store, IssueId.parse(ISSUE)).audience == 4  # type: ignore[union-attr]
