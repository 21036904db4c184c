"""The issue in a real browser: nothing overflows, the dark is dark, umlauts are umlauts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.rendering.render import render

from . import sample_manifest
from .page_screenshots import measure

pytestmark = pytest.mark.chromium

LONG = replace(
    sample_manifest.LEAD,
    title="Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung",
    body="Ein " + "Rindfleischetikettierungsüberwachungsaufgabenübertragung" * 2 + "sgesetz.\n\n"
    "| Kreislaufwirtschaftsgesetz | Grundstücksverkehrsgenehmigung | Zuständigkeit |\n"
    "|---|---|---|\n| ja | nein | vielleicht |\n\n"
    "    einzeiligercodeohnejedeslehrzeichen = " + "x" * 120,
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_overflows_on_a_phone_and_on_a_desk(dark: bool) -> None:
    html = standalone_html(render(sample_manifest.with_picture()))
    for found in measure(html, widths=(320, 600), dark=dark):
        assert found.scroll <= found.client == found.width
        assert "„Das Wort ‚Leerstand‘ ist falsch“" in found.text
        assert "Förderung für Umbau statt Abriss" in found.text
        expected = ("rgb(27, 30, 27)", "rgb(233, 229, 219)")
        assert ((found.ground, found.ink) == expected) is dark


def test_very_long_words_do_not_push_the_page_wide() -> None:
    html = standalone_html(
        render(sample_manifest.manifest(essays=(LONG, *sample_manifest.TEASERS)))
    )
    for found in measure(html, widths=(320, 600), dark=False):
        assert found.scroll <= found.client


def test_without_any_style_sheet_it_is_still_a_newsletter() -> None:
    html = standalone_html(render(sample_manifest.with_picture()))
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    for found in measure(bare, widths=(320, 600), dark=True):
        assert found.scroll <= found.client
        assert (found.ground, found.ink) == ("rgb(255, 254, 250)", "rgb(35, 35, 31)")
