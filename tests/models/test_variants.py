"""Which items of an issue a choice of topics selects: a pure rule, and the variants that follow from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models import Choice, Issue, Related, Story, Variant, Variants
from upcycle_news.models.variants import (
    issue_of,
    number_of,
    story_topics,
    variant_of,
    variants_for,
)

from ..storage.sample_rows import essay, item, manifest

OFFERED = ("Bestand", "Kreislauf", "Kleinstadt", "Energie")
ESSAY = essay(topics=("Kleinstadt", "Handwerk"))


def story(number: int, *topics: str, essay_slug: str = "") -> Related:
    return Related(Story((item(f"urn:{number}", topics=topics),)), 1.0, essay=essay_slug)


def issue(*related: Related) -> Issue:
    return replace(manifest().issue, essays=(ESSAY,), related=related)


def titles(content: Issue) -> list[str]:
    return [related.story.lead.key for related in content.related]


stories = st.lists(
    st.builds(
        lambda topics, belongs: (tuple(topics), belongs),
        st.sets(st.sampled_from((*OFFERED, "Sport", "bestand"))),
        st.booleans(),
    ),
    max_size=7,
).map(
    lambda drawn: issue(
        *(
            story(number, *topics, essay_slug=ESSAY.slug if belongs else "")
            for number, (topics, belongs) in enumerate(drawn)
        )
    )
)
choices = st.sets(st.sampled_from((*OFFERED, "KREISLAUF", "Vergangenes")), max_size=5).map(
    lambda topics: Choice("de", tuple(sorted(topics)))
)


def naive(content: Issue, choice: Choice) -> list[str]:
    """Return the keys of the items that fit a choice, without any thought about variants."""
    offered = {topic.casefold() for topic in OFFERED}
    chosen = {topic.casefold() for topic in choice.topics} & offered
    return [
        related.story.lead.key
        for related in content.related
        if not chosen
        or not story_topics(content, related, OFFERED)
        or story_topics(content, related, OFFERED) & chosen
    ]


@given(stories, st.sets(choices, max_size=8))
def test_whoever_has_a_variant_of_their_own_gets_the_items_that_fit_and_no_other(
    content: Issue, audience: set[Choice]
) -> None:
    variants = variants_for(content, dict.fromkeys(audience, 1), OFFERED, limit=256)
    for choice in audience:
        number = number_of(content, variants, choice)
        assert number is not None
        assert titles(issue_of(content, variants, number)) == naive(content, choice)


@given(stories, choices, choices)
def test_choices_that_select_the_same_items_are_one_variant(
    content: Issue, one: Choice, other: Choice
) -> None:
    same_items = naive(content, one) == naive(content, other)
    assert same_items == (variant_of(content, one, OFFERED) == variant_of(content, other, OFFERED))


@given(stories, st.dictionaries(choices, st.integers(1, 9), max_size=12), st.integers(1, 4))
def test_beyond_the_bound_readers_get_what_those_without_a_choice_get(
    content: Issue, audience: dict[Choice, int], limit: int
) -> None:
    variants = variants_for(content, audience, OFFERED, limit=limit)
    assert len(variants.all) <= limit
    for choice in audience:
        number = number_of(content, variants, choice)
        assert number is not None
        assert titles(issue_of(content, variants, number)) in (
            naive(content, choice),
            titles(content),
        )


@given(stories, st.dictionaries(choices, st.integers(1, 9), max_size=6))
def test_the_variants_do_not_depend_on_how_many_made_a_choice(
    content: Issue, audience: dict[Choice, int]
) -> None:
    more = {choice: count + 5 for choice, count in reversed(audience.items())}
    of_few = variants_for(content, audience, OFFERED, limit=256)
    assert of_few == variants_for(content, more, OFFERED, limit=256)


def test_those_with_the_most_readers_have_variants_when_there_are_too_many() -> None:
    content = issue(*(story(number, topic) for number, topic in enumerate(OFFERED)))
    audience = {Choice("de", (topic,)): readers for readers, topic in enumerate(OFFERED, 1)}
    variants = variants_for(content, audience, OFFERED, limit=3)
    assert [variant.key for variant in variants.all] == ["de", "de:energie", "de:kleinstadt"]


def test_items_have_the_topics_of_their_feeds_or_else_of_their_essay() -> None:
    of_feed = story(1, "bestand", "Sport", essay_slug=ESSAY.slug)
    of_essay = story(2, "Sport", essay_slug=ESSAY.slug)
    of_none = story(3, "Sport")
    content = issue(of_feed, of_essay, of_none)
    topics = [story_topics(content, related, OFFERED) for related in content.related]
    assert topics == [{"bestand"}, {"kleinstadt"}, frozenset()]


def test_a_story_has_the_topics_of_all_feeds_that_tell_it() -> None:
    told_twice = Related(
        Story((item("urn:1", topics=("Bestand",)), item("urn:2", topics=("Energie",)))), 1.0
    )
    content = issue(told_twice, story(3, "Kreislauf"))
    variants = variants_for(content, {Choice("de", ("Energie",)): 1}, OFFERED, limit=9)
    assert titles(issue_of(content, variants, 1)) == ["urn:1"]


def test_items_without_a_topic_that_can_be_chosen_are_for_everybody() -> None:
    content = issue(story(1, "Sport"), story(2, "Bestand"), story(3, "Energie"))
    variants = variants_for(content, {Choice("de", ("Energie",)): 1}, OFFERED, limit=9)
    assert titles(issue_of(content, variants, 1)) == ["urn:1", "urn:3"]


def test_where_no_item_fits_the_variant_has_the_essays_alone() -> None:
    content = issue(story(1, "Bestand"))
    variants = variants_for(content, {Choice("de", ("Energie",)): 1}, OFFERED, limit=9)
    assert variants.all[1] == Variant("de", tuple(t for t in OFFERED if t != "Bestand")) or (
        variants.all[1].topics == ()
    )
    assert issue_of(content, variants, 1).related == ()
    assert issue_of(content, variants, 1).essays == content.essays


def test_a_topic_that_is_not_offered_any_more_counts_as_no_choice() -> None:
    content = issue(story(1, "Bestand"), story(2, "Energie"))
    variants = variants_for(content, {Choice("de", ("Energie",)): 1}, OFFERED, limit=9)
    assert number_of(content, variants, Choice("de", ("Vergangenes",))) == 0


def test_an_issue_of_items_alone_is_the_same_for_everybody() -> None:
    content = replace(issue(story(1, "Bestand"), story(2, "Energie")), essays=())
    audience = {Choice("de", (topic,)): 1 for topic in OFFERED}
    assert variants_for(content, audience, OFFERED, limit=9) == Variants()


def test_eight_items_of_eight_topics_have_a_variant_for_every_set_of_topics() -> None:
    topics = tuple(f"Thema {number}" for number in range(8))
    content = issue(*(story(number, topic) for number, topic in enumerate(topics)))
    audience = {Choice("de", some): 1 for size in range(9) for some in combinations(topics, size)}
    variants = variants_for(content, audience, topics, limit=256)
    # All topics select the same items as none.
    assert len(variants.all) == len(audience) - 1 == 255
