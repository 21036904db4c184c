"""The archive of an issue in two languages: a page, a feed and a search for each, which name one another."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.services.archive import corrections
from upcycle_news.services.archive.build import build_archive

from ...publications import Publication, send_issue
from ...two_languages import ENGLISH, add_readers, make_bilingual, write_translated

ATOM = "{http://www.w3.org/2005/Atom}"
SITE = "https://umbaupost.example.net"


@pytest.fixture
def sent(publication: Publication) -> AppContext:
    """An issue in two languages with an essay that is in German only, sent."""
    make_bilingual(publication)
    write_translated(publication)
    publication.write_essay("Schule")
    add_readers(publication)
    context = publication.context()
    send_issue(context)
    return context


def page(context: AppContext, path: str) -> str:
    return (context.archive_folder / path).read_text("utf-8")


def alternates(html: str) -> dict[str, str]:
    return dict(re.findall(r'<link rel="alternate" hreflang="([\w-]+)" href="([^"]+)">', html))


def test_a_page_and_its_translation_name_each_other(sent: AppContext) -> None:
    german, english = page(sent, "essays/schraube/index.html"), page(sent, "en/essays/schraube/index.html")  # fmt: skip
    both = {
        "de": f"{SITE}/essays/schraube/",
        "en": f"{SITE}/en/essays/schraube/",
        "x-default": f"{SITE}/essays/schraube/",
    }
    assert alternates(german) == alternates(english) == both
    assert '<html lang="de"' in german
    assert '<html lang="en"' in english
    assert "In Praise of the Screw" in english
    assert "“undo”" in english
    assert f'<link rel="canonical" href="{SITE}/en/essays/schraube/">' in english
    assert '<a href="../../en/essays/schraube/" lang="en" hreflang="en">English</a>' in german
    assert '<a href="../../../essays/schraube/" lang="de" hreflang="de">Deutsch</a>' in english
    assert '"keywords": "Building"' in english
    assert "Conversion Post" in english
    assert "12345 Musterstadt, Germany" in english


def test_an_issue_has_a_page_in_each_language(sent: AppContext) -> None:
    german, english = page(sent, "archive/2026-11-26/index.html"), page(sent, "en/archive/2026-11-26/index.html")  # fmt: skip
    assert alternates(german) == alternates(english)
    assert "Lob der Schraube" in german
    assert "In Praise of the Screw" in english
    # An essay without a translation is the page that it has, in its own language.
    assert 'href="../../../essays/schule/"' in english
    assert not (sent.archive_folder / "en/essays/schule").exists()
    assert alternates(page(sent, "essays/schule/index.html")) == {}


def test_lists_and_the_first_page_are_in_each_language(sent: AppContext) -> None:
    for path in ("", "archive/", "essays/"):
        assert alternates(page(sent, f"en/{path}index.html"))["de"] == f"{SITE}/{path}"
        assert "In Praise of the Screw" in page(sent, f"en/{path}index.html")
        assert "In Praise" not in page(sent, f"{path}index.html")
    assert 'href="../subscribe?lang=en"' in page(sent, "en/index.html")


def test_each_language_has_a_feed_with_ids_of_its_own(sent: AppContext) -> None:
    german, english = (ET.fromstring(page(sent, path)) for path in ("feed.xml", "en/feed.xml"))
    assert german.find(f"{ATOM}id").text + "/en" == english.find(f"{ATOM}id").text  # type: ignore[union-attr, operator]
    entry = english.find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}title") == "In Praise of the Screw"
    assert str(entry.findtext(f"{ATOM}id")).endswith("issue/2026-11-26/en")
    assert [link.get("href") for link in english.findall(f"{ATOM}link")] == [f"{SITE}/en/feed.xml", f"{SITE}/en/"]  # fmt: skip
    category = entry.find(f"{ATOM}category")
    assert category is not None
    assert (category.get("term"), category.get("label")) == ("bauen", "Building")


def test_the_site_map_names_all_languages_of_a_page(sent: AppContext) -> None:
    root = ET.fromstring(page(sent, "sitemap.xml"))
    names = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "x": "http://www.w3.org/1999/xhtml"}  # fmt: skip
    pages = {
        url.findtext("s:loc", "", names): {
            link.get("hreflang"): link.get("href") for link in url.findall("x:link", names)
        }
        for url in root.findall("s:url", names)
    }
    assert pages[f"{SITE}/en/archive/2026-11-26/"] == pages[f"{SITE}/archive/2026-11-26/"] == {
        "de": f"{SITE}/archive/2026-11-26/",
        "en": f"{SITE}/en/archive/2026-11-26/",
        "x-default": f"{SITE}/archive/2026-11-26/",
    }  # fmt: skip
    assert pages[f"{SITE}/essays/schule/"] == {}


def test_each_language_has_a_search_of_its_own(sent: AppContext) -> None:
    german = list(filter(None, json.loads(page(sent, "search/d-0.json"))))
    english = list(filter(None, json.loads(page(sent, "en/search/d-0.json"))))
    assert "In Praise of the Screw" in {document[0] for document in english}
    assert "In Praise of the Screw" not in {document[0] for document in german}
    assert {document[1] for document in english} >= {"../en/essays/schraube/", "../essays/schule/"}
    assert 'src="../../en/search/form.js"' in page(sent, "en/archive/index.html")


def test_without_a_further_language_nothing_of_it_is_there(publication: Publication) -> None:
    publication.write_essay("Schule")
    publication.add_many_subscribers(1)
    context = publication.context()
    send_issue(context)
    assert not (context.archive_folder / "en").exists()
    assert "hreflang" not in page(context, "index.html") + page(context, "sitemap.xml")


def test_a_correction_corrects_each_language(sent: AppContext, publication: Publication) -> None:
    german, _ = write_translated(publication, ENGLISH.replace("for ever", "for good"))
    german.write_text(german.read_text("utf-8").replace("für immer", "fast immer"), "utf-8")
    corrections.correct(sent, "schraube", "Der Leim hält nicht ewig.", by="Ada")
    assert "fast immer" in page(sent, "essays/schraube/index.html")
    assert "for good" in page(sent, "en/essays/schraube/index.html")
    assert "for good" in page(sent, "en/archive/2026-11-26/index.html")


def test_a_correction_may_be_of_the_translation_alone(
    sent: AppContext, publication: Publication
) -> None:
    write_translated(publication, ENGLISH.replace("for ever", "for good"))
    corrections.correct(sent, "schraube", "Übersetzung verbessert.", by="Ada")
    with pytest.raises(IssueError, match="schraube"):  # nothing has changed since
        corrections.correct(sent, "schraube", "Noch einmal.", by="Ada")
    assert "for good" in page(sent, "en/essays/schraube/index.html")


def test_a_withdrawal_takes_all_languages_away(sent: AppContext) -> None:
    corrections.withdraw(sent, "schraube", "Irrtum.", by="Ada")
    for path in ("essays/schraube/index.html", "en/essays/schraube/index.html"):
        assert "noindex" in page(sent, path)
        assert "Screw" not in page(sent, path)
    assert "Screw" not in page(sent, "en/feed.xml")


def test_building_again_changes_nothing(sent: AppContext) -> None:
    report = build_archive(sent)
    assert (report.written, report.removed) == (0, 0)
