"""`webhooks list|test|retry`, and the pages that deliver while they run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.models import EventKind
from upcycle_news.services.webhooks.deliver import deliver
from upcycle_news.storage import locks, send_hold
from upcycle_news.web.webhook_sender import WebhookSender

from ...publications import Publication
from ...waiting import wait_until
from .conftest import happen
from .receiver import Receiver


@pytest.fixture
def there(receiver: Receiver, secret: str) -> dict[str, str]:
    return {"WEBHOOKS__CRM__URL": receiver.url, "WEBHOOKS__CRM__SECRET": secret}


def test_the_commands_list_test_and_retry(
    publication: Publication, context: AppContext, receiver: Receiver, there: dict[str, str]
) -> None:
    assert "Kein Webhook ist eingetragen" in publication.run("webhooks", "list").out
    assert "Noch ging nichts dorthin" in publication.run("webhooks", "list", **there).out
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=1)
    receiver.usual = 500
    deliver(context)
    failing = publication.run("webhooks", "list", **there).out
    assert "Er antwortete mit 500" in failing and "Es wartet: 1 Ereignis" in failing
    row = publication.run("webhooks", "list", "--json", **there).json
    assert (row["state"], row["waiting"], row["host"]) == ("failing", 1, "127.0.0.1")
    assert "nicht angenommen" in publication.run("webhooks", "test", "crm", code=1, **there).err
    assert "dann nicht mehr" in publication.run("webhooks", "retry", "crm", code=1, **there).out
    receiver.usual = 200
    assert "angenommen (200)" in publication.run("webhooks", "test", "crm", **there).out
    assert "1 Ereignis angenommen" in publication.run("webhooks", "retry", **there).out
    assert "wartet etwas" in publication.run("webhooks", "retry", **there).out
    assert "crm" in publication.run("webhooks", "test", "cmr", code=1, **there).err


def test_a_retry_never_says_that_nothing_waits_where_it_did_not_look(
    publication: Publication, context: AppContext, receiver: Receiver, there: dict[str, str]
) -> None:
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=1)
    bare = {"WEBHOOKS__CRM__URL": receiver.url}
    assert "SECRET" in publication.run("webhooks", "retry", code=1, **bare).err
    now = context.clock()
    lock, until = "webhook crm", datetime(2100, 1, 1, tzinfo=UTC)
    assert locks.acquire(context.store, lock, "another process", until=until, now=now)
    busy = publication.run("webhooks", "retry", "crm", code=1, **there)
    assert "Gerade geht etwas dorthin" in busy.err
    assert not busy.out
    locks.release(context.store, lock, "another process")
    with context.store.writing() as connection:
        send_hold.start(connection, send_hold.HoldKind.RESTORED, as_of=now, location="x", now=now)
    held = publication.run("webhooks", "retry", code=1, **there)
    assert "store confirm" in held.err
    assert not held.out
    assert receiver.requests == []


def test_an_event_is_passed_over_only_for_one_webhook_and_is_named(
    publication: Publication, context: AppContext, receiver: Receiver, there: dict[str, str]
) -> None:
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=1)
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=2)
    publication.run("webhooks", "retry", "--skip", code=2, **there)
    done = publication.run("webhooks", "retry", "crm", "--skip", **there)
    assert "evt_" in done.err
    assert [request.json["data"]["subscriber"] for request in receiver.taken] == [2]


def test_neither_address_nor_secret_of_a_webhook_is_printed(
    publication: Publication, context: AppContext, there: dict[str, str], secret: str
) -> None:
    there["WEBHOOKS__CRM__URL"] += "?key=4711"
    said = publication.run("webhooks", "list", **there).output
    said += publication.run("webhooks", "test", "crm", **there).output
    said += publication.run("doctor", "settings", "--offline", "--json", **there).output
    assert "4711" not in said
    assert secret not in said


def test_the_web_pages_post_while_they_run(context: AppContext, receiver: Receiver) -> None:
    sender = WebhookSender(App(context), look_seconds=0.05)
    sender.start()
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=1)
    wait_until(lambda: receiver.taken, "nothing was posted", interval=0.02)
    assert sender.stop(10)
    happen(context, EventKind.SUBSCRIBER_LEFT, subscriber=2)
    assert len(receiver.taken) == 1


def test_without_a_webhook_no_thread_begins(publication: Publication) -> None:
    sender = WebhookSender(App(publication.context()))
    sender.start()
    assert sender.stop(0)
