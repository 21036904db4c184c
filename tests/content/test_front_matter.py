"""Front matter as editors and other programs write it: what is read, and what is told at which line."""

from __future__ import annotations

import unicodedata
from datetime import date
from pathlib import Path

import pytest

from upcycle_news.content.essays import read_essays
from upcycle_news.models import Essay

DAY = "date: 2026-10-05"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "content/essays").mkdir(parents=True)
    (tmp_path / "content/images").mkdir()
    return tmp_path


def read(folder: Path, head: str, body: str = "Ein Haus.", fence: str = "---") -> list[Essay | str]:
    """Return the essay with this head, or its errors as ``line: sentence`` in German."""
    text = f"{fence}\n{head}\n{fence}\n\n{body}\n"
    (folder / "content/essays/x.md").write_text(text, encoding="utf-8")
    collection = read_essays(folder / "content", folder, "de")
    errors = [
        error.in_language("de").removeprefix("content/essays/x.md:") for error in collection.errors
    ]
    return [*collection.essays, *errors]


def essay(folder: Path, head: str, fence: str = "---") -> Essay:
    [found] = read(folder, head, fence=fence)
    assert isinstance(found, Essay), found
    return found


def only_error(folder: Path, head: str, fence: str = "---") -> str:
    [error] = read(folder, head, fence=fence)
    assert isinstance(error, str)
    return error


@pytest.mark.parametrize(
    ("head", "line", "column", "written"),
    [
        (f"title: Platz #3 am Markt\n{DAY}", 2, 14, 'title: "Platz #3 am Markt"'),
        (f"title: Platz # und mehr\n{DAY}", 2, 14, 'title: "Platz # und mehr"'),
        (f"title: Umbau\n{DAY}\nauthor: Anna #1", 4, 14, 'author: "Anna #1"'),
        (f"title: Umbau\n{DAY}\nsummary: Glück  # und wir", 4, 17, 'summary: "Glück # und wir"'),
        (f"title: Umbau\n{DAY}\nsummary: Es geht\n  gut # und\n  weiter", 5, 7, 'summary: "Es geht gut # und weiter"'),
        (f"title: Umbau\n{DAY}\nsummary: Es geht\n  gut #1", 5, 7, 'summary: "Es geht gut #1"'),
        (f"title: #1 in Halle\n{DAY}", 2, 8, 'title: "#1 in Halle"'),
        (f'title: Das "Haus" #3\n{DAY}', 2, 19, 'title: "Das \\"Haus\\" #3"'),
    ],
)  # fmt: skip
def test_a_number_sign_that_cuts_a_text_off_is_an_error_at_its_column(
    folder: Path, head: str, line: int, column: int, written: str
) -> None:
    error = only_error(folder, head)
    assert error.startswith(f"{line}: Das # in Spalte {column} schneidet den Text ab")
    assert error.endswith(written)
    assert isinstance(read(folder, mended(head, line, written))[0], Essay)


def mended(head: str, line: int, written: str) -> str:
    """Return the head with the sentence's advice followed."""
    lines = head.split("\n")
    first = next(n for n in range(line - 2, -1, -1) if not lines[n].startswith(" "))
    last = first + 1
    while last < len(lines) and lines[last].startswith(" "):
        last += 1
    return "\n".join([*lines[:first], written, *lines[last:]])


@pytest.mark.parametrize(
    "head",
    [
        f'# Für die Redaktion\ntitle: "Platz #3"  # noch prüfen\n{DAY}  # ein Montag\nstatus: ready  # fertig',
        f"title: 'Platz #3'\n{DAY}\ntopics: [bauen]  # mehr?",
        f"title: C#-Dur und Nr.#4\n{DAY}",
        f"title: Umbau\n{DAY}\nsummary:  # zwei Sätze",
        f"title: Umbau\n{DAY}\nauthor: # wer?",
        f"title: Umbau\n{DAY}\nsummary: >  # gefaltet\n  Der Laden #3\n  am Markt",
        f"title: Umbau\n{DAY}\nsummary: |\n  Der Laden # und wir",
        f"title: Umbau\n  im Winter\n{DAY}\n# Schluss",
        f"title: Umbau\n# dazwischen\n{DAY}",
        f"title: Umbau\n{DAY}\nextra:\n  part: 3  # von fünf",
        f"title: Umbau\n{DAY}\nextra:  # eigene Felder\n  part: 3 #drei\n  ort: Halle # an der Saale",
        f"title: Umbau\n{DAY}\ntopics:\n  - bestand # ein Thema\n  # - dach\n  - 'hof #2'",
    ],
)
def test_comments_and_quoted_number_signs_are_no_mistake(folder: Path, head: str) -> None:
    essay(folder, head)


@pytest.mark.parametrize(
    ("lines", "line", "column", "written"),
    [
        ("extra:\n  ort: Platz #3", 5, 14, 'ort: "Platz #3"'),
        ("extra:\n  farbe: #c8102e", 5, 10, 'farbe: "#c8102e"'),
        ("extra:\n  orte:\n    - Halle\n    - Platz #3", 7, 13, '- "Platz #3"'),
        ("topics:\n  - haus #2\n  - hof", 5, 10, '- "haus #2"'),
    ],
)
def test_a_number_sign_that_cuts_an_entry_off_is_an_error_in_lists_and_tables(
    folder: Path, lines: str, line: int, column: int, written: str
) -> None:
    error = only_error(folder, f"title: Umbau\n{DAY}\n{lines}")
    assert error.startswith(f"{line}: Das # in Spalte {column} schneidet den Text ab")
    assert error.endswith(written)


def test_texts_keep_their_number_signs(folder: Path) -> None:
    found = essay(folder, f'title: "Platz #3 in C#-Dur"  # x\n{DAY}\nsummary: >\n  Der #1\n  Laden')
    assert (found.title, found.summary) == ("Platz #3 in C#-Dur", "Der #1 Laden")


def test_the_text_of_a_picture_in_a_table_is_looked_at_too(folder: Path) -> None:
    (folder / "content/images/a.png").write_bytes(b"\x89PNG")
    head = f"title: Umbau\n{DAY}\nimage:\n  path: a.png\n  alt: Haus #3"
    assert only_error(folder, head).startswith("6: Das # in Spalte 13")


@pytest.mark.parametrize(
    "written",
    ["2026-10-05T07:30:00+02:00", "2026-10-05 07:30:00 +0200", "05.10.2026", '"5. Oktober 2026"'],
)
def test_a_date_of_another_program_is_its_day(folder: Path, written: str) -> None:
    assert essay(folder, f"title: Umbau\ndate: {written}").date == date(2026, 10, 5)


def test_an_ambiguous_date_is_asked_about_and_a_wrong_one_refused(folder: Path) -> None:
    assert only_error(folder, "title: a\ndate: 26.11.26").startswith("3: „date“ lässt sich versch")
    assert "Schreiben Sie etwa 2026-11-26" in only_error(folder, "title: a\ndate: 05/11/2026")
    assert "kein Kalender" in only_error(folder, "title: a\ndate: 31.02.2026")


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("tags: [bestand, klein stadt]", '„tags“ heißt hier „topics“. Schreiben Sie topics: [bestand, "klein stadt"]'),
        ("categories:\n  - bestand", "Schreiben Sie topics: [bestand]"),
        ("keywords: bestand, laden", "Schreiben Sie topics: [bestand, laden]"),
        ("draft: true", "„draft“ heißt hier „status“. Schreiben Sie status: draft"),
        ("draft: false", "Schreiben Sie status: ready"),
        ("published: false", "„published“ heißt hier „status“. Schreiben Sie status: draft"),
        ("publish: true", "Schreiben Sie status: ready"),
        ("published: 2026-01-05", "Schreiben Sie date: 2026-01-05"),
        ("description: Ein Laden", 'Schreiben Sie summary: "Ein Laden"'),
        ("cover: images/a.png", "Schreiben Sie image: images/a.png"),
        ("Autorin: Anna", "Schreiben Sie author: Anna"),
        ("lang: de", "Schreiben Sie language: de"),
        ("slug: der-laden", "Benennen Sie die Datei um"),
        ("layout: post", "Löschen Sie die Zeile"),
        ("titles: x", "(meinen Sie „title“?)"),
    ],
)  # fmt: skip
def test_a_key_of_another_program_is_told_with_what_to_write(
    folder: Path, line: str, advice: str
) -> None:
    error = only_error(folder, f"title: Umbau\n{DAY}\n{line}")
    assert error.startswith("4: ")
    assert advice in error


@pytest.mark.parametrize(
    ("head", "mark"),
    [
        (f'title: "Unser {{{{ Laden }}}}"\n{DAY}', "{{ sieht wie ein Stück Vorlage aus"),
        (f'title: "{{% x %}}"\n{DAY}', "{% sieht wie ein Stück Vorlage aus"),
        (f'title: "Umbau %%vertraulich%%"\n{DAY}', "private Bemerkung"),
        (f'title: "Umbau <!-- fragen -->"\n{DAY}', "private Bemerkung"),
        (f'author: "[[Anna Muster]]"\ntitle: Umbau\n{DAY}', "Schreiben Sie nur Anna Muster"),
        (f'title: "Umbau der [[Halle|alten Halle]]"\n{DAY}', "Schreiben Sie nur alten Halle"),
        (f'extra: {{teil: ["a", "%%b%%"]}}\ntitle: Umbau\n{DAY}', "private Bemerkung"),
    ],
)
def test_pieces_of_templates_and_private_notes_in_the_head_are_errors_at_their_line(
    folder: Path, head: str, mark: str
) -> None:
    error = only_error(folder, head)
    assert error.startswith("2: ")
    assert mark in error


def test_a_single_brace_or_percent_sign_in_a_title_is_text(folder: Path) -> None:
    assert essay(folder, f'title: "{{Laden}} 100 % von 100%"\n{DAY}').title.startswith("{Laden}")


@pytest.mark.parametrize(
    "path", ["a.png", "./a.png", "images/a.png", "../images/a.png", "/images/a.png"]
)
def test_a_picture_may_be_named_by_any_way_to_it(folder: Path, path: str) -> None:
    (folder / "content/images/a.png").write_bytes(b"\x89PNG")
    found = essay(folder, f"title: Umbau\n{DAY}\nimage: {path}\nimage_alt: Ein Haus")
    assert found.image is not None
    assert found.image.path == "a.png"


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/static/img/a.png", "Schreiben Sie image: a.png"),
        ("https://example.org/a.png", "Schreiben Sie image: a.png"),
        ("C:\\\\Bilder\\\\a.png", "Schreiben Sie image: a.png"),
        ("../geheim/", "Schreiben Sie image: name.jpg"),
        ("bahnhof.jpg", "(meinen Sie „Bahnhof.JPG“?)"),
        ("fotos/Bahnhof.jpg", "(meinen Sie „Bahnhof.JPG“?)"),
        ("ganz-anders.png", "verbessern Sie den Namen."),
    ],
)
def test_a_picture_that_is_not_there_is_told_with_the_words_to_write(
    folder: Path, path: str, advice: str
) -> None:
    (folder / "content/images/Bahnhof.JPG").write_bytes(b"\xff\xd8\xff")
    head = f'title: Umbau\n{DAY}\nimage: "{path}"\nimage_alt: Ein Haus'
    assert only_error(folder, head).endswith(advice)


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_the_form_of_an_umlaut_does_not_part_a_picture_from_its_name(
    folder: Path, on_disk: str, written: str
) -> None:
    name = unicodedata.normalize(on_disk, "Türschlösser.png")  # type: ignore[arg-type]
    (folder / "content/images" / name).write_bytes(b"\x89PNG")
    head = unicodedata.normalize(written, "image: Türschlösser.png")  # type: ignore[arg-type]
    found = essay(folder, f"title: Umbau\n{DAY}\n{head}\nimage_alt: Schlösser")
    assert found.image is not None
    assert found.image.path == unicodedata.normalize("NFC", "Türschlösser.png")


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (f"title: Der Laden: offen\n{DAY}", "2: Ein Doppelpunkt in einem Text"),
        (f"author: A\ntitle: *Der Laden*\n{DAY}", "3: Der Kopf lässt sich hier nicht lesen"),
        (f"title:Der Laden\n{DAY}", "2: Hinter dem Namen gehört ein Doppelpunkt"),
        (f"title = Der Laden\n{DAY}", "2: Hinter dem Namen gehört ein Doppelpunkt"),
        ("title: Der Laden\ndate:2026-10-05", "3: Hinter dem Namen gehört ein Doppelpunkt"),
        (f"title: 'Der Laden\n{DAY}", "2: Ein Anführungszeichen, das nichts schließt"),
    ],
)
def test_a_head_that_is_no_yaml_is_told_at_the_slip_with_what_to_write(
    folder: Path, head: str, error: str
) -> None:
    found = only_error(folder, head)
    assert found.startswith(error)
    assert found.endswith(('"Der Laden: offen"', '"*Der Laden*"', "title: Der Laden", DAY, ' "'))


TOML = """title = "Platz #3"  # noch prüfen
date = 2026-10-05T07:30:00+02:00
author = "Anna"
topics = ["bestand"]
[extra]
series = "Umbau"
part = 3"""


def test_the_head_of_hugo_in_toml_is_read(folder: Path) -> None:
    found = essay(folder, TOML, "+++")
    assert (found.title, found.date, found.author) == ("Platz #3", date(2026, 10, 5), "Anna")
    assert (found.topics, found.extra) == (("bestand",), {"series": "Umbau", "part": 3})
    assert found.body_line == 11


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (
            TOML.replace("author", "autor"),
            "4: „autor“ heißt hier „author“. Schreiben Sie author: Anna",
        ),
        (TOML.replace("author", "draft = true\nauthor"), "4: „draft“ heißt hier „status“"),
        (TOML.replace('["bestand"]', '"bestand"'), "5: „topics“ ist keine Liste"),
        (TOML.replace("2026-10-05T07:30:00+02:00", '"bald"'), "3: „date“ ist kein Datum"),
        (TOML.replace('"Anna"', "Anna"), "4: Das ist kein TOML"),
        (TOML.replace('"Platz #3"', '"Der {{ Laden }}"'), "2: {{ sieht wie"),
    ],
)
def test_a_mistake_in_a_toml_head_is_told_at_its_line(folder: Path, head: str, error: str) -> None:
    assert only_error(folder, head, "+++").startswith(error)


def test_a_toml_head_without_an_end_is_told_with_its_own_fence(folder: Path) -> None:
    (folder / "content/essays/x.md").write_text('+++\ntitle = "a"\n---\n\nText\n', encoding="utf-8")
    [error] = read_essays(folder / "content", folder, "de").errors
    assert "eine Zeile +++" in error.in_language("de")


@pytest.mark.parametrize("escape", [r"\ud800", r"\uDFFF", r"\U0000d83d", r"\ud83d\ude00"])
def test_half_a_character_is_refused_since_no_mail_could_hold_it(folder: Path, escape: str) -> None:
    head = f'{DAY}\ntitle: "a {escape} b"'
    assert only_error(folder, head).startswith("1: Der Kopf lässt sich nicht lesen.")
    assert essay(folder, head.replace('"', "'")).title == f"a {escape} b"
