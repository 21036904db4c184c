from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import text

from upcycle_news.errors import StoreError
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.storage import personal_data, statistics, subscribers
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.subscribers import AddReport, NewSubscriber

from .query_cost import query_cost
from .sample_rows import (
    NOW,
    add,
    queued,
    suppress,
)

ANNA = EmailAddress.parse("Anna@Example.org")


def bring(store: Store, *new: NewSubscriber, dry_run: bool = False) -> AddReport:
    return subscribers.add_subscribers(store, new, source="paper list", now=NOW, dry_run=dry_run)


def stored(store: Store, email: EmailAddress = ANNA) -> Subscriber:
    subscriber = subscribers.find(store, email)
    assert subscriber is not None
    return subscriber


def test_a_new_subscriber_is_confirmed_and_the_consent_is_stored(store: Store) -> None:
    report = bring(store, NewSubscriber(ANNA, "Anna", "de", ("bestand",), ("redaktion",)))
    assert (report.added, report.updated, report.unchanged) == (1, 0, 0)
    subscriber = stored(store)
    assert subscriber.status is SubscriberStatus.CONFIRMED
    assert (subscriber.name, subscriber.topics, subscriber.groups) == (
        "Anna",
        ("bestand",),
        ("redaktion",),
    )
    [consent] = personal_data.personal_data_of(store, subscriber).as_dict()["consents"]
    assert consent["source"] == "paper list"
    assert consent["given_at"] == "2026-11-26T06:00:00+00:00"


def test_two_spellings_of_an_address_are_one_subscriber(store: Store) -> None:
    bring(store, NewSubscriber(ANNA, "Anna"))
    report = bring(store, NewSubscriber(EmailAddress.parse("anna@EXAMPLE.ORG"), "Anna"))
    assert (report.added, report.unchanged) == (0, 1)


def test_a_duplicate_address_in_a_list_is_added_once_and_reported(store: Store) -> None:
    report = bring(store, NewSubscriber(ANNA, "Anna", line=2), NewSubscriber(ANNA, "A.", line=5))
    assert report.added == 1
    assert [(line, str(reason)) for line, reason in report.skipped] == [
        (5, "the same address stands further up in the list")
    ]
    assert stored(store).name == "Anna"


def test_empty_fields_of_a_list_change_nothing(store: Store) -> None:
    bring(store, NewSubscriber(ANNA, "Anna", "en", ("bestand",), ("redaktion",)))
    assert bring(store, NewSubscriber(ANNA)).unchanged == 1
    assert bring(store, NewSubscriber(ANNA, "Anna B.", topics=("kreislauf",))).updated == 1
    subscriber = stored(store)
    assert (subscriber.name, subscriber.language) == ("Anna B.", "en")
    assert (subscriber.topics, subscriber.groups) == (("kreislauf",), ("redaktion",))


def test_a_list_adds_no_unsubscribed_suppressed_or_unconfirmed_address(
    store: Store,
) -> None:
    add(store, "anna@example.org", "bert@example.org", "cem@example.org")
    assert subscribers.unsubscribe(store, stored(store), now=NOW)
    assert not subscribers.unsubscribe(store, stored(store), now=NOW)
    suppress(store, "bert@example.org")
    with store.writing() as connection:
        connection.execute(
            text("UPDATE subscribers SET status = 'pending' WHERE email LIKE 'cem%'")
        )
    addresses = ("anna", "bert", "cem")
    report = bring(
        store,
        *(
            NewSubscriber(EmailAddress.parse(f"{who}@example.org"), line=line)
            for line, who in enumerate(addresses, 2)
        ),
    )
    assert (report.added, report.updated) == (0, 0)
    reasons = [str(reason).partition(":")[0] for _, reason in report.skipped]
    assert reasons == ["has unsubscribed", "suppressed", "has not confirmed yet"]
    assert stored(store).status is SubscriberStatus.UNSUBSCRIBED


def test_a_suppression_outlives_the_subscriber(store: Store) -> None:
    suppress(store, "anna@example.org")
    assert bring(store, NewSubscriber(ANNA)).added == 0
    assert subscribers.find(store, ANNA) is None


def test_a_dry_run_reports_and_changes_nothing(store: Store) -> None:
    report = bring(store, NewSubscriber(ANNA), dry_run=True)
    assert report.added == 1
    assert subscribers.find(store, ANNA) is None


def test_a_list_is_added_whole_or_not_at_all(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER crash BEFORE INSERT ON subscribers WHEN NEW.email LIKE 'last%' "
                "BEGIN SELECT RAISE(ABORT, 'crash'); END"
            )
        )
    addresses = [f"reader{number}@example.org" for number in range(subscribers.CHUNK + 1)]
    with pytest.raises(StoreError):
        add(store, *addresses, "last@example.org")
    assert list(subscribers.all_subscribers(store)) == []


def test_a_test_group_has_its_confirmed_members(store: Store) -> None:
    bring(store, NewSubscriber(ANNA, groups=("redaktion",)))
    bring(store, NewSubscriber(EmailAddress.parse("bert@example.org"), groups=("redaktion",)))
    bring(store, NewSubscriber(EmailAddress.parse("cem@example.org")))
    subscribers.unsubscribe(store, stored(store, EmailAddress.parse("bert@example.org")), now=NOW)
    assert [member.email for member in subscribers.group_members(store, "redaktion")] == [ANNA]


def test_the_answer_to_an_access_request_holds_everything(store: Store) -> None:
    queued(store, ANNA.address)
    suppress(store, ANNA.key)
    record = personal_data.personal_data_of(store, stored(store)).as_dict()
    assert record["email"] == ANNA.address
    assert record["suppression"]["reason"] == "complained"
    [mail] = record["deliveries"]
    assert (mail["issue"], mail["state"]) == ("2026-11-26", "queued")


def test_addresses_are_found_by_id_without_erased_subscribers(store: Store) -> None:
    numbers = add(store, *(f"reader{n}@example.org" for n in range(subscribers.CHUNK + 10)))
    addresses = subscribers.addresses(store, [*numbers.values(), 10**6])
    assert {number: address.address for number, address in addresses.items()} == {
        number: address for address, number in numbers.items()
    }


def test_no_list_replaces_the_preferences_of_a_subscriber(store: Store) -> None:
    bring(store, NewSubscriber(ANNA, "Anna", "de", ("bestand",)))
    subscribers.set_preferences(store, stored(store), language="en", topics=["kreislauf"], now=NOW)
    report = bring(store, NewSubscriber(ANNA, "Anna", "de", ("bestand",)))
    assert (report.updated, report.unchanged) == (0, 1)
    assert bring(store, NewSubscriber(ANNA, "Anna B.", "de", groups=("redaktion",))).updated == 1
    subscriber = stored(store)
    assert (subscriber.name, subscriber.groups) == ("Anna B.", ("redaktion",))
    assert (subscriber.language, subscriber.topics) == ("en", ("kreislauf",))
    subscribers.add_subscribers(
        store, [NewSubscriber(ANNA, "", "de")], source="asked by mail", now=NOW, dry_run=False,
        override_preferences=True,
    )  # fmt: skip
    assert (stored(store).language, stored(store).topics) == ("de", ("kreislauf",))


def test_the_editors_among_many_readers_are_found_without_reading_the_list(store: Store) -> None:
    bring(store, NewSubscriber(ANNA, "Anna", groups=("redaktion",)))

    def work() -> int:
        with query_cost(store) as cost:
            subscribers.group_members(store, "redaktion")
        return cost.instructions

    few = work()
    bring(store, *(NewSubscriber(EmailAddress.parse(f"r{n}@example.org")) for n in range(1000)))
    assert work() == few
    [anna] = subscribers.group_members(store, "redaktion")
    assert anna.email == ANNA
    assert subscribers.group_names(store) == ("redaktion",)


def test_a_group_is_found_in_both_kinds_of_store(any_store: str) -> None:
    with closing(open_store(any_store)) as store:
        bring(store, NewSubscriber(ANNA, groups=("redaktion", "technik")))
        bring(store, NewSubscriber(EmailAddress.parse("bert@example.org")))
        assert [person.email for person in subscribers.group_members(store, "technik")] == [ANNA]
        assert subscribers.group_members(store, "tech") == ()
        assert subscribers.group_names(store) == ("redaktion", "technik")


def test_subscribers_are_counted_by_topic_whatever_order_they_chose_in(any_store: str) -> None:
    chosen = [("bestand",), ("bestand", "verkehr"), ("verkehr", "bestand"), ()]
    with closing(open_store(any_store)) as store:
        bring(
            store,
            *(
                NewSubscriber(EmailAddress.parse(f"r{n}@example.org"), topics=topics)
                for n, topics in enumerate(chosen)
            ),
        )
        assert statistics.count_subscribers(store).by_topic == {"bestand": 3, "verkehr": 2}
