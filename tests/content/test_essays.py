"""Reading essays: values, defaults and errors with their lines."""

from datetime import date
from pathlib import Path

import pytest

from upcycle_news.content.essays import essay_filename, read_essays, scaffold_essay

GOOD = """---
title: Was bleibt
author: Redaktion upcycle
date: 2026-10-05
topics: [Bauen, Kleinstadt]
---

Ein Haus steht leer. Das ist ein Anfang.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "content/essays").mkdir(parents=True)
    (tmp_path / "content/images").mkdir()
    (tmp_path / "content/images/haus.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


def put(folder: Path, text: str | bytes, name: str = "x.md") -> None:
    data = text.encode() if isinstance(text, str) else text
    (folder / "content/essays" / name).write_bytes(data)


def read(folder: Path):
    return read_essays(folder / "content", folder, "de")


def only_error(folder: Path) -> str:
    essays = read(folder)
    assert essays.essays == ()
    assert len(essays.errors) == 1, essays.errors
    return str(essays.errors[0])


def with_line(line: str) -> str:
    return GOOD.replace("topics:", f"{line}\ntopics:")


@pytest.mark.parametrize(
    ("written", "language"),
    [("de", "de"), ("de-AT", "de-AT"), ("de_CH", "de-CH"), ("EN-us", "en-US")],
)
def test_a_language_may_have_a_region_in_any_spelling(folder, written, language):
    put(folder, with_line(f"language: {written}"), "x.md")
    (essay,) = read(folder).essays
    assert essay.language == language


def test_an_essay_is_read_with_its_defaults(folder):
    put(folder, GOOD, "2026-10-05-was-bleibt.md")
    (essay,) = read(folder).essays
    assert essay.slug == "was-bleibt"
    assert essay.source == "content/essays/2026-10-05-was-bleibt.md"
    assert essay.date == date(2026, 10, 5)
    assert essay.language == "de"
    assert essay.status == "ready"
    assert essay.topics == ("Bauen", "Kleinstadt")
    assert essay.body == "Ein Haus steht leer. Das ist ein Anfang."
    assert essay.body_line == 8
    assert essay.summary == "Ein Haus steht leer. Das ist ein Anfang."


def test_a_folder_without_essays_is_an_empty_shelf(tmp_path):
    assert read(tmp_path).essays == ()


def test_the_summary_is_proposed_from_prose_not_from_headings(folder):
    put(folder, GOOD.replace("Ein Haus", "# Titel\n\n*Ein* [Haus](https://x.example)"))
    assert read(folder).essays[0].summary == "Ein Haus steht leer. Das ist ein Anfang."


def test_windows_line_ends_a_bom_and_decomposed_umlauts_are_normalised(folder):
    put(
        folder, b"\xef\xbb\xbf" + GOOD.replace("Haus", "Mu\u0308hle").replace("\n", "\r\n").encode()
    )
    assert read(folder).essays[0].body.startswith("Ein Mühle steht")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("2026-10-05", "5. Oktober"), "x.md:4: 'date' is not a date (write 2026-11-26)"),
        (GOOD.replace("2026-10-05", "2026-02-30"), "x.md:4: 'date' names a day that no calendar has, 2026-02-30"),
        (GOOD.replace("2026-10-05", "2026-10-05 26:00"), "x.md:4: 'date' is not a date"),
        (GOOD.replace("2026-10-05", "05.10.26"), "x.md:4: 'date' can be read in several ways: is it 2026-10-05? (write"),
        (GOOD.replace("date: 2026-10-05\n", ""), "x.md:1: 'date' is missing (write date: 2026-11-26)"),
        (GOOD.replace("Was bleibt", ""), "x.md:2: 'title' is empty"),
        (GOOD.replace("Was bleibt", "[a, b]"), "x.md:2: 'title' is not a text"),
        (GOOD.replace("Was bleibt", "Bauen: ja"), "x.md:2: a colon inside a text"),
        (GOOD.replace("Was bleibt", '"Was bleibt'), "x.md:2: a quotation mark that nothing closes"),
        (GOOD.replace("Was bleibt", '"Was "hier" bleibt"'), "x.md:2: quotation marks inside a text in quotation marks"),
        (with_line("summary:\tx"), "x.md:5: a tab character (write spaces instead)"),
        (with_line("\tsummary: x"), "x.md:5: a tab character (write spaces instead)"),
        (with_line("titel: x"), "x.md:5: 'titel' is called 'title' here (write title: x)"),
        (with_line("titles: x"), "x.md:5: 'titles' is not a key of an essay (did you mean 'title'?)"),
        (with_line("author: x"), "x.md:5: 'author' is there twice, first in line 3"),
        (with_line("status: redy"), "x.md:5: 'status' cannot be 'redy' (did you mean 'ready'?)"),
        (with_line("language: deutsch"), "x.md:5: 'language' is not a language"),
        (with_line("canonical: haus"), "x.md:5: 'canonical' is 'haus', which is not a link"),
        (with_line("pin: [nachbar]"), "x.md:5: 'pin' holds 'nachbar', which is not a link"),
        (with_line("ban: {a: b}"), "x.md:5: 'ban' is not a list of texts"),
        (with_line("summary: !!python/object:os.system x"), "x.md:5: 'summary' is not a text"),
        (GOOD.replace("[Bauen, Kleinstadt]", "Bauen"), "x.md:5: 'topics' is not a list of texts"),
        (GOOD.replace("\n---\n\nEin", "\n\nEin"), "x.md:1: the front matter has no end"),
        (GOOD.partition("Ein Haus")[0], "x.md:8: the essay has no text"),
        ("Nur Text\n", "x.md:1: the front matter is missing"),
        ("", "x.md:1: the front matter is missing"),
        (GOOD + "a\x07b", "x.md:9: the control character U+0007 (delete it)"),
        (GOOD + "a\u202eb", "x.md:9: the control character U+202E (delete it)"),
        (GOOD.encode() + b"\xfcber", "x.md:9: the byte 0xfc is not UTF-8 (save the file as UTF-8)"),
        (f"---\ntitle: {'[' * 999}\n---\nx", "x.md:1: the front matter is not YAML"),
        (with_line("image: haus.jpg"), "x.md:5: the image has no text for those who do not see it"),
        (with_line("image: fehlt.jpg\nimage_alt: x"), "x.md:5: the image 'fehlt.jpg' is not in content/images"),
        (with_line("image: ../haus.jpg\nimage_alt: x"), "x.md:5: the image '../haus.jpg' is not a path inside"),
        (with_line("image: /etc/passwd\nimage_alt: x"), "x.md:5: the image '/etc/passwd' is not a path inside"),
        (with_line("image:\n  path: haus.jpg\n  alte: x\n  alt: y"), "x.md:7: 'alte' is not a key of 'image'"),
        (with_line("image_alt: x"), "x.md:5: 'image_alt' without 'image'"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line_and_the_fix(folder, text, message):
    put(folder, text)
    assert only_error(folder).startswith("content/essays/" + message)


def test_all_mistakes_of_all_files_are_reported_at_once(folder):
    put(folder, with_line("statu: x").replace("2026-10-05", "gestern"), "a.md")
    put(folder, "x", "b.md")
    put(folder, GOOD, "c.md")
    essays = read(folder)
    assert [essay.slug for essay in essays.essays] == ["c"]
    assert [(e.where[-4:], e.line) for e in essays.errors] == [
        ("a.md", 4),
        ("a.md", 5),
        ("b.md", 1),
    ]


def test_an_image_is_read_from_both_notations(folder):
    put(folder, with_line("image: haus.jpg\nimage_alt: Ein Haus"), "a.md")
    put(folder, with_line("image: {path: haus.jpg, alt: Ein Haus}"), "b.md")
    first, second = read(folder).essays
    assert first.image == second.image
    assert (first.image.path, first.image.alt) == ("haus.jpg", "Ein Haus")


def test_svg_is_refused_even_under_another_name(folder):
    for name in ("a.svg", "b.png"):
        (folder / "content/images" / name).write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        put(folder, with_line(f"image: {name}\nimage_alt: x"))
        assert "is SVG, which mail programs do not show" in only_error(folder)


def test_an_image_cannot_be_linked_from_outside(folder):
    (folder / "secret.jpg").write_bytes(b"x")
    (folder / "content/images/link.jpg").symlink_to(folder / "secret.jpg")
    put(folder, with_line("image: link.jpg\nimage_alt: x"))
    assert "leads out of content/images" in only_error(folder)


def test_two_files_with_the_same_slug_are_an_error(folder):
    put(folder, GOOD, "2026-10-05-haus.md")
    put(folder, GOOD, "2026-11-05-haus.md")
    essays = read(folder)
    assert len(essays.essays) == 1
    assert "2026-10-05-haus.md has the same name without its date, 'haus'" in str(essays.errors[0])


def test_numbers_and_words_like_yes_are_titles_as_written(folder):
    put(folder, GOOD.replace("Was bleibt", "1984").replace("Redaktion upcycle", "Yes"))
    (essay,) = read(folder).essays
    assert (essay.title, essay.author) == ("1984", "Yes")


def test_a_new_draft_is_a_valid_essay(folder):
    put(folder, scaffold_essay('Bauen: "ja"', "Anna", date(2026, 11, 26), "de"))
    (essay,) = read(folder).essays
    assert (essay.title, essay.author, essay.status) == ('Bauen: "ja"', "Anna", "draft")


def test_file_names_are_ascii_and_german():
    name = essay_filename("Über Größe & Maß: geht's?", date(2026, 11, 26))
    assert name == "2026-11-26-ueber-groesse-mass-gehts.md"
    assert essay_filename("???", date(2026, 11, 26)) == "2026-11-26-essay.md"
    assert len(essay_filename("lange Wörter " * 30, date(2026, 11, 26))) <= 75


def test_entities_and_marks_of_the_head_become_plain_words(folder):
    put(folder, (
        '---\ntitle: "Garn &amp; Kn&ouml;pfe: ein *Laden*"\nauthor: "M&uuml;ller"\ndate: 2026-01-05\n'
        'summary: "Der **Laden** steht [leer](https://example.org/leer), R&D und 2 * 3."\n---\n\nText.\n'
    ))  # fmt: skip
    [essay] = read(folder).essays
    assert essay.title == "Garn & Knöpfe: ein Laden"
    assert essay.author == "Müller"
    assert essay.summary == "Der Laden steht leer, R&D und 2 * 3."


def test_a_summary_is_not_the_title_again(folder):
    put(folder, (
        '---\ntitle: "Der Laden"\nauthor: "Jonas Muster"\ndate: 2026-01-05\n---\n\n'
        "Der Laden\n\nVon Jonas Muster\n\nEr steht noch.\n"
    ))  # fmt: skip
    [essay] = read(folder).essays
    assert essay.summary == "Er steht noch."


def test_entities_and_marks_beside_a_picture_become_plain_words(folder):
    put(folder, with_line(
        'image: haus.jpg\nimage_alt: "Haus &amp; Hof"\nimage_caption: "Das **Haus** &ndash; alt"\n'
        'image_credit: "&copy; Muster"'
    ), "a.md")  # fmt: skip
    image = read(folder).essays[0].image
    assert (image.alt, image.caption, image.credit) == ("Haus & Hof", "Das Haus – alt", "© Muster")
