"""German essays and English items, and the reverse: concepts meet where words cannot."""

from __future__ import annotations

import cProfile
import pstats
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from upcycle_news.curation.concept_matcher import ConceptMatcher
from upcycle_news.curation.concept_score import EssayConcepts
from upcycle_news.curation.ranking import FLOOR, StoryScore, score_stories
from upcycle_news.curation.vocabulary import Concept, Vocabulary, load_vocabulary
from upcycle_news.models import Essay, FeedItem, Story

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 26)
SHIPPED = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
LEERSTAND = Concept(
    "Leerstand", ("Ladensterben", "leerstehend-"), ("Laden",),
    english=("vacancy", "empty shop", "vacant-", "-less", "!vacantness"), english_hints=("shop",),
)  # fmt: skip
ART = Concept("Art", ("Gattung",))  # without English words; its name is an English word
GERMAN_ONLY = Vocabulary((replace(LEERSTAND, english=(), english_hints=()), ART))
BOTH = Vocabulary((LEERSTAND, ART))

GERMAN = Essay(
    slug="laden", source="", title="Der Laden nach dem Laden", author="", date=DAY, language="de",
    summary="", topics=("Leerstand", "Zwischennutzung"),
    body="Leerstand ist kein Schicksal. Eine Zwischennutzung bringt Menschen in die Innenstadt, "
    "und aus der Zwischennutzung wird oft ein Mietvertrag. Wo Ladensterben war, arbeiten Handwerker.",
)  # fmt: skip
ENGLISH = replace(
    GERMAN, slug="shop", language="en", title="After the last sale", topics=("vacancy", "meanwhile use"),
    body="An empty shop is no fate. A meanwhile use brings people back to the high street, and the "
    "temporary tenant often stays. Where storefronts were vacant, craftspeople work.",
)  # fmt: skip


def story(title: str, summary: str, language: str) -> Story:
    return Story((
        FeedItem(
            key=title, feed="Blatt", link="https://x.example/1", canonical=title, title=title,
            summary=summary, date=datetime(2026, 11, 25, 9, tzinfo=UTC), date_source="feed",
            language=language,
        ),
    ))  # fmt: skip


SHOPS = (
    "Empty shops become workshops",
    "A meanwhile use fills the vacant storefronts of the town centre; the landlord asks no rent.",
)
FOOTBALL = ("Late goal decides the derby", "The striker scored again, and the coach praised him.")
LAEDEN = (
    "Leerstand: Werkstätten statt Schaufenster",
    "Eine Zwischennutzung belebt die leerstehenden Läden der Innenstadt, der Vermieter verzichtet.",
)
FUSSBALL = ("Spätes Tor im Derby", "Der Stürmer der Bundesliga traf, der Trainer lobte ihn.")


def score(of: Essay, *stories: Story, vocabulary: Vocabulary = SHIPPED) -> list[StoryScore]:
    return score_stories([of], stories, today=DAY, vocabulary=vocabulary)


@pytest.mark.parametrize("language", ["en", "en-GB", "en_US", "EN"])
def test_an_english_item_is_related_to_a_german_essay_by_its_concepts(language: str) -> None:
    shops, football = score(GERMAN, story(*SHOPS, language), story(*FOOTBALL, language))
    assert shops.evidence >= FLOOR > football.evidence
    assert shops.words[0].startswith("Leerstand (vacant, Empty shops, ")


@pytest.mark.parametrize("language", ["de", "de-AT", "de_CH"])
def test_a_german_item_is_related_to_an_english_essay_by_its_concepts(language: str) -> None:
    shops, football = score(ENGLISH, story(*LAEDEN, language), story(*FUSSBALL, language))
    assert shops.evidence >= FLOOR > football.evidence
    assert any(word.startswith("Leerstand") for word in shops.words)


def test_an_english_item_is_related_to_an_english_essay_by_its_concepts() -> None:
    shops, football = score(ENGLISH, story(*SHOPS, "en"), story(*FOOTBALL, "en"))
    assert shops.evidence >= FLOOR > football.evidence


@pytest.mark.parametrize("language", ["de", "de-AT", "de_CH", "DE"])
def test_german_is_one_language_whatever_its_tag(language: str) -> None:
    tagged = replace(GERMAN, language=language)
    (expected,) = score(GERMAN, story(*LAEDEN, "de"))
    for of in (GERMAN, tagged):
        (scored,) = score(of, story(*LAEDEN, language))
        assert (scored.score, scored.evidence) == (expected.score, expected.evidence)
        assert scored.words == expected.words


def test_only_stories_in_the_other_language_are_raised_for_words_they_cannot_share() -> None:
    text = ("Vacancy", "Vacant shops.")
    german_only, both = (
        score(GERMAN, story(*text, "en"), vocabulary=vocabulary)[0].evidence
        for vocabulary in (GERMAN_ONLY, BOTH)
    )
    assert both > german_only
    french, german = (score(GERMAN, story(*LAEDEN, language))[0] for language in ("fr", "de"))
    assert french.evidence <= german.evidence


def test_a_story_without_a_common_concept_gains_nothing_from_its_language() -> None:
    (other,) = score(GERMAN, story("Moon rocks", "They are grey and dusty.", "en"))
    assert other.score <= 0.01


def test_english_words_match_by_stem_phrase_and_affix_in_any_case() -> None:
    match = ConceptMatcher(BOTH).match
    for text in ("EMPTY SHOPS", "a vacantly kept house", "A shopless street", "vacancies"):
        assert match("", text, "en")["Leerstand"].strong == 1.0, text
    assert match("", "the shop", "en")["Leerstand"].strong == 0
    assert "Leerstand" not in match("", "vacantness", "en")
    assert "Leerstand" not in match("", "empty the shop", "en") or (
        match("", "empty the shop", "en")["Leerstand"].strong == 0
    )


def test_each_language_has_its_own_words() -> None:
    match = ConceptMatcher(BOTH).match
    assert "Leerstand" not in match("", "Ladensterben", "en")
    assert "Leerstand" not in match("", "vacancy and vacant", "de")
    assert "Leerstand" in match("", "Ladensterben", "fr"), "what is not English is read as German"


def test_a_concept_without_english_words_is_looked_for_by_its_german_ones() -> None:
    assert "Art" in ConceptMatcher(BOTH).match("", "The Art of Repair", "en")


def test_a_vocabulary_without_english_words_treats_english_as_before() -> None:
    matcher = ConceptMatcher(GERMAN_ONLY)
    text = "Ladensterben, vacancy, Art"
    assert matcher.match(text, text, "en") == matcher.match(text, text, "de")
    assert not matcher.translates("de", "en")


def test_topics_of_an_english_essay_may_be_english_or_german() -> None:
    matcher = ConceptMatcher(BOTH)
    for topic in ("vacancy", "Vacancies", "Leerstand", "leerstand"):
        assert EssayConcepts(replace(ENGLISH, topics=(topic,)), matcher).topics == {
            "Leerstand": 1.0
        }
    by_word = EssayConcepts(replace(ENGLISH, topics=("empty shop",)), matcher).topics
    assert by_word["Leerstand"] == pytest.approx(0.8, abs=0.15), "not the concept's name"
    assert "Leerstand" not in EssayConcepts(replace(GERMAN, topics=("vacancy",)), matcher).topics


def test_words_within_a_shown_phrase_are_not_shown_again() -> None:
    (shops,) = score(GERMAN, story("Empty shops", "Empty shops in an old arcade.", "en"))
    assert "Leerstand (Empty shops)" in shops.words


def test_matching_takes_work_in_proportion_to_the_text() -> None:
    matcher = ConceptMatcher(SHIPPED)

    def calls(text: str) -> int:
        matcher.match("", text, "en")  # stems are cached
        profile = cProfile.Profile()
        profile.enable()
        matcher.match("", text, "en")
        profile.disable()
        return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]

    text = f"{ENGLISH.body} {SHOPS[1]} {FOOTBALL[1]} "
    assert calls(text * 20) <= 20 * calls(text)
