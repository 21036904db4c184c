"""The issue in a browser: nothing overflows, dark mode is dark, umlauts are correct."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.rendering.render import render, render_transactional

from . import sample_manifest
from .page_screenshots import link_contrasts, measure

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
def test_nothing_overflows_at_phone_and_desktop_width(dark: bool) -> None:
    html = standalone_html(render(sample_manifest.with_picture()))
    for measured in measure(html, widths=(320, 600), dark=dark):
        assert measured.scroll <= measured.client == measured.width
        assert "„Das Wort ‚Leerstand‘ ist falsch“" in measured.text
        assert "Förderung für Umbau statt Abriss" in measured.text
        expected = ("rgb(27, 30, 27)", "rgb(233, 229, 219)")
        assert ((measured.ground, measured.ink) == expected) is dark


def test_very_long_words_do_not_widen_the_page() -> None:
    html = standalone_html(
        render(sample_manifest.manifest(essays=(LONG, *sample_manifest.TEASERS)))
    )
    for measured in measure(html, widths=(320, 600), dark=False):
        assert measured.scroll <= measured.client


def test_without_style_element_the_layout_and_colours_stay() -> None:
    html = standalone_html(render(sample_manifest.with_picture()))
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    for measured in measure(bare, widths=(320, 600), dark=True):
        assert measured.scroll <= measured.client
        assert (measured.ground, measured.ink) == ("rgb(255, 254, 250)", "rgb(35, 35, 31)")


BUTTONS = (
    '<mj-section css-class="sheet"><mj-column><mj-button href="https://example.org/x" background-color="#c8102e" color="#ffffff">'
    'Rot</mj-button><mj-button href="https://example.org/y" background-color="#f2b705" color="#23231f">Gelb'
    '</mj-button><mj-button href="https://example.org/w" background-color="#004488" color="#ffffff" width="100%">Breit'
    '</mj-button><mj-table><tr><td><a href="https://example.org/z">Zelle</a></td></tr></mj-table>'
    "</mj-column></mj-section>\n"
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_buttons_and_links_can_be_read_in_the_light_and_in_the_dark(dark: bool) -> None:
    manifest = sample_manifest.with_picture()
    frame = manifest.templates["newsletter.mjml"]
    own = frame.replace(
        '    {% include "partials/footer.mjml" %}',
        f'{BUTTONS}    {{% include "partials/footer.mjml" %}}',
    )
    assert own != frame
    html = standalone_html(
        render(replace(manifest, templates={**manifest.templates, "newsletter.mjml": own}))
    )
    contrasts = link_contrasts(html, dark=dark)
    assert {"Rot", "Gelb", "Breit", "Zelle", "Abbestellen", "Übersicht der Kommunen"} <= set(
        contrasts
    )
    assert {text: contrast for text, contrast in contrasts.items() if contrast < 4.5} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_button_of_the_confirmation_mail_can_be_read(dark: bool) -> None:
    mail = render_transactional(
        sample_manifest.TEMPLATES,
        "confirm",
        publication=sample_manifest.PUBLICATION,
        language="de",
        values={"link": "https://news.upcycle.example/confirm/x", "days": 7, "chosen_rhythm": None},
    )
    contrasts = link_contrasts(mail.html, dark=dark)
    assert contrasts["Bestellung bestätigen"] >= 4.5
    assert min(contrasts.values()) >= 4.5
