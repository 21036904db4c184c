"""Which item is which: within a body, and from one collection to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.feeds.item_identity import (
    BodyItem,
    GuidStability,
    distinct_items,
    item_key,
    resolve_items,
)
from upcycle_news.models import Feed, FeedItem
from upcycle_news.text.urls import canonical_link

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = Feed("Blatt", "https://blatt.example/feed")
TEXT = "Der Preis blieb geheim. Der Rat stimmte zu."


def item(title="Rat kauft Mühle", link="https://blatt.example/1", guid="", text=TEXT, date=NOW):
    canonical = canonical_link(link)
    return FeedItem(
        key=item_key(guid, canonical, title, FEED),
        feed=FEED.name,
        link=link,
        canonical=canonical,
        title=title,
        summary=text,
        date=date or NOW,
        date_source="feed" if date else "first seen",
        guid=guid,
    )


def is_same(before: FeedItem, after: FeedItem, guids: GuidStability | None = None) -> bool:
    """Tell whether the second is recognised as the first, which is gone."""
    [resolved] = resolve_items([after], [before], guids or GuidStability()).items
    assert (resolved.item.key == before.key) == resolved.known
    return resolved.known


OTHER = "Es gibt Kuchen. Die Kapelle spielt."


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        # An opaque guid decides, unless everything is new.
        (item(guid="7"), item("Mühle geht an die Stadt", "https://blatt.example/2", "7"), True),
        (item(guid="7"), item("Fest", "https://blatt.example/2", "7", OTHER, NOW + DAY), False),
        (item(guid="7"), item("Fest", "https://blatt.example/2", "7", OTHER), True),
        (item(guid="7"), item("Fest", "https://blatt.example/2", "7", OTHER, None), False),
        (
            item(guid="7"),
            item("Fest", guid="7", text="Der Rat stimmte zu. Mehr morgen.", date=NOW + DAY),
            True,
        ),
        # A series with guids of its own is new each week; two sections of one day are one.
        (item(guid="7"), item(link="https://blatt.example/2", guid="8", date=NOW + 7 * DAY), False),
        (item(guid="7"), item(link="https://blatt.example/2", guid="8"), True),
        (item(guid="7"), item(guid="8", text=OTHER, date=NOW + 7 * DAY), False),
        # A guid that is the link is corrected, moved and marked with it.
        (
            item(link="https://a.example/x", guid="https://a.example/x"),
            item(link="https://b.example/y", guid="https://b.example/y", date=NOW + DAY),
            True,
        ),
        (
            item(link="https://a.example/x", guid="https://a.example/x"),
            item(link="http://www.a.example/x/", guid="http://www.a.example/x/", text=OTHER),
            True,
        ),
        (
            item(link="https://a.example/alt", guid="https://a.example/alt"),
            item("Neue Zeile", "https://a.example/neu", "https://a.example/neu"),
            True,
        ),
        # Without a guid the link, by the same rule.
        (item(), item("Rat kauft die Mühle"), True),
        (item(), item("Fest", text=OTHER, date=NOW + DAY), False),
        (item(), item("Fest", text=OTHER, date=None), False),
        (item(link="https://a.example/k?ref=1"), item(link="https://a.example/k?ref=2"), True),
        (
            item(link="https://a.example/k?ref=1"),
            item("Henne", "https://a.example/k?ref=2", text=OTHER, date=NOW + DAY),
            False,
        ),
        (item(link="https://a.example/a;jsessionid=1?x=3"), item(link="https://a.example/a;jsessionid=2?x=3"), True),
        (item(link="https://a.example/k%C3%A4se"), item("Käse!", "https://a.example/k%c3%a4se"), True),
        # Without texts, title and date to the second.
        (item(text="", guid="1"), item(text="", guid="2", link="https://a.example/2"), True),
        (
            item(text="", guid="1"),
            item(text="", guid="2", link="https://a.example/2", date=NOW + timedelta(seconds=1)),
            False,
        ),
        # Another guid under the same link.
        (item(guid="7"), item("Andere Zeile", guid="8"), True),
        (item(guid="7"), item(guid="8", text=OTHER), True),
    ],
)  # fmt: skip
def test_an_item_is_recognised_by_what_its_feed_offers(before, after, same) -> None:
    assert is_same(before, after) == same


def test_guids_that_change_decide_nothing_any_more() -> None:
    old, new = item(guid="7"), item(guid="8", link="https://a.example/2", date=NOW + 7 * DAY)
    assert not is_same(old, new, GuidStability(kept=9, changed=3))
    assert is_same(old, new, GuidStability(kept=2, changed=5))


def test_what_a_body_shows_of_guids_is_counted() -> None:
    known = [
        item(f"Titel {n}", f"https://a.example/{n}", f"g{n}", f"Text {n} steht da.")
        for n in range(5)
    ]
    fresh = [replace(entry, guid=f"neu-{n}", key=f"neu-{n}") for n, entry in enumerate(known)]
    assert resolve_items(known, known, GuidStability()).guids == GuidStability(kept=5)
    resolution = resolve_items(fresh, known, GuidStability())
    assert [resolved.item.key for resolved in resolution.items] == [entry.key for entry in known]
    assert resolution.guids == GuidStability(changed=5)
    assert not resolution.guids.stable


def test_positions_as_guids_do_not_confuse_items() -> None:
    texts = {n: f"Text {n} steht hier ganz allein." for n in range(4)}
    week1 = [item(f"T{n}", f"https://a.example/{n}", str(place), texts[n], NOW + n * DAY) for place, n in enumerate((2, 1, 0))]  # fmt: skip
    week2 = [item(f"T{n}", f"https://a.example/{n}", str(place), texts[n], NOW + n * DAY) for place, n in enumerate((3, 2, 1))]  # fmt: skip
    resolved = resolve_items(week2, week1, GuidStability()).items
    assert [entry.known for entry in resolved] == [False, True, True]
    assert len({entry.item.key for entry in resolved} | {entry.key for entry in week1}) == 4


def test_a_page_of_several_items_identifies_none_of_them() -> None:
    first = item("Sendung 1", "https://radio.example/", "s1", "Wie sie gegossen werden.")
    second = item("Sendung 2", "https://radio.example/", "s2", OTHER, NOW + DAY)
    [new, old] = resolve_items([second, first], [first], GuidStability()).items
    assert (old.item.key, old.item.canonical) == (first.key, first.canonical)
    assert new.item.canonical.startswith("https://radio.example/#item-")
    assert new.item.page == "https://radio.example/"
    assert not new.known


def bodies(*items: FeedItem) -> list[BodyItem]:
    return [BodyItem(entry, entry.date) for entry in items]


def test_an_article_in_two_sections_is_one_item_and_keeps_both_guids() -> None:
    first = item("Eiche", "https://wald.example/natur/eiche", "n1")
    second = item("Eiche", "https://wald.example/ort/eiche", "o1")
    [body] = distinct_items(bodies(first, second))
    assert (body.item, body.other_guids) == (first, ("o1",))
    [resolved] = resolve_items(
        [replace(first, title="Eiche gepflanzt")], [second], GuidStability(), {first.key: ["o1"]}
    ).items
    assert resolved.item.key == second.key


def test_dates_of_a_series_side_by_side_are_items_of_their_own() -> None:
    weeks = [
        item("Sprechstunde", f"https://amt.example/{n}", f"s{n}", date=NOW - n * 7 * DAY)
        for n in range(3)
    ]
    assert len(distinct_items(bodies(*weeks))) == 3


def test_of_entries_with_one_id_the_newest_counts() -> None:
    old, new = (
        item("Markt am 3.", guid="urn:3", text=""),
        item("Markt am 4.", guid="urn:3", text=""),
    )
    pair = [BodyItem(old, NOW), BodyItem(new, NOW + DAY)]
    assert [body.item.title for body in distinct_items(pair)] == ["Markt am 4."]
    assert [body.item.title for body in distinct_items(pair[::-1])] == ["Markt am 4."]


def test_the_key_of_an_item_does_not_depend_on_its_neighbours() -> None:
    alone = distinct_items(bodies(item("Weg gesperrt", "https://tafel.example/")))
    beside = distinct_items(
        bodies(item("Feuer erlaubt", "https://tafel.example/", text=OTHER), item("Weg gesperrt", "https://tafel.example/"))
    )  # fmt: skip
    assert alone[0].item.key == beside[1].item.key
    assert alone[0].item.canonical != beside[1].item.canonical


def test_a_feeds_own_page_identifies_no_item() -> None:
    [body] = distinct_items(bodies(item(link="https://radio.example/")), "https://radio.example/")
    assert "#item-" in body.item.canonical
