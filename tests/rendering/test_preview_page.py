"""The preview page for editors."""

from __future__ import annotations

import re
from html import unescape

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.preview_page import (
    PreviewPart,
    preview_page,
    preview_pages,
    standalone_html,
)
from upcycle_news.rendering.render import render

from . import sample_manifest

RENDERED = render(sample_manifest.with_picture())
PAGE = preview_page(RENDERED, (), language="de")


def frames() -> list[str]:
    return [unescape(frame) for frame in re.findall(r'srcdoc="([^"]*)"', PAGE)]


def test_the_preview_loads_no_external_resource() -> None:
    assert "cid:" not in PAGE
    assert "default-src 'none'" in PAGE
    assert not re.search(r"<script|<link|src=\"http", PAGE)


def test_phone_desktop_dark_mode_and_plain_text_are_shown() -> None:
    assert re.findall(r'<iframe title="[^"]+" width="(\d+)" srcdoc', PAGE) == [
        "320",
        "680",
        "375",
        "680",
        "680",
        "680",
    ]
    assert "<h2>Nur Text</h2>" in PAGE
    assert "> Ein Haus, das man repariert hat" in unescape(PAGE)


def test_the_dark_view_does_not_depend_on_the_browsers_setting() -> None:
    light, _, dark, *_ = frames()
    assert "@media not all" in light
    assert "@media all" in dark
    assert "prefers-color-scheme" not in light + dark


def test_a_view_shows_the_mail_without_images() -> None:
    shown = frames()[-2]
    assert " src=" not in shown
    assert 'alt="Giebel in der Langen Straße"' in shown


def test_a_view_shows_the_mail_without_style_sheets() -> None:
    shown = frames()[-1]
    assert re.findall("<style[^>]*>[^<]*", shown) == ["<style>html { scrollbar-width: none }"]
    assert "style=" in shown, "inline styles stay"
    assert 'src="data:image/png' in shown


def test_several_issues_stand_below_one_title_each_with_its_own_findings() -> None:
    finding = Finding("warning", "leftover", "issue.html", localized("leftover", mark="<mj->"))
    parts = [
        PreviewPart(RENDERED, [finding], note="Neu: <a.md>"),
        PreviewPart(RENDERED, diff="--- a\n+++ b\n-alt <b>\n+neu"),
    ]
    page = preview_pages("Zwei <Ausgaben>", parts, language="de", remarks=["Ohne & Feeds"])
    assert page.count("<h1>") == 1 and "<h1>Zwei &lt;Ausgaben&gt;</h1>" in page
    assert page.count('<h2 lang="de">') == 2 and "Ohne &amp; Feeds" in page
    assert "Neu: &lt;a.md&gt;" in page
    assert "<del>-alt &lt;b&gt;</del>\n<ins>+neu</ins>" in page
    assert page.count("hier nichts zu beanstanden") == 2, "of the whole, and of the second issue"
    assert "bereit zum Verschicken" not in page


def test_the_page_reloads_itself_only_with_a_refresh_interval() -> None:
    assert 'http-equiv="refresh"' not in PAGE
    assert '<meta http-equiv="refresh" content="2">' in preview_page(
        RENDERED, (), language="de", refresh=2
    )


def test_findings_and_their_absence_are_shown() -> None:
    assert "bereit zum Verschicken" in PAGE
    finding = Finding("error", "leftover", "issue.html", localized("leftover", mark="<mj->"))
    page = preview_page(RENDERED, [finding], language="de")
    assert "bereit zum Verschicken" not in page
    assert "<b>Fehler</b> issue.html <code>leftover</code>" in page
    assert "<span>&lt;mj-&gt; sieht wie ein Stück Vorlage aus." in page


def test_the_page_is_in_the_publications_language() -> None:
    findings = [
        Finding("warning", "preheader-missing", "issue.html", localized("preheader-missing"))
    ]
    german, english, other = (
        preview_page(RENDERED, findings, language=language) for language in ("de", "en", "fr")
    )
    assert '<html lang="de">' in german and "<b>Warnung</b>" in german
    assert re.search(r"HTML-Teil \d+,\d kB von 100 kB", german)
    assert "1 Bild in der Mail" in german
    for page in (english, other):
        assert '<html lang="en">' in page and "<b>warning</b>" in page
        assert "1 picture in the mail" in page and "Vorschauzeile" not in page


def test_the_standalone_html_contains_its_images() -> None:
    html = standalone_html(RENDERED)
    assert "cid:" not in html
    assert 'src="data:image/png;base64,' in html


def test_a_subject_cannot_break_the_page() -> None:
    page = preview_page(
        render(sample_manifest.manifest(subject="</title>{0}<b>")), (), language="en"
    )
    assert "&lt;/title&gt;{0}&lt;b&gt;" in page
