"""Events reach webhooks signed, in order and at least once; what is not taken waits."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, EventKind, SuppressionSource, UnsubscribeMethod
from upcycle_news.services.monitoring import alerts as alert_rules
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.services.webhooks import deliver as delivering
from upcycle_news.services.webhooks.deliver import (
    GIVE_UP_AFTER,
    TURN_SECONDS,
    deliver,
    pause_after,
)
from upcycle_news.services.webhooks.status import send_test, skip, statuses
from upcycle_news.storage import event_log, send_hold, subscriber_suppressions, webhook_outbox
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.transports.event_webhook import Answer

from ...delivery.memory_ledger import START, Clock
from ...publications import Publication, add_confirmed_subscribers, send_issue
from .conftest import Open, happen
from .receiver import Receiver, new_secret

CONFIRMED, LEFT = EventKind.SUBSCRIBER_CONFIRMED, EventKind.SUBSCRIBER_LEFT


def test_an_event_is_posted_signed_as_standard_webhooks_say(
    context: AppContext, receiver: Receiver, secret: str
) -> None:
    happen(context, LEFT, subscriber=7, issue="2026-11-26", detail={"method": "mail"})
    [run] = deliver(context)
    assert (run.name, run.taken, run.reason) == ("crm", 1, "")
    [request] = receiver.requests
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert request.is_signed_with(secret)
    assert not request.is_signed_with(new_secret())
    assert request.headers["webhook-timestamp"] == str(int(START.timestamp()))
    assert request.json == {
        "type": "subscriber.left",
        "timestamp": "2026-11-26T06:00:00+00:00",
        "data": {"subscriber": 7, "issue": "2026-11-26", "method": "mail"},
    }
    assert deliver(context) == ()
    assert len(receiver.requests) == 1


def test_two_secrets_make_two_signatures_while_the_receiver_changes_over(
    open_context: Open, receiver: Receiver
) -> None:
    old, new = new_secret(), new_secret()
    context = open_context(SECRET=f"{new} {old}")
    happen(context, CONFIRMED, subscriber=1)
    deliver(context)
    [request] = receiver.requests
    assert request.is_signed_with(old)
    assert request.is_signed_with(new)


def test_what_people_and_issues_do_is_told_without_an_address(
    publication: Publication, open_context: Open, receiver: Receiver
) -> None:
    context = open_context()
    add_confirmed_subscribers(context, "anna@example.org", "bert@example.org", "carl@example.org")
    publication.write_essay()
    assert send_issue(context).closed
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 1)
    subscriptions.unsubscribe_by_token(context, token, UnsubscribeMethod.MAIL)
    bounced = subscriber_suppressions.SubscriberSuppression(
        2, "hard bounce", SuppressionSource.BOUNCE, "<bert@example.org> unknown", "2026-11-26", 2
    )
    subscriber_suppressions.suppress_subscriber(context.store, bounced, now=context.clock())
    deliver(context)
    assert receiver.kinds == [
        *(["subscriber.confirmed"] * 3),
        "issue.approved",
        "issue.sent",
        "issue.closed",
        "subscriber.left",
        "subscriber.suppressed",
    ]
    everything = b"".join(request.body for request in receiver.requests)
    assert b"@" not in everything
    closed = receiver.requests[5].json["data"]
    assert (closed["issue"], closed["sent"]) == ("2026-11-26", 3)


def test_addresses_are_named_only_if_the_setting_says_so_and_the_store_still_has_them(
    open_context: Open, receiver: Receiver
) -> None:
    context = open_context(INCLUDE_ADDRESSES="true")
    add_confirmed_subscribers(context, "anna@example.org", "bert@example.org")
    App(context).subscribers.forget(EmailAddress.parse("bert@example.org"))
    deliver(context)
    assert [request.json["data"].get("email") for request in receiver.taken] == [
        "anna@example.org",
        None,
    ]


def test_a_webhook_is_told_of_the_events_that_it_wants_only(
    open_context: Open, receiver: Receiver
) -> None:
    context = open_context(EVENTS='["subscriber.left"]')
    for number in range(120):
        happen(context, CONFIRMED, subscriber=number)
    happen(context, LEFT, subscriber=7)
    for number in range(120):
        happen(context, CONFIRMED, subscriber=number)
    deliver(context)
    assert receiver.kinds == ["subscriber.left"]
    assert statuses(context)[0].waiting == 0
    assert deliver(context) == ()


def test_a_new_webhook_is_told_of_what_comes_and_not_of_what_was(
    publication: Publication, open_context: Open, receiver: Receiver
) -> None:
    before = publication.context()
    happen(before, CONFIRMED, subscriber=1)
    context = open_context()
    happen(context, CONFIRMED, subscriber=2)
    deliver(context)
    assert [request.json["data"]["subscriber"] for request in receiver.taken] == [2]


# --- what is not taken


def test_all_later_events_wait_behind_one_that_is_not_taken(
    context: AppContext, receiver: Receiver, clock: Clock
) -> None:
    happen(context, CONFIRMED, subscriber=7)
    happen(context, LEFT, subscriber=7)
    receiver.answers = [500]
    [run] = deliver(context)
    assert (run.taken, run.reason) == (0, "it answered 500")
    [status] = statuses(context)
    assert (status.state, status.waiting, status.attempts) == ("failing", 2, 1)
    assert deliver(context) == ()  # not due
    clock.now += timedelta(seconds=31)
    [run] = deliver(context)
    assert (run.taken, receiver.kinds) == (2, ["subscriber.confirmed", "subscriber.left"])
    first, second, _ = receiver.requests
    assert (first.id, first.body) == (second.id, second.body)
    assert statuses(context)[0].state == "ok"


def test_pauses_grow_to_six_hours_and_end_after_three_days() -> None:
    refused = Answer(500)
    pauses = [pause_after(attempt, refused, timedelta()) for attempt in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert pauses[-1] == timedelta(hours=6)
    assert pause_after(40, refused, GIVE_UP_AFTER) is None
    assert pause_after(1, Answer(410), timedelta()) is None
    assert pause_after(1, Answer(429, retry_after=600), timedelta()) == timedelta(minutes=10)


def test_a_receiver_may_ask_for_a_longer_pause(
    context: AppContext, receiver: Receiver, clock: Clock
) -> None:
    happen(context, CONFIRMED, subscriber=1)
    receiver.answers, receiver.answer_headers = [429], {"Retry-After": "900"}
    deliver(context)
    assert statuses(context)[0].next_at == START + timedelta(seconds=900)


def test_after_three_days_it_stops_with_an_alert_and_nothing_is_lost(
    publication: Publication, context: AppContext, receiver: Receiver, clock: Clock
) -> None:
    def told() -> list[tuple[str, str]]:
        return [
            (event.subject, event.message)
            for event in alert_rules.new_events(context)
            if event.name == alert_rules.WEBHOOK_EVENT
        ]

    receiver.usual = 503
    for number in range(3):
        happen(context, CONFIRMED, subscriber=number)
    attempts = 0
    while statuses(context)[0].state != "stopped":
        deliver(context)
        attempts += 1
        assert attempts < 60
        next_at = statuses(context)[0].next_at
        clock.now = next_at or clock.now
        if attempts == 2:
            assert told() == []
        if attempts == 10:
            [(subject, sentence)] = told()
            assert subject == "webhook crm"
            assert "3 Ereignisse" in sentence and "503" in sentence
    assert clock.now - START >= GIVE_UP_AFTER
    [(subject, sentence)] = told()
    assert subject == "webhook crm stopped"
    assert "webhooks retry crm" in sentence
    assert told() == []
    receiver.usual = 200
    clock.now += timedelta(days=30)
    assert deliver(context) == ()
    assert receiver.taken == []
    [run] = App(context).webhooks.retry("crm")
    assert (run.taken, run.reason) == (3, "")
    assert len(receiver.taken) == 3
    assert told() == []
    happen(context, LEFT, subscriber=1)
    receiver.usual = 500
    deliver(context)
    clock.now += timedelta(hours=2)
    assert [subject for subject, _ in told()] == ["webhook crm"]  # again, since it was well between


def test_a_receiver_that_is_gone_stops_its_webhook_at_once(
    context: AppContext, receiver: Receiver
) -> None:
    happen(context, CONFIRMED, subscriber=1)
    receiver.usual = 410
    [run] = deliver(context)
    assert run.stopped
    assert statuses(context)[0].state == "stopped"


def test_a_person_may_pass_over_an_event_that_is_never_taken(
    context: AppContext, receiver: Receiver
) -> None:
    happen(context, CONFIRMED, subscriber=1)
    happen(context, EventKind.ISSUE_PAUSED, issue="2026-11-26")  # not for this webhook
    happen(context, LEFT, subscriber=1)
    receiver.answers = [422, 200]
    deliver(context)
    skipped = skip(context, "crm")
    assert skipped is not None and skipped.kind is CONFIRMED
    App(context).webhooks.retry("crm")
    assert receiver.kinds == ["subscriber.left"]
    assert skip(context, "crm") is None


def test_one_webhook_that_fails_keeps_no_other_waiting(
    publication: Publication, receiver: Receiver, secret: str
) -> None:
    context = publication.context(
        WEBHOOKS__AWAY__URL="http://127.0.0.1:9/", WEBHOOKS__AWAY__SECRET=secret,
        WEBHOOKS__CRM__URL=receiver.url, WEBHOOKS__CRM__SECRET=secret,
    )  # fmt: skip
    deliver(context)
    happen(context, CONFIRMED, subscriber=1)
    away, crm = deliver(context)
    assert (away.taken, away.reason) == (
        0,
        "the server cannot be reached: it refuses the connection",
    )
    assert crm.taken == 1


def test_a_slow_receiver_keeps_no_other_webhook_waiting(
    publication: Publication, receiver: Receiver, secret: str
) -> None:
    context = publication.context(
        WEBHOOKS__A__URL=f"{receiver.url}/a", WEBHOOKS__A__SECRET=secret,
        WEBHOOKS__B__URL=f"{receiver.url}/b", WEBHOOKS__B__SECRET=secret,
    )  # fmt: skip
    deliver(context)
    for number in range(6):
        happen(context, CONFIRMED, subscriber=number)
    seconds = [0.0]

    def answer_slowly() -> None:
        if receiver.requests[-1].path == "/hook/a":
            seconds[0] += TURN_SECONDS / 2

    receiver.before_answer = answer_slowly
    runs = deliver(context, monotonic=lambda: seconds[0])
    assert [(run.name, run.taken, run.reason) for run in runs] == [("a", 6, ""), ("b", 6, "")]
    paths = [request.path[-1] for request in receiver.requests]
    assert "".join(paths) == "aabbbbbbaaaa"
    for path in ("/hook/a", "/hook/b"):
        told = [one.json["data"]["subscriber"] for one in receiver.requests if one.path == path]
        assert told == list(range(6))


def test_a_short_run_begins_with_the_webhook_that_was_told_longest_ago(
    publication: Publication, clock: Clock, receiver: Receiver, secret: str
) -> None:
    context = publication.context(
        WEBHOOKS__A__URL=f"{receiver.url}/a", WEBHOOKS__A__SECRET=secret,
        WEBHOOKS__B__URL=f"{receiver.url}/b", WEBHOOKS__B__SECRET=secret,
    )  # fmt: skip
    deliver(context)
    for number in range(4):
        clock.now += timedelta(seconds=1)
        happen(context, CONFIRMED, subscriber=number)
        before = len(receiver.requests)
        deliver(context, stopping=lambda before=before: len(receiver.requests) > before)
    assert "".join(request.path[-1] for request in receiver.requests) == "abab"


def test_without_a_secret_nothing_is_posted_and_nothing_is_lost(
    publication: Publication, context: AppContext, receiver: Receiver
) -> None:
    happen(context, CONFIRMED, subscriber=1)
    bare = publication.context(WEBHOOKS__CRM__URL=receiver.url)
    assert deliver(bare) == ()
    [status] = statuses(bare)
    assert (status.state, status.waiting) == ("unusable", 1)
    deliver(context)
    assert len(receiver.taken) == 1


def test_a_store_on_hold_tells_nobody(context: AppContext, receiver: Receiver) -> None:
    happen(context, CONFIRMED, subscriber=1)
    with context.store.writing() as connection:
        now = context.clock()
        send_hold.start(connection, send_hold.HoldKind.RESTORED, as_of=now, location="x", now=now)
    assert deliver(context) == ()
    assert receiver.requests == []


def test_a_run_ends_when_it_is_told_to_and_the_next_goes_on(
    context: AppContext, receiver: Receiver
) -> None:
    for number in range(5):
        happen(context, CONFIRMED, subscriber=number)
    [run] = deliver(context, stopping=lambda: len(receiver.requests) >= 2)
    assert run.taken == 2
    [run] = deliver(context)
    assert run.taken == 3
    assert deliver(context, seconds=0.0) == ()


# --- several processes


@pytest.mark.parametrize("processes", [4])
def test_several_processes_post_each_event_once_and_in_order(
    publication: Publication, open_context: Open, receiver: Receiver, any_store: str, processes: int
) -> None:
    contexts = [open_context(any_store) for _ in range(processes)]
    for number in range(30):
        happen(contexts[0], CONFIRMED, subscriber=number)
    begin = threading.Barrier(processes)

    def run(context: AppContext) -> None:
        begin.wait(30)
        for _ in range(5):
            deliver(context)

    threads = [threading.Thread(target=run, args=(context,)) for context in contexts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    deliver(contexts[0])
    assert [request.json["data"]["subscriber"] for request in receiver.requests] == list(range(30))


def test_a_process_that_lost_its_lease_moves_nothing_back(
    open_context: Open, receiver: Receiver, clock: Clock
) -> None:
    slow, other = open_context(), open_context()
    for number in range(3):
        happen(slow, CONFIRMED, subscriber=number)
    overtaken = []

    def overtake() -> None:
        if not overtaken:  # while the first request is on its way
            overtaken.append(True)
            clock.now += delivering.LEASE
            overtaken.append(deliver(other))

    receiver.before_answer = overtake
    deliver(slow)
    ids = [request.id for request in receiver.requests]
    assert ids[0] == ids[1]  # twice, with one id
    assert len(set(ids)) == 3
    assert statuses(other)[0].waiting == 0


@given(st.lists(st.sampled_from([200, 204, 302, 400, 500, 429]), max_size=12), st.integers(1, 6))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_answered_all_events_are_taken_once_and_in_order(
    publication: Publication,
    open_context: Open,
    receiver: Receiver,
    clock: Clock,
    answers: list[int],
    count: int,
) -> None:
    context = open_context()
    receiver.requests.clear()
    receiver.answers = list(answers)
    for number in range(count):
        happen(context, CONFIRMED, subscriber=number)
    for _ in range(len(answers) + 1):
        deliver(context)
        clock.now += timedelta(hours=6)
    assert [request.json["data"]["subscriber"] for request in receiver.taken] == list(range(count))


# --- the log is kept


def test_events_that_a_webhook_has_not_taken_are_kept_however_old(
    context: AppContext, receiver: Receiver, clock: Clock
) -> None:
    receiver.usual = 410
    happen(context, CONFIRMED, subscriber=1)
    deliver(context)
    clock.now += timedelta(days=200)
    happen(context, LEFT, subscriber=1)
    assert (
        event_log.delete_old(context.store, before=clock.now - timedelta(days=90), now=clock.now)
        == 0
    )
    receiver.usual = 200
    App(context).webhooks.retry("crm")
    assert receiver.kinds == ["subscriber.confirmed", "subscriber.left"]
    clock.now += timedelta(days=200)
    happen(context, LEFT, subscriber=2)
    assert (
        event_log.delete_old(context.store, before=clock.now - timedelta(days=90), now=clock.now)
        == 2
    )


def test_a_webhook_that_left_the_settings_long_ago_is_forgotten(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    clock.now += timedelta(days=60)
    deliver(context)  # it is in these settings, still
    clock.now += timedelta(days=60)
    subscriptions.purge_expired(publication.context())
    assert webhook_outbox.cursor_of(context.store, "crm") is not None
    clock.now += timedelta(days=60)
    subscriptions.purge_expired(publication.context())
    assert webhook_outbox.cursor_of(context.store, "crm") is None


def test_a_test_says_whether_it_was_taken_and_moves_nothing(
    context: AppContext, receiver: Receiver, secret: str
) -> None:
    happen(context, CONFIRMED, subscriber=1)
    assert "(204)" in str(send_test(context, "crm"))
    [request] = receiver.requests
    assert request.is_signed_with(secret)
    assert (request.json["type"], request.json["data"]) == ("webhook.test", {})
    assert statuses(context)[0].waiting == 1
