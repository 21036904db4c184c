"""The vocabulary of the field: how it is read, and what it finds in texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from snowballstemmer.german_stemmer import GermanStemmer

from upcycle_news.curation import ranking
from upcycle_news.curation.concept_matcher import Lexicon
from upcycle_news.curation.concept_score import Theme
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


def touched(title: str, text: str = "") -> dict[str, tuple[str, ...]]:
    return {name: told.surfaces for name, told in Lexicon(SMALL).told(title, text).items()}


def test_a_word_is_found_inflected_and_in_compounds():
    assert touched("Zisternen für die Regenwassernutzung") == {
        "Schwammstadt": ("Zisternen", "Regenwassernutzung")
    }
    assert touched("Stampflehm") == {"Lehmbau": ("Stampflehm",)}


def test_dashes_ask_for_the_beginning_or_the_end_of_a_word():
    assert touched("Hier versickert es") == {"Schwammstadt": ("versickert",)}
    assert touched("Das Gründach") == {"Dach": ("Gründach",)}
    assert touched("Die Dachrinne") == {"Dach": ("Dachrinne",)}  # by the concept's name
    assert touched("Das versicherte Auto") == {}


def test_a_look_alike_that_is_named_is_not_meant():
    assert touched("Lehmanns Buchladen") == {}


def test_words_in_a_row_are_found_inflected():
    assert touched("Von grauer Energie") == {"graue Energie": ("grauer Energie",)}
    assert touched("Energie, grau") == {}


def test_nouns_ask_for_capitals():
    assert touched("wir regnen und ziegeln") == {}


def test_a_single_hint_says_next_to_nothing_and_two_say_something():
    told = Lexicon(SMALL).told
    hint = told("Regen")["Schwammstadt"].activation
    hints = told("Regen im Kanal")["Schwammstadt"].activation
    word = told("Die Zisterne")["Schwammstadt"].activation
    assert hint < 0.1 < hints < word


def page(tmp_path: Path, text: str) -> Vocabulary:
    path = tmp_path / "vocabulary.toml"
    path.write_text(text, encoding="utf-8")
    return load_vocabulary(path, tmp_path)


def test_a_file_is_read_and_a_missing_one_is_an_empty_vocabulary(tmp_path):
    assert load_vocabulary(tmp_path / "none.toml", tmp_path) == Vocabulary()
    assert page(
        tmp_path,
        'everyday = "Tag, Weg"\n["Leerstand"]\nwords = """\n Laden,\n Markt, Markt """\n'
        '[Film]\noutside = true\nwords = "Krimi"\nhints = "Rolle"\n',
    ) == Vocabulary(
        (Concept("Leerstand", ("Laden", "Markt")), Concept("Film", ("Krimi",), ("Rolle",), True)),
        ("Tag", "Weg"),
    )


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('["A"]\nwords = "x"\n["A"]\nwords = "y"\n', 3, "not TOML"),
        ('["A"]\nwords = "x"\nword = "y"\n', 3, "'word' is unknown in a concept"),
        ('["A"]\nwords = "x"\n["B"]\nhints = "y"\n', 3, "'B' has no words"),
        ('["A"]\nwords = ["x"]\n', 2, "'words' is not a text"),
        ('["A"]\nwords = "x, -"\n', 2, "'-' is no word"),
        ('["A"]\noutside = "yes"\nwords = "x"\n', 2, "'outside' is not true or false"),
        ('A = "x"\n', 1, "'A' is no concept"),
        ('["A"]\nwords = "x"\nhints = 3\n', 3, "'hints' is not a text"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, line, told):
    with pytest.raises(ContentError) as error:
        page(tmp_path, text)
    assert error.value.line == line
    assert told in str(error.value)
    assert str(error.value).startswith(f"vocabulary.toml:{line}: ")


def test_check_names_a_mistake_in_the_vocabulary(publication):
    path = publication.home / "content/vocabulary.toml"
    path.write_text('["Leerstand"]\nwörter = "Laden"\n', encoding="utf-8")
    done = publication.run("check", code=1)
    assert "content/vocabulary.toml:2: " in done.out + done.err


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


def scores(*stories: Story, of: Essay, vocabulary: Vocabulary = SMALL) -> dict[str, ranking.Fit]:
    found = ranking.fits([of], stories, today=DAY, vocabulary=vocabulary)
    return {fit.story.lead.title: fit for fit in found}


def test_a_story_in_other_words_belongs_by_its_concept_and_says_so():
    tank = story("Zisterne statt Kanal", "Was nicht versickert, speichern Anlieger im Keller.")
    other = story("Handball: Sieg im Derby", "Der Torwart hielt alles.")
    found = scores(tank, other, of=essay())
    assert found["Zisterne statt Kanal"].evidence >= ranking.FLOOR > 0
    assert found["Handball: Sieg im Derby"].evidence < ranking.FLOOR
    assert "Schwammstadt (versickert, Zisterne, Kanal)" in found["Zisterne statt Kanal"].words


def test_a_section_that_is_not_ours_speaks_against_a_story():
    of = essay()
    mine = story("Regenwasser und Zisternen", "Die Stadt baut um.")
    film = story("Regenwasser und Zisternen: Thriller", "Die Premiere ist am Samstag.")
    found = scores(mine, film, of=of)
    assert found[film.lead.title].score < found[mine.lead.title].score


def test_an_essay_about_such_a_section_does_not_suffer_from_it():
    of = essay(topics=("Film", "Schwammstadt"))
    film = story("Regenwasser und Zisternen: Thriller", "Die Premiere ist am Samstag.")
    about = scores(film, of=of)[film.lead.title].score
    against = scores(film, of=essay(topics=("Schwammstadt",)))[film.lead.title].score
    assert about > against


def test_without_a_vocabulary_words_alone_decide():
    tank = story("Zisternen gegen Regenwasser im Keller", "Die Stadt fördert Mulden.")
    found = scores(tank, of=essay(), vocabulary=Vocabulary())[tank.lead.title]
    assert found.score > 0
    assert not any("(" in word for word in found.words)


def test_a_topic_that_is_a_concept_is_not_its_parts_as_well():
    wide = Vocabulary((
        Concept("Kreislaufwirtschaft", ("Recycling",)), Concept("Wirtschaft", ("Börse",)),
    ))  # fmt: skip
    theme = Theme(essay(topics=("Kreislaufwirtschaft",)), Lexicon(wide))
    assert set(theme.topics) == {"Kreislaufwirtschaft"}


def test_the_surest_stories_lend_their_words_to_others():
    sure = [
        story(f"Zisterne und Regenwasser {name}", f"Was versickert, fehlt den Platanen in {name}.")
        for name in ("Adorf", "Bdorf", "Cdorf", "Ddorf")
    ]
    like, other = story("Platanen", "Sie leiden."), story("Postkarten", "Sie reisen.")
    alone = scores(like, other, of=essay())
    beside = scores(*sure, like, other, of=essay())
    assert beside["Platanen"].score - alone["Platanen"].score > 0.1
    assert beside["Platanen"].score > beside["Postkarten"].score
    assert beside["Platanen"].evidence < ranking.FLOOR  # lent words open no door


def test_stems_in_c_and_in_python_are_the_same():
    shipped = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    words = sorted({
        word.lower() for one in shipped.concepts for word in (*one.words, *one.hints)
        if word.isalpha()
    })  # fmt: skip
    slow = GermanStemmer()
    assert len(words) > 2000
    assert [stem(word, "de") for word in words[::5]] == [slow.stemWord(word) for word in words[::5]]


def test_a_change_of_the_vocabulary_makes_a_new_revision(publication):
    text = "Regenwasser halten: Regenwassernutzung, Rigolen, Mulden in der Schwammstadt.\n"
    publication.essay("Wenn der Himmel aufmacht", text, topics="[Schwammstadt]")
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


def test_the_vocabulary_that_comes_along_is_sound():
    shipped = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    ours = [one for one in shipped.concepts if not one.outside]
    assert len(ours) >= 150
    assert all(len(one.words) >= 5 for one in ours)
    entries = sum(len(one.words) for one in ours)
    assert entries / len(ours) > 12
    lexicon = Lexicon(shipped)
    assert "Lehmbau" not in lexicon.told("Lehmann gewinnt die Wahl in Stadtallendorf")
    assert lexicon.told("", "Zisterne und Rigole")["Schwammstadt"].activation > 0.5


def test_a_new_publication_gets_the_vocabulary(publication):
    mine = (publication.home / "content/vocabulary.toml").read_bytes()
    assert mine == (ROOT / "content/vocabulary.toml").read_bytes()
