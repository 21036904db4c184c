"""An issue in several languages, and the publication's words in each."""

from __future__ import annotations

from dataclasses import replace

from upcycle_news.models.archive_paths import essay_path, in_folder, is_reserved, issue_path

from .sample_translations import ENGLISH, GERMAN, translated_manifest


def test_an_essay_is_found_in_its_languages_whatever_the_region() -> None:
    essay = replace(GERMAN, language="de-AT", translations=(ENGLISH,))
    assert essay.in_language("de") is essay
    assert essay.in_language("en-GB") is ENGLISH
    assert essay.in_language("fr") is None


def test_a_draft_is_no_translation_yet() -> None:
    essay = replace(GERMAN, translations=(replace(ENGLISH, status="draft"),))
    assert essay.in_language("en") is None


def test_each_language_of_a_manifest_has_the_words_of_its_own() -> None:
    german, english = translated_manifest().in_languages
    assert german.publication == translated_manifest().publication
    assert (english.publication.language, english.publication.name) == ("en", "Conversion Post")
    assert english.publication.imprint == ("Umbau e. V., Germany",)
    assert english.publication.authors[0].about == "A joiner."
    assert german.publication.authors[0].about == "Tischlerin."


def test_what_a_further_language_does_not_say_is_as_in_the_publications_own() -> None:
    manifest = translated_manifest()
    own, english = manifest.publication, manifest.publication.in_language("en-GB")
    assert english.tagline == own.tagline
    assert english.closing_note == ""  # a German sentence in an English mail would be worse
    assert own.in_language("fr") is own


def test_topics_are_shown_by_labels_in_any_case_and_as_they_are_without() -> None:
    publication = translated_manifest().publication
    assert publication.topic_label("Bauen", "en-GB") == "Building"
    assert publication.topic_label("garten", "en") == "garten"


def test_all_essays_and_items_of_an_issue_are_named_once() -> None:
    issue = translated_manifest().issue
    assert [essay.slug for essay in issue.all_essays] == ["schraube"]
    assert issue.all_related == ()


def test_pages_of_a_further_language_lie_in_its_folder() -> None:
    assert issue_path("2026-11-26", "en") == "en/archive/2026-11-26/"
    assert essay_path("schraube", "en") == "en/essays/schraube/"
    assert in_folder("", "") == ""
    assert is_reserved("en/archive/x.html", ("en",))
    assert not is_reserved("en/impressum/index.html", ("en",))
    assert not is_reserved("en/archive/x.html")
