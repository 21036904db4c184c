"""Who left long ago is forgotten: the suppression and the proof of consent stay as a keyed hash."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import personal_data, send_hold, subscribers, suppressions
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers

from ...delivery.memory_ledger import Clock
from ...publications import Publication, add_confirmed_subscribers, send_issue

ANNA, BERT = EmailAddress.parse("anna@example.org"), EmailAddress.parse("bert@example.org")


def leave(context: AppContext, *emails: EmailAddress) -> None:
    for email in emails:
        subscriber = subscribers.find(context.store, email)
        assert subscriber is not None
        assert subscribers.unsubscribe(context.store, subscriber, now=context.clock())


def test_who_left_is_forgotten_after_the_days_and_not_before(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context(AUDIENCE__KEEP_LEFT_DAYS="30")
    add_confirmed_subscribers(context, ANNA.address, BERT.address)
    publication.write_essay()
    assert send_issue(context).closed
    leave(context, ANNA)
    clock.now += timedelta(days=29)
    assert subscriptions.purge_expired(context).forgotten == 0
    assert subscribers.find(context.store, ANNA) is not None
    clock.now += timedelta(days=2)
    report = subscriptions.purge_expired(context)
    assert (report.forgotten, report.as_dict()["forgotten"]) == (1, 1)
    assert "1 who left forgotten" in str(report)
    assert subscribers.find(context.store, ANNA) is None
    bert = subscribers.find(context.store, BERT)
    assert bert is not None and bert.status is SubscriberStatus.CONFIRMED
    assert subscriptions.purge_expired(context).forgotten == 0
    context.store.close()
    for path in (publication.home / "var").glob("upcycle.db*"):
        assert b"anna" not in path.read_bytes().lower()


def test_the_suppression_and_the_proof_of_consent_stay_as_a_hash(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context(AUDIENCE__KEEP_LEFT_DAYS="30")
    add_confirmed_subscribers(context, ANNA.address)
    given = clock.now
    leave(context, ANNA)
    clock.now += timedelta(days=31)
    subscriptions.purge_expired(context)
    [stop] = suppressions.all_suppressions(context.store)
    assert (stop.key[0], stop.reason) == ("#", "forgotten")
    [proof] = personal_data.consent_proofs_of(context.store, ANNA)
    assert (proof.source, proof.given_at, proof.ended_at) == ("test list", given, given)
    assert personal_data.consent_proofs_of(context.store, BERT) == ()

    shown = publication.run("subscribers", "show", ANNA.address)
    assert "forgotten" in shown.out and "test list" in shown.out
    as_json = publication.run("subscribers", "show", ANNA.address, "--json").json
    assert as_json["status"] == "forgotten"
    assert as_json["consents"][0]["source"] == "test list"
    publication.run("subscribers", "show", BERT.address, code=1)

    # No list brings them back; their own sign-up does.
    report = add_subscribers(
        context.store, [NewSubscriber(ANNA)], source="x", now=clock.now, dry_run=False
    )
    assert [str(reason) for _, reason in report.skipped] == [
        "was forgotten: only the person can subscribe again"
    ]
    assert subscriptions.sign_up(context, ANNA, language="de") is not None


def test_an_erasure_on_request_leaves_no_proof(publication: Publication) -> None:
    context = publication.context()
    add_confirmed_subscribers(context, ANNA.address)
    assert personal_data.erase_subscriber(context.store, ANNA, now=context.clock())
    assert personal_data.consent_proofs_of(context.store, ANNA) == ()


def test_who_signs_up_again_is_not_forgotten_while_the_mail_can_be_confirmed(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context(AUDIENCE__KEEP_LEFT_DAYS="30")
    add_confirmed_subscribers(context, ANNA.address)
    leave(context, ANNA)
    clock.now += timedelta(days=31)
    assert subscriptions.sign_up(context, ANNA, language="de") is not None
    assert subscriptions.purge_expired(context).forgotten == 0
    clock.now += timedelta(days=8)
    assert subscriptions.purge_expired(context).forgotten == 1


def test_a_complaint_of_who_left_stays_one(publication: Publication, clock: Clock) -> None:
    context = publication.context(AUDIENCE__KEEP_LEFT_DAYS="30")
    add_confirmed_subscribers(context, ANNA.address)
    leave(context, ANNA)
    suppressions.suppress_all(context.store, [ANNA.key], reason="complaint", now=clock.now)
    clock.now += timedelta(days=31)
    assert subscriptions.purge_expired(context).forgotten == 1
    [stop] = suppressions.all_suppressions(context.store)
    assert (stop.key[0], stop.reason) == ("#", "complaint")
    assert subscriptions.sign_up(context, ANNA, language="de") is None


def test_nobody_is_forgotten_with_0_nor_in_a_restored_store(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context(AUDIENCE__KEEP_LEFT_DAYS="0")
    add_confirmed_subscribers(context, ANNA.address)
    leave(context, ANNA)
    clock.now += timedelta(days=5000)
    assert subscriptions.purge_expired(context).forgotten == 0
    default = publication.context()
    with default.store.writing() as connection:
        send_hold.start(
            connection, send_hold.HoldKind.RESTORED, as_of=clock.now, location="x", now=clock.now
        )
    assert subscriptions.purge_expired(default).forgotten == 0


def test_hundreds_are_forgotten_in_one_run_in_both_kinds_of_store(
    publication: Publication, any_store: str, clock: Clock
) -> None:
    context = publication.context(STORE=any_store)
    people = [f"leser{number}@example.org" for number in range(450)]
    add_confirmed_subscribers(context, *people, ANNA.address)
    leave(context, *map(EmailAddress.parse, people))
    clock.now += timedelta(days=366)
    assert subscriptions.purge_expired(context).forgotten == 450
    assert [found.email for found in subscribers.all_subscribers(context.store)] == [ANNA]
