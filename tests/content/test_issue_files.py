"""Reading the files of single issues: values, and everything that is wrong with its line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from upcycle_news.content.issue_files import essay_errors, read_issue_files
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, EssayPlace, IssueId

ISSUE = IssueId.parse("2026-11-26")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "content/issues").mkdir(parents=True)
    return tmp_path


def put(folder: Path, text: str, name: str = "2026-11-26.md") -> None:
    (folder / "content/issues" / name).write_text(text, encoding="utf-8")


def read(folder: Path):
    return read_issue_files(folder / "content", folder, BERLIN, "de")


def errors(folder: Path, head: str, body: str = "") -> list[str]:
    """Return the errors of a file with this head, in German, each with its line."""
    put(folder, f"---\n{head}\n---\n{body}")
    return [
        error.in_language("de").partition("content/issues/")[2] for _, error in read(folder).errors
    ]


def essay(slug: str, **fields: object) -> Essay:
    values = {"title": slug, "author": "", "date": date(2026, 11, 1), "language": "de"} | fields
    return Essay(slug=slug, source=f"{slug}.md", summary="", body="Text.", **values)  # type: ignore[arg-type]


def test_without_the_folder_or_a_file_there_is_none(tmp_path: Path, folder: Path) -> None:
    assert read_issue_files(tmp_path / "nothing", tmp_path, BERLIN, "de").files == {}
    assert read(folder).of(ISSUE) is None


def test_all_keys_are_optional_and_an_empty_one_is_none(folder: Path) -> None:
    put(folder, localized("issue-file-scaffold").in_language("de").lstrip())
    found = read(folder).of(ISSUE)
    assert found is not None
    file = found.file
    assert (file.subject, file.essays, file.pin, file.not_before, file.greeting) == (
        "",
        (),
        (),
        None,
        "",
    )
    put(folder, "---\n---\n")
    assert read(folder).of(ISSUE) is not None


def test_every_key_is_read(folder: Path) -> None:
    put(
        folder,
        "---\nsubject: 'Was *hält*'\npreheader: Zwei Texte\nclosing_note: Bis bald.\nessays:\n"
        "  - lob-der-schraube: full\n  - die-rolltreppe-steht\nleave_out: [naechster, https://example.org/a]\n"
        "pin: [https://example.org/b]\nfeeds_title: Andere\nnot_before: 07:30\n---\n\nGuten *Morgen*,\n\nja.\n",
    )
    found = read(folder).of(ISSUE)
    assert found is not None
    file = found.file
    assert (file.subject, file.preheader, file.closing_note) == (
        "Was hält",
        "Zwei Texte",
        "Bis bald.",
    )
    assert file.essays == (
        EssayPlace("lob-der-schraube", "full"),
        EssayPlace("die-rolltreppe-steht"),
    )
    assert (file.leave_out, file.pin) == (
        ("naechster", "https://example.org/a"),
        ("https://example.org/b",),
    )
    assert (file.feeds_title, file.greeting) == ("Andere", "Guten *Morgen*,\n\nja.")
    assert file.not_before == datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
    assert (file.body_line, found.line("essays", "die-rolltreppe-steht")) == (14, 7)


def test_a_question_has_two_to_five_answers(folder: Path) -> None:
    put(
        folder,
        "---\nquestion: Was *hält* länger?\nanswers:\n- yes\n- 'Nein: nie'\n- a\n- b\n- c\n---\n",
    )
    found = read(folder).of(ISSUE)
    assert found is not None
    assert found.file.question == "Was hält länger?"
    assert found.file.answers == ("yes", "Nein: nie", "a", "b", "c")


def test_a_greeting_may_be_a_key(folder: Path) -> None:
    put(folder, "---\npin: []\ngreeting: Guten *Morgen*\n---\n")
    found = read(folder).of(ISSUE)
    assert found is not None
    assert (found.file.greeting, found.file.body_line) == ("Guten *Morgen*", 3)


@pytest.mark.parametrize(
    "written",
    ["07:30", '"7:30"', "7.30 Uhr", "2026-11-26 07:30", "2026-11-26T07:30:00", "7:30 Uhr"],
)
def test_a_time_may_be_written_as_people_do(folder: Path, written: str) -> None:
    put(folder, f"---\nnot_before: {written}\n---\n")
    found = read(folder).of(ISSUE)
    assert found is not None
    assert found.file.not_before == datetime(2026, 11, 26, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("subjekt: x", "2026-11-26.md:2: „subjekt“ ist kein Schlüssel der Datei einer Ausgabe (meinen Sie „subject“?)"),
        ("subject: x\nBetreff: y", "2026-11-26.md:3: „Betreff“ heißt hier „subject“."),
        ("title: x", "2026-11-26.md:2: „title“ heißt hier „subject“."),
        ("Pin: []", "2026-11-26.md:2: „Pin“ heißt hier „pin“."),
        ("date: 2026-11-26", "2026-11-26.md:2: „date“ gibt es hier nicht, denn den Tag nennt der Name der Datei."),
        ("subject: x\nsubject: y", "2026-11-26.md:3: „subject“ steht zweimal da, zuerst in Zeile 2."),
        ("subject: [x]", "2026-11-26.md:2: „subject“ ist kein Text."),
        ("subject: Hallo {{ name }}", "2026-11-26.md:2: {{ sieht wie ein Stück Vorlage aus."),
        ("subject: eins\npreheader: zwei # drei", "2026-11-26.md:3: Das # in Spalte 17 schneidet den Text ab"),
        ("essays: lob", "2026-11-26.md:2: „essays“ ist keine Liste von Texten."),
        ("essays: {lob: full}", "2026-11-26.md:2: „essays“ ist keine Liste von Texten."),
        ("essays:\n- lob\n- [a]", "2026-11-26.md:4: „essays“ ist keine Liste von Texten."),
        ("essays:\n- lob: ganz", "2026-11-26.md:3: „lob“ kann nicht „ganz“ sein"),
        ("essays:\n- lob\n- lob", "2026-11-26.md:4: „lob“ steht zweimal in „essays“."),
        ("essays:\n- lob\n- tür: full", "2026-11-26.md:4: „tür“ folgt auf einen anderen Essay"),
        ("pin: [example.org]", "2026-11-26.md:2: „pin“ enthält „example.org“, das ist keine Adresse."),
        ("leave_out:\n- a\n- ftp://x", "2026-11-26.md:4: „leave_out“ enthält „ftp://x“"),
        ("leave_out: [a: full]", "2026-11-26.md:2: „leave_out“ ist keine Liste von Texten."),
        ("not_before: bald", "2026-11-26.md:2: „not_before“ ist keine Uhrzeit: bald."),
        ("not_before: 24:01", "2026-11-26.md:2: „not_before“ ist keine Uhrzeit: 24:01."),
        ("not_before: 2026-02-30 07:00", "2026-11-26.md:2: „not_before“ ist keine Uhrzeit"),
        ("not_before: 2026-11-27 07:00", "2026-11-26.md:2: „not_before“ nennt einen anderen Tag"),
        (
            "pin:\n- https://example.org/a?utm_source=x\nleave_out: [https://example.org/a]",
            "2026-11-26.md:3: „https://example.org/a?utm_source=x“ steht in „pin“ und in „leave_out“.",
        ),
        ("question: Und Sie?", "2026-11-26.md:2: Zu dieser Frage gibt es keine Antworten."),
        ("question: Und Sie?\nanswers: []", "2026-11-26.md:3: Wer antwortet, braucht mindestens zwei Antworten"),
        ("question: Und Sie?\nanswers: [Ja]", "2026-11-26.md:3: Wer antwortet, braucht mindestens zwei Antworten"),
        ("answers: [Ja, Nein]", "2026-11-26.md:2: Zu diesen Antworten gibt es keine Frage."),
        ("question: ''\nanswers: [Ja, Nein]", "2026-11-26.md:3: Zu diesen Antworten gibt es keine Frage."),
        ("question: Und Sie?\nanswers:\n- Ja\n- Nein\n- ' JA '", "2026-11-26.md:6: „JA“ steht zweimal in „answers“."),
        ("question: Und Sie?\nanswers:\n- Ja\n- ''\n- Nein", "2026-11-26.md:5: Diese Antwort ist leer."),
        ("question: Und Sie?\nanswers:\n- 'Ja: sofort'\n- Nein: nie", "2026-11-26.md:5: Hinter dem Doppelpunkt von „Nein“"),
        ("question: Q\nanswers: [a, b, c, d, e, f]", "2026-11-26.md:3: „f“ ist eine Antwort zu viel: Eine Frage hat höchstens 5."),
        ("question: Q\nanswers: Ja", "2026-11-26.md:3: „answers“ ist keine Liste von Texten."),
        ("question: Q\nanswers: [Ja, '{{ nein }}']", "2026-11-26.md:3: {{ sieht wie ein Stück Vorlage aus."),
        ("Frage: Q", "2026-11-26.md:2: „Frage“ heißt hier „question“."),
        ("- subject", "2026-11-26.md:2: Der Kopf ist keine Liste von Schlüsseln."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_at_its_line(folder: Path, head: str, expected: str) -> None:
    found = errors(folder, head)
    assert len(found) == 1, found
    assert found[0].startswith(expected)
    with pytest.raises(ContentError):
        read(folder).of(ISSUE)
    assert read(folder).of(IssueId.parse("2026-11-27")) is None  # another issue is not concerned


@pytest.mark.parametrize(
    ("day", "at", "fits"),
    [
        ("2027-03-28", "02:30", False),  # the hour that is not
        ("2027-10-31", "02:30", False),  # the hour that is there twice
        ("2027-03-28", "01:59", True),
        ("2027-03-28", "03:00", True),
        ("2027-10-31", "01:59", True),
        ("2027-10-31", "03:00", True),
    ],
)
def test_a_time_in_the_night_of_a_clock_change_is_one_moment_or_refused(
    folder: Path, day: str, at: str, fits: bool
) -> None:
    put(folder, f"---\nnot_before: {at}\n---\n", f"{day}.md")
    errors = [error.in_language("de") for _, error in read(folder).errors]
    assert fits == (not errors)
    assert fits or f":2: Am {day[8:]}.{day[5:7]}.2027 werden die Uhren umgestellt" in errors[0]


@pytest.mark.parametrize(
    "written", ["2026-11-20-lob.md", "2026-11-20-lob", "content/essays/2026-11-20-lob.md", "lob.md"]
)
def test_an_essay_named_by_its_file_is_told_by_its_name(folder: Path, written: str) -> None:
    put(folder, f"---\nessays: [{written}]\n---\n")
    found = read(folder).of(ISSUE)
    assert found is not None
    known = [essay(slug) for slug in ("lob", "rolltreppe", "laden", "garten")]
    error = essay_errors(found, ISSUE, known, (), 5)[0]
    assert error.in_language("de").endswith(f"Es gibt keinen Essay „{written}“ (meinen Sie „lob“?)")


def test_all_that_is_wrong_is_named_at_once(folder: Path) -> None:
    found = errors(folder, "subjekt: x\npin: y\nnot_before: z")
    assert [line.split(":")[1] for line in found] == ["2", "3", "4"]


def test_a_greeting_in_both_places_is_refused(folder: Path) -> None:
    assert "steht zweimal da" in errors(folder, "greeting: Hallo", "\nHallo\n")[0]


def test_a_file_without_a_head_is_refused(folder: Path) -> None:
    put(folder, "Guten Morgen!\n")
    with pytest.raises(ContentError, match=r"2026-11-26\.md:1: the front matter is missing"):
        read(folder).of(ISSUE)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("advent.md", "nennt keinen Tag"),
        ("26.11.2026.md", "nennt keinen Tag"),
        ("2026-02-30.md", "nennt keinen Tag"),
        ("2026-11-26-0.md", "Nennen Sie sie 2026-11-26.md"),
        ("2026-11-26-advent.md", "Nennen Sie sie 2026-11-26.md"),
        ("2026-11-26.MD", "Nennen Sie sie 2026-11-26.md"),
        ("2026-11-26.md.txt", "Nennen Sie sie 2026-11-26.md"),
        ("2026-11-26-1.md", "Nennen Sie sie 2026-11-26.md"),
        ("2026-11-26-2 neu.md", "Nennen Sie sie 2026-11-26-2.md"),
    ],
)
def test_a_name_that_is_no_issue_is_an_error_and_never_ignored(
    folder: Path, name: str, hint: str
) -> None:
    put(folder, "---\nsubject: x\n---\n", name)
    [(issue, error)] = read(folder).errors
    assert error.in_language("de").startswith(f"content/issues/{name}:1: ")
    assert hint in error.in_language("de")
    with pytest.raises(ContentError):
        read(folder).of(issue or ISSUE)  # without a day it may be meant for any issue


def test_what_is_no_file_of_an_issue_is_left_alone(folder: Path) -> None:
    for name in (".2026-11-26.md.swp", "2026-11-26.md~", "README.md", "README"):
        put(folder, "x", name)
    (folder / "content/issues/alt").mkdir()
    put(folder, "---\n---\n", "2026-11-26-2.md")
    found = read(folder)
    assert (list(found.files), found.errors) == ([IssueId.parse("2026-11-26-2")], ())


def test_the_essays_of_a_file_must_be_there_and_due(folder: Path) -> None:
    put(
        folder,
        "---\nessays:\n- eins\n- zwie\n- entwurf\n- morgen\n- alt\n- raus\n- sieben\n"
        "leave_out: [raus, nichts]\n---\n",
    )
    known = [
        essay("eins"),
        essay("zwei"),
        essay("entwurf", status="draft"),
        essay("morgen", date=date(2026, 11, 27)),
        essay("alt"),
        essay("raus"),
        essay("sieben"),
    ]
    found = read(folder).of(ISSUE)
    assert found is not None
    said = [error.in_language("de") for error in essay_errors(found, ISSUE, known, {"alt"}, 6)]
    assert [line.split(":")[1] for line in said] == ["4", "5", "6", "7", "8", "9", "10"]
    for line, expected in zip(
        said,
        (
            "Es gibt keinen Essay „zwie“ (meinen Sie „zwei“?)",
            "ist noch ein Entwurf",
            "ist vom 27.11.2026",
            "stand schon in einer Ausgabe",
            "steht in „essays“ und in „leave_out“",
            "höchstens 6 Essays",
            "Es gibt keinen Essay „nichts“",
        ),
        strict=True,
    ):
        assert expected in line
