"""Fenced blocks say the same in mail, text part and page, and stay in their colours."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from upcycle_news.errors import TemplateError
from upcycle_news.models import Manifest, RenderedIssue
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.rendering.render import render

from . import sample_manifest
from .page_screenshots import axe, link_contrasts, measure

BODY = """\
Davor.

::: kasten Gut "zu" wissen
Ein *Kasten* mit [Link](https://example.org/kasten).
:::

::: termin Offene "Werkstatt"
datum: Sa, 6.3.2027, 18–20 Uhr
ort: Alte Post, Musterstraße 1
link: https://example.org/werkstatt?a=1&b=2

Werkzeug ist da.
:::

::: zitat
von: Erika Beispiel
Leer steht hier nur, was niemand braucht.
:::

::: knopf
[Zur Anmeldung](https://example.org/anmelden?a=1&b=2)
:::

Danach.
"""


def manifest(body: str = BODY, **templates: str) -> Manifest:
    given = sample_manifest.with_picture()
    lead = replace(given.issue.essays[0], body=body)
    issue = replace(given.issue, essays=(lead, *given.issue.essays[1:]))
    return replace(given, issue=issue, templates={**given.templates, **templates})


def rendered(body: str = BODY) -> RenderedIssue:
    return render(manifest(body))


def test_both_parts_of_the_mail_say_what_the_author_wrote() -> None:
    mail = rendered()
    for shown in (re.sub(r"<[^>]+>", "", mail.html), mail.text):
        part = unescape(shown).replace("\xa0", " ")
        for words in (
            "Gut „zu“ wissen",
            "Offene „Werkstatt“",
            "Samstag, 6. März 2027, 18:00–20:00 Uhr",
            "Alte Post, Musterstraße 1",
            "Werkzeug ist da.",
            "Leer steht hier nur, was niemand braucht.",
            "– Erika Beispiel",
            "Zur Anmeldung",
        ):
            assert words in part
        assert ":::" not in part
        assert "datum" not in part


def test_the_text_part_shows_blocks_by_a_line_and_a_button_with_its_address() -> None:
    text = rendered().text
    assert "\n| Termin: Offene „Werkstatt“\n| Samstag," in text
    assert "\nZur Anmeldung: https://example.org/anmelden?a=1&b=2\n" in text
    assert "| Zur Veranstaltung: https://example.org/werkstatt?a=1&b=2\n" in text
    assert "/essays/das-zweite-leben-der-langen-strasse/event-1.ics\n" in text


def test_a_button_that_opens_a_mail_shows_who_gets_it() -> None:
    body = "::: knopf\n[Schreiben Sie uns](mailto:redaktion@example.org?subject=Umbau)\n:::"
    mail = rendered(body)
    assert 'href="mailto:redaktion@example.org?subject=Umbau"' in mail.html
    assert "\nSchreiben Sie uns: redaktion@example.org\n" in mail.text


def test_the_mail_links_to_the_calendar_file_only_where_there_is_an_archive() -> None:
    given = manifest()
    without = replace(given, publication=replace(given.publication, public_url="", archive_url=""))
    assert "event-1.ics" in render(given).html
    assert "event-1.ics" not in render(without).html
    assert "Zur Veranstaltung" in render(without).html


def test_tables_of_blocks_are_layout_and_their_look_is_in_each_element() -> None:
    html = rendered().html
    tables = re.findall(r"<table[^>]*class=\"(?:quotation|button)\"[^>]*>", html)
    assert len(tables) == 3
    assert all('role="presentation"' in table for table in tables)
    button = re.search(r'<td style="([^"]*)"><a href="https://example.org/anmelden[^>]*>', html)
    assert button is not None
    assert "background-color" in button[1]
    assert "mso-padding-alt" in button[1]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("::: kasten\nOhne Ende.\n\nDanach.", "::: kasten"),
        ("::: note Achtung\nUnbekannt.\n:::", "<strong>note Achtung</strong>"),
        ("::: knopf Zur Anmeldung\nWohin?\n:::", "<strong>Zur Anmeldung</strong>"),
        ("::: termin Fest\ndatum: irgendwann\nort: Markt\n:::", "irgendwann<br"),
    ],
)
def test_a_block_that_is_wrong_neither_vanishes_nor_takes_others_in(body: str, shown: str) -> None:
    html = rendered(f"{body}\n\nDas Ende.").html
    assert shown in html
    assert re.search(r"<p[^>]*>Das Ende\.</p>", html)


def test_markup_in_titles_and_fields_is_text() -> None:
    body = '::: termin <b>A</b>\ndatum: 6.3.2027\nort: <script>x</script>\nlink: https://example.org/"x\n:::'
    html = rendered(body).html
    assert "<b>A" not in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_publication_whose_templates_lack_a_macro_gets_a_sentence() -> None:
    with pytest.raises(TemplateError, match=r"partials/pieces\.mjml"):
        render(manifest(**{"partials/pieces.mjml": "{% macro box(title, body) %}{% endmacro %}"}))


def test_a_publication_whose_templates_lack_the_pieces_gets_a_sentence() -> None:
    given = manifest()
    older = {name: text for name, text in given.templates.items() if "pieces." not in name}
    older["partials/teasers.mjml"] = older["partials/reply.mjml"] = ""
    with pytest.raises(TemplateError, match=r"partials/pieces\.mjml: .*init"):
        render(replace(given, templates=older))
    plain = replace(given.issue.essays[0], body="Ohne Baustein.")
    issue = replace(given.issue, essays=(plain, *given.issue.essays[1:]))
    assert "Ohne Baustein." in render(replace(given, issue=issue, templates=older)).text


def test_what_stands_in_a_block_of_an_unknown_kind_is_shown_as_text_and_not_as_its_markup() -> None:
    html = rendered("::: hinweis Achtung\nUnbekannt *hier*.\n:::").html
    assert "<strong>hinweis Achtung</strong>" in html
    assert "Unbekannt <em>hier</em>." in " ".join(html.split())
    assert "&lt;p&gt;" not in html


@pytest.mark.parametrize("dark", [False, True])
def test_blocks_can_be_read_light_and_dark_and_by_screen_readers(dark: bool) -> None:
    html = standalone_html(rendered())
    assert axe(html, dark=dark) == []
    contrasts = link_contrasts(html, dark=dark)
    assert contrasts["Zur Anmeldung"] >= 4.5
    assert contrasts["In den Kalender"] >= 4.5


def test_no_block_is_wider_than_a_phone() -> None:
    for shown in measure(standalone_html(rendered()), widths=(320, 360, 600), dark=False):
        assert shown.scroll <= shown.client
