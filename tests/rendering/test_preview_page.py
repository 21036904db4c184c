"""The page on which people look at an issue."""

from __future__ import annotations

import re
from html import unescape

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.preview_page import preview_page, standalone_html
from upcycle_news.rendering.render import render

from . import sample_manifest

RENDERED = render(sample_manifest.with_picture())
PAGE = preview_page(RENDERED, (), language="de")


def frames() -> list[str]:
    return [unescape(frame) for frame in re.findall(r'srcdoc="([^"]*)"', PAGE)]


def test_the_preview_loads_nothing_from_anywhere() -> None:
    assert "cid:" not in PAGE
    assert "default-src 'none'" in PAGE
    assert not re.search(r"<script|<link|src=\"http", PAGE)


def test_phone_desk_dark_and_plain_text_stand_side_by_side() -> None:
    assert re.findall(r'<iframe title="[^"]+" width="(\d+)" srcdoc', PAGE) == [
        "320",
        "680",
        "375",
        "680",
        "680",
    ]
    assert "<h2>Nur Text</h2>" in PAGE
    assert "> Ein Haus, das man repariert hat" in unescape(PAGE)


def test_the_dark_view_is_dark_whoever_looks() -> None:
    light, _, dark, _, _ = frames()
    assert "@media not all" in light
    assert "@media all" in dark
    assert "prefers-color-scheme" not in light + dark


def test_a_view_shows_what_there_is_before_pictures_are_loaded() -> None:
    last = frames()[-1]
    assert " src=" not in last
    assert 'alt="Giebel in der Langen Straße"' in last


def test_the_page_reads_itself_again_only_while_somebody_works_on_it() -> None:
    assert 'http-equiv="refresh"' not in PAGE
    assert '<meta http-equiv="refresh" content="2">' in preview_page(
        RENDERED, (), language="de", refresh=2
    )


def test_findings_are_shown_and_their_absence_too() -> None:
    assert "bereit zum Verschicken" in PAGE
    found = Finding("error", "leftover", "issue.html", localized("leftover", mark="<mj->"))
    page = preview_page(RENDERED, [found], language="de")
    assert "bereit zum Verschicken" not in page
    assert "<b>Fehler</b> issue.html <code>leftover</code>" in page
    assert "<span>&lt;mj-&gt; sieht wie ein Stück Vorlage aus." in page


def test_the_page_speaks_the_publications_language() -> None:
    found = [Finding("warning", "preheader-missing", "issue.html", localized("preheader-missing"))]
    german, english, other = (
        preview_page(RENDERED, found, language=language) for language in ("de", "en", "fr")
    )
    assert '<html lang="de">' in german and "<b>Warnung</b>" in german
    assert re.search(r"HTML-Teil \d+,\d kB von 100 kB", german)
    assert "1 Bild in der Mail" in german
    for page in (english, other):
        assert '<html lang="en">' in page and "<b>warning</b>" in page
        assert "1 picture in the mail" in page and "Vorschauzeile" not in page


def test_one_file_shows_the_issue_with_its_pictures() -> None:
    html = standalone_html(RENDERED)
    assert "cid:" not in html
    assert 'src="data:image/png;base64,' in html


def test_a_subject_cannot_break_the_page() -> None:
    page = preview_page(
        render(sample_manifest.manifest(subject="</title>{0}<b>")), (), language="en"
    )
    assert "&lt;/title&gt;{0}&lt;b&gt;" in page
