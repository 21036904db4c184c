"""The vocabulary of the field: reading the file, matching texts, ranking by concepts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from snowballstemmer.german_stemmer import GermanStemmer

from upcycle_news.curation import ranking
from upcycle_news.curation.concept_matcher import ConceptMatcher
from upcycle_news.curation.concept_score import EssayConcepts
from upcycle_news.curation.vocabulary import Concept, Vocabulary, load_vocabulary
from upcycle_news.errors import ContentError
from upcycle_news.models import (
    Essay,
    FeedItem,
    IssueId,
    Story,
)
from upcycle_news.services.issues import compose
from upcycle_news.storage import feeds
from upcycle_news.text.stemming import stem

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 26)

SMALL = Vocabulary(
    (
        Concept("Schwammstadt", ("Regenwasser", "Zisterne", "versicker-"), ("Regen", "Kanal")),
        Concept("Lehmbau", ("Lehm", "Wellerwand", "!Lehmann"), ("Putz",)),
        Concept("graue Energie", ("Ökobilanz",)),
        Concept("Dach", ("-dach", "Ziegel")),
        Concept("Film", ("Thriller", "Premiere"), outside=True),
    ),
    ("Regen",),
)


def test_a_file_that_was_changed_is_read_anew(tmp_path: Path):
    file = tmp_path / "vocabulary.toml"
    for word in ("Lehm", "Kalk", "Lehm"):
        file.write_text(f'[Putz]\nwords = "{word}"\n', encoding="utf-8")
        assert load_vocabulary(file, tmp_path).concepts == (Concept("Putz", (word,)),)


def matched_words(title: str, text: str = "") -> dict[str, tuple[str, ...]]:
    evidence = ConceptMatcher(SMALL).match(title, text)
    return {name: match.surfaces for name, match in evidence.items()}


def test_a_word_is_found_inflected_and_in_compounds():
    assert matched_words("Zisternen für die Regenwassernutzung") == {
        "Schwammstadt": ("Zisternen", "Regenwassernutzung")
    }
    assert matched_words("Stampflehm") == {"Lehmbau": ("Stampflehm",)}


def test_a_dash_makes_an_entry_a_prefix_or_a_suffix():
    assert matched_words("Hier versickert es") == {"Schwammstadt": ("versickert",)}
    assert matched_words("Das Gründach") == {"Dach": ("Gründach",)}
    assert matched_words("Die Dachrinne") == {"Dach": ("Dachrinne",)}  # by the concept's name
    assert matched_words("Das versicherte Auto") == {}


def test_an_excluded_look_alike_does_not_match():
    assert matched_words("Lehmanns Buchladen") == {}


def test_a_phrase_is_found_inflected():
    assert matched_words("Von grauer Energie") == {"graue Energie": ("grauer Energie",)}
    assert matched_words("Energie, grau") == {}


def test_nouns_match_only_capitalised_words():
    assert matched_words("wir regnen und ziegeln") == {}


def test_a_single_hint_gives_little_activation_and_two_give_more():
    match = ConceptMatcher(SMALL).match
    hint = match("Regen")["Schwammstadt"].activation
    hints = match("Regen im Kanal")["Schwammstadt"].activation
    word = match("Die Zisterne")["Schwammstadt"].activation
    assert hint < 0.1 < hints < word


def load(tmp_path: Path, text: str) -> Vocabulary:
    path = tmp_path / "vocabulary.toml"
    path.write_text(text, encoding="utf-8")
    return load_vocabulary(path, tmp_path)


def test_a_file_is_read_and_a_missing_one_is_an_empty_vocabulary(tmp_path):
    assert load_vocabulary(tmp_path / "none.toml", tmp_path) == Vocabulary()
    assert load(
        tmp_path,
        'everyday = "Tag, Weg"\n["Leerstand"]\nwords = """\n Laden,\n Markt, Markt """\n'
        '[Film]\noutside = true\nwords = "Krimi"\nhints = "Rolle"\n'
        'english = "film, crime drama"\nenglish_hints = "actor"\n',
    ) == Vocabulary(
        (
            Concept("Leerstand", ("Laden", "Markt")),
            Concept("Film", ("Krimi",), ("Rolle",), True, ("film", "crime drama"), ("actor",)),
        ),
        ("Tag", "Weg"),
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('["A"]\nwords = "x"\n["A"]\nwords = "y"\n', 3, "not TOML"),
        ('["A"]\nwords = "x"\nword = "y"\n', 3, "'word' is unknown in a concept"),
        ('["A"]\nwords = "x"\n["B"]\nhints = "y"\n', 3, "'B' has no words"),
        ('["A"]\nwords = ["x"]\n', 2, "'words' is not a text"),
        ('["A"]\nwords = "x, -"\n', 2, "'-' is no word"),
        ('["A"]\noutside = "yes"\nwords = "x"\n', 2, "'outside' is not true or false"),
        ('A = "x"\n', 1, "'A' is no concept"),
        ('["A"]\nwords = "x"\nhints = 3\n', 3, "'hints' is not a text"),
        ('["A"]\nwords = "x"\nenglish = ["y"]\n', 3, "'english' is not a text"),
        ('["A"]\nwords = "x"\nenglish_hints = "y, !"\n', 3, "'!' is no word"),
        ('["A"]\nwords = "x"\nenglisch = "y"\n', 3, "did you mean 'english'?"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path, text, line, message):
    with pytest.raises(ContentError) as error:
        load(tmp_path, text)
    assert error.value.line == line
    assert message in str(error.value)
    assert str(error.value).startswith(f"vocabulary.toml:{line}: ")


def test_check_names_a_mistake_in_the_vocabulary(publication):
    path = publication.home / "content/vocabulary.toml"
    path.write_text('["Leerstand"]\nwörter = "Laden"\n', encoding="utf-8")
    result = publication.run("check", code=1)
    assert "content/vocabulary.toml:2: " in result.out + result.err


def essay(**more) -> Essay:
    return replace(
        Essay(
            slug="regen", source="", title="Wenn der Himmel aufmacht", author="", date=DAY,
            language="de", summary="", topics=("schwammstadt",),
            body="Eine Stadt, die Regenwasser hält, braucht Zisternen und Mulden.",
        ),
        **more,
    )  # fmt: skip


def story(title: str, summary: str = "") -> Story:
    return Story((
        FeedItem(
            key=title, feed="Blatt", link="https://x.example/1", canonical=title, title=title,
            summary=summary, date=datetime(2026, 11, 25, 9, tzinfo=UTC), date_source="feed",
        ),
    ))  # fmt: skip


def scores(
    *stories: Story, of: Essay, vocabulary: Vocabulary = SMALL
) -> dict[str, ranking.StoryScore]:
    scored = ranking.score_stories([of], stories, today=DAY, vocabulary=vocabulary)
    return {score.story.lead.title: score for score in scored}


def test_a_story_in_other_words_is_related_by_its_concept():
    tank = story("Zisterne statt Kanal", "Was nicht versickert, speichern Anlieger im Keller.")
    other = story("Handball: Sieg im Derby", "Der Torwart hielt alles.")
    by_title = scores(tank, other, of=essay())
    assert by_title["Zisterne statt Kanal"].evidence >= ranking.FLOOR > 0
    assert by_title["Handball: Sieg im Derby"].evidence < ranking.FLOOR
    assert "Schwammstadt (versickert, Zisterne, Kanal)" in by_title["Zisterne statt Kanal"].words


def test_a_concept_outside_the_publication_lowers_the_score():
    of = essay()
    relevant = story("Regenwasser und Zisternen", "Die Stadt baut um.")
    film = story("Regenwasser und Zisternen: Thriller", "Die Premiere ist am Samstag.")
    by_title = scores(relevant, film, of=of)
    assert by_title[film.lead.title].score < by_title[relevant.lead.title].score


def test_an_essay_about_an_outside_concept_is_not_penalised_for_it():
    of = essay(topics=("Film", "Schwammstadt"))
    film = story("Regenwasser und Zisternen: Thriller", "Die Premiere ist am Samstag.")
    about = scores(film, of=of)[film.lead.title].score
    against = scores(film, of=essay(topics=("Schwammstadt",)))[film.lead.title].score
    assert about > against


def test_without_a_vocabulary_words_alone_decide():
    tank = story("Zisternen gegen Regenwasser im Keller", "Die Stadt fördert Mulden.")
    score = scores(tank, of=essay(), vocabulary=Vocabulary())[tank.lead.title]
    assert score.score > 0
    assert not any("(" in word for word in score.words)


def test_a_topic_that_is_a_concept_does_not_match_its_parts_as_well():
    wide = Vocabulary((
        Concept("Kreislaufwirtschaft", ("Recycling",)), Concept("Wirtschaft", ("Börse",)),
    ))  # fmt: skip
    concepts = EssayConcepts(essay(topics=("Kreislaufwirtschaft",)), ConceptMatcher(wide))
    assert set(concepts.topics) == {"Kreislaufwirtschaft"}


def test_relevance_feedback_raises_stories_that_share_words_with_the_best():
    sure = [
        story(f"Zisterne und Regenwasser {name}", f"Was versickert, fehlt den Platanen in {name}.")
        for name in ("Adorf", "Bdorf", "Cdorf", "Ddorf")
    ]
    like, other = story("Platanen", "Sie leiden."), story("Postkarten", "Sie reisen.")
    alone = scores(like, other, of=essay())
    beside = scores(*sure, like, other, of=essay())
    assert beside["Platanen"].score - alone["Platanen"].score > 0.1
    assert beside["Platanen"].score > beside["Postkarten"].score
    assert beside["Platanen"].evidence < ranking.FLOOR  # feedback does not count as evidence


def test_stems_in_c_and_in_python_are_the_same():
    shipped = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    words = sorted({
        word.lower()
        for concept in shipped.concepts
        for word in (*concept.words, *concept.hints)
        if word.isalpha()
    })  # fmt: skip
    slow = GermanStemmer()
    assert len(words) > 2000
    assert [stem(word, "de") for word in words[::5]] == [slow.stemWord(word) for word in words[::5]]


def test_a_change_of_the_vocabulary_makes_a_new_revision(publication):
    text = "Regenwasser halten: Regenwassernutzung, Rigolen, Mulden in der Schwammstadt.\n"
    publication.write_essay("Wenn der Himmel aufmacht", text, topics="[Schwammstadt]")
    url = "https://blatt.example/feed"
    (publication.home / "content/feeds.toml").write_text(
        f'[[feeds]]\nname = "Blatt"\nurl = "{url}"\nlanguage = "de"\nactive = true\n', "utf-8"
    )
    tank = story(
        "Zisterne statt Kanal", "Was versickert oder in die Rigole läuft, fehlt dem Kanal nicht."
    )
    path = publication.home / "content/vocabulary.toml"
    path.unlink()
    context = publication.context()
    feeds.record(context.store, feeds.FeedState(url, "Blatt"), tank.items, now=publication.clock())
    issue = IssueId.parse("2026-11-26")
    before = compose.compose_issue(context, issue)
    assert compose.compose_issue(context, issue).revision_id == before.revision_id
    path.write_text(
        '["Schwammstadt"]\nwords = "Regenwasser, Rigole, Mulde, Zisterne, versicker-, Kanal"\n',
        "utf-8",
    )
    after = compose.compose_issue(context, issue)
    assert after.revision_id != before.revision_id


def test_the_shipped_vocabulary_is_large_enough_and_matches():
    shipped = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    concepts = [concept for concept in shipped.concepts if not concept.outside]
    assert len(concepts) >= 150
    assert all(len(concept.words) >= 5 for concept in concepts)
    entries = sum(len(concept.words) for concept in concepts)
    assert entries / len(concepts) > 12
    assert all(concept.english and concept.english_hints for concept in shipped.concepts)
    matcher = ConceptMatcher(shipped)
    assert "Lehmbau" not in matcher.match("Lehmann gewinnt die Wahl in Stadtallendorf")
    assert matcher.match("", "Zisterne und Rigole")["Schwammstadt"].activation > 0.5


def test_a_new_publication_gets_the_vocabulary(publication):
    copied = (publication.home / "content/vocabulary.toml").read_bytes()
    assert copied == (ROOT / "content/vocabulary.toml").read_bytes()
