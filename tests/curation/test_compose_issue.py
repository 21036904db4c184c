"""Composing an issue: essays, selection and ranking of feed items, story clusters."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from upcycle_news.curation.compose_issue import Limits, compose, explain
from upcycle_news.curation.ranking import score_stories, sort_key
from upcycle_news.curation.selection import is_banned
from upcycle_news.curation.story_clusters import cluster_stories
from upcycle_news.errors import NothingNew
from upcycle_news.models import (
    Essay,
    Feed,
    FeedItem,
    IssueId,
    Story,
)

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
    return [related.story.lead.link.rpartition("/")[2] for related in issue.related]


def test_the_newest_essay_leads_and_gives_subject_and_preheader():
    older = essay("alt", date=date(2026, 1, 1), title="Alt", topics=("Bauen",))
    issue = made([older, essay()])
    assert [essay.slug for essay in issue.essays] == ["leerstand", "alt"]
    assert (issue.subject, issue.preheader) == (essay().title, essay().summary)
    assert issue.topics == ("Kleinstadt", "Bauen")


def test_essays_of_one_day_are_sorted_by_slug():
    assert [chosen.slug for chosen in made([essay("b"), essay("a")]).essays] == ["a", "b"]


def test_no_more_essays_than_the_limit():
    assert len(made([essay(str(n)) for n in range(9)]).essays) == 5


def test_drafts_published_and_later_essays_make_no_issue_and_the_error_counts_them():
    essays = [essay("a"), essay("b", status="draft"), essay("c", date=DAY + timedelta(days=1))]
    with pytest.raises(NothingNew) as nothing:
        made(essays, [item()], published={"a"})
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
    assert set(issue.related[0].reasons[:2]) == {"Leerstand", "Innenstadt"}
    assert issue.related[0].essay == "leerstand"


def test_an_item_of_an_earlier_issue_is_left_out():
    assert links(made(candidates=[item(1), item(2)], used={"k1"})) == ["2"]
    assert links(made(candidates=[item(1), item(2)], used={"https://bau.example/2"})) == ["1"]


def test_items_that_are_too_old_or_dated_after_the_issue_are_left_out():
    issue = made(candidates=[item(1, days=31), item(2, days=30), item(3, days=-1)], per_feed=9)
    assert links(issue) == ["2"]


def test_the_items_of_one_feed_are_limited():
    many = [item(n, f"Leerstand in der Innenstadt, Teil {n}") for n in range(5)]
    other = item(9, "Leerstand am Markt endet", "Stadt", summary="Im alten Kaufhaus liest man.")
    assert len(made(candidates=[*many, other]).related) == 3
    strict = (replace(FEEDS[0], limit=1), FEEDS[1])
    assert len(made(candidates=[*many, other], feeds=strict).related) == 2
    assert len(made(candidates=[*many, other], per_feed=9, items=4).related) == 4


def test_items_of_inactive_or_removed_feeds_are_left_out():
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
    original = item(1)
    same = replace(
        original,
        feed="Stadt",
        key="s1",
        link="https://stadt.example/1",
        canonical="https://stadt.example/1",
    )
    (related,) = made(candidates=[original, same]).related
    assert {source.feed for source in related.story.items} == {"Baublatt", "Stadt"}
    assert {source.summary for source in related.story.items} == {
        "Umbau statt Abriss. Läden öffnen wieder."
    }


PINS_1 = essay(pin=("https://bau.example/1",))
SENTENCE = "Wer Steine, Türen oder Balken übrig hat, bringt sie in die Halle Nr. 5 am Hafen, "
TWO_SENTENCES = (
    f"{SENTENCE}z. B. am Samstag. {SENTENCE}wo jemand zählt, misst und aufschreibt, was da ist."
)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (280, TWO_SENTENCES),
        (150, f"{SENTENCE}z. B. am Samstag."),
        (82, "Wer Steine, Türen oder Balken übrig hat, bringt sie in die Halle Nr. 5 am Hafen…"),
        (69, "Wer Steine, Türen oder Balken übrig hat, bringt sie in die Halle…"),
    ],
)  # fmt: skip
def test_an_excerpt_keeps_abbreviations_whole(limit, expected):
    (related,) = made([PINS_1], [item(1, summary=TWO_SENTENCES)], excerpt=limit).related
    assert related.story.lead.summary == expected


def test_an_excerpt_of_400_characters_uses_them():
    sentence = "Die Halle am Hafen nimmt alles an, was sich noch einmal einbauen lässt, und "
    text = f"{sentence * 2}mehr. {sentence * 2}mehr."
    assert 240 < len(text) < 400
    (related,) = made([PINS_1], [item(1, summary=text)], excerpt=400).related
    assert related.story.lead.summary == text


def test_a_title_and_an_excerpt_hold_no_template_syntax():
    hostile = item(1, title="{{ a }} " + "Wort " * 60, summary="{% b %} steht da.")
    (related,) = made([PINS_1], [hostile]).related
    assert related.story.lead.title.startswith("{ { a } } Wort")
    assert len(related.story.lead.title) <= 200
    assert related.story.lead.summary == "{ % b % } steht da."


def test_the_same_inputs_in_any_order_give_the_same_issue():
    candidates = [item(n, f"Leerstand {word} Innenstadt") for n, word in enumerate("abcdefgh")]
    essays = [essay("a"), essay("b", title="Umbau")]
    assert made(essays, candidates) == made(essays[::-1], candidates[::-1])


def test_feed_weight_and_freshness_decide_between_equals():
    words = "Leerstand in der Innenstadt"
    fresh, stale = item(1, words, days=1), item(2, words + " II", days=25)
    scores = score_stories([essay()], cluster_stories([stale, fresh]), today=DAY)
    assert [score.story.lead.key for score in sorted(scores, key=sort_key)] == ["k1", "k2"]
    heavy = replace(stale, feed="Stadt", title=words)
    stories = [Story((fresh,)), Story((heavy,))]
    scores = score_stories([essay()], stories, today=DAY, weights={"Stadt": 2.0})
    assert [score.story.lead.key for score in sorted(scores, key=sort_key)] == ["k2", "k1"]


def stories_of_pair(first: str, second: str, **more):
    a = item(1, first, summary="")
    b = item(
        2,
        second,
        "Stadt",
        summary="",
        link="https://stadt.example/2",
        canonical="https://stadt.example/2",
        **more,
    )
    return cluster_stories([a, b])


LONG = "Die Stadt Musterhausen baut das alte Kaufhaus am Markt zur Bücherei um"


def test_the_same_story_of_two_feeds_becomes_one():
    assert len(stories_of_pair(LONG, LONG + ", wie der Rat beschloss")) == 1


def test_look_alikes_with_other_numbers_stay_apart():
    assert len(stories_of_pair(f"{LONG}, Woche 47", f"{LONG}, Woche 48")) == 2
    assert (
        len(stories_of_pair(LONG, "Die Bahn lässt den Bahnhof von Beispielstadt weiter verfallen"))
        == 2
    )


def test_one_link_is_one_story_whatever_the_title():
    a = item(1, "Eins")
    assert len(cluster_stories([a, replace(a, key="x", feed="Stadt", title="Etwas anderes")])) == 1


def test_similar_items_of_one_feed_are_not_merged():
    assert len(cluster_stories([item(1, LONG), item(2, LONG)])) == 2


def test_the_feed_with_the_higher_weight_leads_the_story():
    a = item(1, LONG)
    b = item(2, LONG, "Stadt", days=2)
    assert cluster_stories([a, b], {"Stadt": 0.5})[0].lead.feed == "Baublatt"
    assert cluster_stories([a, b], {"Stadt": 2.0})[0].lead.feed == "Stadt"


def explained(candidates, essays=(essay(),), used=(), feeds=FEEDS, **limits):
    candidates_with_reasons = explain(
        day=DAY, essays=essays, published=(), candidates=candidates, used=used, feeds=feeds,
        limits=Limits(**limits),
    )  # fmt: skip
    return {candidate.story.lead.key: candidate for candidate in candidates_with_reasons}


def test_every_candidate_is_explained():
    candidates = [
        item(1, "Innenstadt: Leerstand wird Werkstatt I"), item(2, days=31), item(3, days=-1),
        item(4, **UNRELATED), item(5, feed="Fort"), item(6), item(7, "Leerstand verboten"),
        item(8, "Innenstadt: Leerstand wird Werkstatt II"),
    ]  # fmt: skip
    candidates_by_key = explained(candidates, [essay(ban=("verboten",))], used={"k6"}, per_feed=1)
    reasons = {key: str(candidate.why_not or "") for key, candidate in candidates_by_key.items()}
    assert reasons == {
        "k1": "",
        "k8": "'Baublatt' has its 1 items",
        "k4": "no word is shared",
        "k2": "it is 31 days old; the limit is 30",
        "k3": "it is dated after the issue",
        "k5": "its feed is inactive or no longer in feeds.toml",
        "k6": "it was in an earlier issue",
        "k7": "an essay bans it",
    }
    assert next(iter(candidates_by_key)) == "k1"
    assert candidates_by_key["k1"].essay == "leerstand"
    assert set(candidates_by_key["k1"].words) >= {"Leerstand", "Innenstadt"}


def test_without_a_new_essay_nothing_is_explained_as_chosen():
    assert str(explained([item()], [])["k1"].why_not or "") == "there is no new essay"
    assert explained([item()], [], items_only=True)["k1"].chosen


def test_the_items_of_one_essay_are_limited():
    many = [item(n, f"Leerstand in der Innenstadt, Teil {n}", f"F{n}") for n in range(4)]
    feeds = [Feed(f"F{n}", f"https://f{n}.example/") for n in range(9)]
    clay = essay(
        "lehm", title="Lehm", body="Aus Lehm werden Wände gestampft.", summary="", topics=()
    )
    other = item(8, "Wände aus Lehm gestampft", "F8", summary="Der Lehm kommt aus der Grube.")
    issue = made([essay(), clay], [*many, other], feeds=feeds, per_section=2)
    assert [related.essay for related in issue.related].count("leerstand") == 2
    assert [related.story.lead.key for related in issue.related if related.essay == "lehm"] == [
        "k8"
    ]
    explanations = explained(many, per_section=2, feeds=feeds).values()
    assert (
        sum(str(candidate.why_not) == "its essay has its 2 items" for candidate in explanations)
        == 2
    )


def test_a_story_of_an_earlier_issue_is_left_out_when_another_feed_reports_it():
    first = item(1, LONG, summary="")
    again = item(2, LONG + ", wie der Rat beschloss", "Stadt", summary="")
    assert links(made(candidates=[first, again], used={"k1"})) == []
    assert str(explained([first, again], used={"k1"})["k2"].why_not) == (
        "its story was in an earlier issue"
    )


def test_one_page_under_two_feeds_is_one_item_and_no_second_source():
    original = item(1)
    same = replace(original, feed="Stadt", key="s1", canonical="http://www.bau.example/1/")
    (related,) = made(candidates=[original, same]).related
    assert [source.feed for source in related.story.items] == ["Baublatt"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Die Stadt Musterhausen baut das alte Kaufhaus am Markt zur Bücherei um",
         "Die Stadt Beispielhausen baut das alte Kaufhaus am Markt zur Bücherei um"),
        ("Leipzig: Altes Kaufhaus am Markt wird nach langem Streit zur Bücherei",
         "Dresden: Altes Kaufhaus am Markt wird nach langem Streit zur Bücherei"),
        ("In Görlitz eröffnet das erste Reparaturzentrum für Haushaltsgeräte",
         "In Zittau eröffnet das erste Reparaturzentrum für Haushaltsgeräte"),
        ("Land fördert 120 Werkstätten für Reparaturen in kleinen Städten",
         "Land fördert 210 Werkstätten für Reparaturen in kleinen Städten"),
    ],
)  # fmt: skip
def test_look_alikes_of_other_places_or_numbers_stay_apart(first, second):
    assert len(stories_of_pair(first, second)) == 2


def test_the_same_title_with_and_without_its_place_is_one_story():
    title = "Das alte Kaufhaus am Markt in Görlitz wird nach langem Streit zur Bücherei"
    assert len(stories_of_pair(title, title.replace(" in Görlitz", ""))) == 1


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Stadtwerke erhöhen den Preis für Strom", "Kunden zahlen ab Januar mehr."),
        ("Unfall bei Stadtallendorf", "Zwei Wagen stießen auf der Bundesstraße zusammen."),
        ("Leerverkäufe: Aufsicht verlangt mehr Auskunft", "Fonds wetten gegen Aktien."),
        ("Nachbarstreit endet vor dem Amtsgericht", "Es ging um eine Hecke."),
    ],
)
def test_words_that_only_look_related_are_not(title, summary):
    assert made(candidates=[item(1, title, summary=summary)]).related == ()


def test_compounds_match_by_their_parts():
    related = made(
        [essay(title="Die Kleinstadt", summary="", topics=("Stadtentwicklung",),
               body="Stadtentwicklung in der Kleinstadt heißt Leerstand vermeiden.")],
        [item(1, "Kleinstädte ringen um Leerstandsmanager", summary="Die Stadt zahlt die Entwicklung.")],
    ).related  # fmt: skip
    assert set(related[0].reasons) >= {"Kleinstädte", "Leerstandsmanager"}
