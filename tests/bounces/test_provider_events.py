"""What the events of providers do to the list: once, in any order, split and batched, and in floods."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import event as engine_event
from sqlalchemy import func, select, update

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.errors import ProviderUnavailable, WebhookRefused, WebhookUnreadable
from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
    SubscriberStatus,
)
from upcycle_news.services.bounces import provider_events as events
from upcycle_news.services.bounces.process import Collected
from upcycle_news.services.delivery import send
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import (
    bounces,
    issues,
    pending_suppressions,
    provider_activity,
    provider_events,
    subscribers,
    suppressions,
)
from upcycle_news.storage.schema import bounces as bounce_rows
from upcycle_news.storage.schema import deliveries as delivery_rows
from upcycle_news.storage.schema import subscribers as subscriber_rows
from upcycle_news.transports.sns import SnsClient

from ..publications import Publication, add_confirmed_subscribers, approve_issue, send_issue
from .providers.posting import (
    POSTING,
    SECRET,
    TOPIC,
    Sample,
    certificate,
    mailgun_record,
    mailgun_signature,
    sendgrid_headers,
    sns_message,
)
from .test_process import ANNA, BERT, barred

ALL = pytest.mark.parametrize("provider", POSTING)
ISSUE = IssueId.parse("2026-11-26")
OVER = "552 5.2.2 mailbox is over quota"


def source(publication: Publication, provider: str, **settings: str) -> AppContext:
    """Anna and Bert have had an issue, and `provider` may post to the source `here`."""
    context = publication.context(**POSTING[provider].environment(), **settings)
    answer_as_amazon(context)
    add_confirmed_subscribers(context, ANNA, BERT)
    publication.write_essay()
    assert send_issue(context).closed
    return context


def answer_as_amazon(context: AppContext, status: int = 200) -> list[str]:
    """Let the edge be a stand-in; returns the addresses that it is asked for."""
    asked: list[str] = []

    def get(address: str) -> tuple[int, bytes]:
        asked.append(address)
        return status, certificate()

    context.__dict__["sns"] = SnsClient(get)
    return asked


def queue_issue(context: AppContext, *, sent: int) -> None:
    """Queue the issue, and let the first deliveries be sent."""
    _, rendered = approve_issue(context, str(ISSUE))
    send.enqueue(context, rendered)
    with context.store.writing() as connection:
        first = update(delivery_rows).where(delivery_rows.c.id <= sent)
        connection.execute(first.values(state=DeliveryState.SENT))


def key(context: AppContext, subscriber: int, issue: int = 1) -> str:
    return context.delivery_keys.key_for(issue, subscriber)


def post(
    context: AppContext, provider: str, *samples: Sample, name: str = "here"
) -> list[Collected]:
    posted = POSTING[provider].requests(samples, context.clock())
    return [events.accept_events(context, name, headers, body) for headers, body in posted]


def total(collected: Sequence[Collected]) -> dict[str, int]:
    """The counts of several requests that are not zero."""
    sums = Collected()
    for one in collected:
        sums = sums.plus(**one.as_dict())
    return {name: number for name, number in sums.as_dict().items() if number}


def status(context: AppContext, address: str) -> SubscriberStatus:
    found = subscribers.find(context.store, EmailAddress.parse(address))
    assert found is not None
    return found.status


@ALL
def test_a_hard_bounce_suppresses_its_reader_once(publication: Publication, provider: str) -> None:
    context = source(publication, provider)
    sample = Sample("hard", key(context, 1), ANNA)
    assert total(post(context, provider, sample)) == {"hard": 1, "suppressed": 1}
    assert (barred(context, ANNA), barred(context, BERT)) == ("hard bounce", None)
    assert total(post(context, provider, sample)) == {"known": 1}
    [bounce] = bounces.list_bounces(context.store)
    assert (bounce.subscriber, bounce.kind, bounce.code) == (1, "hard", "5.1.1")
    assert ANNA not in bounce.reason


@ALL
def test_a_complaint_suppresses_and_a_departure_unsubscribes(
    publication: Publication, provider: str
) -> None:
    context = source(publication, provider)
    complaint = Sample("complaint", key(context, 1), ANNA)
    departure = Sample("unsubscribed", key(context, 2), BERT, id="2")
    counted = total(post(context, provider, complaint, departure))
    assert counted == {"complaint": 1, "suppressed": 1, "unsubscribed": 1}
    assert barred(context, ANNA) == "complaint"
    assert barred(context, BERT) is None
    assert status(context, BERT) is SubscriberStatus.UNSUBSCRIBED


def test_who_came_back_after_a_departure_is_not_unsubscribed_by_its_repetition(
    publication: Publication,
) -> None:
    context = source(publication, "postmark")
    departure = Sample("unsubscribed", key(context, 2), BERT)
    post(context, "postmark", departure)
    with context.store.writing() as connection:  # as a sign-up of their own does
        back = update(subscriber_rows).values(status=SubscriberStatus.CONFIRMED)
        connection.execute(back.where(subscriber_rows.c.id == 2))
    assert total(post(context, "postmark", departure)) == {"known": 1}
    assert status(context, BERT) is SubscriberStatus.CONFIRMED


@ALL
@pytest.mark.parametrize("kind", ["hard", "soft", "complaint", "unsubscribed"])
def test_without_a_key_that_we_signed_nothing_is_done(
    publication: Publication, provider: str, kind: str
) -> None:
    context = source(publication, provider)
    right = key(context, 1)
    forged = (
        "",
        "1-1-abcdefghijklm",
        right[:-1] + ("0" if right[-1] != "0" else "1"),
        f"2{right[1:]}",
    )
    samples = [Sample(kind, one, ANNA, id=str(number)) for number, one in enumerate(forged)]
    assert total(post(context, provider, *samples)) == {"unsigned": 4}
    assert barred(context, ANNA) is None
    assert status(context, ANNA) is SubscriberStatus.CONFIRMED
    assert list(bounces.list_bounces(context.store)) == []


def test_a_bounce_of_another_address_than_the_readers_is_soft(publication: Publication) -> None:
    context = source(publication, "sendgrid")
    sample = Sample("hard", key(context, 1), "vorname@example.net")
    assert total(post(context, "sendgrid", sample)) == {"soft": 1}
    assert barred(context, ANNA) is None


def test_a_bounce_of_a_mail_that_belongs_to_no_issue_suppresses(publication: Publication) -> None:
    context = source(publication, "mailjet")
    sample = Sample("hard", key(context, 1, issue=0), ANNA)
    assert total(post(context, "mailjet", sample)) == {"hard": 1, "suppressed": 1}
    assert barred(context, ANNA) == "hard bounce"
    assert total(post(context, "mailjet", sample)) == {"known": 1}


def test_the_order_of_events_makes_no_difference(publication: Publication) -> None:
    """A reader for each order of four events."""
    context = publication.context(**POSTING["sendgrid"].environment())
    orders = list(itertools.permutations(("delayed", "hard", "delivered", "complaint")))
    people = [f"reader{number}@ort{number}.example" for number in range(len(orders))]
    add_confirmed_subscribers(context, *people)
    publication.write_essay()
    queue_issue(context, sent=len(orders))
    for turn in range(4):
        samples = [
            Sample(
                order[turn], key(context, number + 1), people[number], id=f"{number}{order[turn]}"
            )
            for number, order in enumerate(orders)
        ]
        post(context, "sendgrid", *samples)
    assert {barred(context, address) for address in people} == {"complaint"}
    assert not list(pending_suppressions.all_pending(context.store))
    kinds = sorted((one.subscriber, one.kind) for one in bounces.list_bounces(context.store))
    numbers = range(1, len(orders) + 1)
    assert kinds == sorted((number, kind) for number in numbers for kind in ("hard", "complaint"))
    counted = {kind: number for (kind, _), number in activity(context).items()}
    assert counted == dict.fromkeys(("delayed", "hard", "delivered", "complaint"), len(orders))


def activity(context: AppContext) -> dict[tuple[str, str], int]:
    [found] = provider_activity.activity(context.store)
    assert found.source == "here"
    return dict(found.counts)


def test_split_and_batched_events_do_the_same(publication: Publication, any_store: str) -> None:
    context = source(publication, "sendgrid", STORE=any_store)
    samples = [
        Sample("hard", key(context, 1), ANNA, id="1"), Sample("soft", key(context, 2), BERT, id="2", words=OVER),
        Sample("hard", key(context, 1), ANNA, id="1"), Sample("opened", key(context, 2), BERT), Sample("unheard", ""),
        Sample("complaint", key(context, 1), ANNA, id="5"), Sample("unsubscribed", key(context, 2), BERT, id="6"),
    ]  # fmt: skip
    batched = total(post(context, "sendgrid", *samples))
    assert batched == {
        "hard": 1, "soft": 1, "known": 1, "ignored": 1, "unknown": 1, "complaint": 1, "unsubscribed": 1, "suppressed": 1,
    }  # fmt: skip
    before = state(context)
    for sample in samples:
        post(context, "sendgrid", sample)
    assert state(context) == before
    assert barred(context, ANNA) == "complaint"


def state(context: AppContext) -> object:
    return (
        [(one.subscriber, one.kind) for one in bounces.list_bounces(context.store)],
        [(one.key, one.reason) for one in suppressions.all_suppressions(context.store)],
        [one.status for one in subscribers.all_subscribers(context.store)],
    )


@ALL
def test_what_cannot_be_read_changes_nothing(publication: Publication, provider: str) -> None:
    context = source(publication, provider)
    [(headers, body), *_] = POSTING[provider].requests(
        [Sample("hard", key(context, 1), ANNA)], context.clock()
    )
    if provider == "sendgrid":
        body = json.dumps([*json.loads(body), {"event": "bounce"}, 7]).encode()
        headers = sendgrid_headers(body, context.clock())
    elif provider in ("brevo", "mailjet"):
        value = json.loads(body)
        body = json.dumps([*(value if isinstance(value, list) else [value]), {}]).encode()
    elif provider == "mailgun":
        body = json.dumps({**json.loads(body), "event-data": {"event": "failed"}}).encode()
    elif provider == "ses":
        body = json.dumps(sns_message(context.clock(), Message="no JSON")).encode()
    else:
        body = b'{"RecordType": "Bounce", "MessageID": "1"}'
    with pytest.raises(WebhookUnreadable):
        events.accept_events(context, "here", headers, body)
    assert barred(context, ANNA) is None
    assert provider_activity.activity(context.store) == ()
    assert provider_events.count_remembered(context.store) == 0


def test_a_token_of_mailgun_is_not_taken_for_another_event(publication: Publication) -> None:
    context = source(publication, "mailgun")
    signature = mailgun_signature(context.clock(), "token")

    def request(sample: Sample) -> Collected:
        body = json.dumps({"signature": signature, "event-data": mailgun_record(sample)}).encode()
        return events.accept_events(context, "here", {}, body)

    assert request(Sample("delivered", key(context, 1), ANNA)).delivered == 1
    assert request(Sample("delivered", key(context, 1), ANNA)).known == 1  # the reply was lost
    with pytest.raises(WebhookRefused, match="used before"):
        request(Sample("hard", key(context, 1), ANNA, id="2"))
    assert barred(context, ANNA) is None
    assert activity(context) == {("delivered", "delivered"): 1}


def test_a_subscription_is_confirmed_once_its_message_was_verified(
    publication: Publication,
) -> None:
    context = source(publication, "ses")
    asked = answer_as_amazon(context)
    confirm = f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
    fields = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": confirm}
    message = sns_message(context.clock(), **fields)
    body = json.dumps({**message, "Message": "altered"}).encode()
    with pytest.raises(WebhookRefused):
        events.accept_events(context, "here", {}, body)
    assert confirm not in asked
    counted = events.accept_events(context, "here", {}, json.dumps(message).encode())
    assert asked[-1] == confirm
    assert total([counted]) == {"ignored": 1}


def test_when_amazon_does_not_answer_the_message_has_to_come_again(
    publication: Publication,
) -> None:
    context = source(publication, "ses")
    answer_as_amazon(context, status=503)
    sample = Sample("hard", key(context, 1), ANNA)
    with pytest.raises(ProviderUnavailable):
        post(context, "ses", sample)
    assert barred(context, ANNA) is None
    answer_as_amazon(context)
    assert total(post(context, "ses", sample)) == {"hard": 1, "suppressed": 1}


def test_soft_bounces_of_several_issues_suppress(publication: Publication) -> None:
    context = source(publication, "brevo", BOUNCES__SOFT_THRESHOLD="2")
    publication.write_essay("Was danach kam")
    assert send_issue(context, "2026-11-26-2").closed
    first, second = (
        Sample("soft", key(context, 1, issue), ANNA, id=str(issue), words=OVER) for issue in (1, 2)
    )
    assert total(post(context, "brevo", first)) == {"soft": 1}
    assert total(post(context, "brevo", second)) == {"soft": 1, "suppressed": 1}
    assert barred(context, ANNA) == "soft bounces"


@pytest.mark.parametrize("together", [True, False])
def test_a_wave_of_hard_bounces_waits_for_a_person_and_complaints_and_departures_never(
    publication: Publication, together: bool
) -> None:
    context = publication.context(**POSTING["sendgrid"].environment())
    people = [f"leser{number:02}@ort{number}.example" for number in range(60)]
    add_confirmed_subscribers(context, *people)
    publication.write_essay()
    assert send_issue(context).closed
    samples = [
        Sample("hard", key(context, number), people[number - 1], id=str(number))
        for number in range(20, 41)
    ]
    samples += [
        Sample("complaint", key(context, number), people[number - 1], id=f"c{number}")
        for number in range(25, 36)
    ]
    samples += [
        Sample("unsubscribed", key(context, number), people[number - 1], id=f"u{number}")
        for number in range(45, 56)
    ]
    for chunk in [samples] if together else [[sample] for sample in samples]:
        post(context, "sendgrid", *chunk)
    kept = {row.key for row in pending_suppressions.all_pending(context.store)}
    complained = {people[number - 1] for number in range(25, 36)}
    assert kept == {people[number - 1] for number in range(20, 41)} - complained
    assert {row.key for row in suppressions.all_suppressions(context.store)} == complained
    left = [
        one for one in subscribers.all_subscribers(context.store) if one.status == "unsubscribed"
    ]
    assert len(left) == 11


def test_a_wave_stops_the_issue_that_is_still_being_sent(publication: Publication) -> None:
    context = publication.context(**POSTING["sendgrid"].environment())
    people = [f"leser{number:02}@ort{number}.example" for number in range(60)]
    add_confirmed_subscribers(context, *people)
    publication.write_essay()
    queue_issue(context, sent=30)
    assert issues.status(context.store, ISSUE).state is IssueState.SENDING
    samples = [
        Sample("hard", key(context, number), people[number - 1], id=str(number))
        for number in range(1, 16)
    ]
    post(context, "sendgrid", *samples)
    assert issues.status(context.store, ISSUE).state is IssueState.STOPPED


def test_unknown_words_are_counted_and_named_without_addresses(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    context = source(publication, "sendgrid")
    records = [{"event": f"new {number} anna@example.org", "email": ANNA} for number in range(100)]
    body = json.dumps(records).encode()
    with caplog.at_level(logging.DEBUG):
        headers = sendgrid_headers(body, context.clock())
        assert total([events.accept_events(context, "here", headers, body)]) == {"unknown": 100}
    assert "new 0 anna?example.org" in caplog.text
    assert ANNA not in caplog.text
    names = activity(context)
    assert len(names) == 61 and names["unknown", "other"] == 40


def test_no_address_is_logged(publication: Publication, caplog: pytest.LogCaptureFixture) -> None:
    context = source(publication, "ses")
    with caplog.at_level(logging.DEBUG):
        post(context, "ses", *(Sample(kind, key(context, 1), ANNA, id=kind) for kind in ("hard", "complaint", "delivered")))  # fmt: skip
    assert "events received" in caplog.text
    for private in (ANNA, "anna", SECRET, key(context, 1)):
        assert private not in caplog.text


def test_tidying_forgets_events_that_nobody_repeats_any_more(publication: Publication) -> None:
    context = source(publication, "mailgun")
    post(context, "mailgun", Sample("hard", key(context, 1), ANNA))
    assert provider_events.count_remembered(context.store) == 2  # the event and its token
    subscriptions.purge_expired(context)
    assert provider_events.count_remembered(context.store) == 2
    later = context.clock() + provider_events.REMEMBERED + timedelta(minutes=1)
    assert provider_events.prune(context.store, before=later - provider_events.REMEMBERED) == 2
    # A bounce that comes again even then is known by its row.
    assert total(post(context, "mailgun", Sample("hard", key(context, 1), ANNA))) == {"known": 1}


def test_ten_thousand_events_in_one_request_take_few_statements(publication: Publication) -> None:
    """Two thousand readers, five events each: most opened or arrived, a few failed."""
    context = publication.context(**POSTING["sendgrid"].environment())
    people = [f"reader{number}@ort{number % 97}.example" for number in range(2000)]
    add_confirmed_subscribers(context, *people)
    publication.write_essay()
    queue_issue(context, sent=2000)
    samples = [
        Sample(kind, key(context, number + 1), people[number], id=f"{number}-{turn}", words=OVER if kind == "soft" else "550 5.1.1 user unknown")
        for number in range(2000)
        for turn, kind in enumerate(("delayed", "delivered", "opened", "opened", _end_of(number)))
    ]  # fmt: skip
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    engine_event.listen(context.store._engine, "before_cursor_execute", count)
    counted = total(post(context, "sendgrid", *samples))
    engine_event.remove(context.store._engine, "before_cursor_execute", count)
    assert counted == {
        "delivered": 2000, "delayed": 2000, "ignored": 5900, "hard": 40, "soft": 40, "complaint": 20, "suppressed": 60,
    }  # fmt: skip
    assert statements < 1000
    with context.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(bounce_rows)) == 100
    assert total(post(context, "sendgrid", *samples)) == {"known": 4100, "ignored": 5900}


def _end_of(number: int) -> str:
    if number % 100 == 47:
        return "complaint"
    return {7: "hard", 27: "soft"}.get(number % 50, "opened")


def test_every_source_is_shown_with_its_last_event(publication: Publication) -> None:
    context = source(publication, "brevo")
    assert App(context).bounces.sources() == ()
    post(context, "brevo", Sample("delivered", key(context, 1), ANNA))
    [seen] = App(context).bounces.sources()
    assert (seen.source, seen.first_at, seen.last_at) == ("here", context.clock(), context.clock())
    assert seen.counts == {("delivered", "delivered"): 1}
