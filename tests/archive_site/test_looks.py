"""The archive and the pages for subscribers follow the look: its colours and type, for everybody to read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.rendering.subscriber_pages import PageRenderer
from upcycle_news.scaffold.looks import templates_with_look

from ..rendering.page_screenshots import axe, measure
from ..rendering.sample_manifest import PUBLICATION, with_picture
from .sample_archive import CONFIG, issue

LOOKS = ("bulletin", "magazine")


def pages(look: str) -> dict[str, str]:
    """The first page, an issue and the form of a publication with this look, each with its style in it."""
    templates = templates_with_look(Path("nowhere"), look)
    sent = issue("2026-11-26", replace(with_picture(), templates=templates))
    files = build_archive([sent], replace(CONFIG, templates=templates)).files
    style = f"<style>{files['style.css'].decode()}</style>"
    shown = {
        path: re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: style, files[path].decode())
        for path in ("index.html", "archive/2026-11-26/index.html")
    }
    shown["subscribe"] = PageRenderer(templates, PUBLICATION).render("subscribe", "de")
    return shown


@pytest.mark.parametrize(("look", "accent"), [("bulletin", "#0b4f86"), ("magazine", "#9c2f1f")])
def test_pages_have_the_colours_and_the_type_of_the_look(look: str, accent: str) -> None:
    for html in pages(look).values():
        assert f"--accent: {accent}" in html
        assert "#1d6152" not in html
        assert ("Georgia" in html) is (look == "magazine")


@pytest.mark.chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_them_and_nothing_is_wider_than_its_window(
    look: str, dark: bool
) -> None:
    for html in pages(look).values():
        assert axe(html, dark=dark) == []
        for measured in measure(html, widths=(320, 1280), dark=dark):
            assert measured.scroll <= measured.client == measured.width
