"""The title and the byline at the beginning of a body."""

from __future__ import annotations

import pytest

from .parsing import html

HEAD = {"title": "Der Laden an der Ecke", "author": "Jonas Muster"}


@pytest.mark.parametrize(
    "beginning",
    [
        "# Der Laden an der Ecke\n\nVon Jonas Muster\n\n",
        "## Der Laden an der Ecke\n\n",
        "Der Laden an der Ecke\n=====================\n\n",
        "**Der Laden an der Ecke**\n\n",
        "DER LADEN AN DER ECKE\n\nText: Jonas Muster\n\n",
        "Der Laden an der Ecke\nVon Jonas Muster\n\n",
        "Von Jonas Muster\n\n",
        "*Von Jonas Muster*\n\n",
        "Jonas Muster\n\n",
        "# Der „Laden“ an der Ecke\n\n",
        "Ein Essay von Jonas Muster\n\n",
        "# Der Laden an der Ecke.\n\nText: Jonas Muster\n\n",
        "# Der Laden an der Ecke\n## Jonas Muster\n\n",
    ],
)
def test_what_the_head_prints_is_not_printed_twice(beginning: str) -> None:
    assert html(f"{beginning}Er steht noch.", **HEAD) == "<p>Er steht noch.</p>"


@pytest.mark.parametrize(
    "beginning",
    [
        "## Der Laden an der Ecke im Winter",
        "Von Jonas Musters Garten sieht man ihn.",
        "Von Erika Beispiel",
        "Der Laden an der Ecke\nsteht noch, und das seit vielen Jahren, wie alle wissen.",
        "Der Laden an der Ecke.",
    ],
)
def test_what_only_begins_like_it_stays(beginning: str) -> None:
    assert html(f"{beginning}\n\nText.", **HEAD) == html(f"{beginning}\n\nText.")


def test_a_rule_below_the_title_goes_with_it() -> None:
    body = "Was wird aus dem Laden?\n=======================\n\nText."
    assert html(body, title="Was wird aus dem Laden?") == "<p>Text.</p>"


def test_a_text_that_is_nothing_but_its_title_stays() -> None:
    assert html("Der Laden an der Ecke", **HEAD) == "<p>Der Laden an der Ecke</p>"


def test_further_down_the_title_may_stand_again() -> None:
    assert html("Anfang.\n\n## Der Laden an der Ecke", **HEAD).endswith("Ecke</h2>")


def test_a_picture_above_the_title_stays() -> None:
    shown = html("![Haus](a.png)\n\n# Der Laden an der Ecke\n\nVon Jonas Muster\n\nText.", **HEAD)
    assert shown == html("![Haus](a.png)\n\nText.")
    captioned = (
        "![Haus](a.png)\n\nJonas Muster\n\nText."  # below a picture alone it may be a credit
    )
    assert html(captioned, **HEAD) == html(captioned)
