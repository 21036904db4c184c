"""A table `extra` in the front matter: fields of the publication's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.content.essays import EssayCollection, read_essays

ESSAY = """---
title: Was bleibt
date: 2026-10-05
{extra}
---

Ein Haus steht leer.
"""


def read(folder: Path, extra: str) -> EssayCollection:
    (folder / "content/essays").mkdir(parents=True, exist_ok=True)
    text = ESSAY.format(extra=extra)
    (folder / "content/essays/x.md").write_text(text, encoding="utf-8")
    return read_essays(folder / "content", folder, "de")


def test_values_are_texts_numbers_truth_lists_and_tables(tmp_path: Path) -> None:
    written = """extra:
  series: Umbau   in   Serie
  part: 3
  live: true
  hidden: False
  country: no
  code: 007
  price: 3.50
  day: 2026-10-05
  quoted: "3"
  nothing:
  places: [Bonn, 2, {town: Ulm}]
  link: {name: Bauteile, url: "https://bauteile.example/a...b"}"""
    (essay,) = read(tmp_path, written).essays
    assert essay.extra == {
        "series": "Umbau in Serie",
        "part": 3,
        "live": True,
        "hidden": False,
        "country": "no",
        "code": "007",
        "price": "3.50",
        "day": "2026-10-05",
        "quoted": "3",
        "nothing": "",
        "places": ["Bonn", 2, {"town": "Ulm"}],
        "link": {"name": "Bauteile", "url": "https://bauteile.example/a...b"},
    }
    assert [type(essay.extra[key]) for key in ("part", "live")] == [int, bool]


def test_without_the_table_there_are_no_fields(tmp_path: Path) -> None:
    for written in ("", "extra:", "extra: {}"):
        (essay,) = read(tmp_path, written).essays
        assert essay.extra == {}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("extra: Umbau", "x.md:4: 'extra' is not a table"),
        ("extra: [a]", "x.md:4: 'extra' is not a table"),
        ("extra:\n  mein-feld: x", "x.md:5: 'mein-feld' cannot be the name of a field"),
        ("extra:\n  _hidden: x", "x.md:5: '_hidden' cannot be the name"),
        ("extra:\n  a: 1\n  2026: x", "x.md:6: '2026' cannot be the name"),
        ("extra:\n  [a, b]: x", "x.md:5: '?' cannot be the name"),
        ("extra:\n  link:\n    mein feld: x", "x.md:6: 'mein feld' cannot be the name"),
        ("extra:\n  a: 1\n  a: 2", "x.md:6: 'a' is there twice"),
        ("extra:\n  a: !!binary x", "x.md:5: 'x' is not a text"),
        ("extra: &all\n  again: *all", "x.md:4: 'extra' holds more than 200 values"),
        (f"extra:\n  many: [{'a, ' * 300}a]", "x.md:4: 'extra' holds more than 200 values"),
        (
            "extra:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            "  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n  c: [*b, *b, *b, *b, *b, *b]",
            "x.md:4: 'extra' holds more than 200 values",
        ),
        ("extra: {a: {a: {a: {a: {a: {a: {a: x}}}}}}}", "x.md:4: 'extra' holds more than 200"),
    ],
)
def test_a_table_that_templates_could_not_read_is_an_error_with_its_line(
    tmp_path: Path, written: str, message: str
) -> None:
    collection = read(tmp_path, written)
    assert collection.essays == ()
    assert message in str(collection.errors[0])
    assert len(collection.errors) == 1


def test_an_unknown_key_outside_of_the_table_stays_an_error(tmp_path: Path) -> None:
    (error,) = read(tmp_path, "reihe: Umbau").errors
    assert "'reihe' is not a key of an essay" in str(error)
    assert "extra" in str(error)
