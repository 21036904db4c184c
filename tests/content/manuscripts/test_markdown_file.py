"""Markdown with the heads of other programs: taken over, told or refused with the line."""

from __future__ import annotations

from datetime import date

import pytest

from upcycle_news.content.manuscripts.compose import ImportRequest, compose_markdown
from upcycle_news.content.manuscripts.markdown_file import read_markdown
from upcycle_news.errors import ContentError

from .test_same_text import parts
from .writers import png


def imported(text: str, title: str | None = None, **more: object):
    day = date(2026, 11, 26)
    request = ImportRequest("x.md", title, day, None, None, "de", **more)  # type: ignore[arg-type]
    beside = {"bild.png": png(), "bilder/tor.png": png("#fff")}
    return compose_markdown(
        read_markdown(text, "x.md"), request, beside.get, lambda title, data: f"neu-{len(data)}.png"
    )


HEADS = [
    '---\ntitle: "Die Werkstatt"\nauthor: Rosa Beispiel\ndate: 2026-01-05\ntags: [bestand, kanal]\ndraft: true\n---',
    "---\ntitle: Die Werkstatt\nauthors:\n  - Rosa Beispiel\ndate: 2026-01-05T07:30:00+01:00\n"
    "categories:\n- bestand\n- kanal\ndraft: true\n---",
    '+++\ntitle = "Die Werkstatt"\nauthor = "Rosa Beispiel"\ndate = 2026-01-05\ntags = ["bestand", "kanal"]\n'
    "draft = true\n+++",
    '{\n "title": "Die Werkstatt",\n "author": "Rosa Beispiel", "date": "2026-01-05",\n'
    ' "tags": ["bestand", "kanal"],\n "draft": true\n}',
    "---\nTitel: Die Werkstatt\nAutorin: Rosa Beispiel\nDatum: 05.01.2026\nThemen: bestand, kanal\nstatus: draft\n---",
]


@pytest.mark.parametrize("head", HEADS)
def test_the_head_of_other_programs_is_taken_over(head: str) -> None:
    essay = imported(f"{head}\n\nEin **Satz**.\n")
    values, body = parts(essay)
    assert values == {
        "title": "Die Werkstatt",
        "author": "Rosa Beispiel",
        "date": date(2026, 1, 5),
        "language": "de",
        "summary": "Ein Satz.",
        "topics": ["bestand", "kanal"],
        "status": "draft",
    }
    assert body == "\nEin **Satz**.\n"
    assert essay.notes == ()


def test_the_title_block_of_pandoc_is_a_head() -> None:
    values, body = parts(imported('% Die "Werkstatt"\n% Rosa Beispiel\n% 5.1.2026\n\nEin Satz.'))
    assert values["title"] == 'Die "Werkstatt"'
    assert (values["author"], values["date"]) == ("Rosa Beispiel", date(2026, 1, 5))
    assert body == "\nEin Satz.\n"
    assert (
        parts(imported("{ Klammer } am Anfang.", title="Eins"))[1] == "\n{ Klammer } am Anfang.\n"
    )


def test_keys_that_an_essay_does_not_have_are_told() -> None:
    essay = imported("---\ntitle: Eins\nslug: eins\nweight: 3\n---\n\nText.")
    (note,) = essay.notes
    assert "slug, weight" in note.in_language("de")


def test_a_broken_head_is_refused_with_its_line() -> None:
    with pytest.raises(ContentError) as caught:
        imported("---\ntitle: Eins: zwei\n---\n\nText.")
    assert str(caught.value).startswith("x.md:2: ")


def test_without_a_head_the_first_heading_is_the_title() -> None:
    values, body = parts(imported("# Die Werkstatt\n\nEin *Satz*.\n\n## Zwei\n"))
    assert (values["title"], values["status"]) == ("Die Werkstatt", "ready")
    assert body == "\nEin *Satz*.\n\n## Zwei\n"
    with pytest.raises(ContentError, match="--title"):
        imported("Ein Satz ohne Titel.")


def test_a_rule_above_a_text_is_no_head() -> None:
    _, body = parts(imported("---\n\nEin Satz.\n", title="Eins"))
    assert body == "\n---\n\nEin Satz.\n"


def test_pictures_beside_the_file_come_along() -> None:
    essay = imported(
        "---\ntitle: Eins\ncover: bild.png\nimage_alt: Tor\n---\n\n"
        '![Tor](bilder/tor.png "Foto: R") ![x](https://example.org/x.png) ![fehlt](nicht.png)\n'
    )
    values, body = parts(essay)
    assert values["image"] == f"neu-{len(png())}.png"
    assert f'![Tor](neu-{len(png("#fff"))}.png "Foto: R")' in body
    assert "(https://example.org/x.png) ![fehlt](nicht.png)" in body


def test_what_the_editor_says_wins() -> None:
    values, _ = parts(imported(f"{HEADS[0]}\n\nText.", title="Anders", day_is_given=True))
    assert (values["title"], values["date"]) == ("Anders", date(2026, 11, 26))
