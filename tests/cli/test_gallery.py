"""`templates gallery` shows every piece with the lines that make it, as the publication's templates do."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from html import unescape

import pytest

from upcycle_news.rendering.template_strings import read_toml
from upcycle_news.services.content.gallery import ShownPiece, shown_pieces
from upcycle_news.services.content.gallery_pieces import PIECES

from ..publications import Publication
from ..rendering.page_screenshots import axe
from ..rendering.sample_manifest import PUBLICATION, TEMPLATES


@cache
def shown_in(language: str) -> dict[str, ShownPiece]:
    pieces = shown_pieces(TEMPLATES, replace(PUBLICATION, language=language))
    return {one.piece.name: one for one in pieces}


def test_the_page_shows_every_piece_and_its_lines(publication: Publication) -> None:
    result = publication.run("templates", "gallery", "--no-open")
    assert (result.code, result.out) == (0, "Die Bausteine stehen in var/gallery.html\n")
    page = (publication.home / "var/gallery.html").read_text(encoding="utf-8")
    for piece in PIECES:
        assert f'<h2 id="{piece.name}">' in page
        assert piece.lines["de"] in unescape(page)
    assert "http-equiv" in page
    assert "<script" not in unescape(page)


def test_the_page_can_be_written_elsewhere_and_shows_own_templates(
    publication: Publication,
) -> None:
    pieces = publication.home / "templates/partials/pieces.mjml"
    text = pieces.read_text(encoding="utf-8")
    pieces.write_text(text.replace('class="callout-title"', 'class="eigene"'), encoding="utf-8")
    publication.run("templates", "gallery", "--no-open", "--out", "seiten/g.html")
    assert "eigene" in (publication.home / "seiten/g.html").read_text(encoding="utf-8")


def test_a_template_that_does_not_work_is_named(publication: Publication) -> None:
    broken = publication.home / "templates/partials/pieces.mjml"
    broken.write_text("{% macro box(", encoding="utf-8")
    result = publication.run("templates", "gallery", "--no-open", code=1)
    assert "templates/partials/pieces.mjml:1" in result.err


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_lines_of_each_piece_make_what_is_shown(language: str) -> None:
    shown = shown_in(language)
    marks = {
        "logo": 'class="logo-dark"', "masthead": "text-align:center", "header-picture": 'width="600"',
        "kicker": "kicker accent", "author": 'class="portrait"', "picture": "caption soft",
        "box": "callout box", "event": "callout event", "button": 'class="button"',
        "quote": "pull accent", "contents": "contents", "small-pictures": "small-picture",
        "reply": "mailto:", "forwarded": "/subscribe", "channels": "social.example.org",
        "imprint": "/datenschutz",
    }  # fmt: skip
    assert set(marks) == set(shown)
    for name, mark in marks.items():
        assert mark in shown[name].mail, name
        assert ":::" not in shown[name].mail + shown[name].text
    assert "event-1.ics" in shown["event"].page
    assert 'class="logo-dark"' in shown["logo"].page
    words = set(read_toml(TEMPLATES, f"texts.{language}.toml"))
    assert {"contents", "reply_text", "forwarded", "channels", "privacy", "event"} <= words


def test_every_piece_can_be_read_in_a_mail() -> None:
    for name in ("logo", "event", "button", "author", "small-pictures"):
        # A piece alone has no title, which the whole mail has.
        found = [line for line in axe(shown_in("de")[name].mail) if "heading" not in line]
        assert found == [], name
