"""What a screen reader meets in an HTML part: order, pictures' texts, languages."""

from __future__ import annotations

import pytest

from upcycle_news.checks.accessibility import ReadingStep, outline_of


def test_headings_and_pictures_are_listed_in_their_order() -> None:
    outline = outline_of(
        '<html lang="de"><body><h1>Was <em>hält</em></h1><img alt="Ein  Haus" src="x">'
        '<img alt="" src="y"><h2 lang="en">News</h2><h3><img alt="Logo"> Drei</h3><p lang="en">a</p>'
        '<p lang="de">b</p></body></html>'
    )
    assert outline.steps == [
        ReadingStep(1, "Was hält"),
        ReadingStep(0, "Ein Haus"),
        ReadingStep(2, "News"),
        ReadingStep(3, "Logo Drei"),
    ]
    assert (outline.language, outline.marked) == ("de", {"en": 2})
    assert (outline.bare_pictures, outline.headings_in_order) == (1, True)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [("123", True), ("1223", True), ("1233232", True), ("13", False), ("21", False), ("11", False), ("", False)],
)  # fmt: skip
def test_levels_follow_one_another_and_the_first_is_there_once(levels: str, expected: bool) -> None:
    html = "".join(f"<h{level}>x</h{level}>" for level in levels)
    assert outline_of(html).headings_in_order is expected


def test_what_is_broken_or_long_is_read_all_the_same() -> None:
    outline = outline_of(f"<h1>{'lang ' * 40}</h1><h2>ohne Ende<p>")
    assert len(outline.steps[0].text) == 80
    assert outline.language == ""
