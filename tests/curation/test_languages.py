"""An issue in two languages as a value: which essays and items are in which."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.curation.compose_issue import (
    LanguageRules,
    Limits,
    compose,
    recompose,
)
from upcycle_news.curation.manifest_diff import diff_manifests
from upcycle_news.errors import NothingNew
from upcycle_news.models import Feed, IssueFile, IssueId, Manifest

from ..rendering.sample_manifest import PUBLICATION
from .test_compose_issue import DAY, FEEDS, essay, item

BOTH = LanguageRules("de", ("en",))
STRICT = replace(BOTH, leaves_out=True)
ENGLISH_ITEM = {
    "title": "Vacant shops: inner city becomes a workshop",
    "summary": "Vacancy in the inner city turns into shops and workshops.",
    "language": "en",
    "feed": "Post",
}
ALL_FEEDS = (*FEEDS, Feed("Post", "https://post.example/rss", language="en"))


def translated(slug="leerstand", **more):
    other = essay(
        slug,
        title="Vacancy as an Invitation",
        language="en",
        summary="Empty shops in the inner city are space for something new.",
        body="Vacancy in the inner city grows. Conversion, not demolition: shops become workshops.",
        folder="en",
        **more,
    )
    return essay(slug, translations=(other,))


def made(*essays, candidates=(), rules=BOTH, **more):
    return compose(
        id=IssueId(DAY), language="de", essays=essays, published=(), candidates=candidates, used=(),
        feeds=ALL_FEEDS, limits=Limits(items_only=True), rules=rules, **more,
    )  # fmt: skip


def titles(issue) -> list[str]:
    return [one.title for one in issue.essays]


def keys(issue) -> list[str]:
    return [related.story.lead.key for related in issue.related]


def test_the_issue_is_whole_in_each_language():
    issue = made(translated())
    (english,) = issue.translations
    assert (issue.language, issue.folder, titles(issue)) == ("de", "", ["Leerstand als Einladung"])
    assert (english.language, english.folder) == ("en", "en")
    assert (english.subject, english.preheader) == (
        "Vacancy as an Invitation",
        "Empty shops in the inner city are space for something new.",
    )
    assert all(one.translations == () for told in issue.in_languages for one in told.essays)


def test_an_essay_without_a_translation_is_shown_or_left_out():
    shown = made(translated(), essay("rolltreppe", title="Die Rolltreppe"))
    assert titles(shown.translations[0]) == ["Vacancy as an Invitation", "Die Rolltreppe"]
    strict = made(translated(), essay("rolltreppe", title="Die Rolltreppe"), rules=STRICT)
    assert titles(strict.translations[0]) == ["Vacancy as an Invitation"]
    assert titles(strict) == ["Leerstand als Einladung", "Die Rolltreppe"]


def test_a_language_without_any_essay_has_no_issue_when_they_are_left_out():
    assert made(essay(), rules=STRICT).translations == ()
    english_alone = made(essay(language="en"), rules=STRICT)
    assert (english_alone.language, english_alone.translations) == ("en", ())


def test_an_essay_in_a_language_that_nobody_offers_is_for_readers_of_the_main_one():
    issue = made(translated(), essay("gare", title="La gare", language="fr"), rules=STRICT)
    assert "La gare" in titles(issue)
    assert "La gare" not in titles(issue.translations[0])


def test_a_further_language_gets_items_of_its_own():
    german, english = item(1), item(2, **ENGLISH_ITEM)
    issue = made(translated(), candidates=[german, english])
    assert "k1" in keys(issue)
    assert keys(issue.translations[0]) == ["k2"]
    same = made(translated(), candidates=[german, english], rules=replace(BOTH, own_items=False))
    assert same.translations[0].related == same.related


def test_the_items_of_the_main_language_are_those_without_another_one():
    candidates = [item(1), item(2, **ENGLISH_ITEM)]
    alone = made(translated(), candidates=candidates, rules=LanguageRules("de"))
    assert made(translated(), candidates=candidates).related == alone.related


def test_a_pinned_item_is_in_each_language():
    pin = "https://bau.example/1"
    issue = made(translated(), candidates=[item(1)], file=IssueFile("x.md", pin=(pin,)))
    assert keys(issue) == keys(issue.translations[0]) == ["k1"]


def test_items_alone_make_an_issue_in_the_languages_that_have_some():
    assert [one.language for one in made(candidates=[item(1)]).in_languages] == ["de"]
    both = made(candidates=[item(1), item(2, **ENGLISH_ITEM)])
    assert [one.language for one in both.in_languages] == ["de", "en"]
    with pytest.raises(NothingNew):
        made(candidates=[])


def test_the_words_of_a_file_are_those_of_its_language():
    files = {"en": IssueFile("e.md", subject="Hello", greeting="Good morning.")}
    issue = made(translated(), file=IssueFile("d.md", subject="Hallo"), files=files)
    (english,) = issue.translations
    assert (issue.subject, issue.greeting) == ("Hallo", "")
    assert (english.subject, english.greeting) == ("Hello", "Good morning.")


def test_composing_again_changes_no_item_of_any_language():
    essays = (translated(),)
    issue = made(*essays, candidates=[item(1), item(2, **ENGLISH_ITEM)])
    again = recompose(
        issue, language="de", essays=essays, published=(), limits=Limits(), rules=BOTH
    )
    assert again == issue


def test_what_changed_in_a_translation_is_named_with_its_language():
    before = Manifest(made(translated()), PUBLICATION, {})
    changed = replace(translated().translations[0], body="Another text.")
    after = replace(before, issue=made(replace(translated(), translations=(changed,))))
    assert diff_manifests(before, after).manual_changes() == ["essay leerstand (en)"]
    gone = replace(before, issue=made(essay(), rules=STRICT))
    assert "essay leerstand (en)" in diff_manifests(before, gone).manual_changes()


@given(st.lists(st.sampled_from(["de", "en", "both", "fr"]), min_size=1, max_size=5), st.booleans())
def test_no_reader_of_an_offered_language_misses_an_essay_that_is_in_it(written, leaves_out):
    essays = [
        translated(f"e{number}") if kind == "both" else essay(f"e{number}", language=kind)
        for number, kind in enumerate(written)
    ]
    issue = made(*essays, rules=replace(BOTH, leaves_out=leaves_out))
    for language in ("de", "en"):
        told = issue.in_language(language)
        shown = {one.slug for one in told.essays} if told else set()
        own = {f"e{n}" for n, kind in enumerate(written) if kind in (language, "both")}
        assert own <= shown
        if not leaves_out:
            assert shown == {f"e{n}" for n in range(len(written))}
