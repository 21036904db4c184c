"""Spaces, dashes and quotation marks, and the places where a picture stands between words."""

from __future__ import annotations

import pytest

from .bodies import findings_of


@pytest.mark.parametrize(
    "body",
    [
        "Der Knopf ![ein Knopf aus Horn](tresen.png) war der erste.",
        "Der Code `a  -  b` bleibt.",
        "Eine Note[^1] hier.\n\n[^1]: Text",
    ],
)
def test_a_picture_or_code_between_words_makes_no_second_space(body: str) -> None:
    assert findings_of(body) == []


def test_two_spaces_are_told_at_their_line_and_those_of_the_head_at_its_key() -> None:
    assert findings_of("Eins\nzwei  drei") == [(2, "warning", "typography-spaces")]


def test_findings_stand_in_the_order_of_their_lines() -> None:
    body = "Eins  zwei\n\nTODO: [[Laden]]\n\nvier  fünf"
    assert [line for line, _, _ in findings_of(body)] == [1, 3, 3, 5]
