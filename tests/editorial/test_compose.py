"""What goes into an issue, and what does not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from upcycle_news.editorial import related, stories
from upcycle_news.editorial.compose import Limits, compose, is_banned
from upcycle_news.errors import NothingNew
from upcycle_news.model import Essay, Feed, FeedItem, IssueId

DAY = date(2026, 11, 26)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FEEDS = (Feed("Baublatt", "https://bau.example/feed"), Feed("Stadt", "https://stadt.example/rss"))


def essay(slug="leerstand", **more) -> Essay:
    values = {
        "source": f"content/essays/{slug}.md",
        "title": "Leerstand als Einladung",
        "author": "Redaktion upcycle",
        "date": DAY - timedelta(days=1),
        "language": "de",
        "summary": "Leere Läden in der Innenstadt sind Räume für Neues.",
        "body": "Der Leerstand in der Innenstadt wächst. Umbau statt Abriss: Läden werden Werkstätten.",
        "topics": ("Kleinstadt",),
    }
    return Essay(slug=slug, **(values | more))


def item(
    number=1, title="Innenstadt: Leerstand wird Werkstatt", feed="Baublatt", days=1, **more
) -> FeedItem:
    link = f"https://bau.example/{number}"
    values = {
        "key": f"k{number}",
        "link": link,
        "canonical": link,
        "summary": "Umbau statt Abriss. Läden öffnen wieder. Mehr dazu bald.",
        "date": NOON - timedelta(days=days),
        "date_source": "feed",
    }
    return FeedItem(feed=feed, title=title, **(values | more))


UNRELATED = {"title": "Handball: Sieg im Derby", "summary": "Der Torwart hielt alles."}


def made(essays=(essay(),), candidates=(), published=(), used=(), feeds=FEEDS, **limits):
    return compose(
        id=IssueId(DAY), language="de", essays=essays, published=published, candidates=candidates,
        used=used, feeds=feeds, limits=Limits(**limits),
    )  # fmt: skip


def links(issue) -> list[str]:
    return [one.story.lead.link.rpartition("/")[2] for one in issue.related]


def test_the_newest_essay_leads_and_gives_subject_and_preheader():
    older = essay("alt", date=date(2026, 1, 1), title="Alt", topics=("Bauen",))
    issue = made([older, essay()])
    assert [one.slug for one in issue.essays] == ["leerstand", "alt"]
    assert (issue.subject, issue.preheader) == (essay().title, essay().summary)
    assert issue.topics == ("Kleinstadt", "Bauen")


def test_essays_of_one_day_stand_in_the_order_of_their_names():
    assert [one.slug for one in made([essay("b"), essay("a")]).essays] == ["a", "b"]


def test_no_more_essays_than_the_limit():
    assert len(made([essay(str(n)) for n in range(9)]).essays) == 5


def test_drafts_published_and_later_essays_make_no_issue_and_it_says_why():
    shelf = [essay("a"), essay("b", status="draft"), essay("c", date=DAY + timedelta(days=1))]
    with pytest.raises(NothingNew) as nothing:
        made(shelf, [item()], published={"a"})
    assert str(nothing.value) == (
        "no new essay for 2026-11-26 (essays: 1 published, 1 still draft, 1 dated later); "
        "1 feed item is waiting: write one (upcycle-news essay new TITLE) or set a draft to "
        "status: ready, or allow issues of feed items alone "
        "(issue.items_only in newsletter.toml)"
    )
    with pytest.raises(
        NothingNew, match=r"essays: there is none yet\), and no new feed item: write"
    ):
        made([])


def test_items_alone_make_an_issue_only_when_that_is_wanted():
    issue = made([], [item(1), item(2, **UNRELATED, days=3)], items_only=True)
    assert issue.essays == ()
    assert links(issue) == ["1", "2"]
    assert issue.subject == item().title
    with pytest.raises(NothingNew):
        made([], [], items_only=True)


def test_related_items_are_in_with_their_reasons_and_others_out():
    issue = made(candidates=[item(1), item(2, **UNRELATED)])
    assert links(issue) == ["1"]
    assert issue.related[0].reasons[:2] == ("Leerstand", "Innenstadt")


def test_nothing_is_told_in_two_issues():
    assert links(made(candidates=[item(1), item(2)], used={"k1"})) == ["2"]
    assert links(made(candidates=[item(1), item(2)], used={"https://bau.example/2"})) == ["1"]


def test_what_is_too_old_or_ahead_is_out():
    kept = made(candidates=[item(1, days=31), item(2, days=30), item(3, days=-1)], per_feed=9)
    assert links(kept) == ["2"]


def test_one_feed_does_not_fill_an_issue():
    many = [item(n, f"Leerstand in der Innenstadt, Teil {n}") for n in range(5)]
    other = item(9, "Leerstand am Markt endet", "Stadt", summary="Im alten Kaufhaus liest man.")
    assert len(made(candidates=[*many, other]).related) == 3
    strict = (replace(FEEDS[0], limit=1), FEEDS[1])
    assert len(made(candidates=[*many, other], feeds=strict).related) == 2
    assert len(made(candidates=[*many, other], per_feed=9, items=4).related) == 4


def test_items_of_feeds_that_rest_or_are_gone_are_out():
    assert links(made(candidates=[item()], feeds=[replace(FEEDS[0], active=False)])) == []
    assert links(made(candidates=[item()], feeds=FEEDS[1:])) == []


def test_a_pinned_item_comes_first_even_if_unrelated_or_old():
    pinned = essay(pin=("https://bau.example/7?utm_source=mail",))
    issue = made([pinned], [item(1), item(7, **UNRELATED, days=300)])
    assert links(issue) == ["7", "1"]


def test_a_banned_item_is_out_by_link_or_word():
    assert links(made([essay(ban=("https://bau.example/1#x",))], [item(1)])) == []
    assert links(made([essay(ban=("werkstatt",))], [item(1)])) == []
    assert is_banned(item(), ["Leerstand wird"])
    assert not is_banned(item(), ["Werk", "", "Abrisse"])


def test_excerpts_are_cut_and_sources_named():
    one = item(1)
    same = replace(
        one,
        feed="Stadt",
        key="s1",
        link="https://stadt.example/1",
        canonical="https://stadt.example/1",
    )
    (told,) = made(candidates=[one, same]).related
    assert {each.feed for each in told.story.items} == {"Baublatt", "Stadt"}
    assert {each.summary for each in told.story.items} == {
        "Umbau statt Abriss. Läden öffnen wieder."
    }


def test_the_same_inputs_in_any_order_give_the_same_issue():
    candidates = [item(n, f"Leerstand {word} Innenstadt") for n, word in enumerate("abcdefgh")]
    shelf = [essay("a"), essay("b", title="Umbau")]
    assert made(shelf, candidates) == made(shelf[::-1], candidates[::-1])


def test_a_heavier_feed_and_a_fresher_item_go_ahead_of_equals():
    words = "Leerstand in der Innenstadt"
    fresh, stale = item(1, words, days=1), item(2, words + " II", days=25)
    ranked = related.rank([essay()], stories.merge([stale, fresh]), today=DAY)
    assert [one.story.lead.key for one in ranked] == ["k1", "k2"]
    heavy = replace(stale, feed="Stadt", title=words)
    told = [stories.Story((fresh,)), stories.Story((heavy,))]
    ranked = related.rank([essay()], told, today=DAY, weights={"Stadt": 2.0})
    assert [one.story.lead.key for one in ranked] == ["k2", "k1"]


def pair(one: str, other: str, **more):
    a = item(1, one, summary="")
    b = item(
        2,
        other,
        "Stadt",
        summary="",
        link="https://stadt.example/2",
        canonical="https://stadt.example/2",
        **more,
    )
    return stories.merge([a, b])


LONG = "Die Stadt Musterhausen baut das alte Kaufhaus am Markt zur Bücherei um"


def test_the_same_story_of_two_feeds_is_told_once():
    assert len(pair(LONG, LONG + ", wie der Rat beschloss")) == 1


def test_look_alikes_with_other_numbers_stay_apart():
    assert len(pair(f"{LONG}, Woche 47", f"{LONG}, Woche 48")) == 2
    assert len(pair(LONG, "Die Bahn lässt den Bahnhof von Beispielstadt weiter verfallen")) == 2


def test_one_link_is_one_story_whatever_the_title():
    a = item(1, "Eins")
    assert len(stories.merge([a, replace(a, key="x", feed="Stadt", title="Etwas anderes")])) == 1


def test_likeness_within_a_feed_is_a_series():
    assert len(stories.merge([item(1, LONG), item(2, LONG)])) == 2


def test_the_heavier_feed_tells_the_story():
    a = item(1, LONG)
    b = item(2, LONG, "Stadt", days=2)
    assert stories.merge([a, b], {"Stadt": 0.5})[0].lead.feed == "Baublatt"
    assert stories.merge([a, b], {"Stadt": 2.0})[0].lead.feed == "Stadt"
