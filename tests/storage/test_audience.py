"""Who gets which variant of an issue: decided when it is queued, in both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from upcycle_news.errors import IssueError
from upcycle_news.models import (
    Choice,
    DeliveryState,
    EmailAddress,
    Manifest,
    Related,
    RenderedIssue,
    Story,
    Variant,
)
from upcycle_news.models.variants import number_of, variants_for
from upcycle_news.storage import audience, issues, revisions, subscribers
from upcycle_news.storage import schema as tables
from upcycle_news.storage.audience import count_choices
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.subscribers import NewSubscriber

from .sample_rows import ISSUE, NOW, approved, item, ledger, load, manifest, used_content

OFFERED = ("Bestand", "Energie", "Kleinstadt")
READERS = {
    "anna": (),
    "bert": ("Bestand",),
    "cem": ("Energie", "Kleinstadt"),
    "dora": ("Kleinstadt", "Energie"),
    "emil": ("energie",),
    "fee": ("Sport",),
}


@pytest.fixture
def each_store(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    yield store
    store.close()


def add(store: Store, **readers: tuple[str, ...]) -> dict[str, int]:
    new = [
        NewSubscriber(EmailAddress(f"{name}@example.org"), language="de", topics=topics)
        for name, topics in readers.items()
    ]
    subscribers.add_subscribers(store, new, source="list", now=NOW, dry_run=False)
    known = subscribers.all_subscribers(store)
    return {one.email.address.partition("@")[0]: one.id for one in known}


def by_topics(store: Store, *, limit: int = 256, readers_of: tuple[str, ...] = ()) -> Manifest:
    """Return a manifest with an item of each topic, and the variants for the readers of a store."""
    related = tuple(
        Related(Story((item(f"urn:{topic}", topics=(topic,)),)), 1.0) for topic in OFFERED
    )
    base = manifest(related=related)
    choices = count_choices(store, readers_of)
    return replace(
        base,
        publication=replace(base.publication, readers_of=readers_of),
        variants=variants_for(base.issue, choices, OFFERED, limit=limit),
    )


def queue(store: Store, wanted: Manifest) -> int:
    return issues.enqueue(store, load(store, approved(store, wanted)), now=NOW)


def variants_in(store: Store, names: dict[str, int]) -> dict[str, int]:
    query = select(tables.deliveries.c.subscriber_id, tables.deliveries.c.variant)
    with store.reading() as connection:
        stored = {row.subscriber_id: row.variant for row in connection.execute(query)}
    return {name: stored[number] for name, number in names.items() if number in stored}


def test_each_delivery_keeps_the_variant_that_the_rule_says(each_store: Store) -> None:
    names = add(each_store, **READERS)
    wanted = by_topics(each_store)
    assert queue(each_store, wanted) == len(READERS)
    assert variants_in(each_store, names) == {
        name: number_of(wanted.issue, wanted.variants, Choice("de", topics))
        for name, topics in READERS.items()
    }
    keys = [variant.key for variant in wanted.variants.all]
    assert keys == ["de", "de:bestand", "de:energie", "de:energie+kleinstadt"]


def test_deliveries_are_queued_in_the_order_of_their_variants(each_store: Store) -> None:
    add(each_store, **READERS)
    queue(each_store, by_topics(each_store))
    query = select(tables.deliveries.c.variant).order_by(tables.deliveries.c.id)
    with each_store.reading() as connection:
        numbers = list(connection.scalars(query))
    assert numbers == sorted(numbers)


def test_a_lease_hands_the_variant_along(each_store: Store) -> None:
    names = add(each_store, **READERS)
    queue(each_store, by_topics(each_store))
    claims = ledger(each_store).lease(50, NOW)
    leased = {claim.subscriber: claim.variant for claim in claims}
    assert {name: leased[number] for name, number in names.items()} == variants_in(
        each_store, names
    )


def test_whoever_chose_since_the_preview_gets_the_variant_of_their_set_or_the_first(
    each_store: Store,
) -> None:
    names = add(each_store, **READERS)
    wanted = by_topics(each_store)
    for name, topics in (("anna", ["Bestand"]), ("bert", ["Kleinstadt"]), ("cem", [])):
        reader = subscribers.by_id(each_store, names[name])
        assert reader is not None
        subscribers.set_preferences(each_store, reader, language="de", topics=topics, now=NOW)
    add(each_store, gerd=("Energie",))
    names = add(each_store)
    queue(each_store, wanted)
    got = variants_in(each_store, names)
    assert (got["anna"], got["bert"], got["cem"], got["gerd"]) == (1, 0, 0, 2)


def test_the_sums_of_variants_add_up_and_stay_when_the_issue_has_closed(each_store: Store) -> None:
    add(each_store, **READERS)
    queue(each_store, by_topics(each_store))
    waiting = issues.variant_sums(each_store, ISSUE)
    assert [(one.number, one.audience) for one in waiting] == [(0, 2), (1, 1), (2, 1), (3, 2)]
    assert waiting[3].counts == {DeliveryState.QUEUED: 2}
    with each_store.writing() as connection:
        connection.execute(tables.deliveries.update().values(state=DeliveryState.SENT))
    assert issues.close_if_done(each_store, ISSUE, now=NOW)
    with each_store.writing() as connection:  # old deliveries are not counted again
        connection.execute(tables.deliveries.update().values(variant=0))
    closed = issues.variant_sums(each_store, ISSUE)
    assert [one.counts for one in closed] == [{DeliveryState.SENT: n} for n in (2, 1, 1, 2)]
    assert closed[1].variant == Variant("de", ("Bestand",))


def test_an_issue_that_is_taken_back_has_no_sums_of_variants(each_store: Store) -> None:
    add(each_store, **READERS)
    wanted = by_topics(each_store)
    issues.enqueue(each_store, load(each_store, approved(each_store, wanted)), now=NOW, relay="mailbox")  # fmt: skip
    assert issues.take_back_from_mailbox(each_store, ISSUE, by="Anna", reason="", now=NOW)
    with each_store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.variant_sums)) == 0


def test_only_items_of_variants_with_readers_count_as_told(each_store: Store) -> None:
    add(each_store, bert=("Bestand",), emil=("Energie",))
    queue(each_store, by_topics(each_store))
    _, items = used_content(each_store)
    assert {value for value in items if value.startswith("urn:")} == {"urn:Bestand", "urn:Energie"}


def test_readers_of_other_topics_than_the_issues_are_not_queued(each_store: Store) -> None:
    names = add(each_store, **READERS)
    assert queue(each_store, by_topics(each_store, readers_of=("Energie",))) == 4
    assert set(variants_in(each_store, names)) == {"anna", "cem", "dora", "emil"}
    assert sum(one.audience for one in issues.variant_sums(each_store, ISSUE)) == 4


def test_whom_the_rule_gives_nothing_is_not_queued(each_store: Store) -> None:
    names = add(each_store, **READERS)
    approved(each_store)
    with each_store.writing() as connection:
        queued = audience.queue_deliveries(
            connection,
            ISSUE,
            (),
            lambda choice: None if "Energie" in choice.topics else 0,
            now=NOW,
        )
    assert queued == audience.QueuedReaders({0: 4}, {"de": 2})
    assert set(variants_in(each_store, names)) == {"anna", "bert", "emil", "fee"}


def test_a_second_issue_is_queued_over_the_same_connection(each_store: Store) -> None:
    add(each_store, **READERS)
    for issue in (ISSUE, replace(ISSUE, ordinal=2)):
        wanted = by_topics(each_store)
        wanted = replace(wanted, issue=replace(wanted.issue, id=issue))
        revision_id = approved(each_store, wanted)
        readers = issues.enqueue(each_store, load(each_store, revision_id, issue), now=NOW)
        assert readers == len(READERS)
        assert len(issues.variant_sums(each_store, issue)) == 4


def test_an_issue_without_an_audience_is_refused_as_before(each_store: Store) -> None:
    with pytest.raises(IssueError):
        queue(each_store, by_topics(each_store))


def test_renderings_of_variants_come_back_byte_for_byte(each_store: Store) -> None:
    add(each_store, **READERS)
    wanted = by_topics(each_store)
    revision_id = approved(each_store, wanted)
    lines = [f"<p>Zeile {number}</p>\r\n" for number in range(300)]
    rendered = [
        RenderedIssue(
            issue=ISSUE, language="de", subject=f"Betreff {number}",
            html="".join(lines[:50] + lines[50 + number :]), text=f"„{number}“\n", mjml="<mjml/>",
        )
        for number in range(len(wanted.variants.all))
    ]  # fmt: skip
    revisions.save_renderings(each_store, revision_id, wanted.variants, rendered)
    for number, one in enumerate(rendered):
        assert revisions.load_rendering(each_store, ISSUE, revision_id, number) == one
    assert revisions.load_rendering(each_store, ISSUE, revision_id, 99) is None
    with each_store.reading() as connection:
        stored = connection.execute(select(tables.variant_renderings.c.html)).scalars().all()
    assert max(len(str(delta)) for delta in stored) < 60


def test_a_choice_that_comes_while_the_others_are_counted_is_decided_as_well(
    empty_postgres: str,
) -> None:
    """In SQLite nobody else writes meanwhile. One reader asks for what nobody chose, one for another language."""
    store = open_store(empty_postgres)
    names = add(store, anna=(), bert=("Bestand",), cem=("Energie",))
    approved(store, by_topics(store))

    def variant_of(choice: Choice) -> int | None:
        change(store, names["bert"], ("Kleinstadt", "Energie"), "de")
        change(store, names["cem"], (), "en")
        return None if choice.language == "en" else len(choice.topics)

    with store.writing() as connection:
        audience.queue_deliveries(connection, ISSUE, (), variant_of, now=NOW)
    assert variants_in(store, names) == {"anna": 0, "bert": 2}
    store.close()


def change(store: Store, number: int, topics: tuple[str, ...], language: str) -> None:
    reader = subscribers.by_id(store, number)
    assert reader is not None
    subscribers.set_preferences(store, reader, language=language, topics=topics, now=NOW)
