"""The archive of ten issues: links, feed, site map, HTML validity, accessibility, width."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

import feedparser
import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.models import Related, Story

from ..rendering import sample_manifest
from ..rendering.page_screenshots import NODE_MODULES, node_tool
from ..rendering.sample_manifest import LEAD, PUBLICATION
from ..web.browser_session import browsing, missing
from .sample_archive import (
    CONFIG,
    DAYS,
    ROOT,
    built,
    dead_links,
    issue,
    sent,
    static_host,
    terse,
    write_files,
)

RULES = Path(__file__).parents[2] / "tools" / "node" / "htmlvalidate.json"


def page(path: str) -> str:
    return built().files[path].decode()


def test_every_issue_and_every_essay_has_a_page() -> None:
    archive = built()
    essays = [essay for sent_issue in sent() for essay in sent_issue.manifest.issue.essays]
    assert (archive.issues, archive.essays) == (10, len(essays))
    for day in DAYS:
        assert f"archive/{day}/index.html" in archive.files
    for essay in essays:
        assert f"essays/{essay.slug}/index.html" in archive.files
    for name in ("index.html", "archive/index.html", "essays/index.html", "404.html", "feed.xml",
                 "sitemap.xml", "robots.txt", "style.css"):  # fmt: skip
        assert name in archive.files


def test_a_page_is_written_after_the_pages_it_links_to() -> None:
    order = list(built().files)
    for early, late in (("style.css", "essays/"), ("essays/", "archive/index.html"),
                        ("archive/2026-11-26", "archive/index.html"), ("index.html", "feed.xml"),
                        ("images/", "essays/")):  # fmt: skip
        first = next(at for at, path in enumerate(order) if path.startswith(early))
        assert first < next(at for at, path in enumerate(order) if path.startswith(late))


@pytest.mark.parametrize("below", ["", "post/umbau/"])
def test_no_link_of_the_archive_is_dead(below: str) -> None:
    publication = replace(PUBLICATION, archive_url=f"{ROOT}{below}".rstrip("/"))
    files = build_archive(sent(), replace(CONFIG, publication=publication)).files
    assert dead_links(files, ROOT + below, endpoints=("subscribe",)) == []


def test_the_link_check_finds_dead_links() -> None:
    files = dict(built().files)
    del files["archive/2025-03-06-2/index.html"]
    files["essays/index.html"] = files["essays/index.html"].replace(b'id="y2025"', b"")
    files["robots.html"] = b'<a href="essays/#y2025">Jahr</a>'
    dead = dead_links(files, endpoints=("subscribe",))
    assert any("no archive/2025-03-06-2/index.html" in line for line in dead)
    assert any("robots.html: essays/#y2025 (no such anchor)" in line for line in dead)


def test_with_index_html_links_name_their_file() -> None:
    config = replace(CONFIG, index_html=True, subscribe=f"{ROOT}subscribe")
    files = build_archive(sent(), config).files
    assert dead_links(files, endpoints=("subscribe",)) == []
    for path, data in files.items():
        if path.endswith(".html") and path != "404.html":
            internal = [url for url in inspect_html(data.decode()).link_urls if "://" not in url]
            assert internal
            assert not [url for url in internal if url.endswith("/")]


def test_building_again_gives_the_same_bytes() -> None:
    assert dict(build_archive(tuple(reversed(sent())), CONFIG).files) == dict(built().files)


def test_no_page_runs_another_script_than_the_search_or_loads_from_a_foreign_host() -> None:
    for path, data in built().files.items():
        if not path.endswith(".html"):
            continue
        text = data.decode()
        text = re.sub(r'<script type="module" src="[./]*/search/form\.js"></script>', "", text)
        assert not re.search(
            r"<script(?! type=\"application/ld\+json\">)|\son\w+=|javascript:", text
        )
        assert not re.search(r"<(?:iframe|object|embed|base|style)\b|\sstyle=", text)
        assert re.findall(r"<form\b[^>]*", text) == re.findall(r'<form class="search"[^>]*', text)
        urls = re.findall(r'<(?:img|link rel="stylesheet")[^>]*?(?:src|href)="([^"]+)"', text)
        assert urls
        assert [url for url in urls if "://" in url] == []


def test_the_page_of_an_essay_has_metadata() -> None:
    text = page("essays/das-zweite-leben-der-langen-strasse-2024-12-12/index.html")
    head = text[: text.index("</head>")]
    url = f"{ROOT}essays/das-zweite-leben-der-langen-strasse-2024-12-12/"
    assert f'<link rel="canonical" href="{url}">' in head
    for kind, content in (("og:title", "Das zweite Leben der Langen Straße"), ("og:type", "article"),
                       ("og:description", "Eine Kleinstadt baut um, statt abzureißen."),
                       ("og:url", url), ("og:site_name", PUBLICATION.name)):  # fmt: skip
        assert f'<meta property="{kind}" content="{content}">' in head
    image = re.search(r'property="og:image" content="([^"]+)"', head)
    assert image is not None
    assert image[1].removeprefix(ROOT) in built().files
    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', head)
    assert data is not None
    metadata = json.loads(data[1])
    assert metadata["@type"] == "Article"
    assert metadata["dateModified"] == "2024-12-13"
    assert metadata["mainEntityOfPage"] == url


def test_the_page_of_an_essay_from_elsewhere_names_the_original() -> None:
    original = "https://haus.example.org/laden/?a=1&b=2"
    sent_issue = issue("2026-01-01", terse())
    essay = replace(sent_issue.manifest.issue.essays[0], canonical=original)
    manifest = replace(
        sent_issue.manifest, issue=replace(sent_issue.manifest.issue, essays=(essay,))
    )
    files = build_archive((replace(sent_issue, manifest=manifest),), CONFIG).files
    text = files[f"essays/{essay.slug}/index.html"].decode()
    assert '<link rel="canonical" href="https://haus.example.org/laden/?a=1&amp;b=2">' in text
    assert '"mainEntityOfPage": "https://haus.example.org/laden/' in text
    assert f"essays/{essay.slug}/" not in files["sitemap.xml"].decode()


def test_titles_and_authors_are_escaped_everywhere() -> None:
    sent_issue = issue("2026-01-01", terse())
    bad = replace(sent_issue.manifest.issue.essays[0], title="</script><b>x</b>", author='"><i>')
    manifest = replace(sent_issue.manifest, issue=replace(sent_issue.manifest.issue, essays=(bad,)))
    files = build_archive([replace(sent_issue, manifest=manifest)], CONFIG).files
    for path, data in files.items():
        if path.endswith(".html"):
            assert b"<b>x" not in data
            assert b"<i>" not in data


def test_footnotes_link_to_their_note_and_back() -> None:
    text = page("essays/das-zweite-leben-der-langen-strasse-2026-02-05/index.html")
    assert text.count('href="#note-1"') == 2
    assert text.count('id="zu-1"') == text.count('href="#zu-1"') == 1


def test_a_correction_is_shown_with_the_essay() -> None:
    note = "<strong>Korrigiert am 13.\u00a0Dezember 2024:</strong> Die Schule wurde 1962 gebaut"
    assert note in page("essays/das-zweite-leben-der-langen-strasse-2024-12-12/index.html")
    assert note in page("archive/2024-12-12/index.html")
    assert built().files["feed.xml"].decode().count("Korrigiert am") == 1


# --- the feed and the site map


def test_the_feed_is_valid_and_holds_whole_texts() -> None:
    feed = feedparser.parse(
        io.BytesIO(built().files["feed.xml"]),
        response_headers={"content-type": "application/atom+xml; charset=utf-8"},
    )
    assert feed.bozo == 0
    assert feed.version == "atom10"
    assert feed.feed.id == "tag:news.upcycle.example,2024-11-28:feed"
    assert feed.feed.updated == "2026-11-26T06:30:00Z"
    assert [entry.id.rpartition("/")[2] for entry in feed.entries] == list(reversed(DAYS))
    for entry, sent_issue in zip(feed.entries, reversed(sent()), strict=True):
        assert entry.link == f"{ROOT}archive/{sent_issue.manifest.issue.id}/"
        assert entry.updated_parsed is not None
        assert entry.content[0].type == "text/html"
        for essay in sent_issue.manifest.issue.essays:
            last = re.findall(r"[A-Za-zÄÖÜäöüß]{4,}", essay.body)[-1]
            assert last in entry.content[0].value
        for url in re.findall(r'(?:src|href)="([^"]+)"', entry.content[0].value):
            assert re.match(r"https?://|mailto:", url)
    assert feed.entries[8].updated == "2024-12-13T09:00:00Z"
    assert feed.entries[8].published == "2024-12-12T06:30:00Z"


def test_ids_stay_when_the_archive_moves() -> None:
    moved = replace(
        CONFIG, publication=replace(PUBLICATION, archive_url="https://neu.example/post")
    )
    before, after = built().files["feed.xml"], build_archive(sent(), moved).files["feed.xml"]
    ids = [re.findall(rb"<id>(.*?)</id>", feed) for feed in (before, after)]
    assert ids[0] == ids[1]
    assert b'href="https://neu.example/post/archive/2026-11-26/"' in after


def test_no_control_character_breaks_the_feed() -> None:
    sent_issue = issue("2026-01-01", terse())
    bad = replace(sent_issue.manifest.issue.essays[0], title="Ein\x0bWort\x92", author="A\x00")
    manifest = replace(sent_issue.manifest, issue=replace(sent_issue.manifest.issue, essays=(bad,)))
    feed = build_archive([replace(sent_issue, manifest=manifest)], CONFIG).files["feed.xml"]
    assert feedparser.parse(io.BytesIO(feed)).entries[0].title


def test_the_site_map_lists_every_indexed_page() -> None:
    root = ET.fromstring(built().files["sitemap.xml"])
    listed = {
        loc.text or "" for loc in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    }
    expected = {
        ROOT + path.removesuffix("index.html")
        for path in built().files
        if path.endswith(".html") and path != "404.html"
    }
    assert listed == expected


# --- checked by tools


@pytest.mark.slow
def test_html_validate_finds_no_error(tmp_path: Path) -> None:
    node_tool("html-validate/bin/html-validate.mjs")
    write_files(tmp_path, built().files)
    process = validate(tmp_path)
    assert (process.returncode, process.stdout) == (0, "")
    (tmp_path / "index.html").write_text(page("index.html").replace("<h1>", "<h1><p>", 1))
    assert validate(tmp_path).returncode == 1


def validate(folder: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node") or missing("no Node here (apt-get install npm)")
    tool = NODE_MODULES / "html-validate/bin/html-validate.mjs"
    return subprocess.run(
        [node, str(tool), "--config", str(RULES), "--ext", "html", str(folder)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.chromium
@pytest.mark.slow
@pytest.mark.timeout(300)  # checks more than thirty pages twice, on a busy machine
def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(tmp_path: Path) -> None:
    axe = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    write_files(tmp_path, built().files)
    checked = 0
    with static_host(tmp_path) as host, browsing() as browser:
        for path in sorted(path for path in built().files if path.endswith(".html")):
            url = f"{host}/{path.removesuffix('index.html')}"
            for width, dark in ((320, False), (1200, True)):
                browser.look(width=width, dark=dark)
                browser.open(url)
                assert browser.overflow() <= 0, (path, width)
                browser.run(axe + ";0")
                passes, violations = browser.run(
                    "axe.run().then(r => [r.passes.length, r.violations.map("
                    "v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))])"
                )
                assert passes > 10
                assert violations == [], (path, width, dark)
                checked += 1
            browser.look(width=640)
            assert browser.overflow() <= 0, path
        assert {url for url in browser.requests if not url.startswith(host)} <= {"about:blank"}
    assert checked == 2 * (4 + built().issues + built().essays)


def test_an_essays_page_shows_what_its_author_meant_without_style_attributes() -> None:
    body = (
        "# Zwei Türen\n\nVon Jonas Muster\n\nDie Händler*innen kamen, siehe https://example.org/a.\n\n"
        "| Ware | Preis |\n|---|---:|\n| Garn | 2,50 |\n\n1. Erstens\n3. Drittens\n\n"
        '![Ein Giebel](giebel.png "Foto: Erika Beispiel")\n\n> [!note] Wichtig\n> So ==ist== es.\n\n'
        "7. März 1931: auf\n\nGarn und Knöpfe\nEssig und Öl"
    )
    lead = replace(LEAD, title="Zwei Türen", author="Jonas Muster", body=body)
    manifest = replace(
        sample_manifest.manifest(essays=(lead,)), images={"giebel.png": sample_manifest.png()}
    )
    files = build_archive([issue("2026-11-26", manifest)], CONFIG).files
    page = files[f"essays/{lead.slug}-2026-11-26/index.html"].decode()
    feed = files["feed.xml"].decode()
    assert "style=" not in page
    for expected in (
        '<td class="right">2,50</td>', '<li value="3">Drittens</li>', "Händler*innen", "<p>7. März 1931: auf</p>",
        '<span class="caption soft">Foto: Erika Beispiel</span>', '<a href="https://example.org/a">',
        "<strong>Wichtig</strong>", "Garn und Knöpfe<br",
    ):  # fmt: skip
        assert expected in page, expected
        assert escape(expected, quote=False) in feed, expected
    assert page.partition("<article")[2].count("Von Jonas Muster") == 1


@pytest.mark.parametrize(
    ("language", "marked"), [("de", ""), ("de-AT", ""), ("en", "en"), ("en-GB", "en-GB")]
)
def test_title_and_excerpt_of_an_item_in_another_language_are_marked_on_page_and_in_feed(
    language: str, marked: str
) -> None:
    story = Story((sample_manifest.item(1, language=language, title="Titel", summary="Auszug"),))
    manifest = sample_manifest.manifest(related=(Related(story, 1.0, ("umbau",)),))
    files = build_archive([issue("2026-11-26", manifest)], CONFIG).files
    atom = ET.fromstring(files["feed.xml"])
    entry = atom.find(".//{http://www.w3.org/2005/Atom}content")
    assert entry is not None and entry.text is not None
    for html in (files["archive/2026-11-26/index.html"].decode(), entry.text):
        for text, tag in (("Titel", "h[23]"), ("Auszug", "p")):
            (attributes,) = re.findall(rf"<{tag}([^>]*)>(?:<a[^>]*>)?{text}<", html)
            assert re.findall(r'\blang="([^"]*)"', attributes) == ([marked] if marked else [])


def test_an_essay_from_the_right_to_the_left_has_its_direction_on_every_page() -> None:
    lead = replace(LEAD, title="متجر", body="هذا متجر.", language="ar")
    files = build_archive(
        [issue("2026-11-26", sample_manifest.manifest(essays=(lead,)))], CONFIG
    ).files
    for path in (f"essays/{lead.slug}-2026-11-26/index.html", "archive/2026-11-26/index.html"):
        assert '<article lang="ar" dir="rtl">' in files[path].decode()
