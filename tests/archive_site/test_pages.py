"""The archive of ten issues, looked at by people's tools: links, feed, HTML, barriers, width."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import feedparser
import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.checks.html_inspector import inspect_html

from ..rendering.page_screenshots import NODE_MODULES, missing, node_tool
from ..rendering.sample_manifest import PUBLICATION
from ..web.browser_session import browsing
from .sample_archive import (
    DAYS,
    LOOK,
    ROOT,
    built,
    dead_links,
    issue,
    lay_out,
    sent,
    static_host,
    terse,
)

RULES = Path(__file__).parents[2] / "tools" / "node" / "htmlvalidate.json"


def page(path: str) -> str:
    return built().files[path].decode()


def test_every_issue_and_every_essay_has_a_page() -> None:
    found = built()
    essays = [essay for one in sent() for essay in one.manifest.issue.essays]
    assert (found.issues, found.essays) == (10, len(essays))
    for day in DAYS:
        assert f"archive/{day}/index.html" in found.files
    for essay in essays:
        assert f"essays/{essay.slug}/index.html" in found.files
    for name in ("index.html", "archive/index.html", "essays/index.html", "404.html", "feed.xml",
                 "sitemap.xml", "robots.txt", "style.css"):  # fmt: skip
        assert name in found.files


def test_what_is_linked_to_is_written_before_what_links_to_it() -> None:
    order = list(built().files)
    for early, late in (("style.css", "essays/"), ("essays/", "archive/index.html"),
                        ("archive/2026-11-26", "archive/index.html"), ("index.html", "feed.xml"),
                        ("images/", "essays/")):  # fmt: skip
        first = next(at for at, path in enumerate(order) if path.startswith(early))
        assert first < next(at for at, path in enumerate(order) if path.startswith(late))


@pytest.mark.parametrize("below", ["", "post/umbau/"])
def test_no_link_of_the_archive_is_dead(below: str) -> None:
    publication = replace(PUBLICATION, archive_url=f"{ROOT}{below}".rstrip("/"))
    files = build_archive(sent(), replace(LOOK, publication=publication)).files
    assert dead_links(files, ROOT + below, doors=("subscribe",)) == []


def test_the_link_check_would_find_a_dead_one() -> None:
    files = dict(built().files)
    del files["archive/2025-03-06-2/index.html"]
    files["essays/index.html"] = files["essays/index.html"].replace(b'id="y2025"', b"")
    files["robots.html"] = b'<a href="essays/#y2025">Jahr</a>'
    found = dead_links(files, doors=("subscribe",))
    assert any("no archive/2025-03-06-2/index.html" in line for line in found)
    assert any("robots.html: essays/#y2025 (no such place)" in line for line in found)


def test_links_name_their_file_where_a_folder_is_read_from_disk() -> None:
    config = replace(LOOK, index_html=True, subscribe=f"{ROOT}subscribe")
    files = build_archive(sent(), config).files
    assert dead_links(files, doors=("subscribe",)) == []
    for path, data in files.items():
        if path.endswith(".html") and path != "404.html":
            inside = [a for a in inspect_html(data.decode()).link_urls if "://" not in a]
            assert inside
            assert not [a for a in inside if a.endswith("/")]


def test_building_again_gives_the_same_bytes() -> None:
    assert dict(build_archive(tuple(reversed(sent())), LOOK).files) == dict(built().files)


def test_no_page_runs_a_script_or_asks_a_foreign_host() -> None:
    for path, data in built().files.items():
        if not path.endswith(".html"):
            continue
        text = data.decode()
        assert not re.search(
            r"<script(?! type=\"application/ld\+json\">)|\son\w+=|javascript:", text
        )
        assert not re.search(r"<(?:iframe|form|object|embed|base|style)\b|\sstyle=", text)
        loads = re.findall(r'<(?:img|link rel="stylesheet")[^>]*?(?:src|href)="([^"]+)"', text)
        assert loads
        assert [one for one in loads if "://" in one and path != "404.html"] == []


def test_the_page_of_an_essay_tells_search_engines_and_others_what_it_is() -> None:
    text = page("essays/das-zweite-leben-der-langen-strasse-2024-12-12/index.html")
    head = text[: text.index("</head>")]
    address = f"{ROOT}essays/das-zweite-leben-der-langen-strasse-2024-12-12/"
    assert f'<link rel="canonical" href="{address}">' in head
    for kind, told in (("og:title", "Das zweite Leben der Langen Straße"), ("og:type", "article"),
                       ("og:description", "Eine Kleinstadt baut um, statt abzureißen."),
                       ("og:url", address), ("og:site_name", PUBLICATION.name)):  # fmt: skip
        assert f'<meta property="{kind}" content="{told}">' in head
    image = re.search(r'property="og:image" content="([^"]+)"', head)
    assert image is not None
    assert image[1].removeprefix(ROOT) in built().files
    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', head)
    assert data is not None
    told = json.loads(data[1])
    assert told["@type"] == "Article"
    assert told["dateModified"] == "2024-12-13"
    assert told["mainEntityOfPage"] == address


def test_a_title_cannot_end_the_element_that_it_stands_in() -> None:
    one = issue("2026-01-01", terse())
    bad = replace(one.manifest.issue.essays[0], title="</script><b>x</b>", author='"><i>')
    manifest = replace(one.manifest, issue=replace(one.manifest.issue, essays=(bad,)))
    files = build_archive([replace(one, manifest=manifest)], LOOK).files
    for path, data in files.items():
        if path.endswith(".html"):
            assert b"<b>x" not in data
            assert b"<i>" not in data


def test_notes_lead_to_their_place_and_back() -> None:
    text = page("essays/das-zweite-leben-der-langen-strasse-2026-02-05/index.html")
    assert text.count('href="#note-1"') == 2
    assert text.count('id="zu-1"') == text.count('href="#zu-1"') == 1


def test_a_correction_is_said_where_the_text_stands() -> None:
    told = "<strong>Korrigiert am 13.\u00a0Dezember 2024:</strong> Die Schule wurde 1962 gebaut"
    assert told in page("essays/das-zweite-leben-der-langen-strasse-2024-12-12/index.html")
    assert told in page("archive/2024-12-12/index.html")
    assert built().files["feed.xml"].decode().count("Korrigiert am") == 1


# --- the feed and the site map


def test_the_feed_is_valid_and_holds_whole_texts() -> None:
    found = feedparser.parse(
        io.BytesIO(built().files["feed.xml"]),
        response_headers={"content-type": "application/atom+xml; charset=utf-8"},
    )
    assert found.bozo == 0
    assert found.version == "atom10"
    assert found.feed.id == "tag:news.upcycle.example,2024-11-28:feed"
    assert found.feed.updated == "2026-11-26T06:30:00Z"
    assert [entry.id.rpartition("/")[2] for entry in found.entries] == list(reversed(DAYS))
    for entry, one in zip(found.entries, reversed(sent()), strict=True):
        assert entry.link == f"{ROOT}archive/{one.manifest.issue.id}/"
        assert entry.updated_parsed is not None
        assert entry.content[0].type == "text/html"
        for essay in one.manifest.issue.essays:
            last = re.findall(r"[A-Za-zÄÖÜäöüß]{4,}", essay.body)[-1]
            assert last in entry.content[0].value
        for address in re.findall(r'(?:src|href)="([^"]+)"', entry.content[0].value):
            assert re.match(r"https?://|mailto:", address)
    assert found.entries[8].updated == "2024-12-13T09:00:00Z"
    assert found.entries[8].published == "2024-12-12T06:30:00Z"


def test_ids_stay_when_the_archive_moves() -> None:
    moved = replace(LOOK, publication=replace(PUBLICATION, archive_url="https://neu.example/post"))
    before, after = built().files["feed.xml"], build_archive(sent(), moved).files["feed.xml"]
    ids = [re.findall(rb"<id>(.*?)</id>", feed) for feed in (before, after)]
    assert ids[0] == ids[1]
    assert b'href="https://neu.example/post/archive/2026-11-26/"' in after


def test_no_control_character_breaks_the_feed() -> None:
    one = issue("2026-01-01", terse())
    bad = replace(one.manifest.issue.essays[0], title="Ein\x0bWort\x92", author="A\x00")
    manifest = replace(one.manifest, issue=replace(one.manifest.issue, essays=(bad,)))
    feed = build_archive([replace(one, manifest=manifest)], LOOK).files["feed.xml"]
    assert feedparser.parse(io.BytesIO(feed)).entries[0].title


def test_the_site_map_names_every_page_that_may_be_found() -> None:
    root = ET.fromstring(built().files["sitemap.xml"])
    found = {
        loc.text or "" for loc in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    }
    want = {
        ROOT + path.removesuffix("index.html")
        for path in built().files
        if path.endswith(".html") and path != "404.html"
    }
    assert found == want


# --- by tools


@pytest.mark.slow
def test_html_validate_has_no_objection(tmp_path: Path) -> None:
    node_tool("html-validate/bin/html-validate.mjs")
    lay_out(tmp_path, built().files)
    done = validated(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "index.html").write_text(page("index.html").replace("<h1>", "<h1><p>", 1))
    assert validated(tmp_path).returncode == 1


def validated(folder: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node") or missing("no Node here (apt-get install npm)")
    tool = NODE_MODULES / "html-validate/bin/html-validate.mjs"
    return subprocess.run(
        [node, str(tool), "--config", str(RULES), "--ext", "html", str(folder)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.chromium
@pytest.mark.slow
@pytest.mark.timeout(300)  # two looks at more than thirty pages, on a busy machine
def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(tmp_path: Path) -> None:
    axe = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    lay_out(tmp_path / "post", built().files)
    looked = 0
    with static_host(tmp_path) as host, browsing() as browser:
        for path in sorted(path for path in built().files if path.endswith(".html")):
            if path == "404.html":
                continue  # its style lies at the public address
            address = f"{host}/post/{path.removesuffix('index.html')}"
            for width, dark in ((320, False), (1200, True)):
                browser.look(width=width, dark=dark)
                browser.open(address)
                assert browser.overflow() <= 0, (path, width)
                browser.run(axe + ";0")
                found = browser.run(
                    "axe.run().then(r => [r.passes.length, r.violations.map("
                    "v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))])"
                )
                assert found[0] > 10
                assert found[1] == [], (path, width, dark)
                looked += 1
            browser.look(width=640)
            assert browser.overflow() <= 0, path
        assert {one for one in browser.requests if not one.startswith(host)} <= {"about:blank"}
    assert looked == 2 * (3 + built().issues + built().essays)
