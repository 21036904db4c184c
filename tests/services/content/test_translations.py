"""A translation of an essay: begun, imported, listed, read, and what has to agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.content.essays import EssayCollection, read_essays

from ...publications import Publication
from ...two_languages import ENGLISH, make_bilingual, write_translated


@pytest.fixture
def bilingual(publication: Publication) -> Publication:
    make_bilingual(publication)
    write_translated(publication)
    return publication


def collection(publication: Publication) -> EssayCollection:
    return read_essays(publication.home / "content", publication.home, "de")


def errors(publication: Publication, english: str) -> list[str]:
    write_translated(publication, english)
    return [f"{one.line}: {one.text}" for one in collection(publication).errors]


def test_two_files_are_one_essay_and_its_translation(bilingual: Publication) -> None:
    (essay,) = collection(bilingual).essays
    (english,) = essay.translations
    assert (essay.slug, essay.language, essay.folder) == ("schraube", "de", "")
    assert (english.slug, english.language, english.folder) == ("schraube", "en", "en")
    # What the translation leaves out is that of its essay.
    assert (english.date, english.author, english.topics) == (
        essay.date,
        essay.author,
        essay.topics,
    )
    assert english.title == "In Praise of the Screw"


@pytest.mark.parametrize("name", ["2026-11-20-schraube.md", "schraube.de.md", "schraube.md"])
def test_the_file_of_the_publications_language_may_do_without_its_suffix(
    bilingual: Publication, name: str
) -> None:
    folder = bilingual.home / "content/essays"
    (folder / "2026-11-20-schraube.de.md").rename(folder / name)
    (essay,) = collection(bilingual).essays
    assert (essay.language, len(essay.translations)) == ("de", 1)


def test_an_essay_in_english_alone_needs_no_german_one(publication: Publication) -> None:
    german, _ = write_translated(publication, ENGLISH.replace("---\n", "---\ndate: 2026-11-20\n", 1))  # fmt: skip
    german.unlink()
    (essay,) = collection(publication).essays
    assert (essay.slug, essay.language, essay.folder) == ("schraube", "en", "")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("date: 2026-11-21", "date"),
        ("author: Jemand", "author"),
        ("topics: [garten]", "topics"),
        ("pin: [https://example.org/x]", "pin"),
        ("ban: [Wort]", "ban"),
    ],
)
def test_what_holds_for_both_and_differs_is_an_error_at_its_line(
    bilingual: Publication, line: str, key: str
) -> None:
    (error,) = errors(bilingual, ENGLISH.replace("---\n", f"---\n{line}\n", 1))
    assert error.startswith(f"2: '{key}'")
    assert "2026-11-20-schraube.de.md" in error


def test_topics_agree_in_any_order_and_case(bilingual: Publication) -> None:
    assert errors(bilingual, ENGLISH.replace("---\n", "---\ntopics: [Bauen]\n", 1)) == []


def test_a_language_that_is_not_that_of_the_name_is_an_error(bilingual: Publication) -> None:
    (error,) = errors(bilingual, ENGLISH.replace("---\n", "---\nlanguage: de\n", 1))
    assert error.startswith("2: 'language'")


def test_two_files_in_one_language_are_an_error(bilingual: Publication) -> None:
    german = bilingual.home / "content/essays/2026-11-20-schraube.de.md"
    german.with_name("schraube.md").write_text(german.read_text("utf-8"), "utf-8")
    (error,) = collection(bilingual).errors
    assert "schraube.de.md" in str(error.text)


def test_the_picture_of_both_is_named_once(bilingual: Publication) -> None:
    from PIL import Image

    Image.new("RGB", (20, 10)).save(bilingual.home / "content/images/a.png")
    german, _ = write_translated(bilingual, ENGLISH.replace("---\n", "---\nimage_alt: A screw\n", 1))  # fmt: skip
    german.write_text(german.read_text("utf-8").replace("---\n", "---\nimage: a.png\nimage_alt: Eine Schraube\n", 1), "utf-8")  # fmt: skip
    (essay,) = collection(bilingual).essays
    (other,) = essay.translations
    assert essay.image is not None
    assert other.image is not None
    assert (other.image.path, other.image.alt) == ("a.png", "A screw")


def test_a_broken_essay_hides_no_error_of_its_translation(bilingual: Publication) -> None:
    german, _ = write_translated(bilingual, ENGLISH.replace("title: In", "titel: In"))
    german.write_text(german.read_text("utf-8").replace("title:", "titel:"), "utf-8")
    assert {error.where for error in collection(bilingual).errors} == {
        "content/essays/2026-11-20-schraube.de.md",
        "content/essays/2026-11-20-schraube.en.md",
    }


def test_a_translation_is_begun_beside_its_essay(publication: Publication) -> None:
    make_bilingual(publication)
    publication.write_essay("Schule")
    made = publication.run("essay", "new", "The School", "--translates", "schule").out.strip()
    assert made.endswith("content/essays/2024-05-02-schule.en.md")
    head = Path(made).read_text("utf-8")
    assert 'title: "The School"' in head
    assert "date:" not in head
    assert "status: draft" in head
    refused = publication.run("essay", "new", "Again", "--translates", "schule", code=1)
    assert made.rpartition("/")[2] in refused.err or "schule" in refused.err


def test_an_essay_that_is_not_there_cannot_be_translated(publication: Publication) -> None:
    publication.write_essay("Schule")
    refused = publication.run("essay", "new", "The School", "--translates", "schul", code=1)
    assert "schule" in refused.err


def test_a_manuscript_becomes_a_translation(publication: Publication, tmp_path: Path) -> None:
    make_bilingual(publication)
    publication.write_essay("Schule")
    manuscript = tmp_path / "school.txt"
    manuscript.write_text(
        "The School\n\nThe school stands. It is all there and it is used.\n", "utf-8"
    )
    made = publication.run("essay", "import", str(manuscript), "--translates", "schule").out.strip()
    assert made.endswith("2024-05-02-schule.en.md")
    (essay,) = collection(publication).essays
    assert essay.translations[0].title == "The School"
    assert essay.translations[0].date == essay.date


def test_the_list_names_translations_below_their_essay(bilingual: Publication) -> None:
    listed = bilingual.run("essay", "list").out
    assert listed.index("Lob der Schraube") < listed.index("In Praise of the Screw")
    (entry,) = bilingual.run("essay", "list", "--json").lines
    assert entry["translations"] == [
        {
            "language": "en",
            "title": "In Praise of the Screw",
            "status": "ready",
            "file": "content/essays/2026-11-20-schraube.en.md",
        }
    ]
